"""What becomes of what was sent: it is loaded, audited, checked and published, and the run gets its page.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""
# ruff: noqa: ARG002, D102 - every work() is given a context, and the class says what it does

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Asset, AssetAlias, Context

from cluster.errors import StreamproofError, TopicMissing, VerdictFailed, VerdictUnknown
from plugins.loading import LoadingOperator
from plugins.step import WarehouseOperator

# Which assets a run writes is known when it runs: the topic is a field of the form. Hence aliases.
TOPICS = AssetAlias("streamproof-topics")
PUBLICATIONS = AssetAlias("streamproof-publications")


class LoadOperator(LoadingOperator):
    """Load what the topic holds into its warehouse, exactly once.

    :param max_quarantined: how much the quarantine may hold, as ``load --max-quarantined`` takes it. Without it a load
        that quarantines much is a warning: the audit behind it judges each record, and knows what was injected.
    """

    template_fields: Sequence[str] = (*LoadingOperator.template_fields, "max_quarantined")
    ui_color = "#fdf3e1"

    def __init__(self, *, max_quarantined: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_quarantined = max_quarantined

    def work(self, context: Context) -> dict[str, Any]:
        from consumer.sinks.limit import NO_LIMIT, Limit

        result = self.load(self.connection(), Limit.parse(self.max_quarantined) if self.max_quarantined else NO_LIMIT)
        return {"rows": result.rows, "quarantined": result.quarantined, "seconds": round(result.seconds, 3)}


class AuditOperator(LoadingOperator):
    """Compare the run's manifests with the warehouse; anything but PASSED fails the task.

    Success is an event of the topic's asset: the topic holds a run that is proved.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("outlets", [TOPICS])
        super().__init__(**kwargs)

    def work(self, context: Context) -> dict[str, Any]:
        from consumer.report import page_kept

        self.log.info("Comparing the manifests of %s with %s", self.run_id, self.place().shown)
        with page_kept(self.place(), self.topic, self.run_id, self.publications_folder()):
            result = self.audit(self.connection())
        figures = {
            name: getattr(result, name)
            for name in ("expected", "loaded", "lost", "duplicated", "phantom", "altered", "reordered", "undecodable")
        }
        self.log.info("%s: %s", result.verdict, ", ".join(f"{name} {number:,}" for name, number in figures.items()))
        self.log.info("%s In %.1f s.", result.reason, result.seconds)
        for note in result.notes:
            self.log.warning("%s", note)
        if result.verdict != "PASSED":
            kind = VerdictUnknown if result.verdict == "UNKNOWN" else VerdictFailed
            raise kind(f"the audit says {result.verdict}: {result.sentence}", where=self.run_id, hint=result.advice)
        facts: dict[str, Any] = {"run_id": self.run_id, "verdict": result.verdict, "events": result.loaded}
        topic = Asset(f"kafka://{self.kafka_conn_id}/{self.topic}")
        context["outlet_events"][TOPICS].add(topic, extra=facts)
        return {"verdict": result.verdict, **figures}


class CheckOperator(WarehouseOperator):
    """Run the aggregate checks; a blocking one that does not hold fails the task."""

    def work(self, context: Context) -> dict[str, Any]:
        from consumer.proof.checks import run_checks
        from consumer.report import page_kept

        self.log.info("Checking %s in %s", self.run_id, self.place().shown)
        with page_kept(self.place(), self.topic, self.run_id, self.publications_folder()):
            report = run_checks(self.place(), self.run_id, topic=self.topic)
        failed = [result for result in report.results if result.passed is False]
        for result in failed:
            self.log.warning(
                "%s (%s): %s offending: %s",
                result.check,
                result.severity,
                f"{result.offending:,}",
                result.detail or result.description,
            )
        held = sum(result.passed is True for result in report.results)
        self.log.info("%s checks hold, %s do not, of %s", held, len(failed), len(report.results))
        if report.blocked_by:
            what = "; ".join(
                f"{each.check}: {each.offending:,} offending ({each.detail})" for each in report.blocked_by
            )
            raise VerdictFailed(
                f"blocking checks do not hold: {what}", where=self.run_id, hint="The report has the details"
            )
        return {"checks": len(report.results), "warnings": len(failed)}


class PublishOperator(WarehouseOperator):
    """Swap a new snapshot in for readers."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("outlets", [PUBLICATIONS])
        super().__init__(**kwargs)

    def work(self, context: Context) -> dict[str, Any]:
        from consumer.publish.publish import publish
        from consumer.report import page_kept

        folder = self.publications_folder()
        self.log.info("Publishing %s from %s to %s", self.run_id, self.place().shown, folder)
        with page_kept(self.place(), self.topic, self.run_id, folder):
            publication = publish(self.place(), self.topic, self.run_id, folder)
        self.log.info("Published %s rows as %s", f"{publication.rows:,}", publication.path)
        for sentence in (*publication.renewed, *publication.absent):
            self.log.warning("%s", sentence)
        facts: dict[str, Any] = {
            "run_id": self.run_id,
            "rows": publication.rows,
            "verdict": "PASSED",
            "path": str(publication.path),
        }
        context["outlet_events"][PUBLICATIONS].add(Asset(f"streamproof://publications/{self.topic}"), extra=facts)
        return {"path": str(publication.path), "rows": publication.rows}


class ReportOperator(LoadingOperator):
    """Write the run's page, whatever its verdict; then fail, unless readers have what was audited last.

    It fails, too, where nobody can say whether the run went on since: retries ask a broker again that is gone. So it is
    green when the run is, and "clear failed tasks" takes it along. Where anything was sent, there is a page.
    """

    def work(self, context: Context) -> dict[str, Any]:
        from consumer.report import write_report

        if not self._anything_sent():
            hint = "A task before says why"
            raise VerdictFailed("nothing of the run was sent, so there is no report", where=self.run_id, hint=hint)
        not_known = self._judge_what_went_on()
        warehouse, folder = self.place(), self.publications_folder()
        report = write_report(warehouse, self.topic, self.run_id, folder, even_if_unknown=True)
        self.log.info("Report written to %s", report.path)
        self.log.info("%s. %s", report.verdict, " ".join(filter(None, (report.shortfall, report.publication))))
        if not report.published:
            hint = "The page is written; it says what became of each task"
            raise VerdictFailed(report.publication.rstrip("."), where=self.run_id, hint=hint)
        if not_known is not None:
            raise not_known
        return {"path": str(report.path), "verdict": report.verdict}

    def _anything_sent(self) -> bool:
        """Tell whether a shard of the run has begun; where nobody can say, one may have."""
        from schemas.control_topic import read_control_topic

        try:
            manifests = read_control_topic(self.connection().kafka, self.topic).manifests
        except TopicMissing:
            return False
        except StreamproofError as error:
            self.log.warning("Whether anything was sent is not known: %s", error)
            return True
        return any(run_id == self.run_id for run_id, _ in manifests)

    def _judge_what_went_on(self) -> StreamproofError | None:
        """Judge the run again when its shards claim something else than at its latest audit, or it has none.

        So it is where only failed tasks were cleared: the shards were continued, and the audit was green before.
        Returns why it could not be found out, as the page is written all the same.
        """
        from consumer.proof.audit import went_on
        from consumer.proof.checks import run_checks

        try:
            connection = self.connection()
            if went_on(connection, self.place(), self.topic, self.run_id):
                self.log.warning("The run went on after its audit, or has none: it is audited and checked now")
                self.audit(connection)
                run_checks(self.place(), self.run_id, topic=self.topic)
        except StreamproofError as error:
            self.log.warning("The page tells of the latest audit; what happened since is not known: %s", error)
            return error
        return None

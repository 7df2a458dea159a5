"""The steps of a rehearsal as operators: each calls one function of the packages and says in figures what it did.

Every step may be retried: a topic or a schema that is there is recognised, a generator goes on where its acknowledged
events end, a load goes on at the position in the warehouse, the rest is computed anew. ``step.py`` has what they share.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""
# ruff: noqa: ARG002, D102 - every work() is given a context, and the class says what it does

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, Context

from cluster.errors import StreamproofError, TopicMissing, VerdictFailed, VerdictUnknown
from plugins.form.scenario_settings import rehearsal_of
from plugins.form.scenarios import DEFAULT_SCENARIO
from plugins.loading import LoadingOperator
from plugins.step import (
    LOG_EVERY_S,
    WAREHOUSE_CONN_ID,
    StoppableOperator,
    StreamproofOperator,
    WarehouseOperator,
    every,
    place_of_topic,
)

if TYPE_CHECKING:
    from schemas.columns.at_hand import AtHand

# Which assets a run writes is known when it runs: the topic is a field of the form. Hence aliases.
TOPICS = AssetAlias("streamproof-topics")
PUBLICATIONS = AssetAlias("streamproof-publications")
# Generators begin within moments, unless the tasks of other runs have all the slots.
BEGIN_TIMEOUT_S = 900.0


class EnsureTopicsOperator(StreamproofOperator):
    """Create the topic and its control topic as declared; say how existing ones differ, and change nothing."""

    def work(self, context: Context) -> dict[str, Any]:
        from cluster.topics import admin_client, apply_topics, specs_for

        results = apply_topics(admin_client(self.connection().kafka), specs_for(self.topic))
        for result in results:
            self.log.info("Topic %s %s, %s partitions", result.name, result.action, result.info.partitions)
            for change in result.changes:
                self.log.warning("  %s is %s, declared as %s", change.setting, change.actual, change.declared)
        return {result.name: result.action for result in results}


class PlanOperator(StreamproofOperator):
    """Split the run into shards; refuse settings that contradict each other, or that the scenario does not take.

    Returns what each shard is told: what ``ProduceRequest`` takes beside topic and run id. Incidents are of no shard:
    :class:`IncidentsOperator` does them.

    :param scenario: name of a scenario, or the path of its file.
    :param besides: parameters of the Dag that say nothing of the events, and are others' to judge.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "scenario")

    def __init__(self, *, scenario: str = DEFAULT_SCENARIO, besides: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self.besides = besides

    def work(self, context: Context) -> list[dict[str, Any]]:
        from producer.plan.acceptance import accept
        from producer.plan.request import ProduceRequest
        from producer.plan.rules import rate_or_own
        from producer.scenarios import find_scenario, own_rate

        params = {name: value for name, value in context["params"].items() if name not in self.besides}
        rehearsal = rehearsal_of(params, self.scenario)
        settings = rehearsal.request() | {"scenario": self.scenario}
        scenario = find_scenario(self.scenario, registry=self.connection().registry)
        own = partial(own_rate, scenario, rehearsal.shards, settings["options"])
        settings["rate"] = rate_or_own(settings["rate"], settings["shape"], own)
        request = ProduceRequest(topic=self.topic, run_id=self.run_id, **settings)
        accept(request.plan, scenario)
        if request.plan.incidents:
            from producer.incidents.stage import stage_of

            stage = stage_of(self.connection(), request.plan.incidents)
            for warning in stage.warnings(request.plan.incidents, request.delivery_timeout_s):
                self.log.warning("%s", warning)
        settings.pop("incidents", None)
        how_many = f"{rehearsal.events:,} events" if rehearsal.events else "events"
        until = "until the shape ends" if request.seconds is None else f"{request.seconds} s at most"
        what = f"{how_many} of {scenario.name} in {request.shards} shards"
        self.log.info("Plan: %s, %s, %s", what, request.plan.pace, until)
        if request.faults:
            self.log.info("Injected faults: %s", " ".join(request.faults))
        return [settings | {"options": dict(request.plan.options), "shard": shard} for shard in range(request.shards)]


class SchemaGateOperator(StreamproofOperator):
    """Register the versions of a contract for the topic, or refuse with the reasons.

    A run that writes another version than the active one has it registered; one that mixes two versions has both. The
    warehouse that is to be loaded is asked what it holds, without waiting for whoever loads into it.

    :param scenario: whose contract it is: a name, or the path of a file.
    :param contract: another one: a folder below ``schemas/``, or an ``.avsc`` file.
    :param warehouse: as of :class:`WarehouseOperator`, and so is ``warehouse_conn_id``.
    """

    template_fields: Sequence[str] = (
        *StreamproofOperator.template_fields,
        "scenario",
        "contract",
        "warehouse",
        "warehouse_conn_id",
    )

    def __init__(
        self,
        *,
        scenario: str = DEFAULT_SCENARIO,
        contract: str = "",
        warehouse: str = "",
        warehouse_conn_id: str = WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self.contract = contract
        self.warehouse = warehouse
        self.warehouse_conn_id = warehouse_conn_id

    def work(self, context: Context) -> dict[str, Any]:
        from producer.scenarios import contract_of, find_scenario
        from schemas.formats import FRAMED
        from schemas.registry.contract import load_contract, subject_for
        from schemas.registry.gate import Registry, gate

        settings = self.connection().registry
        scenario = find_scenario(self.scenario, registry=settings)
        contract = load_contract(self.contract) if self.contract else contract_of(scenario)
        if scenario.format not in FRAMED:
            self.log.info("values of %s name no schema: nothing is registered", scenario.name)
            return {"subject": None, "schema_id": None}
        params = context.get("params") or {}
        # No event goes out before all versions that the run writes are registered.
        mixing = bool(params.get("next_version_share") or params.get("next_version_ramp"))
        up_to = params.get("schema_version")
        with Registry(settings) as registry:
            subject, written = subject_for(self.topic), scenario.format
            table = self._at_hand()
            result = gate(registry, contract, subject, up_to=up_to, mixing=mixing, written=written, table=table)
        for version in result.versions:
            self.log.info("%s v%s: %s", result.subject, version.version, version.status)
            for change in version.changes:
                self.log.info("  %s %s: %s -> %s", change.path, change.kind, change.old, change.new)
            for remark in version.remarks:
                self.log.warning("  %s", remark)
        return {"subject": result.subject, "schema_id": result.current.id if result.current else None}

    def _at_hand(self) -> AtHand | None:
        place = place_of_topic(self.topic, self.warehouse, self.warehouse_conn_id)
        try:
            return place.at_hand(self.topic)
        except StreamproofError as error:
            self.log.warning("%s was not asked what it holds: %s", place.shown, error.message)
            return None


class GenerateShardOperator(StoppableOperator):
    """Produce one shard of a run and return what its manifest says.

    :param shard: what ``ProduceRequest`` takes beside topic and run id; map the operator over these.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "shard")
    ui_color = "#e9f7ea"

    def __init__(self, *, shard: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def work(self, context: Context) -> dict[str, Any]:
        from producer.emit import produce_shard
        from producer.judgement import too_slow
        from producer.plan.request import ProduceRequest
        from producer.standing import Standing
        from schemas.manifest import count
        from schemas.rates import rate_reached

        request = ProduceRequest(topic=self.topic, run_id=self.run_id, **self.shard)
        target = "as many events as fit" if request.plan.target is None else f"{request.plan.target:,} events"
        self.log.info("Shard %s of %s: %s, %s", request.shard + 1, request.shards, target, request.plan.pace)
        standing = Standing([request.plan.target])
        say = every(LOG_EVERY_S, lambda _: self.log.info("%s", standing.line().words()))

        def heard(progress: Any) -> None:
            standing.add(progress)
            say(progress)

        with self.stopping() as stop:
            manifest = produce_shard(self.connection(), request, stop=stop, progress=heard)
        rate = rate_reached([manifest])
        self.log.info("Kafka acknowledged %s events, at %s", f"{manifest.acknowledged:,}", rate or "a rate not known")
        if manifest.resumed:
            self.log.info("%s earlier attempts at this shard were continued", manifest.resumed)
        slow = too_slow(rate, request.require_rate, run_id=self.run_id, where=f"shard {request.shard}, {self.topic}")
        if slow is not None:
            raise slow
        if rate is not None and rate.missed:
            self.log.warning("%s", rate.warning())
        return {
            "acknowledged": manifest.acknowledged,
            "failed": count(manifest.failed),
            "unknown": count(manifest.unknown),
        }


class IncidentsOperator(StoppableOperator):
    """Do the incidents of a run to the local stack, beside its generators and once for all of them.

    The run begins when its first event is in the topic. When every shard has ended, what goes on is ended too. Who ends
    the task ends the incidents; a retry does not do again what had begun.

    :param incidents: as ``--incident`` takes them, several with ``;`` between them; empty for none.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "incidents")

    def __init__(self, *, incidents: str = "{{ params.get('incidents') or '' }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.incidents = incidents

    def work(self, context: Context) -> list[dict[str, Any]]:
        from producer.incidents.clocks import TopicClock
        from producer.incidents.performance import Performance
        from producer.incidents.stage import stage_of
        from producer.plan.incidents import parse_incidents

        planned = parse_incidents([self.incidents])
        if not planned:
            self.log.info("No incidents are asked for")
            return []
        kafka = self.connection().kafka
        clock = TopicClock(kafka, self.topic, self.run_id)
        performance = Performance(
            kafka, self.topic, self.run_id, planned, stage_of(self.connection(), planned), run_clock=clock
        )
        begin_by = time.monotonic() + BEGIN_TIMEOUT_S

        def over() -> bool:
            return clock.is_over() or (clock() is None and time.monotonic() > begin_by)

        with self.stopping() as stop:
            done = performance.perform(over, hurry=stop.is_set)
        for incident in done:
            at = "not at all" if incident.began_s is None else f"at {incident.began_s:.1f} s"
            self.log.info("%s: began %s%s", incident.text, at, f"; {incident.fault}" if incident.fault else "")
        return [incident.model_dump() for incident in done]


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

"""The page of a run that pipelines of others stored, as an operator: its verdict is that of the audits before.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, TriggerRule

from cluster.errors import StreamproofError, TopicMissing, VerdictFailed, VerdictUnknown
from cluster.local import publications_dir
from plugins.pipeline import FIGURES
from plugins.step import FAILURE, StreamproofOperator

if TYPE_CHECKING:
    from schemas.control_topic import ControlTopic

_NOT_AUDITED = "Nothing was audited: a task before says why."


class PipelineReportOperator(StreamproofOperator):
    """Write the run's page from what its audits found, whatever they say; then fail, unless all of them passed.

    Where nothing was sent there is no page. Returns verdict and sentence, where the page is, and the figures that are
    shown of each task.

    :param audits: ids of the tasks before that audit, such as those of ``AuditSinkOperator``.
    :param shown: ids of other tasks before, each with the names of those of its figures that the page shows.
    :param publications: folder for reports; the default folder when empty.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "publications")
    ui_color = "#f3e8fb"

    def __init__(
        self,
        *,
        audits: Sequence[str],
        shown: Mapping[str, Sequence[str]] | None = None,
        publications: str = "",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", TriggerRule.ALL_DONE)
        super().__init__(**kwargs)
        self.audits = audits
        self.shown = shown or {}
        self.publications = publications

    def work(self, context: Context) -> dict[str, Any]:
        """Write the page."""
        from consumer.report import write_audits
        from consumer.report.audits import AuditedRun
        from consumer.report.facts import Facts

        ti = context["ti"]
        audits = {task: self._found(ti, task) for task in self.audits}
        returned = {task: ti.xcom_pull(task_ids=task) or {} for task in self.shown}
        told = {task: {name: returned[task].get(name) for name in names} for task, names in self.shown.items()}
        said = self._said()
        found = any(audits.values()) or any(returned.values())
        if not found and said is not None and not said.manifests:
            raise VerdictFailed(
                "nothing of the run was sent, so there is no report", where=self.run_id, hint="A task before says why"
            )
        incidents = None if said is None else said.incidents.get(self.run_id)
        run = AuditedRun(
            Facts(
                self.run_id,
                self.topic,
                audit=None,
                manifests=[] if said is None else [manifest for _, manifest in sorted(said.manifests.items())],
                checks=[],
                incidents=[] if incidents is None else incidents.incidents,
            ),
            audits={
                _name(task): figures or {"verdict": "UNKNOWN", "reason": self._came_to_nothing(ti, task)}
                for task, figures in audits.items()
            },
            told={_name(task): figures for task, figures in told.items() if returned[task]},
        )
        report = write_audits(run, Path(self.publications) if self.publications else publications_dir())
        self.log.info("Report written to %s", report.path)
        self.log.info("%s: %s", run.verdict, run.reason)
        if report.shortfall:
            self.log.warning("%s", report.shortfall)
        if run.verdict != "PASSED":
            kind = VerdictFailed if run.verdict == "FAILED" else VerdictUnknown
            hint = "The page is written; it says what became of each audit"
            raise kind(f"{run.verdict}: {run.reason.rstrip('.')}", where=self.run_id, hint=hint)
        return {"verdict": run.verdict, "reason": run.reason, "path": str(report.path)} | told

    def _said(self) -> ControlTopic | None:
        """Return what the shards of the run say; ``None`` where nobody can say it now: the verdict is known without."""
        from schemas.control_topic import ControlTopic, read_control_topic

        try:
            return read_control_topic(self.connection().kafka, self.topic, run_id=self.run_id)
        except TopicMissing:
            return ControlTopic()
        except StreamproofError as error:
            self.log.warning("The page tells nothing of the generators: %s", error)
            return None

    @staticmethod
    def _found(ti: Any, task: str) -> dict[str, Any]:
        """Return what an audit found; empty where it came to nothing."""
        return dict(ti.xcom_pull(task_ids=task, key=FIGURES) or {})

    @staticmethod
    def _came_to_nothing(ti: Any, task: str) -> str:
        """Return why an audit came to nothing."""
        return str(ti.xcom_pull(task_ids=task, key=FAILURE) or _NOT_AUDITED)


def _name(task: str) -> str:
    """Return what the page calls a task: ``audit_totals`` is about totals."""
    return task.removeprefix("audit_").replace("_", " ")

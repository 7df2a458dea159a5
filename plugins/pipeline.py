"""The audit of somebody else's pipeline as an operator: what it stored, against the ledger of the topic that it read.

The task looks, and looks again until the verdict is final or its time is over: in its own process, or, deferred, by a
timer of the triggerer, so that no worker waits. ``audit`` of ``consumer.pipeline`` judges; nothing is written there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import Asset, AssetAlias, Context, ExceptionRetryPolicy, RetryAction, RetryRule, conf

from cluster.errors import (
    Interrupted,
    Misconfigured,
    PlaceMissing,
    Terminal,
    TopicMissing,
    Transient,
    VerdictFailed,
    VerdictUnknown,
)
from cluster.text.durations import seconds_in
from plugins.form.scenarios import folders
from plugins.pipeline_words import advice_of, figures_of, lines_of
from plugins.step import LOG_EVERY_S, StoppableOperator, StreamproofOperator, every

if TYPE_CHECKING:
    from cluster.connection import Connection
    from consumer.pipeline.result import PipelineResult
    from consumer.pipeline.stored import StoredPlace
    from consumer.pipeline.truth import Truth
    from schemas.manifest import Manifest

# Which asset a run proves is known when it runs: the topic is a field of the form.
PIPELINES = AssetAlias("streamproof-pipelines")
# What is not there yet may be there at the next try: others fill the sink, and generators may go on.
AGAIN = ExceptionRetryPolicy(rules=[RetryRule(Terminal, RetryAction.FAIL, reason="Trying again would not help")])
FIGURES = "figures"
# A look that is put off costs the start of a task. So the first pause is short, and each one twice as long. It is not
# shorter: Airflow's worker waits up to 5 s for what runs beside a task before it says that the task is put off. One
# that goes on before that is taken for lost, and tried again.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 60.0
_SAID = {"true": True, "false": False, "": False, "none": False}  # what a template makes of them


class AuditSinkOperator(StoppableOperator):
    """Compare what a pipeline stored with what was sent; anything but PASSED fails the task.

    FAILED is not tried again, UNKNOWN is. Success is an event of the asset ``streamproof://pipelines/<topic>``. The
    figures are the XCom ``figures``, whatever the verdict.

    :param at: where the pipeline stores, as ``audit --at`` takes it; ``#schema.table`` where ``conn_id`` says the rest.
    :param query: SELECT that gives the rows, in place of a table.
    :param id_column: column that holds the ids; ``event_id`` unless given.
    :param position: columns of partition and offset, such as ``("kafka_partition", "kafka_offset")``, for a ledger that
        knows records by them; ``run_id`` is the ledger's then.
    :param columns: columns of the sink, each with the column of the event and, after a colon, a type:
        ``{"amount": "details.price:decimal(12,2)"}``.
    :param compare: generate the events again, and compare columns by value.
    :param expect: SQL over the columns of an event: which of them are meant to arrive.
    :param expectations: paths of ``.sql`` files over ``truth`` and ``sink`` that return the rows that disagree.
    :param also: what was sent to other topics, as relations for expectations: ``["articles=click_stream_metadata"]``.
    :param order: column of the sink that tells the order in which it was filled.
    :param all_runs: hold expectations against all runs of the topic together, whatever ``run_id`` says: for totals.
    :param scenario: name or file of the scenario that made the run, where the run's manifests do not lead to it.
    :param conn_id: connection of a PostgreSQL database that holds the sink, of type ``postgres`` or
        ``postgres_warehouse``: address, login and password.
    :param wait: how long to look again while the verdict is not final, such as ``5m``; once unless given.
    :param deferrable: wait in the triggerer, not in a worker; as ``[operators] default_deferrable`` says unless given.
    """

    template_fields: Sequence[str] = (
        *StreamproofOperator.template_fields,
        *("at", "query", "id_column", "position", "columns", "compare", "expect", "expectations", "order"),
        *("all_runs", "also", "scenario", "conn_id", "wait"),
    )
    ui_color = "#f3e8fb"

    def __init__(
        self,
        *,
        at: str = "",
        query: str = "",
        id_column: str = "",
        position: Sequence[str] = (),
        columns: Mapping[str, str] | None = None,
        compare: bool | str = False,
        expect: str = "",
        expectations: Sequence[str] = (),
        order: str = "",
        all_runs: bool | str = False,
        also: Sequence[str] = (),
        scenario: str = "",
        conn_id: str = "",
        wait: str = "",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("outlets", [PIPELINES])
        super().__init__(**kwargs | {"retry_policy": kwargs.get("retry_policy") or AGAIN})
        self.at = at
        self.query = query
        self.id_column = id_column
        self.position = position
        self.columns = columns
        self.compare = compare
        self.expect = expect
        self.expectations = expectations
        self.order = order
        self.all_runs = all_runs
        self.also = also
        self.scenario = scenario
        self.conn_id = conn_id
        self.wait = wait
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable

    def work(self, context: Context) -> dict[str, Any]:
        """Look, and wait as the operator was told."""
        wait_s = seconds_in(self.wait) if self.wait else 0.0
        if self.deferrable and wait_s:
            return self._look_or_defer(context, datetime.now(UTC) + timedelta(seconds=wait_s), FIRST_PAUSE_S)
        return self._judge(context, self._look(wait_s))

    def look_again(self, context: Context, event: Any, *, until: str, pause_s: float) -> dict[str, Any]:  # noqa: ARG002
        """Go on after a pause, in a process of its own.

        :param until: when the time is over (ISO 8601).
        :param pause_s: the next pause, seconds.
        """
        ends = datetime.fromisoformat(until)
        figures: dict[str, Any] = self.done(context, lambda _: self._look_or_defer(context, ends, pause_s))
        return figures

    def place(self, connection: Connection) -> StoredPlace:
        """Return where the pipeline stores.

        :param connection: the cluster of ``kafka:topic``.
        :raises Misconfigured: nothing says it, two things do, or Airflow has no such connection.
        """
        from consumer.pipeline.stored.naming import stored_at

        query = self.query or None
        if not self.conn_id:
            return stored_at(self.at, query=query, connection=connection, topic=self.topic)
        if "://" in self.at:
            raise Misconfigured(
                f"the connection {self.conn_id!r} and an address are given",
                hint="With conn_id, `at` is '#schema.table', or empty beside a query",
            )
        from plugins.hooks import database_at

        return stored_at(self.at, query=query, address=database_at(self.conn_id))

    def _look(self, wait_s: float, *, again: bool = False) -> PipelineResult:
        from consumer.pipeline.asked import Asked, also_of, columns_of
        from consumer.pipeline.audit import audit_pipeline
        from producer.regenerate import regenerated

        connection = self.connection()

        def truth_of(manifests: Sequence[Manifest]) -> Truth:
            given = self.scenario if manifests and manifests[0].topic == self.topic else None
            return regenerated(manifests, connection=connection, scenario=given or None, folders=folders())

        place = self.place(connection)
        asked = Asked(
            id_column=self.id_column or None,
            position=_pair(self.position),
            columns=columns_of(self.columns or {}),
            compare=_truth_in(self.compare, "compare"),
            expect=self.expect or None,
            expectations=tuple(Path(path) for path in self.expectations),
            also=also_of(self.also),
            order=self.order or None,
            all_runs=_truth_in(self.all_runs, "all_runs"),
        )
        self.log.info("Comparing what was sent in %s with %s", self.run_id, place.shown)
        say = every(LOG_EVERY_S, lambda so_far: self.log.info("%s", so_far.words))
        with self.stopping() as stop:
            return audit_pipeline(
                connection,
                self.topic,
                place,
                truth_of,
                run_id=self.run_id or None,
                asked=asked,
                wait_s=wait_s,
                again=again,
                stop=stop,
                progress=say,
            )

    def _look_or_defer(self, context: Context, until: datetime, pause_s: float) -> dict[str, Any]:
        result, why, again = None, "", datetime.now(UTC) < until
        try:
            result = self._look(0.0, again=again)
        except (Transient, PlaceMissing, TopicMissing) as error:
            # A pipeline that has only begun makes its table with the first row, somebody writes to the file, or a
            # broker moves: the next look may see more.
            if isinstance(error, Interrupted) or not again:
                raise
            why = str(error)
        if result is None or (again and not result.judgement.final):  # the last look is a whole one
            self._put_off(why if result is None else result.sentence, until, pause_s)
        return self._judge(context, result)

    def _put_off(self, why: str, until: datetime, pause_s: float) -> NoReturn:
        pause_s = min(pause_s, max((until - datetime.now(UTC)).total_seconds(), 0.0))
        self.log.info("Not final: %s", why)
        self.log.info("Looking again in %.0f s, until %s", pause_s, until.isoformat(timespec="seconds"))
        self.defer(
            trigger=TimeDeltaTrigger(timedelta(seconds=pause_s)),
            method_name=self.look_again.__name__,
            kwargs={"until": until.isoformat(), "pause_s": min(2 * pause_s, LONGEST_PAUSE_S)},
        )

    def _judge(self, context: Context, result: PipelineResult) -> dict[str, Any]:
        """Say what was found, keep the figures, and fail the task unless the verdict is PASSED."""
        figures = figures_of(result)
        for line in lines_of(result):
            self.log.info("%s", line)
        context["ti"].xcom_push(FIGURES, figures)
        if result.verdict != "PASSED":
            kind = VerdictUnknown if result.verdict == "UNKNOWN" else VerdictFailed
            raise kind(f"the audit says {result.verdict}: {result.sentence}", where=self.run_id, hint=advice_of(result))
        facts = {name: figures[name] for name in ("verdict", "at", "as_of")}
        facts |= {"run_id": self.run_id, "events": result.findings.arrived}
        context["outlet_events"][PIPELINES].add(Asset(f"streamproof://pipelines/{self.topic}"), extra=facts)
        return figures


def _truth_in(value: bool | str, name: str) -> bool:
    """Return what a switch says, be it the text that a template made of it.

    :raises Misconfigured: it says neither yes nor no.
    """
    told = _SAID.get(str(value).strip().lower())
    if told is None:
        raise Misconfigured(f"{name} is {value!r}", hint="It is true or false")
    return told


def _pair(position: Sequence[str]) -> tuple[str, str] | None:
    """Return the two columns, ``None`` where none are given.

    :raises Misconfigured: they are not two.
    """
    if not position:
        return None
    if isinstance(position, str) or len(position) != 2:
        raise Misconfigured(
            f"position is {position!r}", hint="It is two columns: that of the partition, and the offset's"
        )
    return position[0], position[1]

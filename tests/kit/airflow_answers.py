"""Answers questions about what runs inside Airflow, one line of JSON each; see ``airflow_process.py``.

Every function of the list at the end is a question. What one of them puts in the place of something real, it puts back.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from cluster import errors
from tests.kit.lake_answers import (
    lake_killed,
    lake_task_ended,
    lake_wrote,
    spark_masters,
    submitted,
    submitting_without_the_provider,
)
from tests.kit.sink_answers import (
    audited,
    sink_deferrable,
    sink_killed,
    sink_place,
    sink_registry,
    sink_rendered,
    sink_retries,
)
from tests.kit.waiting_answers import new_records


def retry_actions() -> dict[str, str]:
    """What the retry policy does about each error of the tree."""
    from plugins.step import RETRY_POLICY

    tree = errors.StreamproofError
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, tree)]
    return {kind.__name__: RETRY_POLICY.evaluate(kind("x"), 1, 3).action.value for kind in kinds}


def operators_with_the_policy() -> dict[str, bool]:
    """Whether each operator has the retry policy, a mapped one too."""
    from airflow.sdk import DAG

    from plugins import operators
    from plugins.step import RETRY_POLICY, StreamproofOperator

    told = [getattr(operators, name) for name in operators.__all__]
    own = [kind for kind in told if isinstance(kind, type) and issubclass(kind, StreamproofOperator)]
    with DAG("policies", schedule=None):
        steps: list[Any] = [
            kind(task_id=kind.__name__, **({"shard": {}} if "Shard" in kind.__name__ else {})) for kind in own
        ]
        mapped = operators.GenerateShardOperator.partial(task_id="mapped").expand(shard=[{}])
        steps.append(mapped.unmap({"shard": {}}))
    return {step.task_id: step.retry_policy is RETRY_POLICY for step in steps}


def stops() -> dict[str, bool]:
    """Whether work is asked to stop: when it is killed, when its time is nearly over, and when neither is so."""
    from plugins import step
    from plugins.operators import LoadOperator

    def load(name: str, **more: Any) -> LoadOperator:
        return LoadOperator(task_id=name, topic="t", run_id="r", **more)

    killed = load("killed")
    killed.on_kill()
    with mock.patch.object(step, "STOP_BEFORE_TIMEOUT_S", 9.95):
        with load("late", execution_timeout=timedelta(seconds=10)).stopping() as stop:
            late = stop.wait(5)
        with load("calm", execution_timeout=timedelta(hours=1)).stopping() as stop:
            calm = stop.is_set()
    return {"killed": killed.stop.is_set(), "late": late, "calm": calm}


def said_in_twenty_seconds() -> list[int]:
    """At which seconds progress is said that comes each second, when it may be said every five."""
    from plugins import step

    said: list[int] = []
    with mock.patch("plugins.step.time.monotonic") as clock:
        clock.return_value = 0.0
        say = step.every(5.0, said.append)
        for second in range(21):
            clock.return_value = float(second)
            say(second)
    return said


def connected() -> list[Any] | str:
    """The settings that the two connections make, and how they show; or why they make none."""
    from plugins.hooks import connect

    try:
        found = connect()
        return [found.kafka.as_librdkafka(), found.registry.model_dump(mode="json"), repr(found)]
    except errors.Misconfigured as error:
        return str(error)


def addresses() -> dict[str, str]:
    """What a step finds when it asks for either half of its connection, and what its log says of them."""
    from plugins.operators import EnsureTopicsOperator

    said: list[str] = []
    operator = EnsureTopicsOperator(task_id="topics", topic="t", run_id="r")
    log = SimpleNamespace(info=lambda text, *values: said.append(text % values))
    with mock.patch.object(type(operator), "log", log):
        connection = operator.connection()
    found = {}
    for half in ("kafka", "registry"):
        try:
            found[half] = getattr(connection, half).shown
        except errors.Misconfigured as error:
            found[half] = str(error)
    return found | {"said": "; ".join(said)}


def tested() -> tuple[bool, str]:
    """What the button of the connections' page says of the registry."""
    from plugins.hooks import SchemaRegistryHook

    return SchemaRegistryHook().test_connection()


def masked() -> list[str]:
    """What is masked in the log of a task that connects."""
    from plugins import hooks

    seen: list[str] = []
    with mock.patch.object(hooks, "mask_secret", seen.append):
        hooks.connect()
    return seen


def plans(asked: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """What is planned for each scenario with its parameters, or why nothing is."""
    from plugins.operators import PlanOperator

    def plan(scenario: str, params: dict[str, Any]) -> Any:
        operator = PlanOperator(task_id="plan", topic="t", run_id="r", scenario=scenario)
        object.__setattr__(operator, "connection", lambda: SimpleNamespace(registry=None))
        try:
            return operator.execute({"params": params})
        except errors.Misconfigured as fault:
            return str(fault)

    return [plan(scenario, params) for scenario, params in asked]


def replay_planned(asked: list[dict[str, Any]]) -> list[Any]:
    """What is planned for the generators of a replay of the sample files, or why nothing is."""
    from plugins.replay import ARTICLES, CLICKS, PlanReplayOperator

    feeds = {
        CLICKS: {"topic": "c", "prefix": "clicks_hour_", "shards": 2},
        ARTICLES: {"topic": "a", "prefix": "articles_metadata", "shards": 1},
    }
    told = {"folder": "", "suffix": ".csv", "rate": "", "speed": ""}

    def plan(more: dict[str, Any]) -> Any:
        operator = PlanReplayOperator(task_id="plan", run_id="r", topic="c", feeds=feeds, **told | more)
        try:
            return operator.execute({})
        except errors.Misconfigured as fault:
            return str(fault)

    return [plan(more) for more in asked]


def gated(asked: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[tuple[str, int | None, str, list[str]]]:
    """Which contract the gate is asked for, up to which version, for which format of values, beside which columns.

    By settings of the operator and of the run.
    """
    import schemas.registry.gate
    from plugins.operators import SchemaGateOperator

    seen: list[tuple[str, int | None, str, list[str]]] = []

    def gate(
        registry: Any, contract: Any, subject: str, *, up_to: int | None, mixing: bool, written: str, table: Any
    ) -> Any:
        columns = [] if table is None else list(table.held.columns)
        seen.append((contract.name, contract.after(up_to) if mixing else up_to, written, columns))
        return SimpleNamespace(versions=(), subject=subject, current=None)

    with (
        mock.patch.object(schemas.registry.gate, "Registry", mock.MagicMock()),
        mock.patch.object(schemas.registry.gate, "gate", gate),
    ):
        for settings, params in asked:
            operator = SchemaGateOperator(task_id="gate", topic="t", warehouse_conn_id="", **settings)
            object.__setattr__(operator, "connection", lambda: SimpleNamespace(registry=None))
            operator.execute({"params": params})
    return seen


def table_of_generator(warehouses: list[str]) -> list[tuple[list[str], list[str]]]:
    """Which columns a generator is told that each warehouse holds, before it sends, and what its log warns of."""
    from plugins.operators import GenerateShardOperator

    def look(warehouse: str) -> tuple[list[str], list[str]]:
        asked: list[Any] = []
        warned: list[str] = []

        def produce_shard(_: Any, request: Any, **__: Any) -> None:
            asked.append(request.plan.table)
            raise errors.Interrupted("enough is known")

        shard = {"shard": 0, "shards": 1, "events": 1}
        operator = GenerateShardOperator(
            task_id="generate", topic="t", run_id="r", shard=shard, warehouse=warehouse, warehouse_conn_id=""
        )
        object.__setattr__(operator, "connection", lambda: None)
        log = SimpleNamespace(info=lambda *_: None, warning=lambda text, *values: warned.append(text % values))
        with (
            mock.patch("producer.emit.produce_shard", produce_shard),
            mock.patch.object(type(operator), "log", log),
            contextlib.suppress(errors.Interrupted),
        ):
            operator.work({})
        return [] if asked[0] is None else list(asked[0].held.columns), warned

    return [look(warehouse) for warehouse in warehouses]


def generated(seconds: float, require_rate: float | None) -> dict[str, Any]:
    """What a generator says that was asked for 5,000 events in ten seconds and took ``seconds``, and its error."""
    from plugins import operators
    from producer.send.meter import Progress
    from schemas.manifest import Manifest, SchemaUsed, Sending

    rate, said, raised = 5000 / seconds, [], ""

    def produce_shard(_: Any, request: Any, *, progress: Callable[[Progress], None], **__: Any) -> Manifest:
        with mock.patch("plugins.step.time.monotonic") as clock:
            for tenth in range(1, round(10 * seconds) + 1):
                now = tenth / 10
                clock.return_value = STARTED + now
                done, asked = int(rate * now), min(5000.0, 500 * now)
                progress(
                    Progress(
                        shard=0,
                        elapsed_s=now,
                        answered_s=now,
                        generated=done,
                        acknowledged=done,
                        asked=asked,
                        over=asked == 5000,
                        behind_s=max(0.0, now - done / 500) if now < 10 else now - 10,
                        delay_ms=21.0,
                    )
                )
        began = "2026-11-20T10:00:00+00:00"
        return Manifest(
            status="finished",
            run_id="r",
            shard=0,
            shards=1,
            topic="t",
            scenario="s",
            scenario_version=1,
            seed=1,
            schema_used=SchemaUsed(subject="t-value", version=1, id=1),
            started_at=began,
            next_sequence=5000,
            acknowledged=5000,
            sending=[Sending(began_at=began, startup_s=0, seconds=seconds, due_s=10, due=5000, acknowledged=5000)],
        )

    shard = {"shard": 0, "shards": 1, "rate": 500.0, "events": 5000, "require_rate": require_rate}
    operator = operators.GenerateShardOperator(
        task_id="generate", topic="t", run_id="r", shard=shard, warehouse_conn_id=""
    )
    object.__setattr__(operator, "connection", lambda: None)
    log = SimpleNamespace(
        info=lambda text, *values: said.append(text % values), warning=lambda text, *values: said.append(text % values)
    )
    with (
        mock.patch("plugins.step.time.monotonic", return_value=STARTED),
        mock.patch("producer.emit.produce_shard", produce_shard),
        mock.patch.object(type(operator), "log", log),
    ):
        try:
            operator.work({})
        except errors.StreamproofError as error:
            raised = f"{type(error).__name__}: {error}"
    return {"said": said, "raised": raised}


def ended(kind: str, hint: str) -> dict[str, Any]:
    """What is kept and what is raised of an error of a task, and how many of our own frames the log shows of it."""
    from plugins.step import FAILURE, StreamproofOperator

    class Fails(StreamproofOperator):
        def work(self, context: Any) -> Any:
            raise getattr(errors, kind)("it ended", where=f"run {self.run_id}", hint=hint)

    kept: dict[str, str] = {}
    context: Any = {"ti": SimpleNamespace(xcom_push=kept.__setitem__)}
    try:
        Fails(task_id="fails", topic="t", run_id="d/manual__1+1").execute(context)
    except errors.StreamproofError as error:
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        return {"kept": kept[FAILURE], "raised": str(error), "in_work": "work" in frames}
    return {}


def reported(*, published: bool) -> dict[str, Any]:
    """What the report says when Kafka is gone by then, and whether its page was written."""
    import consumer.report as reports
    from plugins.operators import ReportOperator

    def gone() -> Any:
        raise errors.BrokerUnreachable("no broker answers")

    page = reports.ReportResult(Path("p"), "file:///p", "r", "PASSED", publication="As it is.", published=published)
    operator = ReportOperator(
        task_id="report", topic="t", run_id="r", warehouse="w", warehouse_conn_id="", publications="p"
    )
    object.__setattr__(operator, "connection", gone)
    with mock.patch.object(reports, "write_report", return_value=page) as write:
        try:
            operator.work({})
        except errors.StreamproofError as error:
            return {"raised": f"{type(error).__name__}: {error}", "pages": write.call_count}
    return {"raised": "", "pages": write.call_count}


def pipeline_reported(
    audits: dict[str, Any], returned: dict[str, Any], publications: str, control: str = "empty"
) -> dict[str, Any]:
    """What the report says of audits that found these figures, or failed with a text, and what page it wrote.

    :param control: what is known of the generators: ``empty``, or ``gone`` where Kafka does not answer.
    """
    from plugins.pipeline import FIGURES
    from plugins.pipeline_report import PipelineReportOperator
    from plugins.step import FAILURE
    from schemas.control_topic import ControlTopic

    def xcom_pull(task_ids: str, key: str = "return_value") -> Any:
        said = audits.get(task_ids)
        kept = {FAILURE: said if isinstance(said, str) else None, FIGURES: said if isinstance(said, dict) else None}
        return {**kept, "return_value": returned.get(task_ids)}[key]

    def read_control_topic(*_: Any, **__: Any) -> ControlTopic:
        if control == "gone":
            raise errors.BrokerUnreachable("no broker answers")
        return ControlTopic()

    operator = PipelineReportOperator(
        task_id="report",
        topic="t",
        run_id="d/r",
        audits=list(audits),
        shown={task: ["events", "totals"] for task in returned},
        publications=publications,
    )
    object.__setattr__(operator, "connection", lambda: SimpleNamespace(kafka=None))
    told: dict[str, Any] = {"raised": "", "returned": None}
    with mock.patch("schemas.control_topic.read_control_topic", read_control_topic):
        try:
            context: Any = {"ti": SimpleNamespace(xcom_pull=xcom_pull)}
            told["returned"] = operator.work(context)
        except errors.StreamproofError as error:
            told["raised"] = f"{type(error).__name__}: {error}"
    pages = list(Path(publications).glob("t/reports/*/summary.json"))
    return told | {"summary": json.loads(pages[0].read_text()) if pages else None}


STARTED = 1000.0
# What neither a Dag file may load, which is read every few seconds, nor the plugin, which every process loads.
HEAVY = {
    "duckdb",
    "pyarrow",
    "numpy",
    "confluent_kafka",
    "fastavro",
    "faker",
    "consumer",
    "uvicorn",
    "plugins.pages.report_app",
}


def dags(folder: str) -> dict[str, Any]:
    """What the Dag processor finds in a folder, and which heavy modules this process has loaded, plugin included."""
    from airflow.dag_processing.dagbag import DagBag

    importlib.import_module("plugins.streamproof_plugin")

    bag = DagBag(folder)
    found = {dag.dag_id: _dag(dag) for dag in bag.dags.values()}
    return {"errors": bag.import_errors, "dags": found, "heavy": sorted(HEAVY & sys.modules.keys())}


def _dag(dag: Any) -> dict[str, Any]:
    from airflow.serialization.serialized_objects import DagSerialization

    params = {name: dag.params.get_param(name) for name in dag.params}
    return {
        "doc_md": dag.doc_md,
        "description": dag.description,
        "tags": sorted(dag.tags),
        "schedule": dag.schedule,
        "paused": dag.is_paused_upon_creation,
        "max_active_runs": dag.max_active_runs,
        "dagrun_timeout": _seconds(dag.dagrun_timeout),
        "catchup": dag.catchup,
        "params": {name: {"default": param.value, **param.schema} for name, param in params.items()},
        "serialised": len(json.dumps(DagSerialization.to_dict(dag))),
        "tasks": {task.task_id: _task(task) for task in dag.tasks},
    }


def _task(task: Any) -> dict[str, Any]:
    def given(name: str) -> Any:
        value = getattr(task, name, None)
        return _seconds(task.partial_kwargs.get(name, value) if task.is_mapped else value)

    return {
        "owner": task.owner,
        "doc_md": task.doc_md,
        "retries": task.retries,
        "backoff": [given(name) for name in ("retry_delay", "retry_exponential_backoff", "max_retry_delay")],
        "rule": str(task.trigger_rule.value),
        "execution_timeout": _seconds(task.execution_timeout),
        "pool": task.pool,
        "queue": task.queue,
        "setup": task.is_setup,
        "teardown": task.is_teardown,
        "counts": task.on_failure_fail_dagrun,
        "priority": task.priority_weight,
        "upstream": sorted(task.upstream_task_ids),
        "downstream": sorted(task.downstream_task_ids),
        "label": given("map_index_template"),
    }


def _seconds(value: Any) -> Any:
    return value.total_seconds() if hasattr(value, "total_seconds") else value


QUESTIONS: dict[str, Callable[..., Any]] = {
    question.__name__: question
    for question in (
        retry_actions,
        operators_with_the_policy,
        stops,
        said_in_twenty_seconds,
        connected,
        addresses,
        tested,
        masked,
        plans,
        replay_planned,
        gated,
        table_of_generator,
        generated,
        reported,
        pipeline_reported,
        ended,
        dags,
        lake_killed,
        lake_task_ended,
        lake_wrote,
        spark_masters,
        submitted,
        submitting_without_the_provider,
        audited,
        sink_deferrable,
        sink_killed,
        sink_place,
        sink_registry,
        sink_rendered,
        sink_retries,
        new_records,
    )
}


def main() -> None:
    """Answer until nobody asks any more. What Airflow prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            with mock.patch.dict(os.environ, asked["env"]):
                answer = {"answer": QUESTIONS[asked["question"]](**asked["arguments"])}
        except Exception:  # noqa: BLE001 - the test says it
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""What the operator does that judges a pipeline of others: answers of ``airflow_answers.py``.

The looks are given: what a look finds is asked of the packages, in tests of their own.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

from cluster import errors


def audited(looks: list[dict[str, Any]], look_takes_s: float = 0.0, **settings: Any) -> dict[str, Any]:
    """What becomes of a task of the given settings when its looks find what is said, and what it was about.

    A look is ``verdict``, ``final`` and counts of findings, or ``error``, the name of one; each takes some time.
    """
    from airflow.sdk.exceptions import TaskDeferred

    from plugins import pipeline

    clock = _Clock(dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC))
    asked: list[dict[str, Any]] = []
    said: list[str] = []
    kept: dict[str, Any] = {}
    published: list[Any] = []
    told: dict[str, Any] = {"pauses": [], "raised": "", "returned": None}
    # Each look of a deferred task is another process: another operator.
    operator = _operator(settings)
    context: Any = {
        "ti": SimpleNamespace(xcom_push=kept.__setitem__),
        "outlet_events": {pipeline.PIPELINES: SimpleNamespace(add=lambda *a, **k: published.append([a[0].uri, k]))},
    }
    step: Callable[[Any], Any] = operator.execute
    with ExitStack() as stack:
        for patch in _patches(clock, _looking(looks, asked, clock, look_takes_s), said):
            stack.enter_context(patch)
        while True:
            try:
                told["returned"] = step(context)
            except TaskDeferred as put_off:
                pause = put_off.trigger.moment - clock.moment
                told["pauses"].append(pause.total_seconds())
                clock.moment += pause
                operator = _operator(settings)
                kwargs = {**(put_off.kwargs or {}), "event": clock.moment}
                step = partial(operator.resume_execution, put_off.method_name, kwargs)
                continue
            except errors.StreamproofError as error:
                told["raised"] = f"{type(error).__name__}: {error}"
            break
    return told | {"said": said, "asked": asked, "kept": kept, "published": published}


class _Clock:
    def __init__(self, moment: dt.datetime) -> None:
        self.moment = moment

    def now(self, _zone: Any) -> dt.datetime:
        return self.moment

    def utcnow(self) -> dt.datetime:
        return self.moment


def _operator(settings: dict[str, Any]) -> Any:
    from plugins.pipeline import AuditSinkOperator

    operator = AuditSinkOperator(task_id="audit", topic="t", run_id="r", **settings)
    object.__setattr__(operator, "connection", lambda: None)
    return operator


def _patches(clock: _Clock, look: Callable[..., Any], said: list[str]) -> Iterator[Any]:
    from plugins import pipeline

    real = SimpleNamespace(now=clock.now, fromisoformat=dt.datetime.fromisoformat)
    log = _log(lambda text, *values: said.append(text % values))
    yield mock.patch.object(pipeline, "datetime", real)
    yield mock.patch("airflow.providers.standard.triggers.temporal.timezone.utcnow", clock.utcnow)
    yield mock.patch("consumer.pipeline.audit.audit_pipeline", look)
    yield mock.patch("producer.regenerate.regenerated", lambda _, **told: told)
    yield mock.patch.object(pipeline.AuditSinkOperator, "log", log)


def _looking(
    looks: list[dict[str, Any]], asked: list[dict[str, Any]], clock: _Clock, takes_s: float
) -> Callable[..., Any]:
    remaining = iter(looks)

    def look(
        connection: Any, topic: str, place: Any, truth_of: Any, *, asked: Any, wait_s: float, stop: Any, **more: Any
    ) -> Any:
        clock.moment += dt.timedelta(seconds=takes_s)
        seen.append(
            {"topic": topic, "place": place.shown, "asked": repr(asked), "wait_s": wait_s, "run_id": more["run_id"]}
        )
        seen[-1]["scenario"] = truth_of([SimpleNamespace(topic=topic)])["scenario"]
        found = dict(next(remaining))
        if kind := found.pop("error", None):
            raise getattr(errors, kind)("it is busy")
        return _result(place, topic, **found)

    seen = asked
    return look


def _result(place: Any, topic: str, verdict: str, *, final: bool, **found: Any) -> Any:
    from consumer.pipeline.found import ColumnDifference, ExpectationResult, PipelineFindings, ValueExample
    from consumer.pipeline.result import PipelineResult
    from consumer.pipeline.verdict import Judgement
    from consumer.proof.found import Example

    if found.get("altered"):
        example = ValueExample(0, 77, "row 5", "10:00:30", "10:00:00", "rounded to minutes")
        looks = {"rounded to minutes": 1}
        found["columns"] = [ColumnDifference("at", "timestamp", "timestamptz", found["altered"], looks, [example])]
    if found.get("lost"):
        found["examples"] = {"lost": [Example("an-id", shard=0, sequence=17)]}
    if found.pop("disagreeing", None):
        found["expectations"] = [ExpectationResult("totals", "Totals per user.", 2, [{"user_id": "u1", "sent": "3"}])]
    return PipelineResult(
        run_id="r",
        topic=topic,
        at=place.shown,
        as_of="10:00",
        audited_at="10:00",
        judgement=Judgement(verdict, "It is said why.", final, "Look there"),  # type: ignore[arg-type]
        findings=PipelineFindings(**found),
        identity="id",
        expect=None,
        looks=1,
        seconds=0.5,
    )


def sink_killed() -> dict[str, Any]:
    """What a look that waits in its own process is told when the task is killed, and how the task ends."""
    from plugins.pipeline import AuditSinkOperator

    operator = _operator({"at": "f.duckdb#t", "wait": "1h"})
    looking = threading.Event()

    def look(*_: Any, stop: threading.Event, wait_s: float, **__: Any) -> Any:
        looking.set()
        if stop.wait(20):
            raise errors.Interrupted("stopped; nothing was written anywhere")
        raise AssertionError(f"nobody stopped it, and it was to wait {wait_s} s")

    def kill() -> None:
        looking.wait(20)
        operator.on_kill()

    kept: dict[str, str] = {}
    killer = threading.Thread(target=kill)
    with (
        mock.patch("consumer.pipeline.audit.audit_pipeline", look),
        mock.patch.object(AuditSinkOperator, "log", _log(lambda *_: None)),
    ):
        killer.start()
        try:
            operator.execute({"ti": SimpleNamespace(xcom_push=kept.__setitem__)})
        except errors.StreamproofError as error:
            return {"ended": type(error).__name__, "kept": kept}
        finally:
            killer.join(20)
    return {}


def _log(info: Callable[..., Any]) -> Any:
    # Airflow warns that nobody runs the task.
    return SimpleNamespace(info=info, warning=lambda *_: None, debug=lambda *_, **__: None)


def sink_rendered(settings: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """What templates make of the operator's settings."""
    operator = _operator(settings)
    operator.render_template_fields({"params": params, "dag": SimpleNamespace(dag_id="d"), "run_id": "m"})
    return {name: getattr(operator, name) for name in settings}


def sink_place(**settings: Any) -> dict[str, Any]:
    """Where the operator looks, and which secrets its log masks; or why nowhere."""
    from plugins import hooks

    masked: list[str] = []
    with mock.patch.object(hooks, "mask_secret", masked.append):
        try:
            place = _operator(settings).place(None)
        except errors.Misconfigured as error:
            return {"error": str(error)}
    address = getattr(place, "address", None)
    told = {} if address is None else dict(address.conninfo)
    return {"shown": place.shown, "address": told, "masked": masked, "query": getattr(place, "query", None)}


def sink_deferrable(settings: list[dict[str, Any]]) -> list[bool]:
    """Whether operators of these settings wait in the triggerer."""
    return [_operator(each).deferrable for each in settings]


def sink_retries() -> dict[str, str]:
    """What the operator's policy does about each verdict and some errors."""
    policy = _operator({}).retry_policy
    kinds = ("VerdictFailed", "VerdictUnknown", "Misconfigured", "WarehouseLocked", "BrokerUnreachable")
    return {kind: policy.evaluate(getattr(errors, kind)("x"), 1, 3).action.value for kind in kinds}


def sink_registry() -> dict[str, Any]:
    """What a consumer gives to Confluent's client of the registry, if that takes it."""
    from confluent_kafka.schema_registry import SchemaRegistryClient

    from plugins.hooks import connect, for_confluent

    told = for_confluent(connect().registry)
    with SchemaRegistryClient(told):
        return told

"""Following a Dag run: what the client makes of Airflow's answers, and how a run is shown."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from rich.console import Console
from rich.live import Live

from cluster.errors import DependencyDown, Interrupted, Misconfigured, Refused, StreamproofError
from streamproof import airflow_api as rehearsal
from streamproof.airflow_api import DAG_ID, Airflow, RunState, TaskState
from streamproof.demo.rehearsal import _figure
from streamproof.views.demo import _lines
from streamproof.views.run import PATIENCE, RunSight, _Moving, in_order

Answers = Callable[[httpx.Request], httpx.Response]


def airflow(answers: Answers) -> Airflow:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            assert json.loads(request.content) == {"username": "admin", "password": "pw"}
            return httpx.Response(201, json={"access_token": "t"})
        assert request.headers["authorization"] == "Bearer t"
        return answers(request)

    return Airflow("http://airflow", "admin", "pw", transport=httpx.MockTransport(answer))


def task(task_id: str, state: str = "success", map_index: int = -1, label: str = "") -> TaskState:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return TaskState(task_id, label or task_id, state, map_index, 1, moment, moment)


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (400, {"detail": "-1 is less than the minimum of 0"}, Misconfigured, "-1 is less than the minimum"),
        (422, {"detail": [{"msg": "Field required"}]}, Misconfigured, "Field required"),
        (401, {"detail": "Not authenticated"}, Refused, "Not authenticated"),
        (403, {"detail": "Forbidden"}, Refused, "Forbidden"),
        (500, "Internal Server Error", DependencyDown, "Internal Server Error"),
    ],
)
def test_each_refusal_of_airflow_is_an_error_of_the_tree(
    status: int, body: Any, kind: type[StreamproofError], told: str
) -> None:
    client = airflow(lambda _: httpx.Response(status, **{"text" if isinstance(body, str) else "json": body}))
    with pytest.raises(kind) as raised:
        client.trigger(DAG_ID, {})
    assert told in str(raised.value)


def test_an_airflow_that_is_gone_is_a_dependency_that_is_down() -> None:
    def gone(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(DependencyDown, match="streamproof status"):
        airflow(gone).trigger(DAG_ID, {})


def test_a_dag_that_does_not_appear_is_explained_by_the_import_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "DAG_TIMEOUT_S", 0.0)
    monkeypatch.setattr(rehearsal, "POLL_S", 0.0)

    def answers(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/importErrors"):
            error = {"filename": "rehearse.py", "stack_trace": "SyntaxError: invalid syntax"}
            return httpx.Response(200, json={"import_errors": [error]})
        return httpx.Response(404, json={"detail": "no such Dag"})

    with pytest.raises(Misconfigured, match=r"rehearse\.py: SyntaxError"):
        airflow(answers).wait_for_dag(DAG_ID, threading.Event())


def test_following_a_run_ends_when_told_to() -> None:
    def answers(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/taskInstances"):
            return httpx.Response(200, json={"task_instances": []})
        return httpx.Response(200, json={"state": "running", "start_date": None, "end_date": None})

    stop = threading.Event()
    stop.set()
    followed = airflow(answers).follow(DAG_ID, "r", stop)
    assert next(followed).state == "running"
    with pytest.raises(Interrupted):
        next(followed)


def test_a_log_is_what_the_task_itself_said_and_why_it_failed() -> None:
    content = [
        {"event": "::group::Log message source details"},
        {"event": "::endgroup::"},
        {"event": "::group::Pre Execute", "logger": "task"},
        {"event": "Filling up the DagBag", "logger": "airflow"},
        {"event": "::endgroup::", "logger": "task"},
        {"event": "Loaded 5 rows", "logger": "task"},
        {
            "event": "Task failed with exception",
            "logger": "task",
            "error_detail": [{"exc_type": "StoreFull", "exc_value": "no space left"}],
        },
        "Log message source",
    ]
    client = airflow(lambda _: httpx.Response(200, json={"content": content}))
    said = client.log_tail(DAG_ID, "r", task("load", "failed"))
    assert said == ["Loaded 5 rows", "Task failed with exception", "StoreFull: no space left"]


def test_what_a_task_returned_is_empty_until_it_did() -> None:
    client = airflow(lambda _: httpx.Response(404, json={"detail": "none"}))
    assert client.returned(DAG_ID, "r", task("load")) == {}


def test_tasks_are_shown_in_the_order_of_the_dag() -> None:
    run = RunState("running", None, None, (task("report"), task("generate", map_index=1), task("audit"), task("plan")))
    run = RunState(run.state, None, None, (*run.tasks, task("generate", map_index=0), task("somebody_elses")))
    names = [(each.task_id, each.map_index) for each in in_order(run)]
    assert names == [
        ("plan", -1),
        ("generate", 0),
        ("generate", 1),
        ("audit", -1),
        ("report", -1),
        ("somebody_elses", -1),
    ]


def test_a_run_is_shown_with_states_seconds_and_counts() -> None:
    long = "a figure that is far too long for the line " * 3
    console = Console(width=100, force_terminal=True, record=True, file=io.StringIO())
    run = RunState("running", None, None, (task("load"), task("audit", "failed"), task("check", "waiting")))
    with Live(console=console, auto_refresh=False) as live:
        _Moving(live).look(RunSight(run, {("load", -1): f"rows 1,000 {long}"}, in_kafka=1000, expected=2000))
        live.refresh()
    shown = console.export_text()
    assert "✓  load" in shown
    assert "rows 1,000" in shown
    assert "✗  audit" in shown
    assert "events in Kafka: 1,000 of 2,000" in shown


def test_a_run_that_waits_for_another_says_so() -> None:
    console = Console(width=100, force_terminal=True, record=True, file=io.StringIO())
    with Live(console=console, auto_refresh=False) as live:
        view = _Moving(live)
        for _ in range(PATIENCE):
            view.look(RunSight(RunState("queued", None, None, ()), in_kafka=0))
        live.refresh()
    assert "an earlier run of this Dag goes on" in console.export_text()


def test_figures_of_a_task_read_as_a_sentence() -> None:
    assert _figure({"verdict": "PASSED", "lost": 0, "loaded": 12000}) == "PASSED, loaded 12,000"
    assert _figure({"acknowledged": 5, "failed": 0, "path": "/x"}) == "acknowledged 5"
    assert _figure({}) == ""


def result(**more: Any) -> dict[str, Any]:
    audit = {"loaded": 10, "expected": 10, **dict.fromkeys(("lost", "duplicated", "phantom", "altered"), 0)}
    audit |= {"reordered": 0, "undecodable": 0}
    return {
        "run_id": f"{DAG_ID}/manual__2026-01-01T00:00:00+00:00",
        "verdict": "PASSED",
        "summary": {"reason": "All is there.", "audit": audit, "manifests": []},
        "run_seconds": 20.0,
        "seconds": 50.0,
        "ready_seconds": 28.0,
        "report": "/state/a b/index.html",
        "snapshot": "/state/current/snapshot.duckdb",
        "airflow_url": "http://127.0.0.1:1",
        "stack_left_running": True,
        "airflow_left_running": True,
    } | more


def test_the_result_says_the_verdict_the_figures_where_all_is_and_how_to_stop(tmp_path: Any) -> None:
    shown = "\n".join(line.plain for line in _lines(result(), tmp_path))
    assert "PASSED  All is there." in shown
    assert "10 of 10 acknowledged" in shown
    assert "lost 0, duplicated 0" in shown
    assert "/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00" in shown
    assert "file:///state/a%20b/index.html" in shown
    assert "duckdb.connect(" in shown
    assert "streamproof down" in shown


def test_the_result_of_a_demo_that_stopped_airflow_alone_says_what_runs_on(tmp_path: Any) -> None:
    shown = "\n".join(line.plain for line in _lines(result(airflow_left_running=False), tmp_path))
    assert "Airflow is stopped again; Kafka and the registry, which ran before, run on" in shown
    assert "/runs/manual" not in shown


def test_the_result_of_a_demo_that_stopped_everything_names_nothing_that_is_gone(tmp_path: Any) -> None:
    nothing = {
        "summary": {},
        "report": None,
        "snapshot": None,
        "verdict": "FAILED",
        "stack_left_running": False,
        "airflow_left_running": False,
    }
    shown = "\n".join(line.plain for line in _lines(result(**nothing), tmp_path))
    assert "ended without a report" in shown
    assert "http://" not in shown
    assert "duckdb" not in shown
    assert "Everything is stopped" in shown

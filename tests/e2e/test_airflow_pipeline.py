"""A pipeline of somebody else's between generators and audit, in a real Airflow."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import httpx
import pytest

from cluster.connection import Connection
from cluster.local import LocalStack
from schemas.identity import event_id
from streamproof.airflow_api import Airflow, RunState, TaskState
from tests.kit.waiting import wait_until
from tests.kit.your_consumer import consume, consumer_module

DAG_ID = "rehearse_your_pipeline"
EVENTS = 1500
CONF = {"events": EVENTS, "shards": 1, "full_speed": True, "wait": ""}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def api(airflow: Airflow, airflow_stack: LocalStack) -> Any:
    headers = {"Authorization": airflow._http.headers["Authorization"]}
    with httpx.Client(base_url=airflow_stack.airflow_url or "", headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def trigger(airflow: Airflow) -> Any:
    airflow.wait_for_dag(DAG_ID, threading.Event())
    return lambda topic, **conf: airflow.trigger(DAG_ID, {**CONF, "topic": topic, **conf})


def ended(airflow: Airflow, run_id: str) -> RunState:
    return list(airflow.follow(DAG_ID, run_id, threading.Event()))[-1]


def task(run: RunState, task_id: str) -> TaskState:
    (found,) = [each for each in run.tasks if each.task_id == task_id]
    return found


def figures(api: httpx.Client, run_id: str) -> dict[str, Any]:
    path = f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/audit_sink/xcomEntries/figures"
    found: dict[str, Any] = api.get(path).json()["value"]
    return found


def ids(run_id: str, remainder: int) -> list[str]:
    every = consumer_module().EVERY
    return [event_id(f"{DAG_ID}/{run_id}", 0, number) for number in range(EVENTS) if number % every == remainder]


def test_a_pipeline_that_keeps_every_event_passes_and_is_an_event_of_its_asset(
    airflow: Airflow, api: httpx.Client, trigger: Any
) -> None:
    run_id = trigger("e2e-yours")
    run = ended(airflow, run_id)
    assert run.state == "success", run.tasks
    found = figures(api, run_id)
    assert found["verdict"] == "PASSED"
    assert (found["expected"], found["arrived"]) == (EVENTS, EVENTS)
    assert not any(found[name] for name in ("lost", "duplicated", "phantom", "altered", "foreign"))
    events = api.get("/api/v2/assets/events", params={"limit": 50}).json()["asset_events"]
    (told,) = [event for event in events if event["uri"] == "streamproof://pipelines/e2e-yours"]
    assert told["extra"]["run_id"] == f"{DAG_ID}/{run_id}"
    said = airflow.log_tail(DAG_ID, run_id, task(run, "audit_sink"))
    assert any(line.startswith("PASSED: ") for line in said), said


def test_what_the_pipeline_loses_doubles_and_rounds_is_named_exactly(
    airflow: Airflow, api: httpx.Client, trigger: Any
) -> None:
    run_id = trigger("e2e-theirs", consumer_fault="all")
    run = ended(airflow, run_id)
    assert run.state == "failed"
    # The page is written all the same, and says what was found.
    assert [each.task_id for each in run.failed_tasks()] == ["audit_sink", "report"]
    page = api.get(f"/streamproof/runs/{DAG_ID}/{quote(run_id, safe='')}").text
    assert "<h1>FAILED</h1>" in page
    assert "Audit of sink" in page
    audit = task(run, "audit_sink")
    assert audit.tries == 1
    damage, found = consumer_module(), figures(api, run_id)
    lost, doubled, rounded = (ids(run_id, each) for each in (damage.LOST, damage.DOUBLED, damage.ROUNDED))
    assert found["verdict"] == "FAILED"
    assert (found["lost"], found["duplicated"], found["altered"]) == (len(lost), len(doubled), len(rounded))
    assert (found["phantom"], found["expected"]) == (0, EVENTS)
    said = "\n".join(airflow.log_tail(DAG_ID, run_id, audit, lines=100))
    for class_of_damage in (lost, doubled, rounded):
        assert class_of_damage[0] in said
    assert "happened_at" in said
    assert "VerdictFailed" in said


def test_an_audit_waits_in_the_triggerer_for_a_pipeline_that_runs_elsewhere(
    airflow: Airflow, api: httpx.Client, trigger: Any, connection: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "elsewhere.duckdb"
    with duckdb.connect(str(file)) as database:
        database.execute(f"CREATE TABLE events ({consumer_module().COLUMNS})")
    run_id = trigger("e2e-elsewhere", at=f"{file}#events", wait="5m")

    def state_of_the_audit() -> str:
        return task(airflow.state(DAG_ID, run_id), "audit_sink").state

    wait_until(lambda: state_of_the_audit() == "deferred", "the audit to wait", timeout_s=200, poll_s=0.2)
    wait_until(lambda: filled(connection, "e2e-elsewhere", file), "the sink to be filled", timeout_s=60, poll_s=0.3)
    run = ended(airflow, run_id)
    assert run.state == "success", airflow.log_tail(DAG_ID, run_id, task(run, "audit_sink"))
    assert task(run, "audit_sink").tries == 1
    assert figures(api, run_id)["arrived"] == EVENTS


def filled(connection: Connection, topic: str, file: Path) -> bool:
    try:
        consume(connection, topic, file)
    except duckdb.IOException:  # the audit looks into it at that moment
        return False
    return True

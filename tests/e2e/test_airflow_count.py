"""Running totals counted beside the generators, in a real Airflow."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from cluster.connection import Connection
from cluster.local import LocalStack
from consumer.counter.examine import examine
from streamproof.airflow_api import Airflow

DAG_ID = "count_events"
TOPIC, TOTALS = "e2e-shop-events", "e2e-shop-totals"
EVENTS = 1_500
CONF = {"topic": TOPIC, "totals_topic": TOTALS, "events": EVENTS, "shards": 1, "rate": 500, "every": "event"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def run_path(airflow: Airflow) -> str:
    """Where the REST API has a run that is over, and green."""
    airflow.wait_for_dag(DAG_ID, threading.Event())
    run_id = airflow.trigger(DAG_ID, CONF)
    ended = list(airflow.follow(DAG_ID, run_id, threading.Event()))[-1]
    said = [line for task in ended.failed_tasks() for line in airflow.log_tail(DAG_ID, run_id, task)]
    assert ended.state == "success", (ended.tasks, said)
    return f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances"


@pytest.fixture(scope="module")
def api(airflow: Airflow, airflow_stack: LocalStack) -> Any:
    headers = {"Authorization": airflow._http.headers["Authorization"]}
    with httpx.Client(base_url=airflow_stack.airflow_url or "", headers=headers, timeout=60) as client:
        yield client


def test_totals_are_counted_while_events_are_generated_and_proved(
    api: httpx.Client, run_path: str, connection: Connection
) -> None:
    kept = api.get(f"{run_path}/report/xcomEntries/return_value").json()["value"]
    assert kept["verdict"] == "PASSED"
    assert kept["reason"].startswith(
        f"The totals of the newest record of kafka:{TOTALS} are the counts of all {EVENTS:,} events that were sent, "
        "for each eventName"
    )
    counted = kept["count"]
    assert (sum(counted["totals"].values()), counted["outputs"], counted["lag"]) == (EVENTS, EVENTS, 0)
    assert counted["totals"].keys() == {"productview", "purchase", "addtobasket", "removefrombasket"}
    proved = examine(connection, TOPIC, TOTALS, by="eventName", stop=threading.Event())
    assert (proved.holds, proved.events) == (True, EVENTS)
    tasks = {each["task_id"]: each for each in api.get(run_path).json()["task_instances"]}
    # They go on side by side; the count is over when it has heard that the generators are.
    assert tasks["generate"]["end_date"] < tasks["count"]["end_date"]
    assert {each["try_number"] for each in tasks.values()} == {1}


def test_the_report_tab_shows_verdict_totals_and_rate(api: httpx.Client, run_path: str) -> None:
    run_id = run_path.split("/")[-2]
    page = api.get(f"/streamproof/runs/{DAG_ID}/{quote(run_id, safe='')}")
    assert page.status_code == 200
    assert "<h1>PASSED</h1>" in page.text
    for shown in ("Audit of totals", "totals by event name", "productview", "Rate reached", "Acknowledged by Kafka"):
        assert shown in page.text, shown


def test_the_live_tab_of_the_run_shows_both_topics_and_the_totals_of_the_counter(
    api: httpx.Client, run_path: str
) -> None:
    run_id = run_path.split("/")[-2]
    with api.stream("GET", f"/streamproof/live/runs/{DAG_ID}/{quote(run_id, safe='')}/stream") as answer:
        seen = (json.loads(line[6:])["topics"] for line in answer.iter_lines() if line.startswith("data: "))
        # The first snapshots are of a moment at which not everything was asked.
        topics = next(topics for topics in seen if topics and topics[0]["totals"]["source"] == "counter")
    assert [topic["name"] for topic in topics] == [TOPIC, TOTALS]
    assert topics[0]["totals"]["source_topic"] == TOTALS
    assert sum(row["count"] for row in topics[0]["totals"]["rows"]) == EVENTS

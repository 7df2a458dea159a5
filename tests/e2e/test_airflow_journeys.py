"""Two consumer groups beside the generators, in a real Airflow; an instance is killed, and nobody notices."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.local import LocalStack
from stack.ports import LOOPBACK
from stack.services.postgres import USER
from streamproof.airflow_api import Airflow
from tests.kit.postgres import PostgresServer

DAG_ID = "rehearse_journeys"
EVENTS = 1500

pytestmark = pytest.mark.timeout(600)


def test_both_groups_pass_though_an_instance_is_killed(
    airflow: Airflow, airflow_stack: LocalStack, postgres: PostgresServer
) -> None:
    headers = {"Authorization": airflow._http.headers["Authorization"]}
    database = postgres.database().rpartition("/")[2]
    server = {"host": LOOPBACK, "port": postgres.port, "login": USER, "password": postgres.password}
    place = {"connection_id": "journeys_e2e", "conn_type": "postgres_warehouse", **server, "schema": database}
    airflow.wait_for_dag(DAG_ID, threading.Event())
    conf = {
        "topic": "e2e-journeys",
        "events": EVENTS,
        "rate": 100,
        "kill_after": 12,
        "journey_instances": 2,
        "analytic_instances": 1,
        "conn_id": "journeys_e2e",
    }
    with (
        httpx.Client(base_url=airflow_stack.airflow_url or "", headers=headers, timeout=60) as client,
        ExitStack() as forget,
    ):
        client.post("/api/v2/connections", json=place).raise_for_status()
        # Other tests see which connections there are.
        forget.callback(client.delete, "/api/v2/connections/journeys_e2e")
        run_id = airflow.trigger(DAG_ID, conf)
        run = list(airflow.follow(DAG_ID, run_id, threading.Event()))[-1]
        said = {each.task_id: airflow.log_tail(DAG_ID, run_id, each) for each in run.failed_tasks()}
        assert run.state == "success", said

        def returned(task_id: str) -> Any:
            path = f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
            return client.get(path).json()["value"]

        journey, analytic = returned("journey"), returned("analytic")
        audits = [returned(f"audit_{name}") for name in ("journey", "analytic")]
        report = returned("report")
    assert len(journey["died"]) == 1
    assert (analytic["events"], analytic["died"]) == (EVENTS, [])
    assert [audit["verdict"] for audit in audits] == ["PASSED", "PASSED"]
    assert (report["reason"], report["journey"]["died"]) == (
        "All 2 audits passed: journey and analytic.",
        journey["died"],
    )
    page = Path(report["path"]).read_text()
    assert "Audit of journey" in page
    assert "Audit of analytic" in page
    assert (audits[0]["arrived"], audits[0]["reordered"]) == (EVENTS, 0)
    kept = postgres.run("SELECT count(*), count(DISTINCT event_id) FROM streamproof_groups.journeys", database)
    assert kept == [(EVENTS, EVENTS)]

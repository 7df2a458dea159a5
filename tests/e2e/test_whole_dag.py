"""The whole Dag by ``dag.test``: when all is well, when a shard fails, and when tasks are cut off and tried again."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.local import LocalStack
from consumer.report import find_report
from stack.ports import LOOPBACK
from stack.services.airflow import airflow_connections
from stack.services.postgres import USER
from tests.kit.dag_process import dag_runs
from tests.kit.depth import DEEP
from tests.kit.postgres import PostgresServer

pytestmark = pytest.mark.timeout(600)
WAYS = ("green", "troubled") if DEEP else ("troubled",)
STEPS = ("ensure_topics", "schema_gate", "plan", "incidents", "load", "audit", "check", "publish", "report")


@pytest.fixture(scope="module")
def topic() -> str:
    return f"e2e-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "orders.yaml").write_text("schema: order.avsc\nkey: customer\n")
    fields = [{"name": "customer", "type": "string"}, {"name": "total", "type": "double"}]
    (folder / "order.avsc").write_text(json.dumps({"type": "record", "name": "Order", "fields": fields}))
    return folder


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.database().rpartition("/")[2]


@pytest.fixture(scope="module")
def runs(
    stack: LocalStack,
    topic: str,
    data: Path,
    scenarios: Path,
    postgres: PostgresServer,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    env = {
        "STREAMPROOF_WAREHOUSE_DIR": str(data / "warehouse"),
        "STREAMPROOF_PUBLICATIONS_DIR": str(data / "publications"),
        "STREAMPROOF_SCENARIO_PATH": str(scenarios),
    }
    server = {"host": LOOPBACK, "port": postgres.port, "login": USER, "password": postgres.password}
    connections = {
        **airflow_connections(stack.bootstrap_servers, stack.registry_url),
        "warehouse_e2e": {"conn_type": "postgres_warehouse", **server, "schema": database},
    }
    return dag_runs(tmp_path_factory.mktemp("dag_test"), connections, env, topic, *WAYS)


def states(run: dict[str, Any]) -> dict[str, str]:
    return {name: task["state"] for name, task in run["tasks"].items()}


def warehouse(data: Path, topic: str) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(data / "warehouse" / f"{topic}.duckdb"), read_only=True)


def report_of(data: Path, run: dict[str, Any]) -> str:
    path = find_report(data / "publications", run["run_id"])
    assert path is not None
    return path.read_text()


@pytest.mark.skipif(not DEEP, reason="test_airflow.py has such a run in any case, by Airflow's own scheduler")
def test_a_run_in_which_all_is_well_is_green_and_published(runs: dict[str, Any], topic: str, data: Path) -> None:
    run = runs["green"]
    assert run["state"] == "success"
    assert states(run) == dict.fromkeys((*STEPS, "generate[0]", "generate[1]"), "success")
    with warehouse(data, f"{topic}-green") as database:
        assert database.sql("SELECT count(*), count(DISTINCT event_id) FROM events").fetchall() == [(4000, 4000)]
    snapshot = data / "publications" / f"{topic}-green" / "current" / "snapshot.duckdb"
    assert snapshot.exists()
    assert "PASSED" in report_of(data, run)


def test_a_scenario_of_a_folder_is_rehearsed_with_its_own_schema_into_the_database_of_a_connection(
    runs: dict[str, Any], topic: str, data: Path, postgres: PostgresServer, database: str
) -> None:
    run = runs["own"]
    assert run["run_id"].startswith("rehearse_orders/")
    assert run["state"] == "success", states(run)
    assert states(run) == dict.fromkeys((*STEPS, "generate[0]", "generate[1]"), "success")
    schema = f'"{topic}-own"'
    counted = postgres.run(f"SELECT count(*), count(customer), count(total) FROM {schema}.events", database)
    assert counted == [(4000,) * 3]
    assert postgres.run(f"SELECT verdict FROM {schema}.audits", database) == [("PASSED",)]
    assert not (data / "warehouse" / f"{topic}-own.duckdb").exists()
    assert "PASSED" in report_of(data, run)


def test_a_failed_shard_makes_the_run_red_and_the_report_is_still_written(
    runs: dict[str, Any], topic: str, data: Path
) -> None:
    run = runs["failed_shard"]
    assert run["state"] == "failed"
    found = states(run)
    assert found["generate[1]"] == "failed"
    assert {found[name] for name in ("generate[0]", "load")} == {"success"}
    # A manifest is missing: nothing can be proved, and the volume of the shard is not what was asked for.
    assert (found["audit"], found["check"]) == ("failed", "failed")
    assert found["publish"] == "upstream_failed"
    # It is written, and red as the run is: so "clear failed tasks" takes it along.
    assert found["report"] == "failed"
    with warehouse(data, f"{topic}-failed") as database:
        assert database.sql("SELECT count(*) FROM events").fetchall() == [(2000,)]
    assert not (data / "publications" / f"{topic}-failed" / "current").exists()
    page = report_of(data, run)
    assert "UNKNOWN" in page
    assert "Cut short: 2,000 of 4,000 events asked for, 50.00" in page
    assert "Not published: the audit says UNKNOWN." in page


def test_what_cannot_pass_when_tried_again_is_not_tried_again(runs: dict[str, Any]) -> None:
    tasks = runs["failed_shard"]["tasks"]
    assert tasks["generate[1]"]["tries"] == 1
    assert tasks["audit"]["tries"] == 1


def test_a_generator_and_a_loader_that_were_cut_off_go_on_where_they_were(
    runs: dict[str, Any], topic: str, data: Path
) -> None:
    run = runs["retried"]
    assert run["state"] == "success", states(run)
    assert run["tasks"]["generate[0]"]["tries"] == 2
    assert run["tasks"]["generate[1]"]["tries"] == 1
    assert run["tasks"]["load"]["tries"] == 2
    assert 0 < run["acknowledged_then"] < 2000
    with warehouse(data, f"{topic}-retried") as database:
        rows = "SELECT count(*), count(DISTINCT event_id), count(DISTINCT _batch) FROM events"
        events, identities, batches = database.sql(rows).fetchall()[0]
    # Neither lost nor twice, although both tasks were cut off in the middle.
    assert (events, identities) == (4000, 4000)
    assert batches > 1
    assert "PASSED" in report_of(data, run)

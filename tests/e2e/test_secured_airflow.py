"""A rehearsal in an Airflow whose Kafka and registry want TLS and a password: `up --security scram --airflow`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cluster.local import LocalStack
from stack.down import stop_stack
from stack.request import UpRequest
from stack.security import USER, password_file, security_folder
from stack.services.airflow import ADMIN, read_password
from streamproof.airflow_api import Airflow
from tests.kit.depth import DEEP
from tests.kit.shared_stack import started

# A rehearsal against a secured broker is in every run of the tests, by `dag.test`: see tests/faults/security.
pytestmark = pytest.mark.skipif(not DEEP, reason="Airflow's four processes with a secured broker: make test-deep")
DAG_ID = "rehearse_customer_events"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    state = tmp_path_factory.mktemp("secured")
    try:
        yield started(state, UpRequest(frozenset({"airflow"}), security="scram", owner=os.getpid()))
    finally:
        stop_stack(state)


def test_a_run_passes_and_no_file_of_airflow_holds_the_password(secured: LocalStack) -> None:
    state, stop = secured.state_dir, threading.Event()
    with Airflow(secured.airflow_url or "", ADMIN, read_password(state) or "") as airflow:
        airflow.wait_for_dag(DAG_ID, stop)
        run_id = airflow.trigger(DAG_ID, {"topic": "secured", "events": 1000, "full_speed": True, "shards": 1})
        *_, run = airflow.follow(DAG_ID, run_id, stop)
        failed = {task.label: airflow.log_tail(DAG_ID, run_id, task) for task in run.failed_tasks()}
        assert run.state == "success", failed
        (audit,) = [task for task in run.tasks if task.task_id == "audit"]
        assert airflow.returned(DAG_ID, run_id, audit)["verdict"] == "PASSED"
    password = password_file(security_folder(state), USER).read_bytes()
    # The connections hold it encrypted, and so that the test of a connection tells the truth.
    assert answers_of_connections(secured) == {"kafka_default": True, "schema_registry_default": True}
    written = [path for folder in ("airflow", "postgres", "log", "publications") for path in files(state / folder)]
    assert any(path.name.startswith("attempt=") for path in written)  # the tasks' logs are among them
    assert not [path for path in written if password in path.read_bytes()]
    # What the tasks wrote of a topic that asks for a password is for their owner's eyes.
    for path in (*files(state / "warehouse"), *files(state / "publications"), *files(state / "kafka-scram")):
        assert path.stat().st_mode & 0o077 == 0, path


def answers_of_connections(stack: LocalStack) -> dict[str, bool]:
    with httpx.Client(base_url=stack.airflow_url or "", timeout=60) as web:
        login = {"username": ADMIN, "password": read_password(stack.state_dir)}
        web.headers["Authorization"] = f"Bearer {web.post('/auth/token', json=login).json()['access_token']}"
        found = web.get("/api/v2/connections").json()["connections"]
        told = [{name: value for name, value in each.items() if value is not None} for each in found]
        return {
            each["connection_id"]: web.post("/api/v2/connections/test", json=each).json()["status"] for each in told
        }


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]

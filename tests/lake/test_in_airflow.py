"""The lake in a real Airflow, with a real Spark: a run of the Dag to its verdict, and a task that somebody ends."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.connection import Connection
from cluster.local import LocalStack, read_local_stack
from producer import ProduceRequest, produce_shard
from stack.request import UpRequest
from stack.services.airflow import ADMIN, airflow_connections, connection_variables, read_password
from stack.supervisor import Change
from stack.up import up
from streamproof.airflow_api import Airflow
from streamproof.views.start import start_view
from tests.kit.airflow_process import airflow_process

DAG_ID = "rehearse_click_stream_lake"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def airflow(stack: LocalStack) -> Iterator[Airflow]:
    """Airflow beside the session's stack, signed in as admin; it ends with the module."""
    with start_view() as watcher:
        result = up(stack.state_dir, UpRequest(frozenset({"airflow"}), owner=os.getpid()), watcher, threading.Event())
    running = read_local_stack(stack.state_dir)
    assert running is not None
    try:
        with Airflow(running.airflow_url or "", ADMIN, read_password(stack.state_dir) or "") as client:
            client.wait_for_dag(DAG_ID, threading.Event())
            yield client
    finally:
        Change(end=result.started).hand_over(stack.state_dir)


def test_the_sample_files_end_in_a_lake_and_a_table_that_are_proved(airflow: Airflow, tmp_path: Path) -> None:
    conf = {"prefix": "clicks_hour_000", "lake": str(tmp_path / "lake"), "memory": "700m"}
    run_id = airflow.trigger(DAG_ID, conf)
    run = list(airflow.follow(DAG_ID, run_id, threading.Event()))[-1]
    said = {task.task_id: airflow.log_tail(DAG_ID, run_id, task) for task in run.failed_tasks()}
    assert run.state == "success", said
    told = {task.task_id: airflow.returned(DAG_ID, run_id, task) for task in run.tasks if task.map_index < 0}
    assert told["report"]["verdict"] == "PASSED"
    sent, audited = told["lake"]["topics"], {name: told[f"audit_{name}"] for name in ("clicks", "articles")}
    assert sent["click_stream"] == audited["clicks"]["arrived"] == told["aggregate"]["clicks"] > 100
    assert sent["click_stream_metadata"] == audited["articles"]["arrived"] == 400
    assert told["audit_aggregate"]["expectations"] == {"clicks_by_category": 0}
    listed = json.loads((tmp_path / "lake" / "click_stream" / "committed.json").read_text())
    assert sum(part["rows"] for batch in listed["batches"] for part in batch["partitions"]) == sent["click_stream"]


def test_a_lake_task_that_is_ended_leaves_no_process_of_spark(
    stack: LocalStack, connection: Connection, tmp_path: Path, ready_topic: str
) -> None:
    request = ProduceRequest(topic=ready_topic, run_id="ended", events=200)
    assert produce_shard(connection, request, stop=threading.Event()).acknowledged == 200
    connections = connection_variables(airflow_connections(stack.bootstrap_servers, stack.registry_url))
    with airflow_process(tmp_path / "airflow") as process:
        told = process.ask(
            "lake_task_ended", connections, topic=ready_topic, folder=str(tmp_path / "lake"), memory="700m"
        )
    assert told["raised"] == "Interrupted"
    assert "java" in told["names"]
    assert told["left"] == []
    # Airflow kills a task 5 s after it has told it to end.
    assert told["seconds"] < 4

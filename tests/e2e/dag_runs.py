"""Runs the whole Dag by ``dag.test`` against a real stack, once for each way that is asked for; prints JSON.

A process of its own, because Airflow takes its settings when it is first imported. What cannot be made to happen
otherwise (a generator that dies, a loader that is cut off) is put in the way of the packages, not of the operators.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Container
from datetime import timedelta
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator

from cluster.errors import BrokerSilent, RecordsUndelivered
from plugins.metadata import make_ready
from stack.services.airflow import POOLS

producing, loading = importlib.import_module("producer.emit"), importlib.import_module("consumer.load.load")
produce_shard, run_shard, load = producing.produce_shard, producing.run_shard, loading.load


def dying_generator(connection: Any, request: Any, **more: Any) -> Any:
    """Fail shard 1 for good before its first event."""
    if request.shard == 1:
        raise RecordsUndelivered("events were not acknowledged", where=request.topic)
    return produce_shard(connection, request, **more)


class CutOffOnce:
    """Cuts shard 0 and the load off in the middle, once each."""

    def __init__(self) -> None:
        self.cut: set[str] = set()

    def generator(self, connection: Any, request: Any, *, stop: Any, **more: Any) -> Any:
        """Ask shard 0 to stop as soon as Kafka acknowledged something."""
        if request.shard != 0 or "generator" in self.cut:
            return produce_shard(connection, request, stop=stop, **more)

        def stop_early(progress: Any) -> None:
            if progress.acknowledged:
                stop.set()

        outcome = run_shard(connection, request.plan, stop=stop, progress=stop_early)
        if outcome.error is None:
            return outcome.manifest
        self.cut.add("generator")
        self.acknowledged_then = outcome.manifest.acknowledged
        raise outcome.error

    def loader(self, *arguments: Any, progress: Any, **more: Any) -> Any:
        """Lose the broker after the first batch is stored."""
        if "loader" in self.cut:
            return load(*arguments, progress=progress, **more)

        def lose(so_far: Any) -> None:
            if so_far.rows:
                self.cut.add("loader")
                raise BrokerSilent("records are there, and do not arrive")

        return load(*arguments, progress=lose, batch_rows=500, **more)


def run(dag: DAG, conf: dict[str, Any]) -> dict[str, Any]:
    """Run the Dag and return what became of its tasks."""
    outcome = dag.test(run_conf=conf)
    tasks = {
        f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id: {
            "state": str(task.state),
            "tries": task.try_number,
        }
        for task in outcome.get_task_instances()
    }
    return {"run_id": f"{dag.dag_id}/{outcome.run_id}", "state": str(outcome.state), "tasks": tasks}


def main(topic: str, ways: Container[str]) -> dict[str, Any]:
    """Run the Dag in some ways, each on a topic of its own.

    :param ways: ``green``, in which all is well; ``troubled``, in which a shard fails and tasks are cut off, with one
        beside them that is of another scenario and goes into a database.
    """
    make_ready(POOLS, {})
    dags = DagBag().dags
    dag = dags["rehearse_customer_events"]
    for task in dag.tasks:
        task.retry_delay = timedelta(0)
        if isinstance(task, MappedOperator):
            task.partial_kwargs["retry_delay"] = timedelta(0)
    conf = {"events": 4000, "full_speed": True, "shards": 2}
    results: dict[str, Any] = {}
    if "green" in ways:
        results["green"] = run(dag, conf | {"topic": f"{topic}-green"})
    if "troubled" not in ways:
        return results
    into_postgres = {"topic": f"{topic}-own", "warehouse_conn_id": "warehouse_e2e"}
    results["own"] = run(dags["rehearse_orders"], conf | into_postgres)
    vars(producing)["produce_shard"] = dying_generator
    results["failed_shard"] = run(dag, conf | {"topic": f"{topic}-failed"})
    cut_off = CutOffOnce()
    vars(producing)["produce_shard"], vars(loading)["load"] = cut_off.generator, cut_off.loader
    results["retried"] = run(dag, conf | {"topic": f"{topic}-retried", "full_speed": False, "rate": 4000})
    results["retried"]["acknowledged_then"] = cut_off.acknowledged_then
    return results


if __name__ == "__main__":
    found = main(sys.argv[1], sys.argv[2:])
    print("\n" + json.dumps(found))

"""From nothing to a verdict, through Airflow: what ``streamproof demo`` does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.text import Text

from cluster.connection import Connection
from cluster.errors import Interrupted
from cluster.local import LocalStack, publications_dir, state_dir
from consumer.report import find_report
from stack.services.airflow import ADMIN, read_password
from streamproof.airflow_api import DAG_ID, Airflow, RunState
from streamproof.console import Output, stderr
from streamproof.demo.own_stack import own_stack
from streamproof.signals import stop_on_signals
from streamproof.topic_count import TopicCount
from streamproof.views.demo import show_result
from streamproof.views.run import RunSight, run_view

# Longer than any demo: the number of events ends it.
SECONDS = 3600
AIRFLOW = frozenset({"airflow"})


def demo(
    *, events: int, shards: int, rate: float, seed: int, topic: str, once: bool, output: Output
) -> Mapping[str, Any]:
    """Start what is needed, trigger the Dag, follow it, show the verdict; return the document of it all.

    :param rate: events per second in all; 0 is full speed.
    :param once: stop at the end what this started.
    :raises Interrupted: told to stop; says what still runs.
    """
    state, began = state_dir(), time.monotonic()
    conf = {"events": events, "shards": shards, "seed": seed, "topic": topic, "seconds": SECONDS}
    conf |= {"rate": rate} if rate else {"full_speed": True}
    with stop_on_signals() as stop, own_stack(state, stop, once=once, components=AIRFLOW) as (stack, stops):
        ready_s = time.monotonic() - began
        with Airflow(stack.airflow_url or "", ADMIN, read_password(state) or "") as airflow:
            run_id, run = _rehearse(airflow, stack, conf, stop, goes_on=stops == "nothing")
            result = _result(topic, run_id, run)
            result |= {"ready_seconds": round(ready_s, 1), "seconds": round(time.monotonic() - began, 1)}
            result |= {"airflow_url": stack.airflow_url, "stack_left_running": stops != "everything"}
            result |= {"airflow_left_running": stops == "nothing"}
            _show_failures(airflow, run_id, run)
    show_result(output, result, state)
    output.document(result)
    return result


def _rehearse(
    airflow: Airflow, stack: LocalStack, conf: dict[str, Any], stop: threading.Event, *, goes_on: bool
) -> tuple[str, RunState]:
    """Trigger the Dag and follow the run to its end.

    :raises Interrupted: told to stop; says what still runs.
    """
    airflow.wait_for_dag(DAG_ID, stop)
    kafka = Connection.discover(bootstrap_servers=stack.bootstrap_servers).kafka
    in_kafka = TopicCount(kafka, conf["topic"])
    run_id = airflow.trigger(DAG_ID, conf)
    figures: dict[tuple[str, int], str] = {}
    try:
        with run_view() as view:
            for run in airflow.follow(DAG_ID, run_id, stop):
                for task in run.tasks:
                    key = (task.task_id, task.map_index)
                    if task.state == "success" and key not in figures:
                        figures[key] = _figure(airflow.returned(DAG_ID, run_id, task))
                view.look(RunSight(run, figures, in_kafka.now(), conf["events"]))
    except Interrupted:
        if goes_on:
            raise Interrupted(
                f"interrupted; the run {run_id} goes on in Airflow",
                where=f"{stack.airflow_url}/dags/{DAG_ID}/runs/{run_id}",
                hint="`streamproof down` stops everything",
            ) from None
        airflow.give_up(DAG_ID, run_id)
        raise Interrupted(
            f"interrupted; the run {run_id} was given up, and what was started for it is stopped",
            hint="The topic keeps its events",
        ) from None
    return run_id, run


def _figure(returned: dict[str, Any]) -> str:
    """Return what a task handed over as a person reads it: its verdict, and its numbers apart from zeros."""
    numbers = [f"{name} {value:,}" for name, value in returned.items() if isinstance(value, int) and value]
    return ", ".join([str(returned["verdict"]), *numbers] if "verdict" in returned else numbers)


def _result(topic: str, run_id: str, run: RunState) -> dict[str, Any]:
    """Return what the run proved, from the summary beside its report."""
    name = f"{DAG_ID}/{run_id}"
    report = find_report(publications_dir(), name)
    summary = json.loads((report.parent / "summary.json").read_text()) if report else {}
    # Without a report nothing was produced: an earlier task failed.
    verdict = summary.get("verdict", "FAILED")
    seconds = (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None
    return {
        "run_id": name,
        # A run that is red did not pass, whatever its audit says: a shard, a check or the publication failed.
        "verdict": "FAILED" if verdict == "PASSED" and run.state != "success" else verdict,
        "state": run.state,
        "summary": summary,
        "run_seconds": seconds,
        "report": str(report) if report else None,
        "snapshot": str(publications_dir() / topic / "current" / "snapshot.duckdb") if run.state == "success" else None,
    }


def _show_failures(airflow: Airflow, run_id: str, run: RunState) -> None:
    """Show what the tasks that failed logged last."""
    for task in run.failed_tasks():
        stderr.print(f"[bold red]{escape(task.label)} failed[/]; the end of its log:")
        # Text, because a log may hold what reads like markup.
        stderr.print(Text("\n".join(f"    {line}" for line in airflow.log_tail(DAG_ID, run_id, task))))

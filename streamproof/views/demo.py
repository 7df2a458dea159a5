"""What a demo proved, and where it all is, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.text import Text

from stack.services.airflow import ADMIN, password_file
from streamproof.console import Output, query_command, stdout

CLASSES = ("lost", "duplicated", "phantom", "altered", "reordered", "undecodable")
QUERY = "SELECT event_type, count(*) AS events FROM events GROUP BY ALL ORDER BY ALL"


def show_result(output: Output, result: dict[str, Any], state: Path) -> None:
    """Print the verdict, the figures, and where everything is; nothing under ``--json``."""
    if not output.as_json:
        for line in _lines(result, state):
            # Not folded: addresses and commands are there to be copied.
            stdout.print(line, soft_wrap=True)


def _lines(result: dict[str, Any], state: Path) -> Iterator[Text]:
    colour = {"PASSED": "green", "UNKNOWN": "yellow"}.get(result["verdict"], "red")
    reason = result["summary"].get("reason", "The run ended without a report.")
    yield Text.assemble("\n", (result["verdict"], f"bold {colour}"), f"  {reason}\n")
    for name, value in (*_figures(result), *_places(result, state)):
        yield Text.assemble((f"{name:<10}", "bold"), value)
    if result["snapshot"]:
        yield Text(f"\nTo look at the events:\n\n  {query_command(result['snapshot'], QUERY)}")
    if result["airflow_left_running"]:
        yield Text("\nEverything runs on; `streamproof down` stops it.")
    elif result["stack_left_running"]:
        yield Text("\nAirflow is stopped again; Kafka and the registry, which ran before, run on.")
    else:
        yield Text("\nEverything is stopped; `streamproof up --airflow` starts it again, with this run in it.")


def _figures(result: dict[str, Any]) -> list[tuple[str, str]]:
    audit, figures = result["summary"].get("audit"), []
    if audit:
        figures.append(("events", f"{audit['loaded']:,} of {audit['expected']:,} acknowledged are in the warehouse"))
        figures.append(("wrong", ", ".join(f"{name} {audit[name]:,}" for name in CLASSES)))
    rate = result["summary"].get("rate")
    if rate:
        figures.append(("rate", rate["says"]))
    seconds = f"{result['seconds']:.0f}, of which {result['ready_seconds']:.0f} to start the stack"
    if result["run_seconds"]:
        seconds += f" and {result['run_seconds']:.0f} for the run"
    return [*figures, ("seconds", seconds)]


def _places(result: dict[str, Any], state: Path) -> list[tuple[str, str]]:
    dag_id, _, run_id = result["run_id"].partition("/")
    places = []
    if result["airflow_left_running"]:
        places.append(("Airflow", f"{result['airflow_url']}/dags/{dag_id}/runs/{quote(run_id)}"))
        places.append(("", f"user {ADMIN}, password in {password_file(state)}"))
    if result["report"]:
        places.append(("report", Path(result["report"]).as_uri()))
    if result["snapshot"]:
        places.append(("snapshot", result["snapshot"]))
    return places

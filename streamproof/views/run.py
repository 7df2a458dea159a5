"""Showing a Dag run while it goes: a moving table on a terminal, a log line for each change elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from streamproof.airflow_api import TASKS, RunState, TaskState
from streamproof.console import stderr

MARKS = {
    "success": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "upstream_failed": "[red]-[/]",
    "skipped": "[dim]-[/]",
    "up_for_retry": "[yellow]↻[/]",
}
WAITING = frozenset({"waiting", "scheduled", "queued"})
# A run is queued for a moment always; after this many looks it waits for something.
PATIENCE = 6
BEHIND = "waiting: an earlier run of this Dag goes on"


@dataclass(frozen=True, slots=True)
class RunSight:
    """What is known of a run at one moment: its tasks, what each returned, and how many events Kafka took."""

    run: RunState
    figures: dict[tuple[str, int], str] = field(default_factory=dict)
    in_kafka: int | None = None
    expected: int | None = None


class RunView(Protocol):
    """Whoever shows a run to a person."""

    def look(self, sight: RunSight) -> None:
        """Take the run as it is now."""


@contextmanager
def run_view() -> Iterator[RunView]:
    """Yield a view that shows on stderr what it is told."""
    if not stderr.is_terminal:
        yield _Lines()
        return
    with Live(console=stderr, refresh_per_second=8, transient=False) as live:
        yield _Moving(live)


class _Lines:
    """One log line for each task that changes its state."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()
        self._states: dict[tuple[str, int], str] = {}
        self._looks = 0

    def look(self, sight: RunSight) -> None:
        self._looks += 1
        if sight.run.state == "queued" and self._looks == PATIENCE:
            self._log.info(BEHIND)
        for task in in_order(sight.run):
            key = (task.task_id, task.map_index)
            if task.state in WAITING or self._states.get(key) == task.state:
                continue
            self._states[key] = task.state
            known = {"did": did} if (did := sight.figures.get(key)) else {}
            if task.ended_at is not None:
                known["seconds"] = _seconds(task)
            self._log.info(task.state, task=task.label, **known)


class _Moving:
    """A table of the tasks, and a count of events below it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._spinner = Spinner("dots", style="cyan")
        self._looks = 0

    def look(self, sight: RunSight) -> None:
        self._looks += 1
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(width=1)
        table.add_column(min_width=22, no_wrap=True)
        table.add_column(min_width=7, justify="right", no_wrap=True)
        # The only one that gives way on a narrow terminal.
        table.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
        for task in in_order(sight.run):
            running = task.state not in MARKS and task.state not in WAITING
            mark = self._spinner if running else Text.from_markup(MARKS.get(task.state, " "))
            did = sight.figures.get((task.task_id, task.map_index), "" if task.state in WAITING else task.state)
            style = "dim" if task.state in WAITING else ""
            table.add_row(mark, Text(task.label, style), Text(_seconds(task), "dim"), Text(did))
        below = "" if sight.in_kafka is None else f"events in Kafka: {sight.in_kafka:,}"
        if below and sight.expected:
            below += f" of {sight.expected:,}"
        if sight.run.state == "queued" and self._looks >= PATIENCE:
            below = BEHIND
        self._live.update(Group(table, Text(f"   {below}", "dim")))


def in_order(run: RunState) -> list[TaskState]:
    """Return the tasks as the Dag has them, shards by number."""
    known = {name: place for place, name in enumerate(TASKS)}
    return sorted(run.tasks, key=lambda task: (known.get(task.task_id, len(known)), task.task_id, task.map_index))


def _seconds(task: TaskState) -> str:
    seconds = task.seconds(datetime.now(UTC))
    return "" if seconds is None else f"{seconds:.1f} s"

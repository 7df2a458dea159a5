"""The one live line of a long command: what it shows where there is room for it, and where there is little."""

from __future__ import annotations

from rich.progress import BarColumn, ProgressColumn, TaskProgressColumn, TextColumn

from streamproof.console import stderr

# Columns of a terminal that description, bar and figures need side by side.
ROOM = 72
_BAR = 12


def is_narrow() -> bool:
    """Tell whether only the figures fit into a line."""
    return stderr.width < ROOM


def line_columns() -> list[ProgressColumn]:
    """Return what the line is made of; a task has a field ``figures``."""
    figures: list[ProgressColumn] = [TaskProgressColumn(), TextColumn("{task.fields[figures]}")]
    return figures if is_narrow() else [TextColumn("[bold]{task.description}"), BarColumn(_BAR), *figures]


def first_figures(doing: str) -> str:
    """Return what stands for the figures before there are any: what is done, where nothing else says it."""
    return doing if is_narrow() else ""

"""What an audit of a pipeline found, as figures for other tasks and as lines for the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consumer.pipeline.found import ColumnDifference
    from consumer.pipeline.result import PipelineResult

# Of each class and each column: the rest is in `audit --at --json`.
_EXAMPLES = 3


def figures_of(result: PipelineResult) -> dict[str, Any]:
    """Return the counts, what they are about, and no value of an event: other tasks and the asset have them."""
    found = result.findings
    return {
        "run_id": result.run_id,
        "verdict": result.verdict,
        "reason": result.reason,
        "at": result.at,
        "as_of": result.as_of,
        "acknowledged": found.acknowledged,
        "expected": found.expected,
        "arrived": found.arrived,
        **found.counts,
        "identified": found.identified,
        "ordered": found.ordered,
        "compared": found.compared,
        "rows": found.rows,
        "foreign": found.foreign,
        "columns": {each.column: each.events for each in found.columns},
        "expectations": {each.name: each.disagreeing for each in found.expectations},
        "seconds": result.seconds,
    }


def advice_of(result: PipelineResult) -> str:
    """Return what to do next, where it was said of a command."""
    return result.advice.replace("`--json`", "`audit --at --json`").replace("with --wait 5m", "with wait='5m'")


def lines_of(result: PipelineResult) -> Iterator[str]:
    """Yield the verdict with its figures, its sentence, and the first examples of what is wrong."""
    from consumer.pipeline.found import CLASSES
    from consumer.pipeline.verdict import rows_disagree

    found = result.findings
    counts = {name: int(getattr(found, name)) for name in ("expected", "arrived", *CLASSES, "foreign")}
    yield f"{result.verdict}: {', '.join(f'{name} {number:,}' for name, number in counts.items())}"
    yield f"{result.reason} In {result.seconds:.1f} s."
    for name in CLASSES:
        # An event that is there three times is found in three places.
        events = dict.fromkeys(map(str, found.examples.get(name, [])))
        for example in list(events)[:_EXAMPLES]:
            yield f"  {name}: {example}"
    for column in found.columns:
        yield from _differences(column)
    for each in found.expectations:
        if each.disagreeing:
            yield f"  {each.name}: {rows_disagree(each.disagreeing)}. {each.description}".rstrip()
            for row in each.rows[:_EXAMPLES]:
                yield f"    {', '.join(f'{name} {value}' for name, value in row.items())}"
    for note in found.notes:
        yield f"  note: {note}"


def _differences(column: ColumnDifference) -> Iterator[str]:
    looks = ", ".join(column.looks)
    whose = column.column if column.column == column.field else f"{column.column} ({column.field})"
    yield f"  {whose}: other in {column.events:,} event{'s' if column.events != 1 else ''}, {looks}"
    for example in column.examples[:_EXAMPLES]:
        where = f", {example.where}" if example.where else ""
        event = f"shard {example.shard} sequence {example.sequence}"
        yield f"    {event}: sent {example.sent}, stored {example.stored}{where}"

"""Showing what a proof of somebody else's pipeline says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from consumer.pipeline.found import CLASSES
from streamproof.console import Output, stderr
from streamproof.views.live import first_figures, line_columns
from streamproof.views.verdict import STYLES, example_lines, findings_table, show_shards

if TYPE_CHECKING:
    from consumer.pipeline.found import ColumnDifference, ExpectationResult, ValueExample
    from consumer.pipeline.look import Progress as Told
    from consumer.pipeline.result import PipelineResult

_SHOWN = 3


def show_pipeline(output: Output, result: PipelineResult) -> None:
    """Show the verdict, the findings, what differs by column, and what each expectation says."""
    looks = f"  ·  looked {result.looks} times" if result.looks > 1 else ""
    output.show(
        Group(
            Text.assemble((result.verdict, STYLES[result.verdict]), "  ", result.reason),
            Text(f"run {result.run_id}  ·  topic {result.topic}  ·  {result.seconds:.1f} s{looks}", style="dim"),
        )
    )
    if result.findings.identified:
        output.show("", _findings(result))
    if result.findings.compared:
        output.show("")
        output.show(Text(f"compared  {', '.join(result.findings.compared)}", style="dim"))
    if result.findings.columns:
        output.show("", _columns(result.findings.columns))
    if result.findings.expectations:
        output.show("", _expectations(result.findings.expectations))
    if result.findings.identified:
        output.show("", show_shards(result.findings.shards))
    for sentence in result.findings.contradictions:
        output.show(Text(f"not as it says  {sentence}", style="red"))
    for note in result.findings.notes:
        output.show(Text(f"note  {note}", style="yellow"))


def _findings(result: PipelineResult) -> Table:
    found = result.findings
    table = findings_table()
    table.add_row("acknowledged", f"{found.acknowledged:,}", Text("by Kafka, as the manifests say", style="dim"))
    if found.expected != found.acknowledged:
        meant = f"should arrive: {result.expect}" if result.expect else "and can be there"
        table.add_row("expected", f"{found.expected:,}", Text(meant, style="dim"))
    table.add_row("arrived", f"{found.arrived:,}", Text(f"different ones, by {result.identity}", style="dim"))
    for name, meaning in CLASSES.items():
        number = int(getattr(found, name))
        examples = found.examples.get(name, [])
        said = example_lines(examples) if number and examples else Text(meaning, style="dim")
        if not number and (name == "altered" and found.compared is None):
            said = Text("values were not compared: --compare does", style="dim")
        if not number and (name == "reordered" and not found.ordered):
            said = Text("no order is known: --order names a column", style="dim")
        table.add_row(name, Text(f"{number:,}", style="bold red" if number else "green"), said)
    table.add_row("foreign", f"{found.foreign:,}", Text("rows of other runs: they do not count", style="dim"))
    return table


def _columns(columns: list[ColumnDifference]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("column")
    table.add_column("events", justify="right")
    table.add_column("sent", overflow="fold")
    table.add_column("stored", overflow="fold")
    table.add_column("what became of it", overflow="fold")
    for column in columns:
        name = column.column if column.column == column.field else f"{column.column} ({column.field})"
        shown: list[ValueExample | None] = [*column.examples[:_SHOWN]] or [None]
        for place, example in enumerate(shown):
            table.add_row(
                Text(name if place == 0 else ""),
                Text(f"{column.events:,}" if place == 0 else "", style="bold red"),
                Text("" if example is None or example.sent is None else example.sent),
                Text("" if example is None or example.stored is None else example.stored),
                Text("" if example is None else ", ".join(filter(None, [example.looks, example.where]))),
            )
    return table


def _expectations(results: list[ExpectationResult]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("expectation")
    table.add_column("disagreeing", justify="right")
    table.add_column("first rows, or what it means", overflow="fold")
    for each in results:
        rows = [", ".join(f"{name} {value}" for name, value in row.items()) for row in each.rows[:_SHOWN]]
        said = Text("\n".join(rows)) if rows else Text(each.description, style="dim")
        table.add_row(each.name, Text(f"{each.disagreeing:,}", style="bold red" if each.disagreeing else "green"), said)
    return table


@contextmanager
def shown_telling(topic: str) -> Iterator[Callable[[Told], None]]:
    """Yield what to call as events are told again: a live line on a terminal, nothing elsewhere."""
    if not stderr.is_terminal:
        yield lambda _: None
        return
    with Progress(*line_columns(), console=stderr, transient=True) as bar:
        task = bar.add_task(f"proving {topic}", total=None, figures=first_figures(f"proving {topic}"))

        def draw(progress: Told) -> None:
            total = progress.events or None  # how many rows there are, nobody knows before they are read
            bar.update(task, completed=progress.told, total=total, figures=progress.words)

        yield draw

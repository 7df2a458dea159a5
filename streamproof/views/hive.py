"""Showing what became of a Hive table of clicks by category."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.progress import Progress
from rich.table import Table

from consumer.lake.hive.aggregate import TableResult
from streamproof.console import Output, plain, stderr
from streamproof.views.live import first_figures, line_columns

log = structlog.get_logger()


@contextmanager
def shown_table(name: str) -> Iterator[Callable[[str], None]]:
    """Yield what to call with each step: a live line on a terminal, log lines elsewhere."""
    if not stderr.is_terminal:
        yield lambda said: log.info("hive table", table=name, step=said)
        return
    with Progress(*line_columns(), console=stderr, transient=True) as bar:
        task = bar.add_task(name, total=None, figures=first_figures("starting Spark with Hive"))
        yield lambda said: bar.update(task, figures=said)


def show_table(output: Output, result: TableResult) -> None:
    """Show how much of the table was computed, and its categories with the most clicks."""
    of = f"{result.computed:,} of {result.hours:,} hours computed, {result.rows:,} rows, {result.clicks:,} clicks"
    output.show("", plain(f"hive table {result.table}: {of}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("category")
    for name in ("clicks", "share", "publishers"):
        table.add_column(name, justify="right")
    for each in result.categories:
        clicks = int(each["clicks"])
        known = each["category_id"] is not None
        share = f"{100 * clicks / result.clicks:.1f} %" if result.clicks else ""
        name = str(each["category_id"]) if known else "(no metadata)"
        table.add_row(name, f"{clicks:,}", share, f"{each['publishers']:,}" if known else "")
    output.show(table)
    output.show(plain(f"files {result.folder}"))

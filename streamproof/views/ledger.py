"""How far the reading for a ledger is, and what was written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.progress import Progress

from consumer.pipeline.ledger.take import LedgerProgress, LedgerResult
from streamproof.console import Output, plain, stderr
from streamproof.views.live import first_figures, line_columns

log = structlog.get_logger()
_LOG_EVERY_S = 1.0


@contextmanager
def shown_ledger(topic: str) -> Iterator[Callable[[LedgerProgress], None]]:
    """Yield what to call with the progress: one live line on a terminal, one log line a second elsewhere."""
    if not stderr.is_terminal:
        yield _log_each_second()
        return
    doing = f"reading {topic}"
    with Progress(*line_columns(), console=stderr, transient=True) as bar:
        task = bar.add_task(doing, total=None, figures=first_figures(doing))

        def draw(progress: LedgerProgress) -> None:
            left = "" if progress.seconds_left is None else f"  {progress.seconds_left:,.0f} s left"
            figures = f"{progress.rate:,.0f}/s{left}" if progress.done else f"{progress.total:,} offsets"
            bar.update(task, completed=progress.done, total=progress.total, figures=figures)

        yield draw


def show_ledger(output: Output, result: LedgerResult) -> None:
    """Show what was written down, and what to do with it."""
    gaps = sum(each.gaps for each in result.partitions)
    holes = f", {gaps:,} offsets without one" if gaps else ""
    many = len(result.partitions)
    output.show(
        plain(
            f"ledger {result.run_id} of {result.topic}: {result.records:,} records in {many} "
            f"partition{'s' if many != 1 else ''}{holes}, in {result.seconds:.1f} s"
        )
    )
    told = "partition and offset" if result.field is None else f"the field {result.field}"
    output.show(plain(f"told apart by {told}"))
    if result.repeated:
        output.show(
            plain(f"note  {result.repeated:,} values of {result.field} occur more than once: the last record counts")
        )
    if not result.records:
        output.show(plain("note  the topic is empty: nothing can be proved by this ledger"))
    if result.control_created:
        output.show(plain(f"made the topic {result.topic}.manifests, which holds it"))
    output.show(
        plain(f"audit what reads the topic: streamproof audit {result.topic} --at WHERE --run-id {result.run_id}")
    )


def _log_each_second() -> Callable[[LedgerProgress], None]:
    logged = 0.0

    def write(progress: LedgerProgress) -> None:
        nonlocal logged
        now = time.monotonic()
        if now - logged < _LOG_EVERY_S:
            return
        logged = now
        left = progress.seconds_left
        log.info(
            "reading",
            rate=round(progress.rate),
            offsets=f"{progress.done}/{progress.total}",
            seconds_left=None if left is None else round(left, 1),
        )

    return write

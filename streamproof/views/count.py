"""A count: one live line on a terminal, a log line a second elsewhere, and the totals at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import structlog
from rich.progress import Progress, TextColumn
from rich.table import Table

from consumer.counter.result import CountProgress, CountResult
from streamproof.console import Output, plain, stderr
from streamproof.views.live import is_narrow

log = structlog.get_logger()
_SHOWN = 6  # names of the live line; the largest totals are at the end in any case
_LISTED = 20


@contextmanager
def shown_count(topic: str) -> Iterator[Callable[[CountProgress], None]]:
    """Yield what to call with the progress, once a second."""
    if not stderr.is_terminal:
        yield _log
        return
    columns = [] if is_narrow() else [TextColumn("[bold]{task.description}")]
    with Progress(*columns, TextColumn("{task.fields[figures]}", markup=False), console=stderr, transient=True) as line:
        task = line.add_task(f"counting {topic}", total=None, figures="nothing yet")
        yield lambda progress: line.update(task, figures=_sentence(progress))


def _sentence(progress: CountProgress) -> str:
    lag = "lag unknown" if progress.lag is None else f"lag {progress.lag:,}"
    parts = [f"{progress.rate:,.0f}/s", lag]
    if not is_narrow():
        parts += [f"{name} {total:,}" for name, total in islice(progress.totals.items(), _SHOWN)]
    if apart := sum(progress.apart.values()):
        parts.append(f"{apart:,} in no total")
    return "  ".join(parts)


def _log(progress: CountProgress) -> None:
    log.info(
        "counting",
        rate=round(progress.rate),
        events=progress.events,
        outputs=progress.outputs,
        lag=progress.lag,
        apart=sum(progress.apart.values()),
    )


def show_count(output: Output, result: CountResult) -> None:
    """Show what was counted, and the totals, the largest first where there are many."""
    done = result.progress
    rate = f"  at {done.events / done.seconds:,.0f} events/s" if done.events and done.seconds else ""
    said = f"counted [bold]{result.topic}[/] by {result.field} into [bold]{result.output}[/]"
    output.show(f"{said}: {done.events:,} events  {done.outputs:,} outputs{rate}  in {done.seconds:.1f} s")
    if result.went_on_from is not None:
        output.show(f"went on from {result.went_on_from:,} events that were counted before")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    totals = list(done.totals.items())
    if len(totals) > _LISTED:
        totals = sorted(totals, key=lambda item: -item[1])[:_LISTED]
    for name, total in totals:
        table.add_row(plain(name), f"{total:,}")
    if len(done.totals) > len(totals):
        table.add_row(plain(f"and {len(done.totals) - len(totals):,} more"), "")
    output.show(table)

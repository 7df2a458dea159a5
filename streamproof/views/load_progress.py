"""The progress of a load: one live line on a terminal, one log line a second elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.progress import Progress

from consumer.load.progress import LoadLines, LoadProgress
from streamproof.console import stderr
from streamproof.views.live import first_figures, line_columns

log = structlog.get_logger()
_LOG_EVERY_S = 1.0


@contextmanager
def shown_load(topic: str) -> Iterator[Callable[[LoadProgress], None]]:
    """Yield what to call with the progress after each batch."""
    if not stderr.is_terminal:
        yield _log_each_second()
        return
    with Progress(*line_columns(), console=stderr, transient=True) as bar:
        task = bar.add_task(f"loading {topic}", total=None, figures=first_figures(f"loading {topic}"))

        def draw(progress: LoadProgress) -> None:
            done, total = progress.offsets_done, progress.offsets_total
            bar.update(task, completed=done, total=total, figures=_sentence(progress))

        yield draw


def _sentence(progress: LoadProgress) -> str:
    if not progress.offsets_done:
        return f"{progress.offsets_total:,} records to load"
    parts = [f"{progress.rate:,.0f}/s", f"{progress.rows:,} rows"]
    if progress.quarantined:
        parts.append(f"[red]{progress.quarantined:,} quarantined[/]")
    if progress.seconds_left is not None:
        parts.append(f"{progress.seconds_left:,.0f} s left")
    return "  ".join(parts)


def _log_each_second() -> Callable[[LoadProgress], None]:
    logged, lines = 0.0, LoadLines()

    def write(progress: LoadProgress) -> None:
        nonlocal logged
        now = time.monotonic()
        if now - logged < _LOG_EVERY_S:
            return
        logged = now
        left = progress.seconds_left
        log.info(
            "loading",
            rate=round(lines.rate(progress)),
            rows=progress.rows,
            quarantined=progress.quarantined,
            tombstones=progress.tombstones,
            offsets=f"{progress.offsets_done}/{progress.offsets_total}",
            seconds_left=None if left is None else round(left, 1),
        )

    return write

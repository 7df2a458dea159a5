"""The progress of a lake's job: one live line on a terminal, log lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.progress import Progress

from consumer.lake.progress import LakeProgress
from streamproof.console import stderr
from streamproof.views.live import first_figures, line_columns

log = structlog.get_logger()
_LAG_EVERY_S = 5.0


@contextmanager
def shown_lake() -> Iterator[Callable[[LakeProgress], None]]:
    """Yield what to call with the progress, when something has changed."""
    if not stderr.is_terminal:
        yield _log_changes()
        return
    with Progress(*line_columns(), console=stderr, transient=True) as bar:
        task = bar.add_task("lake", total=None, figures=first_figures("starting Spark"))

        def draw(progress: LakeProgress) -> None:
            done, total = progress.offsets, progress.offsets_total
            bar.update(task, completed=done, total=max(total, done) or None, figures=_sentence(progress))

        yield draw


def _sentence(progress: LakeProgress) -> str:
    if progress.ready_at is None:
        return f"{progress.offsets_total:,} records to take, Spark starts" if progress.offsets_total else "Spark starts"
    if not progress.batches:
        return f"{progress.offsets_total:,} records to take"
    parts = [f"{progress.rate:,.0f}/s", f"{progress.rows:,} rows", f"{progress.batches:,} batches"]
    if progress.quarantined:
        parts.append(f"[red]{progress.quarantined:,} quarantined[/]")
    if progress.behind is not None:
        parts.append(f"{progress.behind:,} behind")
    elif progress.seconds_left is not None:
        parts.append(f"{progress.seconds_left:,.0f} s left")
    return "  ".join(parts)


def _log_changes() -> Callable[[LakeProgress], None]:
    seen: tuple[bool, int] = (False, -1)
    logged = time.monotonic()

    def write(progress: LakeProgress) -> None:
        nonlocal seen, logged
        now, state = time.monotonic(), (progress.ready_at is not None, progress.batches)
        if state == seen and now - logged < _LAG_EVERY_S:
            return
        seen, logged = state, now
        if progress.ready_at is None:
            log.info("starting Spark", topics=list(progress.topics))
            return
        left = progress.seconds_left
        log.info(
            "taking",
            rows=progress.rows,
            rate=round(progress.rate),
            batches=progress.batches,
            quarantined=progress.quarantined,
            offsets=f"{progress.offsets}/{progress.offsets_total}",
            behind=progress.behind,
            seconds_left=None if left is None else round(left, 1),
        )

    return write

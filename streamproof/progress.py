"""The progress of a producing run: one live line on a terminal, one log line a second elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.progress import Progress as Bar

from producer import ProduceRequest, Progress
from streamproof.console import stderr
from streamproof.live import first_figures, is_narrow, line_columns

log = structlog.get_logger()
_LOG_EVERY_S = 1.0


@contextmanager
def shown_progress(request: ProduceRequest, shards: tuple[int, ...]) -> Iterator[Callable[[Progress], None]]:
    """Yield what to call with each shard's progress; it shows the sum over ``shards``.

    The run's name is told first: whoever kills the command needs it to continue.
    """
    together = _Together(request, shards)
    if not stderr.is_terminal:
        log.info("run begins", run_id=request.run_id, topic=request.topic, shards=len(shards))
        yield together.log
        return
    stderr.print(f"run {request.run_id} on {request.topic}", markup=False, soft_wrap=True)
    with Bar(*line_columns(), console=stderr, transient=True) as bar:
        doing = f"producing to {request.topic}"
        task = bar.add_task(doing, total=together.target, figures=first_figures(doing))

        def draw(progress: Progress) -> None:
            together.add(progress)
            bar.update(task, completed=together.acknowledged, figures=together.sentence())

        yield draw


class _Together:
    """The latest progress of each shard, and their sums."""

    def __init__(self, request: ProduceRequest, shards: tuple[int, ...]) -> None:
        self._latest: dict[int, Progress] = {}
        self._logged = 0.0
        targets = [request.for_shard(shard).target for shard in shards]
        self.target = None if None in targets else sum(target for target in targets if target is not None)

    def add(self, progress: Progress) -> None:
        """Take the progress of one shard."""
        self._latest[progress.shard] = progress

    @property
    def acknowledged(self) -> int:
        """Acknowledged events of all shards."""
        return sum(progress.acknowledged for progress in self._latest.values())

    def sentence(self) -> str:
        """Return rate, totals and time left."""
        latest = self._latest.values()
        parts = [
            f"{sum(progress.rate for progress in latest):,.0f}/s",
            f"{self.acknowledged:,}{'' if is_narrow() else ' acknowledged'}",
        ]
        failed = sum(progress.failed for progress in latest)
        if failed:
            parts.append(f"[red]{failed:,} not delivered[/]")
        left = self._seconds_left()
        if left is not None:
            parts.append(f"{left:,.0f} s left")
        return "  ".join(parts)

    def log(self, progress: Progress) -> None:
        """Log the sums, at most once a second."""
        self.add(progress)
        now = time.monotonic()
        if now - self._logged < _LOG_EVERY_S:
            return
        self._logged = now
        latest = self._latest.values()
        left = self._seconds_left()
        log.info(
            "producing",
            rate=round(sum(progress.rate for progress in latest)),
            acknowledged=self.acknowledged,
            failed=sum(progress.failed for progress in latest),
            queued=sum(progress.queued for progress in latest),
            target=self.target,
            seconds_left=None if left is None else round(left, 1),
        )

    def _seconds_left(self) -> float | None:
        known = [progress.seconds_left for progress in self._latest.values() if progress.seconds_left is not None]
        return max(known, default=None)

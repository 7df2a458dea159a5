"""The progress of a producing run: one live line on a terminal, one log line a second elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.markup import escape
from rich.progress import Progress as Bar

from producer import ProduceRequest, Progress
from producer.standing import Line, Standing
from streamproof.console import stderr
from streamproof.views.live import first_figures, is_narrow, line_columns

log = structlog.get_logger()
LOG_EVERY_S = 1.0
# Columns that hold all figures of a run that is late.
_WIDE = 100


@contextmanager
def shown_progress(request: ProduceRequest, shards: tuple[int, ...]) -> Iterator[Callable[[Progress], None]]:
    """Yield what to call with each shard's progress; it shows the sum over ``shards``.

    The run's name is told first: whoever kills the command needs it to continue.
    """
    standing = Standing([request.plan.for_shard(shard).target for shard in shards])
    if not stderr.is_terminal:
        log.info("run begins", run_id=request.run_id, topic=request.topic, shards=len(shards), asked=request.plan.pace)
        yield log_each_second(standing)
        return
    stderr.print(f"run {request.run_id} on {request.topic}", markup=False, soft_wrap=True)
    with Bar(*line_columns(), console=stderr, transient=True) as bar:
        doing = f"producing to {request.topic}"
        task = bar.add_task(escape(doing), total=standing.live().target, figures=first_figures(doing))

        def draw(progress: Progress) -> None:
            standing.add(progress)
            line = standing.live()
            bar.update(task, completed=line.acknowledged, figures=figures(line))

        yield draw


def figures(line: Line) -> str:
    """Return rate, total and time left: what fits beside a bar."""
    late = "" if line.on_schedule else f"[yellow]{line.behind_s:,.1f} s behind[/]"
    short = is_narrow() or bool(late) or bool(line.failed)
    parts = [
        line.short_pace(),
        f"{line.acknowledged:,}{'' if short else ' acknowledged'}",
        f"[red]{line.failed:,} not delivered[/]" if line.failed else "",
        late,
        "" if line.seconds_left is None or (late and stderr.width < _WIDE) else f"{line.seconds_left:,.0f} s left",
    ]
    return "  ".join(filter(None, parts))


def log_each_second(
    standing: Standing, clock: Callable[[], float] = time.monotonic, **bound: str
) -> Callable[[Progress], None]:
    """Return what logs the sums, at most once a second: of how many, the rate since the line before, how late.

    :param bound: what every line says beside them, such as of which topic they are.
    """
    logged = clock()

    def write(progress: Progress) -> None:
        nonlocal logged
        standing.add(progress)
        now = clock()
        if now - logged < LOG_EVERY_S:
            return
        logged = now
        line = standing.line()
        log.info(
            "producing",
            **bound,
            says=line.words(),
            acknowledged=line.acknowledged,
            target=line.target,
            rate=None if line.rate is None else round(line.rate, 1),
            asked=None if line.asked is None else round(line.asked, 1),
            behind=line.behind,
            behind_s=round(line.behind_s, 2),
            delay_ms=None if line.delay_ms is None else round(line.delay_ms, 1),
            failed=line.failed,
            queued=line.queued,
            seconds_left=None if line.seconds_left is None else round(line.seconds_left, 1),
        )

    return write

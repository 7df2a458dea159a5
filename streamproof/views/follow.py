"""A loader that follows a topic, as one live line on a terminal, or one log line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.live import Live
from rich.text import Text

from consumer.load.follow_progress import FollowProgress, FollowResult
from streamproof.console import Output, plain, stderr
from streamproof.views.live import is_narrow

log = structlog.get_logger()
_LOG_EVERY_S = 5.0


@contextmanager
def shown_following(topic: str) -> Iterator[Callable[[FollowProgress], None]]:
    """Yield what to call with the progress, several times a second."""
    if not stderr.is_terminal:
        yield _log_now_and_then(topic)
        return
    with Live(console=stderr, auto_refresh=False, transient=True) as live:
        yield lambda progress: live.update(_line(topic, progress), refresh=True)


def show_published(run_id: str, sentence: str, seen: bool) -> None:
    """Say what became of a run that has ended."""
    (log.info if seen else log.warning)(sentence, run=run_id)


def show_followed(output: Output, result: FollowResult) -> None:
    """Show what was loaded while the topic was followed."""
    done = result.progress.stored
    counts = f"{done.rows:,} rows  {done.quarantined:,} quarantined  {done.tombstones:,} tombstones"
    batches = f"in {result.progress.batches:,} batches and {done.seconds:,.1f} s"
    output.show(f"followed [bold]{result.topic}[/]: {counts}  {batches}")
    output.show(plain(f"warehouse {result.warehouse}"))
    lag = result.progress.lag
    output.show(plain(f"not stored yet: {'unknown' if lag is None else f'{lag:,} offsets'}"))
    if delays := result.progress.delays:
        output.show(plain(f"from a record's time to its commit: {_delays(result.progress)}, max {delays.max:,} ms"))
    for run_id in result.progress.published:
        output.show(plain(f"published {run_id}"))


def _line(topic: str, progress: FollowProgress) -> Text:
    """Return the figures, those that matter most first: a narrow terminal cuts the rest."""
    behind = "lag unknown" if progress.lag is None else f"lag {progress.lag:,}"
    parts = [] if is_narrow() else [f"following {topic}"]
    parts += [f"{progress.rate:,.0f} rows/s", behind, f"{progress.stored.rows:,} rows"]
    if progress.stored.quarantined:
        parts.append(f"{progress.stored.quarantined:,} quarantined")
    if progress.delays:
        parts.append(f"to the commit {_delays(progress)}")
    line = Text("  ".join(parts), no_wrap=True, overflow="ellipsis")
    line.highlight_words([behind], "yellow" if progress.lag else "green")
    return line


def _delays(progress: FollowProgress) -> str:
    assert progress.delays is not None
    return f"p50 {progress.delays.p50:,} ms, p99 {progress.delays.p99:,} ms"


def _log_now_and_then(topic: str) -> Callable[[FollowProgress], None]:
    logged = time.monotonic()

    def write(progress: FollowProgress) -> None:
        nonlocal logged
        if time.monotonic() - logged < _LOG_EVERY_S:
            return
        logged = time.monotonic()
        log.info(
            "following",
            topic=topic,
            rate=round(progress.rate),
            rows=progress.stored.rows,
            quarantined=progress.stored.quarantined,
            lag="unknown" if progress.lag is None else progress.lag,
            p99_ms=None if progress.delays is None else progress.delays.p99,
        )

    return write

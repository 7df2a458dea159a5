"""One run of several feeds: ready, sent side by side, and what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured, StreamproofError, Terminal
from producer.feeds.feed import StagedFeed
from producer.feeds.ready import make_ready
from producer.judgement import Tally, stopped
from producer.plan.plan import Plan
from producer.plan.request import ProduceRequest
from producer.send.meter import Progress
from producer.workers import RunResult, produce_feeds


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: a result for each feed, in their order. ``error`` decides the exit code."""

    run_id: str
    feeds: tuple[StagedFeed, ...]
    results: tuple[RunResult, ...]
    seconds: float
    error: StreamproofError | None

    def document(self) -> dict[str, Any]:
        """Return what ``replay --json`` prints."""
        return {
            "run_id": self.run_id,
            "feeds": [_of_feed(feed, result) for feed, result in zip(self.feeds, self.results, strict=True)],
            "seconds": round(self.seconds, 3),
        }


def requests_of(feeds: Sequence[StagedFeed], *, run_id: str, **asked: Any) -> list[ProduceRequest]:
    """Return a request for each feed; each of its shards can be produced by whoever has the files.

    :param asked: what ``ProduceRequest`` takes beside topic, scenario and options.
    :raises Misconfigured: two feeds have one topic, or a request is not valid.
    """
    topics = [each.feed.topic for each in feeds]
    twice = sorted({topic for topic in topics if topics.count(topic) > 1})
    if twice:
        raise Misconfigured(
            f"two feeds of one run go to topic {', '.join(twice)}", hint="Give each feed of a run a topic of its own"
        )
    return [
        ProduceRequest(
            run_id=run_id,
            topic=each.feed.topic,
            scenario=each.feed.scenario,
            options=each.feed.options,
            **asked,
        )
        for each in feeds
    ]


def replay(
    connection: Connection,
    feeds: Sequence[StagedFeed],
    requests: Sequence[ProduceRequest],
    *,
    stop: threading.Event,
    progress: Callable[[Plan, Progress], None] | None = None,
    at_start: Callable[[], None] | None = None,
) -> Replayed:
    """Replay feeds whose files were read, as one run.

    1. ready: topics and schemas
    2. send: every shard of every feed in a process of its own, by one clock if there is a speed
    3. judge: an error unless every row was acknowledged

    :param progress: called with the plan of a shard and its progress.
    :param at_start: called in each new process.
    :raises StreamproofError: as :func:`make_ready`; what happens later is in the result.
    """
    began = time.monotonic()
    # 1. ready
    make_ready(connection, [each.feed for each in feeds])
    # 2. send
    results = produce_feeds(connection, requests, stop=stop, progress=progress, at_start=at_start)
    # 3. judge
    run_id = requests[0].run_id
    return Replayed(run_id, tuple(feeds), results, time.monotonic() - began, _error(run_id, results))


def _error(run_id: str, results: Sequence[RunResult]) -> StreamproofError | None:
    errors = [result.error for result in results if result.error is not None]
    if not errors:
        return None
    if all(isinstance(error, Interrupted) for error in errors):
        whole = sum((Tally.of(manifest) for result in results for manifest in result.manifests), Tally())
        if whole != Tally():
            return stopped(whole, run_id=run_id, where=f"run {run_id}")
    worst = min(errors, key=lambda error: (not isinstance(error, Terminal), isinstance(error, Interrupted)))
    if len(errors) > 1:
        others = len(errors) - 1
        worst.message += f" (and {others} more feed{'s' if others > 1 else ''} did not finish)"
    return worst


def _of_feed(feed: StagedFeed, result: RunResult) -> dict[str, Any]:
    sent = result.document()
    taken = ("acknowledged", "failed", "unknown", "reasons", "skipped", "injected", "rate")
    return {
        **feed.document(),
        **{name: sent[name] for name in taken},
        "shards": len(sent["shards"]),
        "seconds": sent["seconds"],
    }

"""One run of several feeds: ready, sent side by side, and what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured, StreamproofError, Terminal
from producer.feeds.feed import Feed, StagedFeed
from producer.feeds.ready import make_ready
from producer.judgement import Tally, stopped
from producer.plan.plan import Plan
from producer.plan.request import ProduceRequest
from producer.scenarios.replay.options import ORDER, TIME_ORDER
from producer.send.meter import Progress
from producer.workers import RunResult, produce_feeds
from schemas.faults import LATE


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


def requests_of(
    feeds: Sequence[Feed], *, run_id: str, rows: Sequence[int] | None = None, **asked: Any
) -> list[ProduceRequest]:
    """Return a request for each feed; each of its shards can be produced by whoever has the files.

    :param rows: of each feed, once they are known: a number of faults is one of so many events.
    :param asked: what ``ProduceRequest`` takes beside topic, scenario and options.
    :raises Misconfigured: two feeds have one topic, or a request is not valid.
    """
    topics = [feed.topic for feed in feeds]
    twice = sorted({topic for topic in topics if topics.count(topic) > 1})
    if twice:
        raise Misconfigured(
            f"two feeds of one run go to topic {', '.join(twice)}", hint="Give each feed of a run a topic of its own"
        )
    requests = [
        ProduceRequest(run_id=run_id, topic=feed.topic, scenario=feed.scenario, options=feed.options, **asked)
        for feed in feeds
    ]
    if rows is None:
        return requests
    return [
        replace(request, events=many) if _counts_faults(request) else request
        for request, many in zip(requests, rows, strict=True)
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


def refuse_late_in_disorder(feeds: Sequence[StagedFeed], requests: Sequence[ProduceRequest]) -> None:
    """Refuse to inject events that are late among rows that are late themselves: no audit could tell which is which.

    :raises Misconfigured: a feed has rows out of order, and is sent in the order of its files.
    """
    for each, request in zip(feeds, requests, strict=True):
        late = any(fault.name == LATE for fault in request.plan.faults)
        by_time = request.plan.options.get(ORDER) == TIME_ORDER
        if late and not by_time and not each.staged.whole.in_order:
            raise Misconfigured(
                f"the rows of {each.feed.name} are not in the order of their times, so that a late one would not show",
                hint="Say --order time, or leave the fault late out",
            )


def _counts_faults(request: ProduceRequest) -> bool:
    """Tell whether a number of faults is asked for, and nothing says of how many events.

    Shards have whole files, and not the same number of rows each, so that no number can be shared among several.
    """
    counted = any(fault.count is not None for fault in request.plan.faults)
    return counted and request.events is None and request.shards == 1


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

"""Ending a count with the run that it counts: when the manifests say that every shard has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from schemas.control_topic import read_control_topic
from schemas.manifest import Manifest

log = structlog.get_logger()
_LOOK_EVERY_S = 1.0
_JOIN_S = 1.0


@contextmanager
def ending_with(kafka: KafkaSettings, topic: str, run_id: str) -> Iterator[threading.Event]:
    """Yield an event that is set when all shards of a run have ended: what is in the topic then is all of it.

    A shard that was stopped before its end may be continued: it has not ended.
    """
    ended, left = threading.Event(), threading.Event()

    def watch() -> None:
        while not (ended.is_set() or left.wait(_LOOK_EVERY_S)):
            try:
                said = read_control_topic(kafka, topic).manifests
            except StreamproofError as problem:  # who counts says when a broker is away
                log.debug("whether the run has ended is not known", reason=str(problem))
                continue
            if has_ended([manifest for (run, _), manifest in said.items() if run == run_id]):
                log.info("the run has ended: what is in the topic now is counted", run_id=run_id)
                ended.set()

    watching = threading.Thread(target=watch, name="run-end", daemon=True)
    watching.start()
    try:
        yield ended
    finally:
        left.set()
        watching.join(_JOIN_S)


def has_ended(manifests: list[Manifest]) -> bool:
    """Tell whether the manifests of a run are those of all its shards, each at its end."""
    ended = {each.shard for each in manifests if each.status == "finished" and not each.interrupted}
    return bool(manifests) and ended >= set(range(max(each.shards for each in manifests)))

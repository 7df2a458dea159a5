"""The last output that was committed: where a counter goes on, and what a reader of totals wants to see."""

from __future__ import annotations

import threading

from cluster.connection import KafkaSettings
from cluster.errors import DataRejected, Interrupted
from cluster.reading import TopicReader
from consumer.counter.totals import KEY, Totals, read_totals

PARTITION = 0  # of the output topic: outputs have one order
# How far before the end the first look begins, in offsets. Control markers and compaction leave some without records.
_LOOK_BACK = 16
_WIDER = 16
_ROWS = 10_000


def last_totals(settings: KafkaSettings, output: str, stop: threading.Event) -> Totals | None:
    """Return what the last committed output record says; ``None`` where there is none.

    The end is the last stable offset: what a counter that was killed left open is behind it.

    :raises TopicMissing: there is no such topic.
    :raises DataRejected: a record of totals cannot be read.
    :raises Interrupted: stopped.
    :raises BrokerUnreachable: no broker answers.
    """
    with TopicReader(settings, output, purpose="count") as source:
        return last_in(source, stop)


def last_in(source: TopicReader, stop: threading.Event) -> Totals | None:
    """Return the same, by a reader of the output topic: who asks again and again keeps one open."""
    marks = source.watermarks([PARTITION])[PARTITION]
    back, end = _LOOK_BACK, marks.high
    while end > marks.low:
        start = max(marks.low, end - back)
        found = _last_between(source, start, end, stop)
        if found is not None:
            return found
        end, back = start, back * _WIDER
    return None


def _last_between(source: TopicReader, start: int, end: int, stop: threading.Event) -> Totals | None:
    found: Totals | None = None
    source.assign({PARTITION: start}, {PARTITION: end})
    while not source.finished:
        records, _ = source.fetch(_ROWS, stop)
        if stop.is_set():
            raise Interrupted("stopped while the last output was looked for", where=source.topic)
        for message in reversed(records.messages):
            if message.key() != KEY:
                continue
            try:
                totals = read_totals(message.value(), message.headers())
            except DataRejected as error:
                error.where = f"{source.topic}/{PARTITION}, offset {message.offset()}"
                raise
            if totals is not None:
                found = totals
                break
    return found

"""Handing events over to librdkafka, one call of ``produce`` for each, until its queue is full."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from operator import length_hint

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.identity import IDENTITY_HEADER

Report = Callable[[KafkaError | None, Message], None]

# The right to send may end between two events. So many are handed over between two looks, about a millisecond's worth:
# a process that stood still meanwhile hands over the rest of them when it wakes up, and gives them up again.
BETWEEN_LOOKS = 256
_PARTITION_UA = -1  # librdkafka's: the partitioner chooses


def hand_over(
    producer: Producer,
    topic: str,
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    *,
    ids: Sequence[bytes | None] | None,
    reports: Iterable[Report],
    stamps: Iterator[int],
    refused: Callable[[int, KafkaError], None],
    may: Callable[[], bool] = lambda: True,
) -> int:
    """Produce until the queue is full or the right to it ends, and return how many events went.

    Arguments go by their places: by name, each call takes 0.3 microseconds more. ``map`` makes the calls, and a
    deque that keeps nothing draws them; what is left of the values tells how far it came. A header goes as a
    dictionary of text and bytes: Python's garbage collector tracks a list with a pair, and not that.

    :param ids: identities that travel in a header.
    :param reports: the callback of each event.
    :param stamps: the time of each event in milliseconds; 0 leaves it to librdkafka.
    :param refused: told the place of an event that librdkafka refuses outright: it counts as gone, with its report.
    :param may: whether it may go on, asked before the first event and after every :data:`BETWEEN_LOOKS`.
    """
    headers: Iterator[dict[str, bytes] | None] = repeat(None)
    if ids is not None:
        headers = (None if identity is None else {IDENTITY_HEADER: identity} for identity in ids)
    left = iter(values)
    calls = map(
        producer.produce,
        repeat(topic),
        left,
        keys,
        repeat(_PARTITION_UA),
        reports,
        repeat(None),  # ``on_delivery``: the callback by its other name
        stamps,
        headers,
    )
    while length_hint(left) and may():
        try:
            deque(islice(calls, BETWEEN_LOOKS), maxlen=0)
        except BufferError:
            return len(values) - length_hint(left) - 1
        except KafkaException as error:
            refused(len(values) - length_hint(left) - 1, error.args[0])
    return len(values) - length_hint(left)

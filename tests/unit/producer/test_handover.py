"""Handing over counts exactly what librdkafka took, whatever it says on the way."""

from itertools import repeat
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.send.handover import BETWEEN_LOOKS, hand_over
from schemas.identity import IDENTITY_HEADER
from tests.kit.depth import examples

ROOM = 6
TOO_LARGE = b"x" * 2_000_000


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.booleans(), max_size=12), st.booleans())
def test_what_went_is_what_the_queue_holds_and_what_was_refused(large: list[bool], headers: bool) -> None:
    # No broker: the queue only fills.
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": ROOM, "log_level": 0})
    values = [TOO_LARGE if is_large else b"v" for is_large in large]
    refused: list[tuple[int, int]] = []
    reported: list[KafkaError | None] = []
    went = hand_over(
        producer,
        "topic",
        [None] * len(values),
        values,
        ids=[b"id"] * len(values) if headers else None,
        reports=repeat(lambda error, _: reported.append(error)),
        stamps=repeat(0),
        refused=lambda place, error: refused.append((place, error.code())),
    )
    # The first value that is not too large and finds no room ends it.
    small = [place for place, is_large in enumerate(large) if not is_large]
    assert went == (small[ROOM] if len(small) > ROOM else len(values))
    assert refused == [(place, KafkaError.MSG_SIZE_TOO_LARGE) for place in range(went) if large[place]]
    producer.purge()
    producer.flush(5)
    assert len(reported) == went - len(refused)


def test_each_event_takes_its_own_key_report_stamp_and_header() -> None:
    taken: list[tuple[Any, ...]] = []
    double: Any = type("Taking", (), {"produce": lambda _, *arguments: taken.append(arguments)})()
    reports = [lambda *_, number=number: number for number in range(3)]
    went = hand_over(
        double,
        "topic",
        [b"k0", None, b"k2"],
        [b"v0", b"v1", b"v2"],
        ids=[b"i0", b"i1", b"i2"],
        reports=reports,
        stamps=iter([7, 8, 9]),
        refused=lambda *_: pytest.fail("refused"),
    )
    assert went == 3
    assert [(value, key, report(), stamp, headers) for _, value, key, _, report, _, stamp, headers in taken] == [
        (b"v0", b"k0", 0, 7, {IDENTITY_HEADER: b"i0"}),
        (b"v1", None, 1, 8, {IDENTITY_HEADER: b"i1"}),
        (b"v2", b"k2", 2, 9, {IDENTITY_HEADER: b"i2"}),
    ]
    assert {(topic, partition, other) for topic, _, _, partition, _, other, _, _ in taken} == {("topic", -1, None)}


def test_nothing_more_is_handed_over_once_the_right_to_it_has_ended() -> None:
    double: Any = type("Taking", (), {"produce": lambda *_: None})()
    for looks in range(4):
        answers = iter([True] * looks + [False])
        many = 3 * BETWEEN_LOOKS
        went = hand_over(
            double,
            "topic",
            [None] * many,
            [b"v"] * many,
            ids=None,
            reports=repeat(lambda *_: None),
            stamps=repeat(0),
            refused=lambda *_: pytest.fail("refused"),
            may=lambda answers=answers: next(answers),
        )
        assert went == looks * BETWEEN_LOOKS

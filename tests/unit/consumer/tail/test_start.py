"""Where a look at a topic begins: what people write, and the offsets that it comes to."""

from __future__ import annotations

import datetime as dt

import pytest

from cluster.errors import Misconfigured
from cluster.reading import Watermarks
from consumer.tail.start import Start

NOW = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MARKS = {0: Watermarks(0, 100), 1: Watermarks(50, 60), 2: Watermarks(0, 0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start", Start(end=False)),
        ("end", Start(end=True)),
        ("12", Start(offset=12)),
        ("-3", Start(offset=-3)),
        ("5m", Start(at_ms=NOW_MS - 300_000)),
        ("1.5h", Start(at_ms=NOW_MS - 5_400_000)),
        ("2026-01-31T11:59:00Z", Start(at_ms=NOW_MS - 60_000)),
        ("2026-01-31T12:59:00+01:00", Start(at_ms=NOW_MS - 60_000)),
        ("2026-01-31T11:59:00", Start(at_ms=NOW_MS - 60_000)),
        ("2026-01-31", Start(at_ms=NOW_MS - 43_200_000)),
    ],
)
def test_a_start_is_read_as_people_write_it(text, expected):
    assert Start.parse(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "", "1.5", "2026-13-01", "5 weeks", "0x10"])
def test_what_is_no_start_is_refused(text):
    with pytest.raises(Misconfigured, match="says no place to begin"):
        Start.parse(text, now=NOW)


def test_a_start_that_is_nearly_one_is_named():
    with pytest.raises(Misconfigured, match="did you mean start"):
        Start.parse("strt", now=NOW)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (Start(end=False), {0: 0, 1: 50, 2: 0}),
        (Start(end=True), {0: 100, 1: 60, 2: 0}),
        (Start(offset=55), {0: 55, 1: 55, 2: 0}),
        (Start(offset=70), {0: 70, 1: 60, 2: 0}),
        (Start(at_ms=1), {0: 7, 1: 60, 2: 0}),
    ],
    ids=["start", "end", "offset", "beyond one end", "time"],
)
def test_a_start_is_an_offset_of_each_partition_that_is_there(start, expected):
    assert start.positions("t", MARKS, {0: 7, 1: -1, 2: -1}, alone=False) == expected


def test_an_offset_beyond_every_end_is_refused_with_where_the_topic_ends():
    with pytest.raises(Misconfigured, match="offset 101 lies beyond the end of every partition") as caught:
        Start(offset=101).positions("t", MARKS, {}, alone=False)
    assert "ends at 100" in caught.value.where

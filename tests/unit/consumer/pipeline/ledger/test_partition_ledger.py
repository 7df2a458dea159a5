"""What a ledger keeps of a partition, and what it is held against later."""

from __future__ import annotations

import zlib
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from cluster.errors import DataRejected, Misconfigured
from consumer.pipeline.ledger.partition import MOST_GAPS, PartitionLedger, window_size
from consumer.pipeline.ledger.truth import _Watch
from consumer.sinks.batch import Fate
from schemas.control_topic import ControlTopic
from schemas.ledgers import is_ledger
from schemas.manifest import MAX_CRC_WINDOWS, Manifest, SchemaUsed, to_ranges
from schemas.ranges import Ranges


def crc(offset: int) -> int:
    return zlib.crc32(b"%d" % offset)


def crcs(offsets: list[int]) -> Any:
    return np.array([crc(offset) for offset in offsets], dtype=np.uint32)


def taken(offsets: list[int], first: int, end: int, cuts: list[int] | None = None) -> PartitionLedger:
    """Take records in several parts."""
    ledger = PartitionLedger("t", 0, first, end)
    for part in np.split(np.array(offsets, dtype=np.int64), sorted(cuts or [])):
        ledger.add(part, crcs(part.tolist()), keyed=0)
    return ledger


def manifest(ledger: PartitionLedger, **more: Any) -> Manifest:
    facts: dict[str, Any] = {
        "status": "finished",
        "run_id": "ledger/n",
        "shard": 0,
        "shards": 1,
        "topic": "t",
        "scenario": "ledger",
        "scenario_version": 1,
        "seed": 0,
        "schema_used": SchemaUsed(subject="t-value", version=0, id=0),
        "started_at": "2026-01-01T00:00:00.000+00:00",
        "first_sequence": ledger.first,
        "next_sequence": ledger.end,
        "acknowledged": ledger.records,
        "failed": ledger.without_record(),
        "crc": ledger.checksums(),
    }
    return Manifest.model_validate(facts | more)


@given(
    offsets=st.sets(st.integers(100, 3_000), max_size=200),
    first=st.integers(50, 100),
    more=st.integers(1, 500),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
def test_records_holes_and_sums_are_those_of_the_offsets_however_they_are_cut(
    offsets: set[int], first: int, more: int, cuts: list[int]
) -> None:
    there, end = sorted(offsets), max(offsets, default=first) + more
    ledger = taken(there, first, end, [cut for cut in cuts if cut <= len(there)])
    said = manifest(ledger)  # which balances, or it would be refused
    assert said.failed == to_ranges([offset for offset in range(first, end) if offset not in offsets])
    sums = [0] * len(said.crc.sums)
    for offset in there:
        sums[(offset - first) // said.crc.size] += crc(offset)
    assert said.crc.sums == sums


def test_there_are_never_more_windows_than_a_manifest_takes() -> None:
    for span in (0, 1, 255, 256, 257, 4096 * 256, 4096 * 256 + 1, 10**12 + 7):
        assert -(-span // window_size(5, 5 + span)) <= MAX_CRC_WINDOWS


def test_more_holes_than_can_be_written_down_are_refused_in_words() -> None:
    ledger = PartitionLedger("t", 7, 0, 10**9)
    offsets = np.arange(1, 2 * MOST_GAPS + 1, 2, dtype=np.int64)
    ledger.add(offsets, np.zeros(len(offsets), np.uint32), 0)
    assert len(manifest(ledger).model_dump_json()) < 8_000_000
    with pytest.raises(Misconfigured, match=r"partition 7 has more than 100,000 stretches"):
        ledger.add(np.array([10**8]), np.zeros(1, np.uint32), 0)


@given(held=st.sets(st.integers(0, 40)), asked=st.lists(st.integers(0, 45), min_size=1, max_size=10))
def test_ranges_know_what_is_in_them(held: set[int], asked: list[int]) -> None:
    ranges, numbers = Ranges.of(to_ranges(list(held))), np.array(asked, dtype=np.int64)
    assert ranges.has(numbers).tolist() == [number in held for number in asked]
    assert ranges.before(numbers).tolist() == [sum(each < number for each in held) for number in asked]
    assert ranges.outside([(3, 9), (20, 41)]) == len({*range(3, 9), *range(20, 41)} - held)


def watched(said: Manifest, offsets: list[int], first: int | None = None, end: int | None = None) -> _Watch:
    watch = _Watch(said, said.first_sequence if first is None else first, said.next_sequence if end is None else end)
    for part in np.array_split(np.array(offsets, dtype=np.int64), 3):
        watch.take(part, crcs(part.tolist()), np.zeros(len(part), dtype=np.int8))
    watch.take_end()
    return watch


def test_what_compaction_took_since_is_missing_and_the_rest_is_still_compared() -> None:
    there = [offset for offset in range(1_000) if offset % 10]
    said = manifest(taken(there, 0, 1_100))
    assert watched(said, there).missing == []
    left = [offset for offset in there if offset not in {5, 6, 301}]
    assert watched(said, left).missing == [(5, 7), (300, 302)]  # the ledger has none at 300 either
    # The third window lost nothing: its sum has to be what it was.
    crc_ = said.crc.model_copy(update={"sums": [sum_ + (number == 2) for number, sum_ in enumerate(said.crc.sums)]})
    wrong = said.model_copy(update={"crc": crc_})
    with pytest.raises(DataRejected, match="at offsets 512 to 768"):
        watched(wrong, left)
    # And one that is looked at in part says nothing.
    assert watched(wrong, [offset for offset in there if offset >= 520], first=520).missing == []


def test_a_record_where_the_ledger_has_none_is_a_contradiction_unless_it_has_no_value() -> None:
    said = manifest(taken([0, 1, 3], 0, 4))
    with pytest.raises(DataRejected, match="a record at offset 2"):
        watched(said, [0, 1, 2, 3])
    watch = _Watch(said, 0, 4)
    fates = np.array([Fate.EVENT, Fate.EVENT, Fate.TOMBSTONE, Fate.EVENT], dtype=np.int8)
    watch.take(np.arange(4), crcs([0, 1, 2, 3]), fates)
    watch.take_end()
    assert watch.missing == []


class Message:
    """A record of the control topic."""

    def __init__(self, key: str, value: bytes | None) -> None:
        self._key, self._value = key, value

    def key(self) -> bytes:
        return self._key.encode()

    def value(self) -> bytes | None:
        return self._value

    def topic(self) -> str:
        return "t.manifests"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0


def test_a_scenario_of_ones_own_that_is_called_ledger_has_runs() -> None:
    ledger = manifest(taken([0], 0, 1))
    run = ledger.model_copy(update={"run_id": "20260101-000000-abcdef"})
    assert (is_ledger(ledger), is_ledger(run)) == (True, False)
    control = ControlTopic()
    for said in (ledger, run):
        control.take(Message(said.key(), said.model_dump_json().encode()))
    assert (control.runs(), control.ledger_ids()) == ([run.run_id], ["ledger/n"])
    control.take(Message(ledger.key(), None))
    assert control.ledger_ids() == []

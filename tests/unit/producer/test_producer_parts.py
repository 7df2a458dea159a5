"""The producer's parts: shares, pacing, windows, ranges and partitions keep their promises."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from producer import ProduceRequest
from producer.preview.partitions import murmur2, partition_of
from producer.preview.preview import preview
from producer.resume.resume import Landed
from producer.send.checksums import ChecksumWindows, crc32s
from producer.toolkit.sharing import share
from schemas.formats.frame import frame_header
from schemas.identity import event_id
from schemas.manifest import MAX_CRC_WINDOWS
from tests.kit.kafka import sequence_of


@given(total=st.integers(0, 10**9), shards=st.integers(1, 4096))
def test_shares_sum_to_the_total_and_differ_by_one_at_most(total, shards):
    shares = [share(total, shards, shard) for shard in (0, shards // 2, shards - 1)]
    assert max(shares) - min(shares) <= 1
    if shards <= 64:
        assert sum(share(total, shards, shard) for shard in range(shards)) == total


def test_all_faults_of_a_request_are_named_at_once():
    with pytest.raises(Misconfigured) as caught:
        ProduceRequest(topic="", run_id="r", shards=2, shard=2, rate=-1, seconds=0)
    for word in ("topic", "shard is 2", "rate is -1", "seconds is 0"):
        assert word in caught.value.message


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.5])
def test_a_rate_that_no_clock_can_keep_is_refused(rate):
    with pytest.raises(Misconfigured, match="rate"):
        ProduceRequest(topic="t", run_id="r", events=1, rate=rate)


def test_a_request_without_a_bound_is_refused_unless_endless():
    with pytest.raises(Misconfigured, match="neither events nor seconds"):
        ProduceRequest(topic="t", run_id="r")
    assert ProduceRequest(topic="t", run_id="r", endless=True).plan.target is None


def test_rate_and_seconds_plan_a_count_and_the_smaller_bound_wins():
    request = ProduceRequest(topic="t", run_id="r", seconds=10, rate=100, shards=3, shard=0)
    assert request.plan.target == 334
    assert ProduceRequest(topic="t", run_id="r", seconds=10, rate=100, events=50).plan.target == 50
    assert ProduceRequest(topic="t", run_id="r", seconds=10).plan.target is None


def test_checksum_windows_double_and_still_sum_to_the_same():
    windows = ChecksumWindows()
    values = [str(number).encode() for number in range(1000)]
    far = np.arange(3_000_000, 3_001_000, dtype=np.int64)
    windows.add(np.arange(1000, dtype=np.int64), crc32s(values))
    windows.add(far, crc32s(values))
    windows.remove(3_000_004, zlib.crc32(values[4]))
    found = windows.windows()
    assert len(found.sums) <= MAX_CRC_WINDOWS
    assert sum(found.sums) == 2 * sum(map(zlib.crc32, values)) - zlib.crc32(values[4])
    first = sum(map(zlib.crc32, values[: found.size]))
    assert found.sums[0] == first


def test_the_sequence_is_read_from_the_framed_value():
    value = frame_header(7) + b"\x48" + event_id("run", 3, 987_654_321).encode() + b"rest"
    assert sequence_of(value) == 987_654_321


def test_missing_sequences_are_those_that_did_not_land():
    landed = Landed(np.array([True, False, True]), np.array([1, 0, 3]))
    assert landed.missing(0, 5).tolist() == [1, 3, 4]
    assert landed.missing(3, 5).tolist() == [3, 4]
    assert landed.count == 2


# From Kafka's own test of Utils.murmur2, as signed 32-bit numbers.
MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), MURMUR2.items())
def test_murmur2_is_that_of_kafka(key, signed):
    assert murmur2(key) == signed & 0xFFFFFFFF
    assert 0 <= partition_of(key, 3) < 3


def test_a_preview_needs_no_broker_and_adds_up():
    found = preview(events=3000, seed=2, partitions=5)
    assert sum(found.mix.values()) == pytest.approx(1, abs=1e-3)
    assert sum(found.partition_shares) == pytest.approx(1, abs=1e-3)
    assert found.value_bytes["p50"] <= found.value_bytes["p99"] <= found.value_bytes["max"]
    assert {sample["event_type"] for sample in found.samples} == {"browse", "search", "content_play"}
    assert found.event_time[0] < found.event_time[1]


@pytest.mark.parametrize(("events", "partitions"), [(0, 3), (10**9, 3), (10, 0)])
def test_a_preview_out_of_range_is_refused(events, partitions):
    with pytest.raises(Misconfigured):
        preview(events=events, partitions=partitions)

"""A manifest balances, survives JSON, and names sequences as ranges."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.manifest import (
    MAX_CRC_WINDOWS,
    CrcWindows,
    Manifest,
    SchemaUsed,
    Terms,
    control_topic_of,
    count,
    disagreements,
    to_ranges,
)


def manifest(**changes):
    return Manifest.model_validate(
        {
            "status": "finished",
            "run_id": "dag/run",
            "shard": 1,
            "shards": 2,
            "topic": "t",
            "scenario": "customer_events",
            "scenario_version": 1,
            "seed": 7,
            "schema_used": SchemaUsed(subject="t-value", version=1, id=3),
            "started_at": "2026-01-02T03:04:05+00:00",
            "start_offsets": {0: 5, 1: 0},
            "next_sequence": 10,
            "acknowledged": 7,
            "failed": [(2, 4)],
            "unknown": [(9, 10)],
            "crc": CrcWindows(size=4, sums=[1, 2, 3]),
        }
        | changes
    )


def test_a_manifest_survives_json():
    one = manifest()
    assert Manifest.model_validate_json(one.model_dump_json()) == one
    assert one.key() == "dag/run/1"
    assert control_topic_of("t") == "t.manifests"


@pytest.mark.parametrize("change", [{"acknowledged": 8}, {"failed": []}, {"unknown": [(8, 10)]}, {"next_sequence": 11}])
def test_a_finished_manifest_accounts_for_every_sequence(change):
    with pytest.raises(ValidationError, match="accounted for"):
        manifest(**change)
    manifest(status="running", **change)


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": ""},
        {"run_id": "x" * 251},
        {"shard": 4096},
        {"shards": 0},
        {"status": "done"},
        {"typo": 1},
        {"format": 2},
        {"resumed": -1},
        {"crc": {"size": 1, "sums": [0] * (MAX_CRC_WINDOWS + 1)}},
    ],
)
def test_what_no_manifest_says_is_refused(change):
    with pytest.raises(ValidationError):
        manifest(**change)


@given(st.lists(st.integers(0, 60)))
def test_ranges_hold_exactly_the_sequences(sequences):
    ranges = to_ranges(sequences)
    assert [number for start, end in ranges for number in range(start, end)] == sorted(set(sequences))
    assert count(ranges) == len(set(sequences))
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ranges))


@pytest.mark.parametrize(
    "change",
    [
        {"failed": [(0, 100), (200, 100)], "unknown": [], "acknowledged": 10},
        {"failed": [(2, 4)], "unknown": [(3, 4)]},
        {"failed": [(8, 12)], "unknown": [], "acknowledged": 6},
        {"failed": [(5, 5)], "unknown": [], "acknowledged": 10},
    ],
    ids=["backwards", "overlapping", "beyond the end", "empty"],
)
def test_ranges_that_would_excuse_other_events_are_refused(change):
    with pytest.raises(ValidationError, match="was not generated"):
        manifest(**change)


def shard(number, **changes):
    terms = {
        "settings": {"events": 100, "users": 3 + number},
        "common": ["events"],
        "topic_id": "A",
        "schema_used": SchemaUsed(subject="t-value", version=1, id=3, fingerprint="ee"),
    }
    return manifest(shard=number, **terms | changes)


def test_shards_of_one_run_agree_although_each_has_settings_of_its_own():
    assert disagreements([shard(0), shard(1)]) == []
    assert disagreements([]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shards": 3}, "shards is 2 in shards 0, 1, 3 in shard 2"),
        ({"shards": 3, "seed": 8}, "seed is 7 in shards 0, 1, 8 in shard 2"),
        (
            {"shards": 3, "scenario": "clickstream"},
            "scenario is customer_events in shards 0, 1, clickstream in shard 2",
        ),
        ({"shards": 3, "topic": "u"}, "topic is t in shards 0, 1, u in shard 2"),
        ({"topic_id": "B"}, "topic id is A in shards 0, 1, B in shard 2"),
        (
            {"schema_used": SchemaUsed(subject="t-value", version=1, id=3, fingerprint="ff")},
            "schema fingerprint is ee in shards 0, 1, ff in shard 2",
        ),
        (
            {"shards": 3, "schema_used": SchemaUsed(subject="t-value", version=2, id=4)},
            "schema id is 3 in shards 0, 1, 4 in shard 2",
        ),
    ],
    ids=str,
)
def test_what_shards_were_begun_with_differently_is_named_with_the_shards(change, said):
    assert said in [str(each) for each in disagreements([shard(0), shard(1), shard(2, **change)])]


def test_what_a_manifest_of_an_earlier_version_does_not_say_speaks_against_nothing():
    old = shard(1, topic_id=None, schema_used=SchemaUsed(subject="t-value", version=1, id=3))
    assert disagreements([shard(0), old]) == []


def test_a_setting_that_shards_have_in_common_is_compared_also_where_one_lacks_it():
    odd = shard(1).model_copy(update={"settings": {"users": 4}, "common": []})
    assert [str(each) for each in disagreements([shard(0), odd])] == ["events is 100 in shard 0, None in shard 1"]


def test_what_a_shard_was_begun_with_is_read_without_the_rest_of_its_manifest():
    one = shard(1)
    assert Terms.model_validate_json(one.model_dump_json()).agreed(["events"]) == one.agreed(["events"])

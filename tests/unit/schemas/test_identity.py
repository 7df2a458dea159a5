"""An event id says which run, which shard and which number it was, and nothing else passes for one."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import MAX_SEQUENCE, MAX_SHARDS, EventIdentity, event_id, read_event_id, run_prefix

RUNS = st.text(min_size=1, max_size=50)


@given(RUNS, st.integers(0, MAX_SHARDS - 1), st.integers(0, MAX_SEQUENCE))
def test_an_id_gives_back_what_went_into_it(run, shard, sequence):
    text = event_id(run, shard, sequence)
    assert read_event_id(text) == EventIdentity(run_prefix(run), shard, sequence)
    assert read_event_id(text.upper()) == EventIdentity(run_prefix(run), shard, sequence)


@given(RUNS, st.integers(0, MAX_SHARDS - 1), st.integers(0, MAX_SEQUENCE))
def test_an_id_is_a_uuid_of_version_8_and_begins_with_its_run(run, shard, sequence):
    text = event_id(run, shard, sequence)
    value = uuid.UUID(text)
    assert (value.version, value.variant, str(value)) == (8, uuid.RFC_4122, text)
    assert text.replace("-", "")[:12] == run_prefix(run) == hashlib.sha256(run.encode()).hexdigest()[:12]


def test_ids_of_one_shard_sort_as_their_sequences():
    ids = [event_id("run", 3, number) for number in (0, 1, 255, 256, 1 << 40, MAX_SEQUENCE)]
    assert ids == sorted(ids)


@given(st.uuids(version=4))
def test_a_random_uuid_is_not_ours(value):
    assert read_event_id(str(value)) is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "{" + event_id("r", 0, 0) + "}", event_id("r", 0, 0).replace("-", ""), f"urn:uuid:{event_id('r', 0, 0)}"],
)
def test_only_the_canonical_form_is_an_id(text):
    assert read_event_id(text) is None


@pytest.mark.parametrize(("shard", "sequence"), [(-1, 0), (MAX_SHARDS, 0), (0, -1), (0, MAX_SEQUENCE + 1)])
def test_numbers_out_of_range_are_refused(shard, sequence):
    with pytest.raises(ValueError, match="is not in"):
        event_id("run", shard, sequence)

"""Sums over places see what a store may do to a record's place, key and time."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.manifest import MAX_PLACE_WINDOWS
from schemas.places import NO_KEY, NO_TIME, PlaceSums, crcs_of_keys, crcs_of_values, mixed

ROWS = 50_000


def columns(seed=7):
    draw = np.random.default_rng(seed)
    partitions = draw.integers(0, 5, ROWS)
    order = np.argsort(partitions, kind="stable")
    offsets = np.empty(ROWS, np.int64)
    offsets[order] = np.concatenate([np.arange(n) for n in np.bincount(partitions)])
    times = 1_700_000_000_000 + draw.integers(0, 50, ROWS)
    return [partitions, offsets, times, draw.integers(0, 2**32, ROWS), draw.integers(0, 2**32, ROWS)]


def sums(facts, step=ROWS):
    found = PlaceSums()
    for start in range(0, len(facts[0]), step):
        found.add(*(fact[start : start + step] for fact in facts))
    return found.windows()


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4], ids=["partition", "offset", "time", "value", "key"])
def test_two_records_that_exchange_one_property_change_a_window(place):
    facts = columns()
    before = sums(facts)
    changed = [fact.copy() for fact in facts]
    one, other = 11, 4_321
    assert changed[place][one] != changed[place][other]
    changed[place][[one, other]] = changed[place][[other, one]]
    after = sums(changed)
    assert 1 <= len(set(before.windows) ^ set(after.windows)) <= 8


def test_the_sums_do_not_depend_on_the_order_and_the_portions_of_arrival():
    facts = columns()
    order = np.random.default_rng(1).permutation(ROWS)
    shuffled = [fact[order] for fact in facts]
    assert sums(facts) == sums(shuffled, step=777) == sums(shuffled, step=1_000)


def test_a_window_grows_so_that_a_manifest_stays_small():
    rows = MAX_PLACE_WINDOWS * 256 + 1
    facts = [np.zeros(rows, np.int64), np.arange(rows), *(np.zeros(rows, np.int64) for _ in range(3))]
    found = sums(facts, step=40_000)
    assert found.size == 512
    assert len(found.windows) == MAX_PLACE_WINDOWS // 2 + 1
    assert sum(records for _, _, records, _ in found.windows) == rows


def test_each_of_very_many_partitions_has_a_window():
    many = MAX_PLACE_WINDOWS * 2
    facts = [np.arange(many), *(np.zeros(many, np.int64) for _ in range(4))]
    assert len(sums(facts).windows) == many


def test_a_key_that_is_not_there_is_not_an_empty_one_and_a_value_may_be_missing():
    assert crcs_of_keys([None, b"", b"a"]).tolist() == [NO_KEY, 0, 3904355907]
    assert crcs_of_values([None, b"", b"a"]).tolist() == [0, 0, 3904355907]
    one, none = (mixed(*[np.array([value]) for value in (0, 0, 0, 5, key)]) for key in (0, NO_KEY))
    assert one != none


def test_times_that_no_calendar_knows_count_as_none():
    times = np.array([NO_TIME, -7, 2**60, 0])
    none = np.zeros(4, np.int64)
    first, *others = mixed(none, none, times, none, none)
    assert [other == first for other in others] == [True, True, False]

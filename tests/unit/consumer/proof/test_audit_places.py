"""Where an event lies is proved, with the key and the time of its record; what could not be compared is said."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import event_id
from schemas.manifest import PlaceWindows

RUN = "rehearsal/one"
EVENTS = 300
SHIFT = 1_000_000


def where(sequence: int, shard: int = 0) -> str:
    return f"event_id = '{event_id(RUN, shard, sequence)}'"


def place(lab: Any, sequence: int, shard: int = 0) -> tuple[int, int]:
    ((partition, offset),) = lab.sql(f"SELECT _partition, _offset FROM events WHERE {where(sequence, shard)}")
    return partition, offset


@pytest.mark.parametrize(
    "change",
    [
        "_key = encode('somebody')",
        "_key = NULL",
        "_key = ''::BLOB",
        "_timestamp = _timestamp + INTERVAL 1 MILLISECOND",
        "_timestamp = _timestamp + INTERVAL 1 MICROSECOND",
        "_timestamp = NULL",
    ],
)
def test_a_changed_key_or_time_of_one_record_is_found_and_its_window_named(lab: Any, change: str) -> None:
    partition, offset = place(lab, 123)
    first = offset // 256 * 256
    lab.sql(f"UPDATE events SET {change} WHERE {where(123)}")
    result = lab.audit()
    assert (result.verdict, result.misplaced, result.altered, result.lost) == ("FAILED", 1, 0, 0)
    assert result.reason == "Of 600 acknowledged events: 1 misplaced."
    assert result.examples["misplaced"] == [f"partition {partition}, offsets {first} to {first + 255}"]


@pytest.mark.parametrize("column", ["_partition", "_offset", "_crc32"])
def test_a_place_or_a_checksum_that_somebody_emptied_is_found(lab: Any, column: str) -> None:
    lab.sql(f"UPDATE events SET {column} = NULL WHERE {where(123)}")
    result = lab.audit()
    assert (result.verdict, result.lost) == ("FAILED", 0), result.reason
    assert result.misplaced or result.altered, result.reason


def test_two_events_of_one_partition_that_exchange_offsets_are_found(lab: Any) -> None:
    partition, _ = place(lab, 5)
    first, second = lab.sql(
        f"SELECT event_id, _offset FROM events WHERE _partition = {partition} ORDER BY _offset LIMIT 2"
    )
    lab.sql(
        f"UPDATE events SET _offset = CASE _offset WHEN {first[1]} THEN {second[1]} ELSE {first[1]} END "
        f"WHERE event_id IN ('{first[0]}', '{second[0]}')"
    )
    result = lab.audit()
    assert (result.verdict, result.misplaced > 0) == ("FAILED", True)
    assert f"partition {partition}, offsets 0 to 255" in result.examples["misplaced"]


def test_offsets_that_are_all_shifted_are_found_also_by_the_ledger_of_the_file_alone(lab: Any) -> None:
    lab.sql(f"UPDATE events SET _offset = _offset + {SHIFT}")
    result = lab.audit()
    assert (result.verdict, result.misplaced, result.lost, result.duplicated) == ("FAILED", 2 * EVENTS, 0, 0)
    assert any(f"offsets {SHIFT // 256 * 256} to" in window for window in result.examples["misplaced"])
    assert any("partition 0 has a record outside the offsets of its ledger" in doubt for doubt in result.doubts)


def test_a_ledger_that_was_shifted_too_does_not_help(lab: Any) -> None:
    lab.sql(
        f"UPDATE events SET _offset = _offset + {SHIFT}",
        f"UPDATE load_batches SET start_offset = start_offset + {SHIFT}, end_offset = end_offset + {SHIFT}",
        f"UPDATE load_offsets SET next_offset = next_offset + {SHIFT}",
    )
    result = lab.audit()
    assert result.doubts == []
    assert (result.verdict, result.misplaced) == ("FAILED", 2 * EVENTS)


def test_a_partition_that_became_another_is_found(lab: Any) -> None:
    lab.sql("UPDATE events SET _partition = 0")
    result = lab.audit()
    assert result.verdict == "FAILED"
    assert result.misplaced > EVENTS
    assert result.examples["misplaced"][0].startswith("partition 0, ")


def test_a_lost_event_is_not_taken_for_a_misplaced_one_and_what_was_not_compared_is_said(lab: Any) -> None:
    partition, offset = place(lab, 7)
    ((beside,),) = lab.sql(
        f"SELECT count(*) FROM events WHERE _partition = {partition} AND _offset // 256 = {offset // 256} "
        f"AND event_shard(event_id) = 0"
    )
    lab.sql(f"DELETE FROM events WHERE {where(7)}")
    result = lab.audit()
    assert (result.verdict, result.lost, result.misplaced) == ("FAILED", 1, 0)
    assert f"the places of {beside - 1:,} records" in result.not_compared


def test_a_duplicated_event_is_not_taken_for_a_misplaced_one(lab: Any) -> None:
    lab.sql(f"INSERT INTO events SELECT * REPLACE (_offset + 4096 AS _offset) FROM events WHERE {where(7)}")
    result = lab.audit()
    assert (result.verdict, result.duplicated, result.misplaced) == ("FAILED", 1, 0)


def test_an_event_that_moved_is_found_beside_one_that_was_lost(lab: Any) -> None:
    lab.sql(f"DELETE FROM events WHERE {where(7)}", f"UPDATE events SET _offset = 90000 WHERE {where(9, 0)}")
    result = lab.audit()
    assert (result.lost, result.misplaced) == (1, 1)
    assert [window.split(",")[1] for window in result.examples["misplaced"]] == [" offsets 89856 to 90111"]


def test_an_altered_event_is_not_misplaced_as_well(lab: Any) -> None:
    lab.sql(f"UPDATE events SET _crc32 = _crc32 + 1 WHERE {where(7)}")
    result = lab.audit()
    assert (result.altered, result.misplaced) == (1, 0)


@pytest.mark.parametrize("placed", [None, PlaceWindows(size=256, windows=[])], ids=["earlier version", "empty list"])
def test_manifests_without_places_pass_and_the_verdict_says_what_they_do_not_tell(
    lab: Any, placed: PlaceWindows | None
) -> None:
    for shard in (0, 1):
        lab.amend(shard, placed=placed)
    result = lab.audit()
    assert result.verdict == "PASSED"
    missing = "places, keys and times of the records of shard 0, 1, whose manifest does not hold them"
    assert result.not_compared == [missing]
    assert (
        result.reason == f"All 600 acknowledged events are in the warehouse, once, unaltered; not compared: {missing}."
    )
    assert f"Not compared: {missing}." in result.notes


def test_what_was_not_loaded_yet_is_not_misplaced(lab: Any) -> None:
    lab.sql(
        "DELETE FROM events WHERE _partition = 2 AND _offset >= 50",
        "UPDATE load_offsets SET next_offset = 50 WHERE partition = 2",
    )
    lab.store()
    result = lab.audit()
    assert (result.verdict, result.misplaced) == ("UNKNOWN", 0)

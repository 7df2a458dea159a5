"""Every class of damage is found, counted and named; nothing else is."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from cluster.errors import Misconfigured, TopicRecreated
from schemas.identity import event_id

RUN = "rehearsal/one"
EVENTS = 300
DAMAGE = ("lost", "duplicated", "phantom", "altered", "undecodable", "reordered", "misplaced")


def only(result: Any, **expected: int) -> None:
    """The named classes have these counts, every other one is 0."""
    assert {name: getattr(result, name) for name in DAMAGE} == {name: expected.get(name, 0) for name in DAMAGE}


def where(shard: int, sequence: int) -> str:
    return f"event_id = '{event_id(RUN, shard, sequence)}'"


def test_a_run_that_arrived_whole_passes(lab: Any) -> None:
    result = lab.audit()
    assert (result.verdict, result.expected, result.loaded) == ("PASSED", 2 * EVENTS, 2 * EVENTS)
    assert result.reason == "All 600 acknowledged events are in the warehouse, once, unaltered."
    only(result)
    assert result.examples == {}


def test_the_result_is_kept_in_the_warehouse(lab: Any) -> None:
    result = lab.audit()
    assert lab.sql("SELECT audit_id, run_id, verdict FROM audits") == [(result.audit_id, RUN, "PASSED")]
    assert lab.sql("SELECT count(*) FROM manifests") == [(2,)]


def test_the_latest_run_is_audited_when_none_is_named(lab: Any) -> None:
    assert lab.audit(None).run_id == RUN


def test_a_lost_event_in_the_middle_is_named(lab: Any) -> None:
    lab.sql(f"DELETE FROM events WHERE {where(1, 123)}")
    result = lab.audit()
    assert result.verdict == "FAILED"
    only(result, lost=1)
    assert result.examples["lost"] == [event_id(RUN, 1, 123)]
    assert result.shards[1].lost_ranges == [(123, 124)]
    assert result.uncompared == 15, "the window of a lost event cannot be compared"


def test_the_last_event_of_a_shard_is_missed(lab: Any) -> None:
    lab.sql(f"DELETE FROM events WHERE {where(0, EVENTS - 1)}")
    result = lab.audit()
    assert (result.verdict, result.lost) == ("FAILED", 1)
    assert result.examples["lost"] == [event_id(RUN, 0, EVENTS - 1)]


def test_a_silent_shard_is_missed_whole(lab: Any) -> None:
    lab.sql("DELETE FROM events WHERE event_shard(event_id) = 1")
    result = lab.audit()
    assert (result.verdict, result.lost) == ("FAILED", EVENTS)
    assert result.shards[1].lost_ranges == [(0, EVENTS)]
    assert result.shards[0].lost == 0


def test_an_empty_warehouse_has_lost_everything(lab: Any) -> None:
    lab.sql("DELETE FROM events")
    assert lab.audit().lost == 2 * EVENTS


def test_a_warehouse_without_identities_has_lost_everything(lab: Any) -> None:
    lab.sql("ALTER TABLE events DROP event_id", "DELETE FROM event_columns WHERE field = 'event_id'")
    assert (lab.audit().lost, lab.audit().loaded) == (2 * EVENTS, 0)


def test_a_duplicated_event_is_named_with_both_positions(lab: Any) -> None:
    lab.sql(
        f"INSERT INTO events SELECT * REPLACE (7 AS _partition, 9 AS _offset) FROM events WHERE {where(0, 5)}",
    )
    result = lab.audit()
    assert result.verdict == "FAILED"
    only(result, duplicated=1)
    assert set(result.examples["duplicated"]) == {event_id(RUN, 0, 5)}
    assert len(result.located["duplicated"]) == 2
    assert (result.located["duplicated"][1].partition, result.located["duplicated"][1].offset) == (7, 9)


def test_an_altered_event_is_narrowed_down_to_its_window(lab: Any) -> None:
    lab.sql(f"UPDATE events SET _crc32 = _crc32 + 1 WHERE {where(1, 20)}")
    result = lab.audit()
    assert result.verdict == "FAILED"
    only(result, altered=1)
    assert result.located["altered"][0].note == "at least one of sequences 16 to 31"
    assert result.located["altered"][0].shard == 1


def test_a_window_of_one_names_the_altered_event(new_lab: Callable[..., Any]) -> None:
    lab = new_lab(window=1)
    lab.sql(f"UPDATE events SET _crc32 = _crc32 + 1 WHERE {where(1, 20)}")
    result = lab.audit()
    only(result, altered=1)
    assert result.examples["altered"] == [event_id(RUN, 1, 20)]


def test_a_duplicate_with_other_bytes_is_altered_too(lab: Any) -> None:
    lab.sql(
        "INSERT INTO events SELECT * REPLACE (7 AS _partition, 9 AS _offset, _crc32 + 1 AS _crc32) "
        f"FROM events WHERE {where(0, 5)}",
    )
    result = lab.audit()
    only(result, duplicated=1, altered=1)
    assert result.examples["altered"] == [event_id(RUN, 0, 5)]


@pytest.mark.parametrize(
    ("shard", "sequence"), [(0, EVENTS), (5, 3)], ids=["beyond the end of its shard", "of a shard that the run lacks"]
)
def test_a_phantom_is_named(lab: Any, shard: int, sequence: int) -> None:
    phantom = event_id(RUN, shard, sequence)
    lab.sql(f"INSERT INTO events SELECT * REPLACE ('{phantom}' AS event_id) FROM events LIMIT 1")
    result = lab.audit()
    assert result.verdict == "FAILED"
    only(result, phantom=1)
    assert result.examples["phantom"] == [phantom]


def test_malformed_identities_of_the_run_are_phantoms_each(lab: Any) -> None:
    start = event_id(RUN, 0, 0)[:20]
    for tail in ("zzzz", "yyyy"):
        lab.sql(f"INSERT INTO events SELECT * REPLACE ('{start}{tail}' AS event_id) FROM events LIMIT 1")
    result = lab.audit()
    only(result, phantom=2)
    assert result.located["phantom"][0].note == "not a valid identity"


def test_events_of_others_do_not_count(lab: Any) -> None:
    lab.store(
        f"INSERT INTO events SELECT * REPLACE ('{event_id('other', 0, 1)}' AS event_id) FROM events LIMIT 1",
        "INSERT INTO events SELECT * REPLACE ('not one of ours' AS event_id) FROM events LIMIT 1",
        "INSERT INTO events SELECT * REPLACE (NULL AS event_id) FROM events LIMIT 1",
    )
    assert lab.audit().verdict == "PASSED"


def test_a_quarantined_event_is_undecodable_and_not_lost(lab: Any) -> None:
    lab.hold(1, 9, b"\1", phase="frame", kind="bad_magic")
    result = lab.audit()
    assert result.verdict == "FAILED"
    only(result, undecodable=1)
    example = result.located["undecodable"][0]
    assert (example.event_id, example.note) == (event_id(RUN, 1, 9), "bad_magic")
    assert example.offset is not None
    assert result.uncompared == 0, "the bytes in quarantine are the bytes that were sent"


def test_a_quarantined_event_without_header_is_known_by_its_first_bytes(lab: Any) -> None:
    lab.hold(1, 9, b"\0\0\0\0\1\x48" + event_id(RUN, 1, 9).encode(), phase="decode", kind="truncated")
    lab.sql("UPDATE quarantine SET headers = NULL, schema_id = 1")
    only(lab.audit(), undecodable=1)


def test_a_quarantined_record_without_identity_is_mentioned(lab: Any) -> None:
    lab.sql(
        f"INSERT INTO quarantine VALUES (0, 999, NULL, NULL, '\\x00'::BLOB, NULL, NULL, 'frame', 'short', 'x', "
        f"{zlib.crc32(bytes(1))}, 1, NULL)",
        f"DELETE FROM events WHERE {where(1, 9)}",
    )
    result = lab.audit()
    only(result, lost=1)
    assert any("no readable identity" in note for note in result.notes)


def test_a_key_that_steps_back_is_reordered(lab: Any) -> None:
    rows = lab.sql(
        "SELECT event_id, _offset FROM events WHERE _key = encode('user-3') AND event_shard(event_id) = 0 "
        "ORDER BY _offset LIMIT 2"
    )
    (first, low), (second, high) = rows
    lab.sql(
        f"UPDATE events SET _offset = {high} WHERE event_id = '{first}'",
        f"UPDATE events SET _offset = {low} WHERE event_id = '{second}'",
    )
    result = lab.audit()
    assert result.verdict == "FAILED"
    only(result, reordered=1, misplaced=1)
    assert result.examples["reordered"] == [first]


def test_neighbours_of_different_keys_that_change_places_are_misplaced_and_not_reordered(lab: Any) -> None:
    (first, low, _), (second, high, _) = lab.sql(
        "SELECT any_value(event_id), _offset, any_value(_key) FROM events WHERE _partition = 0 AND "
        "event_shard(event_id) = 0 AND _key IN (encode('user-3'), encode('user-6')) GROUP BY _offset ORDER BY _offset"
    )[:2]
    lab.sql(
        f"UPDATE events SET _offset = {high} WHERE event_id = '{first}'",
        f"UPDATE events SET _offset = {low} WHERE event_id = '{second}'",
    )
    result = lab.audit()
    keys = lab.sql(f"SELECT count(DISTINCT _key) FROM events WHERE event_id IN ('{first}', '{second}')")
    only(result, misplaced=1, reordered=2 - keys[0][0])
    assert result.examples["misplaced"] == ["partition 0, offsets 0 to 255"]


def test_a_missing_manifest_makes_the_verdict_unknown(lab: Any) -> None:
    lab.withdraw(1)
    result = lab.audit()
    assert result.verdict == "UNKNOWN"
    assert result.reason == "Nothing can be proved: shard 1 of 2 left no manifest."
    only(result)


def test_an_unfinished_manifest_makes_the_verdict_unknown(lab: Any) -> None:
    lab.amend(0, status="running", next_sequence=0, acknowledged=0, ended_at=None, crc=None)
    result = lab.audit()
    assert result.verdict == "UNKNOWN"
    assert "shard 0 of 2 has only begun" in result.reason
    only(result)


def test_unknown_sequences_count_neither_way(lab: Any) -> None:
    lab.amend(0, acknowledged=EVENTS - 16, unknown=[(0, 16)], crc=lab.control.manifests[RUN, 0].crc)
    sums = list(lab.control.manifests[RUN, 0].crc.sums)
    sums[0] = 0
    lab.amend(0, crc=lab.control.manifests[RUN, 0].crc.model_copy(update={"sums": sums}))
    lab.store(f"DELETE FROM events WHERE {where(0, 3)}")
    lab.place(0, "event_sequence(event_id) >= 16")
    result = lab.audit()
    assert result.verdict == "PASSED"
    assert (result.unknown, result.unknown_stored, result.expected) == (16, 15, 2 * EVENTS - 16)
    assert any("15 of them arrived" in note for note in result.notes)


def test_an_event_that_was_reported_as_not_written_and_is_there_is_a_phantom(lab: Any) -> None:
    lab.amend(0, acknowledged=EVENTS - 1, failed=[(7, 8)])
    result = lab.audit()
    assert result.verdict == "FAILED"
    assert (result.phantom, result.failed) == (1, 1)
    assert result.examples["phantom"] == [event_id(RUN, 0, 7)]


def test_a_load_that_is_behind_loses_nothing(lab: Any) -> None:
    lab.sql(
        "DELETE FROM events WHERE _partition = 2 AND _offset >= 50",
        "UPDATE load_offsets SET next_offset = 50 WHERE partition = 2",
    )
    result = lab.audit()
    assert (result.verdict, result.lost) == ("UNKNOWN", 0)
    assert result.awaited > 0
    assert "behind the topic" in result.reason
    assert "lost" not in result.examples
    assert result.partitions[2].behind == result.awaited


def test_a_partition_that_was_never_loaded_is_behind(lab: Any) -> None:
    lab.sql("DELETE FROM events WHERE _partition = 1", "DELETE FROM load_offsets WHERE partition = 1")
    assert (lab.audit().verdict, lab.audit().lost) == ("UNKNOWN", 0)


def test_damage_fails_a_run_even_when_the_load_is_behind(lab: Any) -> None:
    lab.ends[0] = (0, 10_000)
    lab.sql(f"INSERT INTO events SELECT * FROM events WHERE {where(0, 5)}")
    assert lab.audit().verdict == "FAILED"


def test_what_others_write_after_the_run_does_not_hold_its_verdict_up(lab: Any) -> None:
    lab.after = {partition: end for partition, (_, end) in lab.ends.items()}
    lab.ends = {partition: (0, end + 1000) for partition, (_, end) in lab.ends.items()}
    assert lab.audit().verdict == "PASSED"


def test_a_load_that_reached_the_first_bound_settles_the_verdict(lab: Any) -> None:
    lab.sql(f"DELETE FROM events WHERE {where(1, 9)}", "UPDATE load_offsets SET next_offset = next_offset - 1")
    assert (lab.audit().verdict, lab.audit().lost) == ("UNKNOWN", 0)
    lab.sql("UPDATE load_offsets SET next_offset = next_offset + 1")
    lab.ends = {partition: (0, end + 1000) for partition, (_, end) in lab.ends.items()}
    assert (lab.audit().verdict, lab.audit().lost) == ("FAILED", 1)


def test_a_run_that_was_continued_is_not_held_to_its_earlier_end(lab: Any) -> None:
    assert lab.audit().verdict == "PASSED"
    lab.amend(0, next_sequence=EVENTS + 10, acknowledged=EVENTS + 10)
    lab.ends[0] = (0, lab.ends[0][1] + 10)
    result = lab.audit()
    assert (result.verdict, result.lost, result.awaited) == ("UNKNOWN", 0, 10)


def test_a_run_that_was_cut_short_is_judged_by_what_was_sent(lab: Any) -> None:
    lab.amend(1, interrupted=True)
    result = lab.audit()
    assert result.verdict == "PASSED"
    assert any("Shard 1 was cut short" in note for note in result.notes)


def test_a_run_that_nobody_knows_is_refused_with_the_last_ones(lab: Any) -> None:
    with pytest.raises(Misconfigured, match="no manifest names the run nope") as caught:
        lab.audit("nope")
    assert RUN in caught.value.hint


def test_a_warehouse_of_another_topic_of_that_name_is_refused(lab: Any) -> None:
    lab.topic_id = "made-again"
    with pytest.raises(TopicRecreated):
        lab.audit()


def test_a_missing_warehouse_says_to_load(lab: Any) -> None:
    lab.path.unlink()
    with pytest.raises(Misconfigured) as caught:
        lab.audit()
    assert "streamproof load" in caught.value.hint


def test_a_run_without_checksums_does_not_claim_unaltered(lab: Any) -> None:
    lab.amend(0, crc=None)
    result = lab.audit()
    assert result.verdict == "PASSED"
    assert "unaltered" not in result.reason
    assert result.uncompared == EVENTS


def test_a_hostile_run_id_is_data(new_lab: Callable[..., Any]) -> None:
    hostile = "x'; DROP TABLE events; --"
    lab = new_lab(run_id=hostile)
    assert lab.audit(hostile).verdict == "PASSED"
    assert lab.sql("SELECT count(*) FROM events") == [(600,)]


def test_shards_that_were_begun_differently_are_no_run_and_are_named(lab: Any) -> None:
    lab.amend(1, seed=8)
    result = lab.audit()
    assert result.verdict == "FAILED"
    assert "not of one run: seed is 7 in shard 0, 8 in shard 1" in result.reason
    assert result.disagreements == ["seed is 7 in shard 0, 8 in shard 1"]
    assert (result.lost, result.duplicated, result.phantom, result.altered) == (0, 0, 0, 0)


def test_shards_of_different_numbers_of_shards_are_told_apart_from_a_missing_one(lab: Any) -> None:
    lab.amend(1, shards=3)
    result = lab.audit()
    assert result.verdict == "FAILED"
    assert "shards is 2 in shard 0, 3 in shard 1" in result.reason

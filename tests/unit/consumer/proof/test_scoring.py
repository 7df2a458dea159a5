"""A rehearsal with injected faults passes when exactly those are found, and says which were not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from consumer.proof.checks import run_checks
from consumer.proof.result import AuditResult
from consumer.report import write_report
from schemas.control_topic import ControlTopic
from schemas.fault_targets import FaultTargets
from schemas.identity import event_id
from schemas.manifest import FaultPage, FaultTruth, SchemaUsed, VersionWritten
from streamproof.console import Output
from streamproof.views.verdict import show_audit

RUN = "rehearsal/one"
TOPIC = "customer_events"
EVENTS = 300


def where(shard: int, *sequences: int) -> str:
    return f"event_shard(event_id) = {shard} AND event_sequence(event_id) IN ({', '.join(map(str, sequences))})"


def truth(kind: str, *sequences: int, unsure: tuple[int, ...] = ()) -> FaultTruth:
    return FaultTruth(kind=kind, sequences=[(n, n + 1) for n in sequences], unsure=[(n, n + 1) for n in unsure])


def inject(lab: Any, shard: int, *faults: FaultTruth, **changes: Any) -> None:
    """Let a shard's manifest say what was injected."""
    lab.amend(shard, faults=list(faults), settings={"faults": "some"}, **changes)


def scores(result: AuditResult) -> dict[str, tuple[int, int, int]]:
    return {score.kind: (score.injected, score.found, score.false_alarms) for score in result.faults}


def drop(lab: Any, shard: int, *sequences: int) -> list[int]:
    """Take events away as if they were never sent: neither the ledger nor the sums know them."""
    window = 16
    rows = lab.sql(f"SELECT event_sequence(event_id), _crc32, _partition FROM events WHERE {where(shard, *sequences)}")
    claimed = lab.control.manifests[RUN, shard]
    sums = list(claimed.crc.sums)
    for sequence, crc, _ in rows:
        sums[sequence // window] -= crc
    lab.store(f"DELETE FROM events WHERE {where(shard, *sequences)}")
    lab.amend(
        shard,
        crc=claimed.crc.model_copy(update={"sums": sums}),
        acknowledged=claimed.acknowledged - len(sequences),
        dropped=len(sequences),
    )
    return sums


DUPLICATE = "INSERT INTO events SELECT * REPLACE (_offset + 10000 AS _offset) FROM events WHERE "


def test_a_dropped_event_is_lost_and_counts_as_found(lab: Any) -> None:
    drop(lab, 0, 7, 8, 299)
    inject(lab, 0, truth("dropped", 7, 8, 299))
    result = lab.audit()
    assert scores(result) == {"dropped": (3, 3, 0)}
    assert (result.verdict, result.lost, result.expected, result.uncompared) == ("PASSED", 3, 597, 0)
    assert result.reason == (
        "Of 3 injected faults 3 were found, with 0 false alarms. "
        "Every other event is in the warehouse, once, unaltered."
    )


def test_a_loss_beyond_the_dropped_ones_fails(lab: Any) -> None:
    drop(lab, 0, 7)
    inject(lab, 0, truth("dropped", 7))
    lab.sql(f"DELETE FROM events WHERE {where(1, 20)}")
    result = lab.audit()
    assert scores(result) == {"dropped": (1, 1, 1)}
    assert (result.verdict, result.lost) == ("FAILED", 2)
    assert result.reason == "Of 599 acknowledged events: 1 lost beyond what was injected."
    assert result.examples["false_alarm"] == [event_id(RUN, 1, 20)]


def test_a_dropped_event_that_arrives_is_a_phantom_and_missed(lab: Any) -> None:
    lab.amend(0, acknowledged=299, dropped=1)
    inject(lab, 0, truth("dropped", 7))
    result = lab.audit()
    assert (result.verdict, result.phantom) == ("FAILED", 1)


def test_an_injected_duplicate_is_found_and_another_is_damage(lab: Any) -> None:
    inject(lab, 0, truth("duplicate", 7))
    lab.store(DUPLICATE + where(0, 7))
    assert scores(lab.audit()) == {"duplicate": (1, 1, 0)}
    assert lab.audit().verdict == "PASSED"
    lab.sql(DUPLICATE + where(1, 9))
    result = lab.audit()
    assert (result.verdict, result.duplicated, scores(result)) == ("FAILED", 2, {"duplicate": (1, 1, 1)})


def test_an_event_stored_three_times_is_more_than_the_injected_copy(lab: Any) -> None:
    inject(lab, 0, truth("duplicate", 7))
    lab.sql(DUPLICATE + where(0, 7), DUPLICATE + where(0, 7) + " AND _offset < 10000")
    assert (lab.audit().verdict, lab.audit().duplicated) == ("FAILED", 2)


def test_a_duplicate_that_the_pipeline_swallowed_is_missed(lab: Any) -> None:
    inject(lab, 0, truth("duplicate", 7))
    result = lab.audit()
    assert (result.verdict, scores(result)) == ("FAILED", {"duplicate": (1, 0, 0)})
    assert result.reason == "Of 1 injected faults 0 were found, with 0 false alarms."
    assert result.located["missed"][0].note == "duplicate"


def test_a_fault_whose_record_was_never_answered_is_neither_missed_nor_an_alarm(lab: Any) -> None:
    inject(lab, 0, truth("duplicate", unsure=(7, 8)))
    lab.sql(DUPLICATE + where(0, 7))
    result = lab.audit()
    assert scores(result) == {}
    assert result.verdict == "FAILED", "a copy is stored, and nobody says that it was sent"


def test_what_is_missed_may_still_come_while_the_load_is_behind(lab: Any) -> None:
    inject(lab, 0, truth("duplicate", 7))
    lab.ends[0] = (0, lab.ends[0][1] + 5)
    lab.after = {0: None, 1: None, 2: None}
    assert lab.audit().verdict == "UNKNOWN"


def test_an_undecodable_record_is_found_by_its_header(lab: Any) -> None:
    inject(lab, 1, truth("undecodable.empty", 5), truth("undecodable.truncated", 6))
    lab.hold(1, 5, b"", phase="frame", kind="empty")
    lab.hold(1, 6, b"\0\0", phase="frame", kind="short")
    result = lab.audit()
    assert scores(result) == {"undecodable.truncated": (1, 1, 0), "undecodable.empty": (1, 1, 0)}
    assert (result.verdict, result.undecodable, result.altered) == ("PASSED", 2, 0)


def test_a_tombstone_is_found_and_is_no_event(lab: Any) -> None:
    lab.sql(
        "INSERT INTO tombstones SELECT _partition, _offset, _timestamp, _key, event_id, 1, NULL FROM events "
        f"WHERE {where(0, 4)}"
    )
    drop(lab, 0, 4)
    lab.amend(0, acknowledged=EVENTS, dropped=0)
    inject(lab, 0, truth("tombstone", 4))
    result = lab.audit()
    assert (scores(result), result.verdict, result.lost) == ({"tombstone": (1, 1, 0)}, "PASSED", 0)
    assert (result.expected, result.loaded) == (600, 599)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("late", "timestamp = timestamp - INTERVAL 2 MINUTES"),
        ("altered.future_date", "timestamp = timestamp + INTERVAL 100 YEARS"),
        ("altered.unknown_text", "event_type = 'teleport'"),
    ],
)
def test_what_only_data_shows_is_found_by_a_detector(lab: Any, kind: str, change: str) -> None:
    inject(lab, 0, truth(kind, 50, 200))
    lab.send(f"UPDATE events SET {change} WHERE {where(0, 50, 200)}")
    assert (scores(lab.audit()), lab.audit().verdict) == ({kind: (2, 2, 0)}, "PASSED")
    lab.send(f"UPDATE events SET {change} WHERE {where(1, 60)}")
    result = lab.audit()
    assert (scores(result), result.verdict) == ({kind: (2, 2, 1)}, "FAILED")
    assert result.reason == "Of 2 injected faults 2 were found, with 1 false alarms."


def test_events_without_a_text_to_judge_raise_no_false_alarm(lab: Any) -> None:
    for shard in (0, 1):
        lab.amend(shard, fault_targets=FaultTargets(event_time="timestamp"), settings={"faults": "some"})
    inject(lab, 0, truth("duplicate", 7))
    lab.store(DUPLICATE + where(0, 7))
    result = lab.audit()
    assert (scores(result), result.verdict) == ({"duplicate": (1, 1, 0)}, "PASSED")


def test_a_negative_duration_is_found(lab: Any) -> None:
    ((sequence,),) = lab.sql(
        "SELECT min(event_sequence(event_id)) FROM events WHERE details IS NOT NULL AND event_shard(event_id) = 0"
    )
    inject(lab, 0, truth("altered.negative_duration", sequence))
    lab.send(f"UPDATE events SET details = struct_update(details, play_duration := -1) WHERE {where(0, sequence)}")
    assert (scores(lab.audit()), lab.audit().verdict) == ({"altered.negative_duration": (1, 1, 0)}, "PASSED")


def test_a_hot_key_is_found(new_lab: Any) -> None:
    lab = new_lab(events=3000, shards=1)
    lab.send(
        "UPDATE events SET _key = encode('user-' || event_sequence(event_id) // 10)",
        "UPDATE events SET _key = encode('hot-key') WHERE event_sequence(event_id) % 10 = 3",
    )
    inject(lab, 0, truth("hot_key", *range(3, 3000, 10)))
    result = lab.audit()
    assert scores(result)["hot_key"] == (300, 300, 0)


@pytest.mark.parametrize("minutes", [5, -5])
def test_a_wrong_clock_is_found(lab: Any, minutes: int) -> None:
    inject(lab, 1, FaultTruth(kind="clock_skew", sequences=[(0, EVENTS)]))
    lab.send(
        f"UPDATE events SET timestamp = timestamp + INTERVAL '{minutes} minutes', "
        f"_timestamp = _timestamp + INTERVAL '{minutes} minutes' WHERE event_shard(event_id) = 1"
    )
    assert (scores(lab.audit()), lab.audit().verdict) == ({"clock_skew": (EVENTS, EVENTS, 0)}, "PASSED")


def test_an_event_out_of_order_is_found(lab: Any) -> None:
    # The first two events of one key in shard 0 change places.
    rows = lab.sql(
        "SELECT event_sequence(event_id), _offset, _partition FROM events WHERE event_shard(event_id) = 0 "
        "AND user_id = 'user-7' ORDER BY 1 LIMIT 2"
    )
    (first, low, _), (second, high, _) = rows
    lab.send(
        f"UPDATE events SET _offset = 99999 WHERE {where(0, first)}",
        f"UPDATE events SET _offset = {low} WHERE {where(0, second)}",
        f"UPDATE events SET _offset = {high} WHERE {where(0, first)}",
    )
    inject(lab, 0, truth("out_of_order", first))
    result = lab.audit()
    assert (scores(result), result.reordered, result.verdict) == ({"out_of_order": (1, 1, 0)}, 1, "PASSED")


def test_a_run_without_faults_is_not_scored(lab: Any) -> None:
    lab.send(f"UPDATE events SET event_type = 'teleport' WHERE {where(0, 5)}")
    result = lab.audit()
    assert (result.faults, result.verdict) == ([], "PASSED"), "that is for the checks to say"


def test_checks_judge_what_was_not_injected(lab: Any) -> None:
    inject(lab, 0, truth("altered.future_date", 5), truth("duplicate", 6))
    lab.sql(
        f"UPDATE events SET timestamp = timestamp + INTERVAL 100 YEARS WHERE {where(0, 5)}", DUPLICATE + where(0, 6)
    )
    lab.audit()
    watched = {"time_sanity", "duplicate_identities", "volume_per_shard", "required_fields"}

    def failed() -> set[str]:
        return {result.check for result in run_checks(lab.path, RUN).results if result.passed is False} & watched

    assert failed() == set()
    lab.sql(
        f"UPDATE events SET timestamp = timestamp + INTERVAL 100 YEARS WHERE {where(1, 5)}", DUPLICATE + where(1, 6)
    )
    assert failed() == {"time_sanity", "duplicate_identities"}


# Truth that does not fit into one record


def record(key: str, value: str | None) -> Any:
    return SimpleNamespace(
        key=key.encode,
        value=lambda: None if value is None else value.encode(),
        topic=lambda: "customer_events.manifests",
        partition=lambda: 0,
        offset=lambda: 0,
    )


def page(number: int, *faults: FaultTruth, attempt: int = 0) -> FaultPage:
    return FaultPage(run_id=RUN, shard=0, attempt=attempt, page=number, faults=list(faults))


def test_the_truth_may_span_records(lab: Any) -> None:
    drop(lab, 0, 7, 8)
    lab.amend(0, fault_pages=2, settings={"faults": "dropped=2"})
    for number, sequence in enumerate((7, 8)):
        made = page(number, truth("dropped", sequence))
        lab.control.take(record(made.key(), made.model_dump_json()))
    assert (scores(lab.audit()), lab.audit().verdict) == ({"dropped": (2, 2, 0)}, "PASSED")
    assert lab.control.unreadable == []


@pytest.mark.parametrize("attempt", [None, 1])
def test_a_page_that_is_missing_or_of_another_attempt_proves_nothing(lab: Any, attempt: int | None) -> None:
    lab.amend(0, fault_pages=1, settings={"faults": "dropped=2"})
    if attempt is not None:
        made = page(0, attempt=attempt)
        lab.control.take(record(made.key(), made.model_dump_json()))
    result = lab.audit()
    assert result.verdict == "UNKNOWN"
    assert "everything that was injected" in result.reason


def test_a_run_that_is_called_as_pages_are_is_a_run(lab: Any) -> None:
    control = ControlTopic()
    run = "r/0/faults"
    claimed = lab.control.manifests[RUN, 0].model_copy(update={"run_id": run, "shard": 3, "shards": 4})
    control.take(record(claimed.key(), claimed.model_dump_json()))
    assert list(control.manifests) == [(run, 3)]
    control.take(record(claimed.key(), None))
    assert (control.manifests, control.deleted) == ({}, {(run, 3)})


# Versions


def test_events_are_counted_by_schema_version(lab: Any) -> None:
    lab.sql(f"UPDATE events SET _schema_id = 2 WHERE {where(0, *range(100))}")
    for shard, newer in ((0, 100), (1, 0)):
        lab.amend(
            shard,
            versions=[
                VersionWritten(schema_used=SchemaUsed(subject=f"{TOPIC}-value", version=v, id=v), events=n)
                for v, n in ((1, EVENTS - newer), (2, newer))
            ],
        )
    assert [(row.version, row.schema_id, row.acknowledged, row.loaded) for row in lab.audit().versions] == [
        (1, 1, 500, 500),
        (2, 2, 100, 100),
    ]


# What a person sees


def test_the_report_shows_the_score(lab: Any) -> None:
    inject(lab, 0, truth("duplicate", 7, 8))
    lab.sql(DUPLICATE + where(0, 7))
    lab.audit()
    page = write_report(lab.path, TOPIC, RUN, lab.publications).path.read_text()
    assert "Injected faults" in page
    assert "sent twice, byte for byte" in page
    assert "injected, and not found" in page
    assert event_id(RUN, 0, 8) in page


def test_the_verdict_table_shows_the_score(lab: Any, capsys: pytest.CaptureFixture[str]) -> None:
    inject(lab, 0, truth("duplicate", 7, 8))
    lab.sql(DUPLICATE + where(0, 7))
    show_audit(Output(as_json=False), lab.audit())
    said = capsys.readouterr().out
    assert "injected fault" in said
    assert any(line.split()[:4] == ["duplicate", "2", "1", "0"] for line in said.splitlines())
    assert "missed" in said


def test_the_document_has_the_score(lab: Any) -> None:
    inject(lab, 0, truth("duplicate", 7))
    lab.sql(DUPLICATE + where(0, 7))
    assert lab.audit().document()["faults"] == [{"kind": "duplicate", "injected": 1, "found": 1, "false_alarms": 0}]

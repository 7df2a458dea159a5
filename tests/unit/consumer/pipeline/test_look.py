"""What is done to the rows of an honest pipeline is found, exactly, and nothing else is."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from consumer.pipeline.asked import columns_of
from consumer.pipeline.claims import Claims
from consumer.pipeline.found import CLASSES
from consumer.pipeline.result import PipelineResult
from schemas.identity import event_id
from tests.kit.damage import KINDS, Damage, Rows, Run, insert_a_foreign_one
from tests.kit.depth import DAMAGE_SEEDS
from tests.unit.consumer.pipeline.lab import RUN, SCHEMA, Lab, LabRows

SEEDS = range(DAMAGE_SEEDS)


def counts(result: PipelineResult) -> dict[str, int]:
    """The classes of damage that were found, without those that were not."""
    return {name: number for name in CLASSES if (number := int(getattr(result.findings, name)))}


def named(result: PipelineResult, name: str) -> set[str]:
    return {example.event_id for example in result.findings.examples.get(name, [])}


def table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


THE_RUN = Run(
    RUN,
    shards=2,
    per_shard=300,
    changes={
        "user_id": lambda text: text + "!",
        "event_type": lambda text: "another" if text != "another" else "play",
        "amount": lambda number: number + 1e-9,
        "count": lambda number: number + 1,
        "sent_at": lambda moment: moment + dt.timedelta(milliseconds=1),
        "details": lambda record: record | {"code": (record["code"] or "") + "x"},
    },
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("damage", KINDS)
def test_damage_is_found_exactly_and_nothing_else(damage: Damage, seed: int) -> None:
    lab = Lab()
    rows: Rows = lab.rows().to_pylist()
    expected = damage(THE_RUN, rows, random.Random(seed))
    result = lab.look(table(rows), compare=True)
    assert counts(result) == {name: len(ids) for name, ids in expected.items()}
    assert {name: named(result, name) for name in expected} == expected
    assert result.verdict == ("FAILED" if expected else "PASSED")
    assert result.findings.foreign == (damage is insert_a_foreign_one)


def test_an_honest_pipeline_passes_and_the_sentence_says_what_was_proved() -> None:
    lab = Lab()
    assert lab.look(lab.rows()).reason == (
        "All 600 acknowledged events are in lab, once; their values were not compared, as of 2026-11-27T12:00:00Z."
    )
    few = lab.rows().select(["event_id", "amount", "sent_at"])
    assert lab.look(few, compare=True).reason == (
        "All 600 acknowledged events are in lab, once; 2 values of each equal what was sent (amount, sent_at); not "
        "stored, and so not compared: user_id, event_type, count, details.price, details.code, as of "
        "2026-11-27T12:00:00Z."
    )


def test_an_alert_names_the_first_events() -> None:
    lab = Lab()
    rows = lab.rows().to_pylist()
    del rows[7]
    assert lab.look(table(rows)).sentence.endswith(f"the first: shard 0 sequence 7 ({event_id(RUN, 0, 7)})")


def test_events_that_were_never_acknowledged_may_be_there_or_not_unless_they_were_refused() -> None:
    lab = Lab()
    lab.manifests[0] = lab.manifest(0, unknown=[(10, 12)], failed=[(20, 21)])
    rows = lab.rows().to_pylist()
    refused = rows.pop(20)
    assert counts(lab.look(table(rows))) == {}
    del rows[11]
    assert lab.look(table(rows)).verdict == "PASSED"
    assert counts(lab.look(table([*rows, refused]))) == {"phantom": 1}


@pytest.mark.parametrize(
    ("kind", "there", "found"),
    [
        ("dropped", False, {}),
        ("dropped", True, {"phantom": 1}),
        ("tombstone", False, {}),
        ("tombstone", True, {}),
        ("undecodable.truncated", False, {}),
        ("late", True, {}),
        ("late", False, {"lost": 1}),
    ],
)
def test_what_was_injected_on_purpose_counts_as_what_it_is(kind: str, there: bool, found: dict[str, int]) -> None:
    lab = Lab()
    lab.faulty(1, kind, [(5, 6)])
    rows = lab.rows().to_pylist()
    if not there:
        del rows[305]
    assert counts(lab.look(table(rows))) == found


def test_an_event_that_was_sent_twice_on_purpose_may_be_there_twice_and_not_three_times() -> None:
    lab = Lab()
    lab.faulty(0, "duplicate", [(4, 5)])
    rows = lab.rows().to_pylist()
    assert lab.look(table(rows)).verdict == "PASSED"
    assert lab.look(table([*rows, rows[4]])).verdict == "PASSED"
    assert counts(lab.look(table([*rows, rows[4], rows[4]]))) == {"duplicated": 1}


def test_nothing_is_proved_while_a_shard_is_at_work_or_left_no_manifest() -> None:
    lab = Lab()
    lab.manifests[1] = lab.manifest(1, status="running", next_sequence=0, acknowledged=0, ended_at=None)
    result = lab.look(lab.rows())
    assert (result.verdict, result.judgement.final) == ("UNKNOWN", False)
    assert "shard 1 of 2 has only begun" in result.reason
    lab.manifests.pop()
    assert "shard 1 of 2 left no manifest" in lab.look(lab.rows()).reason


@pytest.mark.parametrize(
    ("written", "note"),
    [
        (str.upper, "600 ids are written in upper case."),
        (lambda text: text.replace("-", ""), "600 ids are written in another form of UUID."),
        (lambda text: f"{{{text}}}", "600 ids are written in another form of UUID."),
        (lambda text: uuid.UUID(text).bytes, "600 ids are written as bytes."),
        (lambda text: text.encode(), "600 ids are written as bytes."),
    ],
)
def test_ids_in_any_form_are_read_and_the_form_is_told(written: Callable[[str], Any], note: str) -> None:
    lab = Lab()
    ids = pa.array([written(text) for text in lab.rows()["event_id"].to_pylist()])
    result = lab.look(pa.table({"key": ids}), id_column="key")
    assert (result.verdict, result.findings.notes) == ("PASSED", [note])


def test_an_id_that_begins_as_those_of_the_run_and_is_none_is_a_phantom() -> None:
    lab = Lab()
    rows = lab.rows().to_pylist()
    rows[3]["event_id"] = rows[3]["event_id"][:-2]
    result = lab.look(table(rows))
    assert counts(result) == {"lost": 1, "phantom": 1}


def test_rows_without_an_id_are_told_and_do_not_count() -> None:
    lab = Lab()
    rows = [*lab.rows().to_pylist(), {"event_id": None}, {"event_id": ""}]
    result = lab.look(table(rows))
    assert (result.verdict, result.findings.without_identity) == ("PASSED", 2)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"id_column": "amount"}, "the column amount is DOUBLE, and an id of an event is text, a UUID or bytes"),
        ({"id_column": "evnt_id"}, "there is no column evnt_id"),
        ({"order": "nowhere"}, "there is no column nowhere"),
        ({"compare": True, "columns": columns_of(["amount=prize"])}, "an event has no field prize"),
        ({"compare": True, "columns": columns_of(["nowhere=amount"])}, "there is no column nowhere"),
        ({"expect": "event_typ = 'play'"}, "--expect cannot be used"),
        ({"expect": "event_type = 'play'; DROP TABLE sink"}, "--expect cannot be used"),
        ({"expect": "event_type = 'play')"}, "--expect cannot be used"),
        ({"expect": "event_type"}, "--expect cannot be used"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(asked: dict[str, Any], said: str) -> None:
    lab = Lab()
    with pytest.raises(Misconfigured, match=said):
        lab.look(lab.rows(), **asked)


def test_a_place_without_ids_says_which_columns_there_are() -> None:
    lab = Lab()
    with pytest.raises(Misconfigured, match="there is no column event_id") as refused:
        lab.look(lab.rows().select(["amount", "count"]))
    assert "amount, count" in refused.value.hint


def test_only_what_is_meant_to_arrive_is_expected_and_what_is_not_must_stay_away() -> None:
    lab = Lab()
    plays = [row for row in lab.rows().to_pylist() if row["event_type"] == "play"]
    result = lab.look(table(plays), expect="event_type = 'play'", compare=True)
    assert result.verdict == "PASSED"
    assert "200 of 600 acknowledged events (33.3 %) should arrive (event_type = 'play')" in result.reason
    other = next(row for row in lab.rows().to_pylist() if row["event_type"] == "search")
    spoiled = lab.look(table([*plays[1:], other]), expect="event_type = 'play'")
    assert counts(spoiled) == {"lost": 1, "unexpected": 1}
    assert named(spoiled, "unexpected") == {other["event_id"]}
    assert counts(lab.look(table(plays), expect="event_type = 'play' OR NULL")) == {}


def test_rows_of_one_moment_have_no_order_among_themselves_in_whatever_order_they_are_stored() -> None:
    lab = Lab()
    turned = lab.rows().take(list(range(lab.shards * lab.per_shard))[::-1])
    moments = pa.array([1] * len(turned))
    assert lab.look(turned.append_column("at", moments), order="at").verdict == "PASSED"


def test_an_order_is_not_proved_of_rows_that_have_no_place_in_it() -> None:
    lab = Lab()
    for empty in (1, lab.shards * lab.per_shard):
        places = pa.array([None if n < empty else n for n in range(len(lab.rows()))], pa.int64())
        result = lab.look(lab.rows().append_column("at", places), order="at")
        assert (result.verdict, result.findings.unordered) == ("UNKNOWN", empty)
        assert "nothing in at" in result.reason


def test_order_is_found_by_a_column_and_ties_are_no_disorder() -> None:
    lab = Lab()
    rows = lab.rows().append_column("at", pa.array([n // 2 for n in range(600)]))
    assert lab.look(rows, order="at").verdict == "PASSED"
    texts = lab.rows().append_column("at", pa.array([str(n) for n in range(600)]))
    assert lab.look(texts, order="at").verdict == "PASSED"
    places = list(range(600))
    places[0], places[17] = places[17], places[0]  # two of one user
    result = lab.look(lab.rows().append_column("at", pa.array(places)), order="at")
    assert counts(result) == {"reordered": 1}
    assert named(result, "reordered") == {event_id(RUN, 0, 0)}


def test_a_place_that_changed_while_it_was_read_proves_nothing() -> None:
    lab = Lab()
    result = lab.look(LabRows(lab.rows(), change="the file part-1 is new"))
    assert (result.verdict, result.judgement.final) == ("UNKNOWN", False)
    assert "the file part-1 is new" in result.reason


def test_values_are_not_compared_as_long_as_events_are_missing_and_there_is_time() -> None:
    lab = Lab()
    rows = lab.rows().to_pylist()
    rows[3]["amount"] = 0.0
    early = lab.look(table(rows[:-1]), compare=True, last=False)
    assert (counts(early), early.judgement.final) == ({"lost": 1}, False)
    assert counts(lab.look(table(rows), compare=True, last=False)) == {"altered": 1}
    # What nothing can mend any more is told whole at once.
    spoiled = lab.look(table([*rows[:-1], rows[7]]), compare=True, last=False)
    assert (counts(spoiled), spoiled.judgement.final) == ({"lost": 1, "duplicated": 1, "altered": 1}, True)


def test_a_run_that_sent_nothing_proves_nothing() -> None:
    lab = Lab(per_shard=0)
    result = lab.look(SCHEMA.empty_table())
    assert (result.verdict, result.reason) == (
        "UNKNOWN",
        "Nothing was accepted: Kafka acknowledged no event of this run.",
    )


def test_shards_of_two_runs_are_not_one() -> None:
    lab = Lab()
    lab.manifests[1] = lab.manifest(1, seed=2)
    assert "The shards are not of one run" in lab.look(lab.rows()).reason


def test_a_manifest_that_claims_what_cannot_be_stands_for_none() -> None:
    lab = Lab()
    claims = Claims(RUN, lab.manifests[:1], impossible=["shard 1: it claims 10 events, and the topic took 3"])
    assert "claims what cannot be" in lab.look(lab.rows(), claims=claims).reason


def test_a_csv_file_cannot_tell_an_empty_text_from_none() -> None:
    lab = Lab()
    rows = lab.rows().to_pylist()
    flat = pa.table(
        {
            "event_id": [row["event_id"] for row in rows],
            "code": [row["details"]["code"] or "" for row in rows],
            "price": [f"{row['details']['price']:.6f}" for row in rows],
            "sent_at": [row["sent_at"].isoformat().replace("+00:00", "Z") for row in rows],
            "count": [str(row["count"]) for row in rows],
        }
    )
    columns = columns_of({"code": "details.code", "price": "details.price"})
    assert lab.look(LabRows(flat, says_null=False), compare=True, columns=columns).verdict == "PASSED"
    strict = lab.look(flat, compare=True, columns=columns)
    assert counts(strict) == {"altered": 150}


def test_columns_are_found_by_their_names_without_case_and_flattened() -> None:
    lab = Lab()
    rows = lab.rows()
    details: Any = rows["details"].combine_chunks()
    stored = pa.table(
        {
            "EVENT_ID": rows["event_id"].combine_chunks(),
            "Amount": rows["amount"].combine_chunks(),
            "details_price": details.field("price"),
            "details.code": details.field("code"),
            "loaded_at": pa.nulls(len(rows), pa.timestamp("us")),
        }
    )
    result = lab.look(stored, compare=True)
    assert result.verdict == "PASSED"
    assert result.findings.compared == ["Amount (amount)", "details_price (details.price)", "details.code"]


def test_a_nested_field_may_be_stored_as_json() -> None:
    lab = Lab()
    rows = lab.rows()
    texts = pa.array(
        [
            f'{{"price": {row["price"]}, "code": "{row["code"]}"}}' if row["code"] else f'{{"price": {row["price"]}}}'
            for row in rows["details"].to_pylist()
        ]
    )
    assert lab.look(rows.set_column(6, "details", texts), compare=True).verdict == "PASSED"
    spoiled = pa.array(["{}" if n == 9 else text for n, text in enumerate(texts.to_pylist())])
    result = lab.look(rows.set_column(6, "details", spoiled), compare=True)
    assert {column.column for column in result.findings.columns} == {"details.price", "details.code"}
    assert counts(result) == {"altered": 1}


def test_a_type_that_the_mapping_names_makes_its_loss_right_and_no_other() -> None:
    lab = Lab()
    rows = lab.rows()
    prices = [row["price"] for row in rows["details"].to_pylist()]
    short = pa.array([round(price, 2) for price in prices], pa.decimal128(12, 2))
    stored = pa.table(
        {
            "event_id": rows["event_id"],
            "price": short,
            "at": rows["sent_at"].cast(pa.timestamp("s", tz="UTC"), safe=False),
        }
    )
    mapped = {"price": "details.price:decimal(12,2)", "at": "sent_at:timestamp(0)"}
    assert lab.look(stored, compare=True, columns=columns_of(mapped)).verdict == "PASSED"
    plain = lab.look(stored, compare=True, columns=columns_of({"price": "details.price", "at": "sent_at"}))
    assert [(column.column, list(column.looks)) for column in plain.findings.columns] == [
        ("price", ["rounded to 2 digits after the point"]),
        ("at", ["rounded to seconds"]),
    ]


def test_both_values_of_what_differs_are_shown_and_where_the_row_is() -> None:
    lab = Lab()
    rows = lab.rows().to_pylist()
    rows[3]["amount"] = 0.5
    (column,) = lab.look(table(rows), compare=True).findings.columns
    (example,) = column.examples
    assert (example.sent, example.stored, example.where) == (str(3 / 7), "0.5", "row 3")


def test_columns_may_be_called_as_anything() -> None:
    lab = Lab()
    rows = lab.rows().select(["event_id", "amount"])
    for name in ("_id", "_shard", "_sequence", "_where", "ordering", "shard", 'Se"lect', "event id", "a.b"):
        rows = rows.append_column(name, pa.array(range(len(rows))))
    assert lab.look(rows, compare=True).verdict == "PASSED"
    named = lab.rows().rename_columns({"event_id": '_id "x"', "amount": "the amount"})
    columns = columns_of({"the amount": "amount"})
    assert lab.look(named, id_column='_id "x"', compare=True, columns=columns).verdict == "PASSED"


def test_what_was_taken_away_on_purpose_is_not_altered() -> None:
    lab = Lab()
    lab.faulty(0, "tombstone", [(5, 6)])
    rows = lab.rows().to_pylist()
    rows[5] = {"event_id": rows[5]["event_id"]}
    assert counts(lab.look(table(rows), compare=True)) == {}


@pytest.mark.parametrize("kind", ["details:decimal(12,2)", "details:epoch_ms", "amount:hex"])
def test_a_type_that_makes_no_sense_is_refused_in_words(kind: str) -> None:
    lab = Lab()
    with pytest.raises(Misconfigured, match="the column amount cannot be compared with"):
        lab.look(lab.rows(), compare=True, columns=columns_of({"amount": kind}))


def test_a_type_that_is_not_the_values_is_a_difference() -> None:
    lab = Lab()
    assert lab.look(lab.rows(), compare=True, columns=columns_of({"amount": "count:date"})).verdict == "FAILED"

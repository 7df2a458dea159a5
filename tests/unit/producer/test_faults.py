"""Faults that are asked for: their grammar, who gets them, and what they do to an event."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from consumer.proof.detectors import DETECTORS, load_detectors
from producer.faults import SLICE_ROWS, FaultTargets, Injector, as_text, from_mapping, parse_faults
from producer.faults.alter import CENTURY_MS, HOT_TEXT, UNKNOWN_TEXT
from producer.faults.targets import possible
from producer.scenarios import find_scenario
from producer.toolkit.arrays import plain
from producer.toolkit.chance import chances
from schemas.control_topic import INLINE_RANGES
from schemas.faults import FAMILIES, KINDS, members
from schemas.formats import NAMES, value_format
from schemas.formats.avro.breaking import undecodable
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.frame import split_frame
from schemas.registry.contract import load_contract
from schemas.undecodable import UndecodableValue
from tests.kit import ROOT

TARGETS = FaultTargets(event_time="timestamp", duration="details.play_duration", choice="event_type")
ROWS = 4096


@pytest.fixture(scope="module")
def block() -> pa.RecordBatch:
    scenario = find_scenario("customer_events")
    return scenario.open(7, 0, scenario.settings(ROWS, 1_790_000_000_000)).block(0)


def injector(*faults: str, shard: int = 0, shards: int = 1, target: int | None = ROWS, seed: int = 7) -> Injector:
    return Injector(
        parse_faults(faults),
        TARGETS,
        scenario="customer_events",
        key="user_id",
        seed=seed,
        shard=shard,
        shards=shards,
        target=target,
        break_value=value_format("json").breaker({}, None),
        breaks=value_format("json").breaks,
    )


# What is asked for


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("duplicate=0.001", "duplicate=0.001"),
        ("duplicate=0.1%", "duplicate=0.001"),
        ("undecodable.truncated=5", "undecodable.truncated=5"),
        ("hot_key=100%", "hot_key=100%"),
        ("late=1%,mean=10m", "late=0.01,mean=600s"),
        ("late=1%", "late=0.01,mean=600s"),
        ("clock_skew=1,by=-5m", "clock_skew=1,by=-300s"),
    ],
)
def test_a_fault_is_a_share_or_a_number(text: str, canonical: str) -> None:
    assert as_text(parse_faults([text])) == canonical
    assert parse_faults([canonical]) == parse_faults([text])


def test_nothing_is_injected_unless_asked_for() -> None:
    assert parse_faults([]) == ()
    assert as_text(()) is None
    assert parse_faults(["dropped=0", "late=0.0"]) == ()


def test_a_profile_gives_faults_as_a_mapping() -> None:
    assert from_mapping({"duplicate": 0.001, "undecodable.truncated": 5}) == parse_faults(
        ["undecodable.truncated=5", "duplicate=0.001"]
    )


def test_every_fault_of_a_request_is_named_at_once() -> None:
    wrong = ["dup=1", "late=-1", "dropped", "dropped=1.5", "tombstone=x", "late=1,mean=2d", "hot_key=101%"]
    with pytest.raises(Misconfigured) as caught:
        parse_faults([*wrong, "clock_skew=1,by=5s", "duplicate=1,mean=1s", "altered=1", "altered=2"])
    said = str(caught.value)
    for part in ("did you mean duplicate?", "0 or more", "no amount", "whole number", "not a number", "'2d'", "100%"):
        assert part in said
    for part in ("between 2m and 24h", "it takes none", "altered is given twice"):
        assert part in said


def test_a_family_stands_for_its_kinds() -> None:
    assert members("undecodable") == tuple(kind for kind in KINDS if kind.startswith("undecodable."))
    assert members("late") == ("late",)
    assert members("unheard_of") == ()
    assert set(FAMILIES) == {kind.split(".")[0] for kind in KINDS}


def test_a_format_takes_its_kinds_and_no_other() -> None:
    asked = parse_faults(["undecodable=1"])
    taken = {name: possible(asked, TARGETS, "s", breaks=value_format(name).breaks)["undecodable"] for name in NAMES}
    # The order decides which event gets which: that of a run of an earlier version is the same for ever.
    assert taken["avro"] == tuple(
        f"undecodable.{why}"
        for why in ("truncated", "bad_magic", "unknown_schema", "invalid_utf8", "trailing_bytes", "empty")
    )
    assert set().union(*taken.values()) == set(members("undecodable"))
    with pytest.raises(Misconfigured, match=r"undecodable\.wrong_type \(values of its format cannot be broken"):
        possible(parse_faults(["undecodable.wrong_type=1"]), TARGETS, "s", breaks=value_format("avro").breaks)
    with pytest.raises(Misconfigured, match=r"undecodable\.bad_magic"):
        possible(parse_faults(["undecodable.bad_magic=1"]), TARGETS, "s", breaks=value_format("plain-json").breaks)


def test_a_number_of_faults_needs_a_number_of_events() -> None:
    with pytest.raises(Misconfigured, match="number of events is not known"):
        injector("dropped=3", target=None)
    assert injector("dropped=0.5", target=None) is not None


def test_a_scenario_without_a_time_cannot_have_late_events() -> None:
    with pytest.raises(Misconfigured, match="cannot have the fault late"):
        Injector(
            parse_faults(["late=1"]),
            FaultTargets(),
            scenario="s",
            key="k",
            seed=1,
            shard=0,
            shards=1,
            target=10,
            break_value=undecodable,
            breaks=value_format().breaks,
        )


# Who gets them


def test_chances_are_even_and_the_same_for_any_slice() -> None:
    numbers = np.arange(100_000)
    drawn = chances(1, 2, "stream", numbers)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.005
    assert np.abs(np.histogram(drawn, 10, (0, 1))[0] - 10_000).max() < 500
    assert (chances(1, 2, "stream", numbers[500:510]) == drawn[500:510]).all()
    assert (chances(1, 3, "stream", numbers) != drawn).all()
    assert chances(7, 0, "late", np.array([0, 1])).tolist() == [
        0.32168245367419535,
        0.5558179062324281,
    ]  # pinned: data of old runs


def test_the_same_seed_gives_the_same_faults(block: pa.RecordBatch) -> None:
    asked = [f"{family}=0.02" for family in FAMILIES if family != "clock_skew"]
    first, again = (injector(*asked).inject(block, 0, ROWS) for _ in range(2))
    assert first.block.equals(again.block)
    assert (first.rows == again.rows).all()
    assert {kind: list(rows) for kind, rows in first.truth.items()} == {k: list(r) for k, r in again.truth.items()}
    other = injector(*asked, seed=8).inject(block, 0, ROWS)
    assert list(other.truth["dropped"]) != list(first.truth["dropped"])


def test_an_event_has_one_fault_at_most(block: pa.RecordBatch) -> None:
    asked = [f"{family}=0.08" for family in FAMILIES if family != "clock_skew"]
    truth = injector(*asked).inject(block, 0, ROWS).truth
    hit = np.concatenate(list(truth.values()))
    assert len(hit) == len(set(hit.tolist()))
    assert set(truth) == set(KINDS) - {"clock_skew"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "clock_skew"])
def test_a_number_of_faults_is_met_exactly(block: pa.RecordBatch, kind: str) -> None:
    assert len(injector(f"{kind}=9").inject(block, 0, ROWS).truth[kind]) == 9


def test_a_number_is_shared_by_the_shards() -> None:
    rows = [
        np.concatenate(list(injector("undecodable=7", shard=shard, shards=3)._choice.of(0, ROWS).values()))
        for shard in range(3)
    ]
    assert sum(map(len, rows)) == 7


def test_a_share_is_met_within_chance(block: pa.RecordBatch) -> None:
    assert len(injector("duplicate=0.25").inject(block, 0, ROWS).truth["duplicate"]) == pytest.approx(
        ROWS / 4, rel=0.08
    )


def test_a_share_of_shards_has_a_wrong_clock() -> None:
    skews = [injector("clock_skew=1,by=-10m", shard=shard, shards=4).skew_s for shard in range(4)]
    assert sorted(skews) == [-600.0, 0.0, 0.0, 0.0]


# What they do


def test_a_dropped_event_is_not_sent_and_all_others_are(block: pa.RecordBatch) -> None:
    found = injector("dropped=10").inject(block, 0, ROWS)
    assert sorted(found.rows.tolist() + found.truth["dropped"].tolist()) == list(range(ROWS))
    # Once the last record is handed over, everything is settled, dropped ones at the end included.
    assert found.reach[-1] == ROWS
    assert (np.diff(found.reach) >= 0).all()


def test_a_block_whose_events_are_all_dropped_sends_nothing(block: pa.RecordBatch) -> None:
    found = injector("dropped=100%").inject(block, 0, ROWS)
    assert len(found.rows) == len(found.reach) == 0
    assert len(found.truth["dropped"]) == ROWS


def test_a_duplicate_follows_its_event_soon(block: pa.RecordBatch) -> None:
    found = injector("duplicate=20").inject(block, 0, ROWS)
    assert found.copies.sum() == 20
    for row in found.truth["duplicate"]:
        first, second = np.flatnonzero(found.rows == row)
        assert not found.copies[first]
        assert found.copies[second]
        assert second - first <= 60


def test_an_event_out_of_order_follows_the_next_of_its_key(block: pa.RecordBatch) -> None:
    found = injector("out_of_order=0.05").inject(block, 0, ROWS)
    users = np.array(block.column("user_id").to_pylist())
    overtaken = []
    newest: dict[str, int] = {}
    for row in found.rows.tolist():
        if row < newest.get(users[row], -1):
            overtaken.append(row)
        newest[users[row]] = max(row, newest.get(users[row], -1))
    assert sorted(overtaken) == found.truth["out_of_order"].tolist()
    assert len(overtaken) > 50


def test_a_late_event_is_dated_a_minute_or_more_behind_the_one_before(block: pa.RecordBatch) -> None:
    found = injector("late=0.1,mean=5m", "altered.future_date=0.1", "dropped=0.1").inject(block, 0, ROWS)
    times = found.block.column("timestamp").cast(pa.int64()).to_numpy()
    newest, late = -1, []
    gone = {*found.truth["dropped"].tolist(), *found.truth["altered.future_date"].tolist()}
    for row in range(ROWS):
        if row in gone:
            continue
        if times[row] <= newest - 60_000:
            late.append(row)
        assert row in late or times[row] >= newest
        newest = max(newest, times[row])
    assert late == found.truth["late"].tolist()


def test_altered_events_break_their_rule_and_nothing_else_changes(block: pa.RecordBatch) -> None:
    found = injector("altered=60", "hot_key=10").inject(block, 0, ROWS)
    truth = {kind: set(rows.tolist()) for kind, rows in found.truth.items()}
    assert {kind: len(rows) for kind, rows in truth.items()} == {
        "altered.negative_duration": 20,
        "altered.future_date": 20,
        "altered.unknown_text": 20,
        "hot_key": 10,
    }
    for row, (before, after) in enumerate(zip(block.to_pylist(), found.block.to_pylist(), strict=True)):
        if row in truth["altered.negative_duration"]:
            assert after["details"].pop("play_duration") < 0
            del before["details"]["play_duration"]
        if row in truth["altered.unknown_text"]:
            assert after.pop("event_type") == UNKNOWN_TEXT != before.pop("event_type")
        if row in truth["altered.future_date"]:
            assert (after.pop("timestamp") - before.pop("timestamp")).total_seconds() * 1000 == CENTURY_MS
        if row in truth["hot_key"]:
            assert after.pop("user_id") == HOT_TEXT != before.pop("user_id")
        assert after == before


def test_a_wrong_clock_moves_every_event(block: pa.RecordBatch) -> None:
    found = injector("clock_skew=1,by=5m").inject(block, 0, ROWS)
    moved = (
        found.block.column("timestamp").cast(pa.int64()).to_numpy()
        - block.column("timestamp").cast(pa.int64()).to_numpy()
    )
    assert set(moved.tolist()) == {300_000}


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("truncated", {"truncated"}),
        ("bad_magic", {"bad_magic"}),
        ("unknown_schema", {"unknown_schema"}),
        ("invalid_utf8", {"invalid_utf8"}),
        ("trailing_bytes", {"trailing_bytes"}),
        ("empty", {"empty"}),
    ],
)
def test_an_undecodable_value_is_refused_for_its_reason(kind: str, classes: set[str], block: pa.RecordBatch) -> None:
    contract = load_contract("customer_events").version(1)
    encoder, decoder = Encoder(contract.text, 3), Decoder(json.dumps(contract.schema))
    rows = block.slice(0, 40)
    whole = rows.add_column(0, "event_id", pa.array([f"{n:036d}" for n in range(40)]))
    values: list[bytes] = plain(encoder.encode(whole))
    for number, value in enumerate(values):
        broken = undecodable(f"undecodable.{kind}", value, number / 40)
        found = ""
        try:
            schema_id, payload = split_frame(broken)
            if schema_id != 3:
                found = "unknown_schema"
            else:
                decoder.decode_one(payload)
        except UndecodableValue as fault:
            found = fault.kind
        assert {found} == classes


def test_no_unknown_way_to_break_a_value() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        undecodable("undecodable.magic", b"\0\0\0\0\1abc", 0.0)


# What the guide says

GUIDE = (ROOT / "docs" / "faults.md").read_text()


def test_the_guide_names_every_kind_and_every_detector() -> None:
    assert [kind for kind in KINDS if f"| `{kind}` |" not in GUIDE] == []
    assert [detector.name for detector in load_detectors() if f"| `{detector.name}` |" not in GUIDE] == []
    assert f"moves a record further than {SLICE_ROWS:,} events" in GUIDE
    assert f"Above {INLINE_RANGES:,} ranges" in GUIDE


def test_every_kind_has_something_that_finds_it() -> None:
    queries = [detector.query for detector in load_detectors()]
    queries.append((DETECTORS.parent / "inside" / "scoring.sql").read_text())
    said = "\n".join(queries)
    assert [kind for kind in KINDS if f"'{kind}'" not in said and not kind.startswith("undecodable.")] == []
    assert "'undecodable.'" in said

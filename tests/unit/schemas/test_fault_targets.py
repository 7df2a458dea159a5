"""Which fields of a scenario take faults, what is refused before the first event, and what is done to each type."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from producer.faults import FaultTargets, alter, parse_faults
from producer.faults.targets import fitting, possible
from producer.plan.agreement import _settings
from producer.plan.injection import agreed_targets, make_injector, targets_of
from producer.plan.request import ProduceRequest
from producer.scenarios import find_scenario
from producer.toolkit.arrays import plain
from schemas.fault_targets import KeySample
from schemas.faults import FAMILIES, KINDS
from schemas.formats import value_format
from schemas.formats.avro.breaking import TextPlace
from schemas.formats.avro.codec import Encoder
from schemas.types.tree import parse
from tests.kit import ROOT

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
ALL = tuple(f"{kind}=1" for kind in KINDS)
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}


def declared(folder: Path, fields: list[dict[str, Any]], rules: str = "", head: str = "") -> Any:
    """Return the scenario of a YAML file that is written now."""
    (folder / "e.avsc").write_text(json.dumps({"type": "record", "name": "E", "fields": fields}))
    (folder / "e.yaml").write_text(f"schema: e.avsc\n{head}\nfields:\n{rules or ' {}'}\n")
    return find_scenario(str(folder / "e.yaml"))


def field(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": kind}


def request(scenario: str, *faults: str, **more: Any) -> ProduceRequest:
    return ProduceRequest(topic="t", run_id="r", scenario=scenario, faults=faults, **({"events": 10_000} | more))


def agreed(asked: ProduceRequest) -> FaultTargets:
    scenario = find_scenario(asked.scenario)
    return agreed_targets(asked.plan, scenario, _settings(asked.plan, scenario, NOW))


# Targets of a YAML file


def test_targets_follow_from_the_rules(tmp_path: Path) -> None:
    fields = [
        field("level", {"type": "enum", "name": "L", "symbols": ["A", "B"]}),
        field("price", "double"),
        field("wait_ms", ["null", "long"]),
        field("offset", "int"),
        field("made", MILLIS),
        field("at", MILLIS),
        field("plan", "string"),
        field("currency", "string"),
    ]
    rules = """
  price: {distribution: {kind: lognormal, median: 3, sigma: 1}}
  wait_ms: {distribution: {kind: normal, mean: 20, sd: 50, min: 0}, nulls: 0.1}
  offset: {distribution: {kind: normal, mean: 0, sd: 1}}
  made: {timestamp: {back_s: [0, 3600]}}
  currency: {constant: EUR}
  plan: {choice: [free, paid]}
"""
    targets = targets_of(declared(tmp_path, fields, rules))
    assert (targets.event_time, targets.date, targets.duration) == ("at", "at", "wait_ms")
    assert (targets.choice, targets.choices, targets.text) == ("plan", ("free", "paid"), "plan")


@pytest.mark.parametrize(
    ("rule", "lowest"),
    [
        ("{distribution: {kind: uniform, low: 0, high: 9}}", True),
        ("{distribution: {kind: uniform, low: -1, high: 9}}", False),
        ("{distribution: {kind: uniform, low: -1, high: 9, min: 0}}", True),
        ("{distribution: {kind: normal, mean: 9, sd: 1}}", False),
        ("{distribution: {kind: exponential, mean: 9}}", True),
        ("{distribution: {kind: lognormal, median: 9, sigma: 1, max: -3}}", False),
        ("{distribution: 4}", True),
        ("{distribution: -4}", False),
        ("{choice: [0, 4]}", True),
        ("{choice: [-1, 4]}", False),
        ("{constant: 7}", True),
        ("{sequence: {}}", False),
    ],
)
def test_a_duration_is_a_number_whose_rule_forbids_less_than_zero(tmp_path: Path, rule: str, lowest: bool) -> None:
    scenario = declared(tmp_path, [field("n", "double" if "sequence" not in rule else "long")], f"  n: {rule}")
    assert targets_of(scenario).duration == ("n" if lowest else None)


@pytest.mark.parametrize(
    ("rule", "event_time", "date"),
    [
        ("{timestamp: {}}", "at", "at"),
        ("{timestamp: {back_s: [5, 25]}}", "at", "at"),
        ("{timestamp: {back_s: [5, 26]}}", None, "at"),
        ("{timestamp: {back_s: [-5, 5]}}", "at", "at"),
        ("{timestamp: {back_s: [-50, 5]}}", None, None),
        ("{timestamp: {}, nulls: 0.5}", None, "at"),
    ],
)
def test_an_event_time_goes_up_and_a_date_is_not_ahead(
    tmp_path: Path, rule: str, event_time: str | None, date: str | None
) -> None:
    targets = targets_of(declared(tmp_path, [field("at", ["null", MILLIS])], f"  at: {rule}"))
    assert (targets.event_time, targets.date) == (event_time, date)


def test_the_event_time_is_the_one_that_the_file_names_or_none(tmp_path: Path) -> None:
    fields = [field("at", MILLIS), field("seen", MILLIS), field("made", MILLIS)]
    rules = "  made: {timestamp: {back_s: [0, 3600]}}\n"
    assert targets_of(declared(tmp_path, fields, rules)).event_time == "at"
    assert targets_of(declared(tmp_path, fields, rules, "event_time: seen")).event_time == "seen"
    assert targets_of(declared(tmp_path, fields, rules, "event_time: made")).event_time is None


def test_rules_are_followed_through_pools_and_references(tmp_path: Path) -> None:
    head = "pools:\n  p: {columns: {plan: {choice: [a, b]}, wait: {distribution: [1, 2]}}}"
    rules = "  plan: {pool: p.plan}\n  same: {reference: plan}\n  wait: {reference: {field: w, times: 2}}"
    fields = [field("same", "string"), field("plan", "string"), field("wait", "double"), field("w", "double")]
    targets = targets_of(declared(tmp_path, fields, rules + "\n  w: {pool: p.wait}", head))
    assert (targets.choice, targets.choices, targets.duration) == ("same", ("a", "b"), "w")


def test_the_key_and_long_lists_are_no_texts_of_a_few(tmp_path: Path) -> None:
    many = ", ".join(f"t{n}" for n in range(101))
    scenario = declared(
        tmp_path,
        [field("k", "string"), field("many", "string")],
        f"  k: {{choice: [a, b]}}\n  many: {{choice: [{many}]}}",
        "key: k",
    )
    assert targets_of(scenario).choice is None


# What is refused


def test_what_a_scenario_lacks_is_said_for_every_fault_at_once(tmp_path: Path) -> None:
    scenario = declared(tmp_path, [field("level", {"type": "enum", "name": "L", "symbols": ["A"]})])
    with pytest.raises(Misconfigured) as caught:
        possible(parse_faults(ALL), targets_of(scenario), "e", breaks=value_format().breaks, has_key=False)
    said = str(caught.value)
    for part in ("late (no field", "clock_skew (no field", "altered.negative_duration (no number", "an enum cannot"):
        assert part in said
    for part in (
        "hot_key (its records have no key",
        "out_of_order (its records",
        "invalid_utf8 (its schema has no text",
    ):
        assert part in said
    assert not any(f"{kind} (" in said for kind in ("duplicate", "dropped", "tombstone", "undecodable.empty"))


def test_a_family_is_spread_over_what_is_possible(tmp_path: Path) -> None:
    scenario = declared(tmp_path, [field("at", MILLIS)])
    asked = parse_faults(["altered=1", "undecodable=1"])
    kinds = possible(asked, targets_of(scenario), "e", breaks=value_format().breaks)
    assert kinds["altered"] == ("altered.future_date",)
    assert "undecodable.invalid_utf8" not in kinds["undecodable"]


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        (MILLIS, ("event_time", "date")),
        ("long", ("event_time", "date", "duration")),
        ("int", ("event_time", "duration")),
        ("string", ("event_time", "date", "choice")),
        ({"type": "string", "logicalType": "uuid"}, ("choice",)),
        ({"type": "int", "logicalType": "date"}, ("date",)),
        ({"type": "int", "logicalType": "time-millis"}, ()),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, ("duration",)),
        ("bytes", ()),
        ({"type": "enum", "name": "X", "symbols": ["A"]}, ()),
    ],
)
def test_a_target_is_of_a_type_that_can_hold_the_fault(kind: Any, fits: tuple[str, ...]) -> None:
    root = parse(json.dumps({"type": "record", "name": "E", "fields": [field("x", kind)]}))
    targets = fitting(FaultTargets(event_time="x", duration="x", choice="x", choices=("a",)), root, None)
    assert tuple(name for name in ("event_time", "date", "duration", "choice") if getattr(targets, name)) == fits


def test_a_target_that_is_no_field_is_named() -> None:
    root = parse(json.dumps({"type": "record", "name": "E", "fields": [field("x", "long")]}))
    with pytest.raises(Misconfigured, match=r"does not have: duration \(x\.y\)"):
        fitting(FaultTargets(event_time="x", duration="x.y"), root, None)


@pytest.mark.parametrize("kind", ["double", MILLIS, {"type": "enum", "name": "X", "symbols": ["A"]}])
def test_a_key_that_cannot_be_another_is_not_made_hot(kind: Any) -> None:
    root = parse(json.dumps({"type": "record", "name": "E", "fields": [field("k", kind)]}))
    with pytest.raises(Misconfigured, match="neither a text nor a whole number"):
        possible(parse_faults(["hot_key=9"]), fitting(FaultTargets(), root, "k"), "e", breaks=value_format().breaks)


def test_a_manifest_keeps_the_targets_as_they_are() -> None:
    for targets in (
        FaultTargets(event_time="at"),
        FaultTargets(event_time="at").model_copy(update={"date": None}),
        FaultTargets(choice="c", choices=("a", ""), keys=KeySample(events=5, most=1)),
    ):
        assert FaultTargets.model_validate_json(targets.model_dump_json()) == targets


# Hot keys


@pytest.mark.parametrize("scenario", ["customer_events", "clickstream", "bench/orders.yaml"])
def test_hot_events_too_few_to_stand_out_are_refused_with_the_number_that_it_takes(scenario: str) -> None:
    if scenario.endswith(".yaml"):
        scenario = str(ROOT / scenario)
    with pytest.raises(Misconfigured, match="too few events to stand out of 10,000") as caught:
        agreed(request(scenario, "hot_key=10"))
    words = str(caught.value.hint).replace(",", "").split()
    least, share = int(words[4]), words[-1]
    with pytest.raises(Misconfigured, match="too few"):
        agreed(request(scenario, f"hot_key={least - 1}"))
    sample = agreed(request(scenario, f"hot_key={least}")).keys
    assert sample is not None
    assert sample.most < sample.limit(10_000) < least
    assert agreed(request(scenario, f"hot_key={share}")).keys == sample


def test_one_key_for_all_cannot_have_another_that_stands_out(tmp_path: Path) -> None:
    declared(tmp_path, [field("k", "string")], "  k: {constant: a}", "key: k")
    with pytest.raises(Misconfigured, match="no key could be told to be hot"):
        agreed(request(str(tmp_path / "e.yaml"), "hot_key=50%"))


def test_a_limit_grows_with_the_run_and_never_falls_below_the_sample() -> None:
    sample = KeySample(events=1_000, most=400)
    assert sample.limit(1_000) == 10 + 400 + 200
    assert sample.limit(10_000) == 10 + 10 * (400 + 200)
    assert sample.limit(10) == sample.limit(1_000)
    assert KeySample(events=10, most=4).limit(10) == 10 + 4 + 4


@pytest.mark.parametrize("scenario", ["customer_events", "clickstream"])
def test_no_key_of_a_run_is_above_the_limit_by_itself(scenario: str) -> None:
    asked = request(scenario, "hot_key=0.5", events=150_000)
    found = find_scenario(scenario)
    sample = agreed(asked).keys
    assert sample is not None
    stream = found.open(asked.seed, 0, _settings(asked.plan, found, NOW))
    keys = [key for n in range(-(-150_000 // stream.block_events)) for key in stream.block(n).column(found.key or "")]
    busiest = max(np.unique([key.as_py() for key in keys[:150_000]], return_counts=True)[1])
    assert sample.most <= busiest <= sample.limit(150_000)


# What is done to each type


_TEXTS = ["2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1_000_123, 5], pa.timestamp("us")), [1_000_123, 5 + 90_000_000]),
        (pa.array([1_000, 5], pa.timestamp("ms", tz="UTC")), [1_000, 90_005]),
        (pa.array([1_000, 5], pa.int64()), [1_000, 90_005]),
        (pa.array([1_000, 5], pa.int32()), [1_000, 95]),
        (pa.array(_TEXTS), [_TEXTS[0], "2026-01-01T00:01:30.000Z"]),
        (pa.array(["2020-03-25T19:05:49UTC"] * 2), ["2020-03-25T19:05:49UTC", "2020-03-25T19:07:19UTC"]),
    ],
    ids=["micros", "millis", "long", "int", "text", "text with the zone's name"],
)
def test_a_time_is_moved_and_others_stay_as_they_are(values: Any, expected: list[Any]) -> None:
    block = pa.record_batch({"r": pa.StructArray.from_arrays([values], names=["at"])})
    inside: Any = alter.moved(block, "r.at", np.array([0, 90_000])).column("r")
    assert inside.field("at").equals(pa.array(expected).cast(values.type))


def test_a_date_of_a_clock_that_is_behind_is_not_ahead_of_it() -> None:
    block = pa.record_batch({"day": pa.array([100], pa.date32())})
    assert alter.moved(block, "day", np.array([-300_000])).column("day").cast(pa.int32()).to_pylist() == [99]


@pytest.mark.parametrize(
    "values",
    [pa.array([5, 0, None], pa.int32()), pa.array([0.5, 0.0, None]), pa.array([Decimal("9.99"), Decimal(0), None])],
    ids=["int", "double", "decimal"],
)
def test_a_number_is_below_zero_afterwards(values: Any) -> None:
    block = pa.record_batch({"n": values})
    found = alter.with_negative(block, "n", np.array([True, True, False])).column("n")
    assert found.type == values.type
    assert [None if value is None else value < 0 for value in found.to_pylist()] == [True, True, None]


def test_an_unknown_text_is_none_of_the_known() -> None:
    assert alter.unknown_text(("a", "b")) == "teleport"
    assert alter.unknown_text(("teleport",)) not in ("teleport", "")


@pytest.mark.parametrize("before", [0, 1, 2, 3, 5])
def test_the_text_is_found_behind_whatever_stands_before_it(before: int) -> None:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 1}
    record = {"type": "record", "name": "O", "fields": [field("x", "double")]}
    counts: Any = pa.array([[("abc", 5)]], pa.map_(pa.string(), pa.int64()))
    first: list[tuple[dict[str, Any], Any]] = [
        (field("m", {"type": "map", "values": ["null", "long"]}), counts),
        (field("d", decimal), pa.array([Decimal("3.5")])),
        (field("o", ["null", record]), pa.array([{"x": 2.0}])),
        (field("again", ["null", "E"]), pa.array([None], pa.string())),
        (field("i", {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 5}), pa.array([b"\x7f"])),
    ][:before]
    for kind in ("string", ["null", "string"]):
        schema = {"type": "record", "name": "E", "fields": [*(each for each, _ in first), field("text", kind)]}
        text = "ä" + "x" * 200
        columns = {each["name"]: values for each, values in first} | {"text": pa.array([text])}
        encoder = Encoder(json.dumps(schema), 9)
        typed = [columns[one.name].cast(one.type) for one in encoder.arrow_schema]
        value = plain(encoder.encode(pa.RecordBatch.from_arrays(typed, names=list(columns))))[0]
        at = TextPlace({9: schema}, "text")(value)
        assert value[at:] == text.encode()


def test_rows_without_a_text_are_passed_over() -> None:
    block = pa.record_batch({"t": pa.array(["a", "", None])})
    assert alter.has_text(block, "t").tolist() == [True, False, False]
    assert alter.has_text(block, "event_id").all()


def test_an_injector_of_a_file_puts_in_what_was_asked(tmp_path: Path) -> None:
    fields = [field("k", "string"), field("at", MILLIS), field("wait", ["null", "int"]), field("plan", "string")]
    rules = (
        "  k: {faker: {provider: city, pool: 20}}\n  wait: {distribution: [0, 5], nulls: 0.5}\n  plan: {choice: [a]}"
    )
    scenario = declared(tmp_path, fields, rules, "key: k")
    asked = request(scenario.name, *(f"{name}=6" for name in FAMILIES if name != "clock_skew"), events=4_000)
    injector = make_injector(asked.plan, scenario)
    assert injector is not None
    block = scenario.open(1, 0, scenario.settings(4_000, 1_790_000_000_000)).block(0)
    found = injector.inject(block, 0, 4_000)
    assert sum(map(len, found.truth.values())) == 6 * (len(FAMILIES) - 1)
    waits = found.block.column("wait").to_pylist()
    below = [row for row, wait in enumerate(waits) if wait is not None and wait < 0]
    assert below == found.truth["altered.negative_duration"].tolist()

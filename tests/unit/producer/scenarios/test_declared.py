"""A scenario from a YAML file: what it may say, what happens where it says nothing, and every fault at once."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
import uuid
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from producer.preview.preview import preview
from producer.scenarios import Asked, contract_of, find_scenario
from producer.scenarios.declared import vocabulary
from producer.scenarios.declared.defaults.words import words
from producer.scenarios.declared.rules import NULLS, PARAMETERS, WAYS, Computed
from producer.send.supply import identified
from schemas.formats.avro.codec import Decoder, Encoder
from tests.kit import ROOT
from tests.kit.depth import examples
from tests.kit.seconds import held

START_MS = 1_760_000_000_000
ITEM = {
    "type": "record",
    "name": "Item",
    "fields": [
        {"name": "line", "type": "int"},
        {"name": "sku", "type": "string"},
        {"name": "price", "type": "double"},
        {"name": "order", "type": "string"},
    ],
}
FIELDS = [
    {"name": "order_id", "type": "string"},
    {"name": "customerId", "type": "string"},
    {"name": "customer", "type": {"type": "record", "name": "C", "fields": [
        {"name": "name", "type": "string"},
        {"name": "email", "type": ["null", "string"]},
        {"name": "birth_date", "type": {"type": "int", "logicalType": "date"}},
    ]}},
    {"name": "status", "type": {"type": "enum", "name": "S", "symbols": ["NEW", "PAID", "SHIPPED"]}},
    {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
    {"name": "items", "type": {"type": "array", "items": ITEM}},
    {"name": "tags", "type": {"type": "map", "values": "string"}},
    {"name": "trace", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "extra", "type": ["null", "string", "long"]},
    {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "shipped_at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
    {"name": "clock", "type": {"type": "int", "logicalType": "time-millis"}},
    {"name": "signature", "type": {"type": "fixed", "name": "F", "size": 8}},
    {"name": "note", "type": ["null", "string"]},
    {"name": "express", "type": "boolean"},
]  # fmt: skip
RULES = """
key: customerId
pools:
  customers:
    size: 500
    skew: 1.0
    columns:
      id: {sequence: {prefix: C-, width: 6}}
      name: {faker: name}
  products:
    size: 50
    columns:
      sku: {sequence: {prefix: SKU-, width: 4}}
      price: {distribution: {kind: lognormal, median: 25, sigma: 0.7, round: 2}}
fields:
  customerId: {pool: customers.id}
  customer.name: {pool: customers.name}
  status: {choice: {NEW: 5, PAID: 3, SHIPPED: 2}}
  items: {length: [1, 5]}
  items[].line: {sequence: {}}
  items[].sku: {pool: products.sku}
  items[].price: {pool: products.price}
  items[].order: {reference: order_id}
  shipped_at: {reference: {field: placed_at, plus: {kind: exponential, mean: 86400}}, nulls: 0.6}
  note: {faker: sentence, null: 0.8}
"""


@pytest.fixture
def declare(tmp_path):
    def declare(rules, fields=FIELDS, name="orders"):
        record = {"type": "record", "name": "Order", "fields": fields}
        (tmp_path / "order.avsc").write_text(json.dumps(record))
        text = rules if isinstance(rules, str) else yaml.safe_dump(rules)
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"schema: order.avsc\n{text}")
        return str(path)

    return declare


def block(path, number=0, *, seed=1, shard=0, shards=1):
    scenario = find_scenario(path)
    return scenario.open(seed, shard, scenario.settings(1000, START_MS, Asked(shards, shard))).block(number)


def one(declare, rule, kind, *, number=0):
    """Return the values of a field of its own, and of a sequence beside it."""
    path = declare({"fields": {"x": rule}}, [{"name": "x", "type": kind}])
    return block(path, number).column("x").to_pylist()


def test_a_file_says_how_nested_values_arise_and_they_agree_with_each_other(declare):
    path = declare(RULES)
    rows = block(path).slice(0, 2000).to_pylist()
    names: dict[str, str] = {}
    prices: dict[str, Any] = {}
    for row in rows:
        assert names.setdefault(row["customerId"], row["customer"]["name"]) == row["customer"]["name"]
        assert [item["line"] for item in row["items"]] == list(range(1, len(row["items"]) + 1))
        for item in row["items"]:
            assert prices.setdefault(item["sku"], item["price"]) == item["price"]
            assert item["order"] == row["order_id"]
        if row["shipped_at"] is not None:
            assert row["shipped_at"] > row["placed_at"]
    assert {len(row["items"]) for row in rows} == {1, 2, 3, 4, 5}
    assert 0.55 < sum(row["shipped_at"] is None for row in rows) / len(rows) < 0.65
    assert 0.75 < sum(row["note"] is None for row in rows) / len(rows) < 0.85
    assert len({row["order_id"] for row in rows}) == len(rows)


def test_every_type_of_avro_is_filled_by_default_and_can_be_encoded(declare):
    path = declare("fields: {}")
    scenario = find_scenario(path)
    text = contract_of(scenario).version(1).text
    encoder = Encoder(text, 1)
    whole = identified(block(path).slice(0, 300), encoder, "run", 0, np.arange(300), identity="header")
    encoder.verify(whole, rows=300)
    rows = Decoder(text).decode([value[5:] for value in encoder.encode(whole).to_pylist()]).to_pylist()
    assert all("@" in row["customer"]["email"] for row in rows if row["customer"]["email"])
    assert all(1930 < row["customer"]["birth_date"].year < 2010 for row in rows)
    assert {type(row["extra"]) for row in rows} == {str, int, type(None)}
    assert {row["express"] for row in rows} == {True, False}


SCALARS = [
    *("boolean", "int", "long", "float", "double", "string", "bytes"),
    *({"type": "int", "logicalType": kind} for kind in ("date", "time-millis")),
    *({"type": "long", "logicalType": kind} for kind in ("time-micros", "timestamp-millis", "timestamp-micros")),
    *({"type": "long", "logicalType": f"local-timestamp-{unit}"} for unit in ("millis", "micros")),
    {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 3},
    {"type": "fixed", "name": "D", "size": 5, "logicalType": "decimal", "precision": 9, "scale": 0},
    {"type": "string", "logicalType": "uuid"},
    {"type": "enum", "name": "E", "symbols": ["A", "B"]},
    {"type": "fixed", "name": "F", "size": 3},
]
NAMES = [
    "x",
    "id",
    "age",
    "createdAt",
    "e_mail",
    "lat",
    "price",
    "birth_date",
    "country",
    "user_id",
    "ts",
    "qty",
    "name",
]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(SCALARS), st.integers(0, 3)), min_size=1, max_size=5))
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_schema_has_defaults_that_fit_it(declare, drawn):
    fields = {}
    for number, (name, kind, wrap) in enumerate(drawn):
        one = kind | {"name": f"{kind['name']}{number}"} if isinstance(kind, dict) and "name" in kind else kind
        wrapped = [one, ["null", one], {"type": "array", "items": one}, {"type": "map", "values": one}][wrap]
        fields[name] = {"name": name, "type": wrapped}
    path = declare("fields: {}", list(fields.values()))
    encoder = Encoder(contract_of(find_scenario(path)).version(1).text, 1)
    encoder.verify(block(path).slice(0, 100), rows=100)


def test_events_are_a_function_of_seed_shard_and_number(declare):
    path = declare(RULES)
    assert block(path, 3).equals(block(path, 3))
    assert not block(path, 3).equals(block(path, 3, seed=2))
    assert not block(path, 3).equals(block(path, 3, shard=1, shards=2))
    pools = [set(block(path, shard=shard, shards=2).column("customerId").to_pylist()) for shard in (0, 1)]
    assert pools[0] & pools[1]


def test_a_new_field_changes_no_other(declare):
    before = block(declare(RULES))
    after = block(declare(RULES, [{"name": "first", "type": "string"}, *FIELDS]))
    assert after.drop_columns(["first"]).equals(before)


def test_values_of_faker_are_made_when_they_are_drawn_and_shared_by_fields_of_one_provider(declare, monkeypatch):
    made: list[int] = []
    faked = vocabulary._faked

    def counted(rule, numbers, *, seed):
        made.extend(numbers)
        return faked(rule, numbers, seed=seed)

    monkeypatch.setattr(vocabulary, "_faked", counted)
    names = [f"name{place}" for place in range(30)]
    fields = [{"name": name, "type": "string"} for name in names]
    scenario = find_scenario(declare({"fields": {name: {"faker": "first_name"} for name in names}}, fields))
    made.clear()
    short = scenario.open(1, 0, scenario.settings(60, START_MS))
    assert len(made) == 1
    assert len(short.block(0)) == 60
    assert len(made) < 1000
    made.clear()
    scenario = find_scenario(declare({"fields": {"name0": {"faker": "first_name"}}}, fields[:1]))
    made.clear()
    alone = scenario.open(1, 0, scenario.settings(60, START_MS)).block(0)
    assert len(made) <= 61
    assert alone.column(0).equals(short.block(0).column(0))


def test_values_of_faker_are_the_same_in_whatever_order_blocks_are_made(declare):
    path = declare({"fields": {"x": {"faker": {"provider": "name", "pool": 9000}}}}, [{"name": "x", "type": "string"}])
    scenario = find_scenario(path)
    stream = scenario.open(1, 0, scenario.settings(1000, START_MS))
    first = [stream.block(number) for number in (0, 1)]
    assert first[1].equals(block(path, 1))
    assert stream.block(0).equals(first[0])


def test_a_sequence_is_dense_over_the_shards(declare):
    path = declare({"fields": {"x": {"sequence": {"start": 10, "step": 2}}}}, [{"name": "x", "type": "long"}])
    numbers = [n for shard in (0, 1) for n in block(path, shard=shard, shards=2).slice(0, 50).column("x").to_pylist()]
    assert sorted(numbers) == list(range(10, 210, 2))


TEXTS = {"type": "array", "items": "string"}
NUMBERED = {"type": "map", "values": "int"}


def matches(pattern):
    return lambda values: len(set(values)) > 9 and all(re.fullmatch(pattern, value) for value in values)


@pytest.mark.parametrize(
    ("rule", "kind", "check"),
    [
        ({"choice": {"a": 3, "b": 1}}, "string", lambda v: 0.73 < v.count("a") / len(v) < 0.77),
        ({"choice": [True, False]}, "boolean", lambda v: set(v) == {True, False}),
        ({"constant": 7}, "int", lambda v: set(v) == {7}),
        ({"distribution": [5, 6]}, "double", lambda v: 5 <= min(v) < max(v) <= 6),
        ({"distribution": 4}, "float", lambda v: set(v) == {4.0}),
        ({"distribution": {"kind": "normal", "mean": 50, "sd": 5}}, "int", lambda v: 49 < np.mean(v) < 51),
        ({"distribution": {"kind": "poisson", "mean": 3}}, "long", lambda v: 2.9 < np.mean(v) < 3.1),
        ({"distribution": {"kind": "exponential", "mean": 9, "max": 10}}, "double", lambda v: max(v) == 10),
        ({"distribution": {"kind": "lognormal", "median": 8, "sigma": 1}}, "double", lambda v: 7 < np.median(v) < 9),
        ({"faker": {"provider": "city", "pool": 20, "skew": 1}}, "string", lambda v: len(set(v)) <= 20),
        ({"faker": {"provider": "random_int", "arguments": {"max": 9}}}, "int", lambda v: set(v) == set(range(10))),
        ({"uuid": True}, "string", lambda v: len(set(v)) == len(v) and v[0][14] == "4"),
        ({"bytes": [2, 4]}, "bytes", lambda v: {len(x) for x in v} == {2, 3, 4}),
        ({"sequence": {"prefix": "A", "width": 4}}, "string", lambda v: v[:2] == ["A0001", "A0002"]),
        ({"sequence": {"start": 7, "step": -2, "restart": 2}}, "int", lambda v: v[:4] == [7, 5, 3, 7]),
        ({"cycle": ["a", "b", "c"]}, "string", lambda v: v[:4] == ["a", "b", "c", "a"]),
        ({"pattern": "[A-C]{2}-(x|yz)?[0-9]+"}, "string", matches("[A-C]{2}-(x|yz)?[0-9]+")),
        ({"options": [["a"], ["b", "c"], []]}, TEXTS, lambda v: {*map(tuple, v)} == {("a",), ("b", "c"), ()}),
        ({"options": [{"a": 1}, {}]}, NUMBERED, lambda v: {*map(tuple, v)} == {(("a", 1),), ()}),
        ({"timestamp": {}}, "double", lambda v: v[1] - v[0] == pytest.approx(0.01) and v[0] == START_MS / 1000 - 10),
        ({"timestamp": {"written": "nanoseconds"}}, "long", lambda v: v[0] == (START_MS - 10_000) * 1_000_000),
        ({"timestamp": {"written": "microseconds"}}, "long", lambda v: v[0] == (START_MS - 10_000) * 1000),
        ({"timestamp": {"written": "date"}}, "string", lambda v: set(v) == {"2025-10-09"}),
        ({"timestamp": {"written": "yyyymmdd"}}, "int", lambda v: set(v) == {20251009}),
        ({"timestamp": {"written": "days"}}, "int", lambda v: set(v) == {20370}),
        ({"timestamp": {"written": "modified_julian"}}, "double", lambda v: 60957.37 < v[0] < 60957.38),
        ({"timestamp": {"written": "julian"}}, "double", lambda v: 2460957.87 < v[0] < 2460957.88),
        ({"timestamp": {}}, "long", lambda v: v == sorted(v) and v[0] == START_MS - 10_000),
        ({"timestamp": {}}, "string", lambda v: v[0] == "2025-10-09T08:53:10.000Z"),
        ({"timestamp": {"back_s": 60}}, "long", lambda v: v[0] == START_MS - 70_000),
        ({"branches": {"string": 1, "long": 0}}, ["string", "long"], lambda v: {type(x) for x in v} == {str}),
        ({"length": 2}, {"type": "map", "values": "int"}, lambda v: {len(dict(x)) for x in v} == {2}),
        ({"nulls": 1.0}, ["null", "string"], lambda v: set(v) == {None}),
    ],
)  # fmt: skip
def test_each_way_gives_what_it_says(declare, rule, kind, check):
    assert check(one(declare, rule, kind))


MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
MOMENT = {"type": "long", "logicalType": "timestamp-millis"}
RELATED = [
    {"name": "op", "type": "string"},
    {"name": "start", "type": MOMENT},
    {"name": "end", "type": ["null", "string"]},
    {"name": "minutes", "type": ["null", "int"]},
    {"name": "seconds", "type": "double"},
    {"name": "net", "type": MONEY},
    {"name": "tax", "type": ["null", "double"]},
    {"name": "total", "type": MONEY},
    {"name": "count", "type": "long"},
    {"name": "lines", "type": ["null", {"type": "array", "items": {"type": "record", "name": "L", "fields": [
        {"name": "quantity", "type": "int"}, {"name": "price", "type": "float"}, {"name": "sum", "type": "double"}]}}]},
    {"name": "sum", "type": "double"},
    {"name": "small", "type": "int"},
    {"name": "percent", "type": "float"},
    {"name": "five", "type": "int"},
]  # fmt: skip
RELATIONS = """
fields:
  op: {choice: [c, u, d]}
  end: {reference: {field: start, plus: [60, 7200]}, nulls: 0.4}
  minutes: {computed: {span: [start, end], unit: minutes}, nulls_with: end}
  seconds: {computed: {span: [start, end]}}
  net: {distribution: [1, 100]}
  tax: {reference: {field: net, times: 0.2, round: 2}, nulls_where: {op: [d, c]}}
  total: {computed: {sum: [net, tax]}}
  count: {computed: {count: lines}}
  lines: {length: [0, 3], nulls: 0.2}
  "lines[].quantity": {distribution: {kind: poisson, mean: 2}}
  "lines[].price": {distribution: [1, 9]}
  "lines[].sum": {computed: {product: ["lines[].quantity", "lines[].price"], round: 2}}
  sum: {computed: {sum: ["lines[].sum", -net], times: -10, plus: 100, round: 1}}
  percent: {computed: {ratio: [tax, net], times: 100, round: 1}}
  five: {distribution: {kind: uniform, low: 0, high: 100, step: 5}}
  small: {computed: {product: [count], times: 1.0e+12}}
"""


def test_what_is_computed_follows_from_the_other_fields_as_they_are_written(declare):
    for event in block(declare(RELATIONS, RELATED)).to_pylist():
        assert (event["minutes"] is None) == (event["end"] is None)
        assert (event["tax"] is None) == (event["op"] in ("c", "d"))
        if event["end"] is not None:
            gap = dt.datetime.fromisoformat(event["end"]) - event["start"]
            assert event["minutes"] == gap // dt.timedelta(minutes=1)
            assert event["seconds"] == pytest.approx(gap / dt.timedelta(seconds=1))
        assert float(event["total"]) == pytest.approx(float(event["net"]) + (event["tax"] or 0))
        lines = event["lines"] or []
        assert event["count"] == len(lines)
        assert all(line["sum"] == pytest.approx(line["quantity"] * line["price"], abs=0.006) for line in lines)
        assert event["sum"] == pytest.approx(
            100 - 10 * (sum(line["sum"] for line in lines) - float(event["net"])), abs=0.06
        )
        assert event["percent"] == pytest.approx(100 * (event["tax"] or 0) / float(event["net"]), abs=0.06)
        assert event["five"] % 5 == 0
        assert event["small"] == (2**31 - 1 if lines else 0)


@pytest.mark.parametrize(
    ("rule", "share"),
    [
        ({"nulls": 0.5}, {type(None): 0.5, str: 0.25, int: 0.25}),
        ({"nulls": 0.2, "branches": {"string": 3, "long": 1}}, {type(None): 0.2, str: 0.6, int: 0.2}),
        ({"nulls": 0}, {str: 0.5, int: 0.5}),
        ({"nulls": 1, "branches": {"string": 3}}, {type(None): 1}),
        ({"branches": {None: 1, "string": 1}}, {type(None): 0.5, str: 0.5}),
    ],
)
def test_a_union_of_several_types_has_the_share_of_nulls_that_its_rule_says(declare, rule, share):
    values = [type(value) for value in one(declare, rule, ["null", "string", "long"])]
    assert {kind: values.count(kind) / len(values) for kind in set(values)} == pytest.approx(share, abs=0.02)


def test_the_table_of_the_guide_has_every_way_and_every_distribution():
    guide = (ROOT / "docs" / "scenarios.md").read_text()
    assert [name for name in (*WAYS, *NULLS, *Computed.model_fields, *PARAMETERS) if f"`{name}" not in guide] == []


POOL = "pools: {people: {columns: {name: {faker: name}, mail: {faker: email}}}}\n"
FAULTY = """
key: custmerId
pols: {}
pools:
  p: {size: 10, columns: {x: {reference: a}}}
fields:
  custmerId: {sequence: {}}
  customer.name: {faker: nme}
  status: {choice: [NEW, PAYED]}
  items: {faker: name}
  items[].price: {distribution: {kind: lognormal, medain: 3}}
  items[].sku: {pool: q.x}
  items[].line: {faker: name}
  total: {reference: 'items[].price'}
  customer: {constant: 1}
  extra: {branches: {text: 1}}
  note: {choice: [a], constant: b}
  placed_at: {null: 0.5}
  trace: {reference: customerId}
  customerId: {reference: trace}
  shipped_at: {faker: date_time}
  express: {choice: [yes, 1]}
"""


def test_every_fault_is_named_at_once_with_its_path_and_the_nearest_name(declare):
    with pytest.raises(Misconfigured) as raised:
        find_scenario(declare(FAULTY))
    told = raised.value.message
    for part in (
        "key: there is no plain field custmerId at the top, did you mean customerId?",
        "pols: unknown key, did you mean pools?",
        "pools.p.columns.x: a pool's column cannot be of reference",
        "fields.custmerId: the schema has no such field, did you mean customerId?",
        "fields.customer.name.faker: Faker has no provider nme, did you mean name?",
        "fields.status.choice: 'PAYED' is not a symbol, did you mean PAID?",
        "fields.items: it is of type array: its rule is length",
        "fields.items[].price.distribution.medain: unknown key, did you mean median?",
        "fields.items[].sku.pool: there is no pool q",
        "fields.items[].line.faker: it gives text, the field is of type int",
        "fields.total.reference: items[].price is in a list that total is not in",
        "fields.customer: it is a record: give rules to its fields, such as customer.name",
        "fields.extra.branches: there is no branch text",
        "fields.note: choice and constant cannot stand together: keep one",
        "fields.placed_at.nulls: the schema allows no null there",
        "fields.trace.reference: the references go round in a circle",
        "fields.shipped_at.faker: Faker's date_time depends on the clock",
        "fields.express.choice: its values are of different kinds",
    ):
        assert part in told
    assert [line for line in told.splitlines()[1:] if not line.startswith("  ")] == []
    assert told.startswith(f"{len(told.splitlines()) - 1} faults:\n")


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("fields: {total: 3}", "fields.total: a rule is a mapping that says one way"),
        ("fields: {items: {length: -1}}", "fields.items.length: the number of items is 0 or more, not -1"),
        ("fields: {items: {length: [-2, 2]}}", "not -2"),
        ("fields: {items: {length: 5000}}", "the number of items is at most 1,000, not 5,000"),
        ("fields: {tags: {length: 30}}", "fields.tags.length: it is 30, a map has at most 22 items"),
        ("fields: {signature: {bytes: 4}}", "fields.signature.bytes: the field is a fixed of 8 bytes"),
        ("fields: {extra: {nulls: 0.1, branches: {'null': 1, string: 1}}}", "fields.extra: nulls and the weight of"),
        ("fields: {extra: {branches: {text: 1}}}", "there is no branch text, there is null, string, long"),
        ("fields: {note: {choice: [null, a]}}", r"fields.note.choice.values.0: must be a text, .*null needs quotes"),
        ("fields: {note: {constant: null}}", "fields.note: constant has no value"),
        ("fields: {no: {uuid: true}}", "fields: a name that YAML reads as False: put it in quotes"),
        ("fields: {status: {choice: {NEW: x}}}", "fields.status.choice.weights.0: must be a number"),
        ("fields: {total: {distribution: {kind: norml}}}", r"'norml' is none of uniform, .*did you mean normal\?"),
        ("fields: {total: {reference: price}}", r"no field price, did you mean items\[\].price\?"),
        (POOL + "fields: {note: {pool: people.nmae}}", r"has no column nmae, did you mean name\?"),
        (POOL + "fields: {note: {pool: people.x}}", "has no column x, there is name, mail"),
        (POOL + "fields: {note: {pool: people}}", "say which column of the pool: people.name, people.mail"),
        ("fields: {note: {pattern: '(?=a)b'}}", "fields.note.pattern: assert is not made"),
        ("fields: {note: {pattern: '[a'}}", "fields.note.pattern: not a regular expression: unterminated"),
        ("fields: {note: {cycle: [a, 1]}}", "fields.note.cycle: its values are of different kinds"),
        ("fields: {status: {cycle: [NEW, PAYED]}}", "fields.status.cycle: 'PAYED' is not a symbol"),
        ("fields: {items: {options: [a]}}", "fields.items.options: each must be a list"),
        ("fields: {note: {options: [[a]]}}", "fields.note.options: it is of type string"),
        ("fields: {total: {sequence: {restart: 1, step: 2}}}", "steps of 2 from 1 never reach 1"),
        ("fields: {status: {computed: {sum: [total]}}}", "fields.status.computed: it gives numbers, the field is of"),
        ("fields: {total: {computed: {sum: [totl]}}}", "the schema has no field totl, did you mean total"),
        (
            "fields: {total: {computed: {sum: [placed_at, note]}}}",
            "fields.total.computed: placed_at holds times, not numbers",
        ),
        ("fields: {total: {computed: {sum: [items]}}}", "items is a array, not a plain field"),
        (
            "fields: {total: {computed: {product: ['items[].price']}}}",
            r"items\[\].price is in a list that total is not in",
        ),
        ("fields: {total: {computed: {span: [note, status]}}}", "fields.total.computed: note holds text, not times"),
        ("fields: {total: {computed: {span: [placed_at]}}}", "fields.total.computed.span"),
        ("fields: {total: {computed: {count: note}}}", "note is of type string, not a list or a map"),
        (
            "fields: {total: {computed: {count: items, sum: [total]}}}",
            "say one of sum, product, ratio, span and count, not sum",
        ),
        ("fields: {total: {computed: {times: 2}}}", "say one of sum, product, ratio, span and count [(]"),
        ("fields: {total: {computed: {sum: [total]}}}", "round in a circle: total -> total"),
        (
            "fields: {note: {reference: trace}, trace: {reference: order_id}, order_id: {reference: trace}}",
            "fields.note.reference: the references go round in a circle: note -> trace -> order_id -> trace",
        ),
        ("fields: {total: {nulls_where: {status: [NEW]}}}", "fields.total.nulls_where: the schema allows no null"),
        ("fields: {extra: {nulls_where: {status: [NEW]}}}", "fields.extra.nulls_where: it is a union: give null"),
        ("fields: {note: {nulls_where: {status: [1]}}}", "fields.note.nulls_where: status holds text, not 1"),
        ("fields: {note: {nulls_where: {stats: [NEW]}}}", "the schema has no field stats, did you mean status"),
        ("fields: {note: {nulls_with: total}}", "fields.note.nulls_with: total is never null by itself"),
        (
            "fields: {note: {nulls_with: shipped_at}, shipped_at: {nulls_with: note}}",
            "circle: note -> shipped_at -> note",
        ),
        ("fields: {note: {nulls_with: shipped_at, nulls: 0.1}}", "nulls and nulls_with cannot stand together"),
        ("event_time: note", "event_time: the field note holds no time: placed_at, shipped_at would do"),
        ("event_time: clock", "event_time: the field clock holds no time"),
        ("fields: {note: {uuid: true}, note: {faker: name}}", r"has a key twice: fields.note \(lines 2 and 2\)"),
        ("fields:\n  note: {uuid: true", r"not YAML at line \d, column \d+: expected"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused_in_words(declare, rules, told):
    with pytest.raises(Misconfigured, match=told) as raised:
        find_scenario(declare(rules))
    assert "Input should" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a\n", "not YAML"),
        ("a: [", "not YAML at line"),
        ("fields: 3\n", "fields: must be a mapping"),
        ("subject: s\n", "say either schema"),
        ("fields: {total: {distribution: 1.0e+20}}\n", "field total: a value does not fit the type decimal"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(declare, text, told):
    with pytest.raises(Misconfigured, match=told):
        block(declare(text))


def test_a_subject_without_a_registry_and_a_schema_that_is_not_there_are_told(tmp_path):
    (tmp_path / "a.yaml").write_text("subject: orders-value\n")
    with pytest.raises(Misconfigured, match="no registry is known"):
        find_scenario(str(tmp_path / "a.yaml"))
    (tmp_path / "b.yaml").write_text("schema: none.avsc\n")
    with pytest.raises(Misconfigured, match=r"none\.avsc"):
        find_scenario(str(tmp_path / "b.yaml"))


def test_a_change_of_the_file_is_told_from_a_change_of_its_comments(declare):
    digests = [
        find_scenario(declare(rules)).libraries()["declaration"]
        for rules in (RULES, "# a comment\n" + RULES, RULES.replace("NEW: 5", "NEW: 6"))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_field_for_the_identity_is_left_to_the_run(declare):
    fields = [{"name": "event_id", "type": "string"}, {"name": "x", "type": "int"}]
    path = declare("fields: {}", fields)
    assert block(path).schema.names == ["x"]
    with pytest.raises(Misconfigured, match=r"event_id: it takes the identity"):
        find_scenario(declare({"fields": {"event_id": {"uuid": True}}}, fields))


def test_a_preview_shows_a_declared_scenario(declare):
    found = preview(declare(RULES), events=500)
    assert found.mix.keys() == {"NEW", "PAID", "SHIPPED"}
    assert found.keys > 50
    assert sum(found.partition_shares) == pytest.approx(1, abs=0.001)
    assert json.dumps(found.document())


@pytest.mark.parametrize(
    ("kind", "rule", "seconds"),
    [
        ("long", {"timestamp": {"back_s": [0, 3600]}}, 3600),
        ("int", {"timestamp": {}}, 5),
        ("string", {"timestamp": {"back_s": [0, 3600]}}, 3600),
        (["null", {"type": "long", "logicalType": "timestamp-micros"}], {"timestamp": {}, "nulls": 0.5}, 5),
    ],
)
def test_a_preview_shows_from_when_to_when_events_are(declare, kind, rule, seconds):
    path = declare({"event_time": "x", "fields": {"x": rule}}, [{"name": "x", "type": kind}])
    first, last = map(dt.datetime.fromisoformat, preview(path, events=500).event_time)
    assert seconds * 0.9 - 1 < (last - first).total_seconds() < seconds + 6
    assert last <= dt.datetime.now(dt.UTC)


def test_a_time_of_day_is_not_taken_for_the_time_of_an_event(declare):
    fields = [{"name": "at", "type": {"type": "long", "logicalType": "time-micros"}}]
    assert preview(declare("fields: {}", fields), events=50).event_time is None


def test_a_preview_of_events_without_any_time_shows_none(declare):
    fields = [{"name": "x", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]}]
    assert preview(declare({"fields": {"x": {"nulls": 1.0}}}, fields), events=50).event_time is None


def test_a_type_in_itself_is_filled_with_values_that_end(declare):
    again = {"type": "record", "name": "B", "fields": [{"name": "a", "type": "A"}]}
    tree = {"type": "record", "name": "A", "fields": [
        {"name": "value", "type": "long"},
        {"name": "either", "type": ["A", "int", {"type": "array", "items": "A"}]},
        {"name": "other", "type": {"type": "map", "values": ["null", again]}},
        {"name": "nothing", "type": {"type": "record", "name": "N", "fields": []}},
    ]}  # fmt: skip
    path = declare("fields: {}", [{"name": "tree", "type": tree}])
    encoder = Encoder(contract_of(find_scenario(path)).version(1).text, 1)
    rows = identified(block(path).slice(0, 200), encoder, "run", 0, np.arange(200), identity="header")
    encoder.verify(rows)
    # What the rows hold of the type itself is JSON text, of several shapes.
    assert len({str(row["other"]) for row in rows.column(0).to_pylist()}) > 5


@pytest.mark.parametrize("kind", ["union", "strings", "lists"])
def test_many_types_that_hold_each_other_are_filled_by_the_shortest_way_to_an_end(declare, kind):
    """Whatever was chosen at random while it still ended took a time that multiplied with each type."""

    def record(number: int) -> dict[str, Any]:
        below: list[Any] = [f"R{other}" for other in range(number + 1)]
        below += [record(number + 1)] if number < 14 else []
        fields: list[Any] = [["string", one] if kind == "strings" else {"type": "array", "items": one} for one in below]
        if kind == "union":
            fields = [["int", *below], ["int", *below[: number + 1]]]
        named = [{"name": f"f{place}", "type": one} for place, one in enumerate(fields)]
        return {"type": "record", "name": f"R{number}", "fields": named}

    path = declare("fields: {}", [{"name": "web", "type": record(0)}])
    encoder = Encoder(contract_of(find_scenario(path)).version(1).text, 1)
    began = time.process_time()
    rows = identified(block(path).slice(0, 60), encoder, "run", 0, np.arange(60), identity="header")
    held(time.process_time() - began, 3, "making 60 events of types that hold each other")
    encoder.verify(rows)


def test_a_type_whose_smallest_value_is_huge_is_refused_in_words(declare):
    def record(number: int) -> dict[str, Any]:
        below = [record(number - 1)] if number else []
        above = [f"R{number + 1}"] * 2 if number < 20 else ["int"]
        kinds: list[Any] = [*above, *({"type": "array", "items": one} for one in below)]
        named = [{"name": f"f{place}", "type": one} for place, one in enumerate(kinds)]
        return {"type": "record", "name": f"R{number}", "fields": named}

    with pytest.raises(Misconfigured, match="its smallest one has"):
        find_scenario(declare("fields: {}", [{"name": "tower", "type": record(20)}]))


def test_lists_deep_in_each_other_do_not_multiply(declare):
    kind: Any = "int"
    for level in range(45):
        kind = {"type": "map", "values": kind} if level % 3 == 0 else {"type": "array", "items": kind}
    found = preview(declare("fields: {}", [{"name": "deep", "type": kind}]), events=40)
    assert found.value_bytes["max"] < 20_000


def test_a_uuid_of_a_type_in_itself_is_one(declare):
    tree = {"type": "record", "name": "A", "fields": [
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "next", "type": ["null", "A"]},
    ]}  # fmt: skip
    texts = block(declare("fields: {}", [{"name": "tree", "type": tree}])).column("tree").field("next")
    found = [json.loads(text)["id"] for text in texts.unique().to_pylist() if text]
    assert found
    assert all(str(uuid.UUID(one)) == one for one in found)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *((name, "register time") for name in ("registerTime", "register_time", "registertime", "RegisterTime")),
        ("URL", "url"),
        ("created-at", "created at"),
        ("userid", "user id"),
        ("ClOrdID", "cl order id"),
        ("seqNo", "sequence number"),
        ("IPv6Addr", "ipv6 address"),
        ("sha256", "sha256"),
        *((one, one) for one in ("account", "discount", "candidate", "feedback", "android", "validate", "coverage")),
    ],
)
def test_names_are_taken_apart_into_whole_words(name, found):
    assert " ".join(words(name)) == found


@pytest.mark.parametrize(("plus", "target"), [("[0, 60]", "seconds"), ("[-1, 60]", "score")])
def test_a_computed_number_takes_faults_of_durations_where_it_is_never_negative(declare, plus, target):
    names = ("start", "end", "seconds")
    fields = [*(field for field in RELATED if field["name"] in names), {"name": "score", "type": "double"}]
    end, seconds = f"{{reference: {{field: start, plus: {plus}}}}}", "{computed: {span: [start, end]}}"
    path = declare(f"fields: {{end: {end}, seconds: {seconds}, score: {{distribution: [0, 1]}}}}", fields)
    assert find_scenario(path).fault_targets.duration == target

"""Schema differences by field path, and the reasons why one version may not follow another."""

from __future__ import annotations

import copy
import json

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as avro_parse
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.registry.compatibility import reasons, unreadable
from schemas.registry.contract import load_contract
from schemas.registry.diff import diff_schemas
from tests.kit.depth import examples

V1 = load_contract("customer_events").version(1).schema
V2 = load_contract("customer_events").version(2).schema


def fields(schema):
    return {field["name"]: field for field in schema["fields"]}


def record(*of, **more):
    return {"type": "record", "name": "R", "fields": list(of)} | more


def field(name, kind, **more):
    return {"name": name, "type": kind} | more


def shuffled(schema):
    """The same schema with every object's keys in reverse order."""
    if isinstance(schema, dict):
        return {key: shuffled(schema[key]) for key in reversed(schema)}
    return [shuffled(part) for part in schema] if isinstance(schema, list) else schema


def test_reformatted_json_is_the_same_schema():
    assert diff_schemas(V1, json.loads(json.dumps(V1, indent=7, sort_keys=True))) == []
    assert diff_schemas(V1, shuffled(V1)) == []


def test_a_namespace_may_be_written_in_full_or_inherited():
    inner = {"type": "enum", "name": "E", "symbols": ["A"]}
    short = {"type": "record", "name": "R", "namespace": "a.b", "fields": [field("e", inner)]}
    full = {"type": "record", "name": "a.b.R", "fields": [field("e", inner | {"name": "a.b.E"})]}
    assert diff_schemas(short, full) == []
    assert [c.kind for c in diff_schemas(short, short | {"namespace": "c"})] == ["type_changed", "type_changed"]


def test_a_primitive_may_be_written_long_or_short():
    assert diff_schemas(record(field("a", "string")), record(field("a", {"type": "string"}))) == []


def test_an_addition_is_told_with_its_type_and_default():
    changes = {change.path: change for change in diff_schemas(V1, V2)}
    assert changes.keys() == {"client_sent_at", "experiment"}
    assert changes["experiment"].kind == "added"
    assert changes["experiment"].new == "null | string, default null"
    assert changes["client_sent_at"].new == "null | long (timestamp-millis), default null"
    assert [change.kind for change in diff_schemas(V2, V1)] == ["removed", "removed"]


def test_every_kind_of_change_is_named_by_its_path():
    new = copy.deepcopy(V1)
    of = fields(new)
    of["device"]["type"]["fields"][0]["type"] = "int"
    of["device"]["type"]["fields"][1]["doc"] = "changed"
    of["content"]["type"][1]["fields"].pop(2)
    of["actions"]["type"]["items"]["fields"].append(field("note", "string"))
    of["details"].pop("default")
    of["details"]["type"][1]["doc"] = "other"
    of["subscription"]["type"]["fields"][1]["type"] = "int"
    new["fields"] = [f for f in new["fields"] if f["name"] != "location"]
    found = {(change.path, change.kind): (change.old, change.new) for change in diff_schemas(V1, new)}
    assert found.keys() == {
        ("device.type", "type_changed"),
        ("device.os", "doc_changed"),
        ("content.type", "removed"),
        ("actions[].note", "added"),
        ("details", "default_changed"),
        ("details", "doc_changed"),
        ("subscription.start_date", "type_changed"),
        ("location", "removed"),
    }
    assert found["device.type", "type_changed"] == ("string", "int")
    assert found["details", "default_changed"] == ("null", None)
    assert found["subscription.start_date", "type_changed"] == ("int (date)", "int")


def test_a_whole_record_is_one_change_and_not_one_for_each_field():
    inner = {"type": "record", "name": "I", "fields": [field("x", "int"), field("y", "int")]}
    changes = diff_schemas(record(), record(field("one", inner), field("many", {"type": "array", "items": "I"})))
    assert [(change.path, change.kind) for change in changes] == [("many", "added"), ("one", "added")]


def test_fields_in_another_order_are_told_once():
    a, b, c = field("a", "int"), field("b", "int"), field("c", "int")
    (change,) = diff_schemas(record(a, b, c), record(b, a, c))
    assert (change.path, change.kind, change.old, change.new) == ("(record)", "reordered", "a, b, c", "b, a, c")


def test_symbols_sizes_units_and_aliases_are_seen():
    def changed(old, new):
        return [(c.kind, c.old, c.new) for c in diff_schemas(record(field("f", old)), record(field("f", new)))]

    enum = {"type": "enum", "name": "E", "symbols": ["A"]}
    assert changed(enum, enum | {"symbols": ["A", "B"]}) == [("type_changed", "enum E {A}", "enum E {A, B}")]
    assert changed(enum, enum | {"default": "A"}) == [("default_changed", None, '"A"')]
    fixed = {"type": "fixed", "name": "F", "size": 4}
    assert changed(fixed, fixed | {"size": 8}) == [("type_changed", "fixed F of 4 bytes", "fixed F of 8 bytes")]
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    assert changed(decimal, decimal | {"scale": 3}) == [
        ("type_changed", "bytes (decimal 9, 2)", "bytes (decimal 9, 3)")
    ]
    aliased = diff_schemas(record(field("f", "int")), record(field("f", "int", aliases=["g"])))
    assert [(c.kind, c.new) for c in aliased] == [("aliases_changed", '["g"]')]


INNER = {"type": "record", "name": "S", "fields": [field("x", "int")]}
GROWN = {"type": "record", "name": "S", "fields": [field("x", "int"), field("y", "string")]}
ENUM = {"type": "enum", "name": "E", "symbols": ["A"]}


@pytest.mark.parametrize(
    ("reader", "writer", "words"),
    [
        (record(field("a", "int")), record(field("a", "string")), ["a: string is not readable as int"]),
        (record(field("a", "int")), record(), ["a: missing from what is written"]),
        (record(field("d", GROWN)), record(field("d", INNER)), ["d.y: missing"]),
        (
            record(field("d", {"type": "array", "items": GROWN})),
            record(field("d", {"type": "array", "items": INNER})),
            ["d[].y: missing"],
        ),
        (
            record(field("d", {"type": "map", "values": GROWN})),
            record(field("d", {"type": "map", "values": INNER})),
            ["d{}.y: missing"],
        ),
        (record(field("d", ["null", GROWN])), record(field("d", INNER)), ["d.y: missing"]),
        (record(field("d", "string")), record(field("d", ["null", "string"])), ["d: null is not readable as string"]),
        (record(field("d", ["null", "int"])), record(field("d", "string")), ["d: null | int has no branch for string"]),
        (
            record(field("e", ENUM)),
            record(field("e", ENUM | {"symbols": ["A", "B"]})),
            ["e: the enum that is read lacks B"],
        ),
        (record(), record(name="Q"), ["the record: record Q is not readable as record R"]),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(reader, writer, words):
    found = unreadable(reader, writer)
    assert len(found) == len(words)
    assert all(reason.startswith(word) for reason, word in zip(found, words, strict=True))


def test_every_fault_is_named_at_once():
    assert len(unreadable(record(field("a", "string"), field("b", "int")), record(field("a", "long")))) == 2


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        (record(field("a", "long")), record(field("a", "int"))),
        (record(field("a", "string")), record(field("a", "bytes"))),
        (record(field("b", "int", aliases=["a"])), record(field("a", "int"))),
        (record(field("a", "int", default=1)), record()),
        (record(field("a", ["null", "double"])), record(field("a", "float"))),
        (record(field("e", ENUM | {"default": "A"})), record(field("e", ENUM | {"symbols": ["A", "B"]}))),
        (record(name="n.R"), record(name="m.R")),
        (V2, V1),
        (V1, V2),
    ],
)
def test_what_avro_resolves_is_readable(reader, writer):
    assert unreadable(reader, writer) == []


@pytest.mark.parametrize(
    ("level", "added_bare", "removed"),
    [
        ("NONE", False, False),
        ("BACKWARD", True, False),
        ("BACKWARD_TRANSITIVE", True, False),
        ("FORWARD", False, True),
        ("FORWARD_TRANSITIVE", False, True),
        ("FULL", True, True),
        ("FULL_TRANSITIVE", True, True),
    ],
)
def test_each_level_looks_in_its_direction(level, added_bare, removed):
    small, large = record(field("a", "int")), record(field("a", "int"), field("b", "int"))
    assert bool(reasons(level, small, large)) is added_bare
    assert bool(reasons(level, large, small)) is removed
    assert reasons(level, V1, V2) == []


LEAF = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "string", "bytes"])
ANY = st.recursive(
    st.one_of(LEAF, st.just(ENUM), st.just(ENUM | {"symbols": ["A", "B"]})),
    lambda inner: st.one_of(
        inner.map(lambda kind: {"type": "array", "items": kind}),
        inner.map(lambda kind: {"type": "map", "values": kind}),
        inner.filter(lambda kind: kind != "null" and not isinstance(kind, list)).map(lambda kind: ["null", kind]),
    ),
    max_leaves=3,
)


@st.composite
def schemas(draw):
    named = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3))
    return record(*(field(name, draw(ANY)) for name in named))


def once(schema):
    """An enum may be defined once in a schema; mention it by name afterwards."""
    text = json.dumps(schema)
    return text.count('"enum"') <= 1


@given(schemas().filter(once), schemas().filter(once))
@settings(max_examples=examples(60), deadline=None)
def test_the_verdict_is_that_of_apaches_checker(reader, writer):
    checked = ReaderWriterCompatibilityChecker().get_compatibility(
        avro_parse(json.dumps(reader)), avro_parse(json.dumps(writer))
    )
    assert (unreadable(reader, writer) == []) is (checked.compatibility is SchemaCompatibilityType.compatible)

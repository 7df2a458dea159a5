"""Schema differences by field path, and the reasons why one version may not follow another."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as avro_parse
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.registry.compatibility import reasons, remarks, unreadable
from schemas.registry.contract import load_contract
from schemas.registry.diff import diff_schemas
from schemas.registry.normal import normal_text
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema
from tests.kit.depth import examples

SHAPES = Path(__file__).parents[2] / "cases" / "shapes"
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


def test_unions_of_many_types_and_texts_are_told_in_a_sentence():
    many = ["null", *({"type": "fixed", "name": f"F{n}", "size": 1} for n in range(100))]
    (found,) = unreadable(record(field("u", many)), record(field("u", "string")))
    assert " | 81 more has no branch for string" in found
    assert len(found) < 700
    (found,) = remarks(record(field("d", decimal(9, 2))), record(field("d", "string")))
    assert "the bytes are the same" in found


def test_aliases_that_are_null_are_none_as_for_the_parser():
    schema = record(field("a", "int", aliases=None), field("e", ENUM | {"aliases": None}))
    parse(json.dumps(schema))
    assert unreadable(schema, record(field("a", "int"), field("e", ENUM))) == []


def test_enums_of_many_symbols_are_compared_in_a_moment():
    one, other = (ENUM | {"symbols": [f"S{n}" for n in range(30_000 + more)]} for more in (0, 1))
    started = time.process_time()
    assert unreadable(record(field("e", one)), record(field("e", other))) == [
        "e: the enum that is read lacks S30000 and has no default"
    ]
    assert time.process_time() - started < 5


def test_many_fields_with_other_names_are_compared_in_a_moment():
    one = record(*(field(f"a{n}", "int") for n in range(7_000)))
    other = record(*(field(f"b{n}", "int", aliases=[f"a{n}"]) for n in range(7_000)))
    started = time.process_time()
    assert {change.kind for change in diff_schemas(one, other)} == {"renamed"}
    assert time.process_time() - started < 5


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


def decimal(precision, scale, **more):
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale} | more


def counted(kind, logical):
    return {"type": kind, "logicalType": logical}


DURATION = {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}


@pytest.mark.parametrize(
    ("reader", "writer", "words"),
    [
        (decimal(10, 4), decimal(10, 2), "d: decimal(10, 2) is not readable as decimal(10, 4): the point would move"),
        (decimal(12, 2), decimal(10, 2), "d: decimal(10, 2) is not readable as decimal(12, 2): Avro matches"),
        (["null", decimal(10, 4)], decimal(10, 2), "d: decimal(10, 2) is not readable as decimal(10, 4)"),
        (
            {"type": "array", "items": decimal(9, 0)},
            {"type": "array", "items": decimal(9, 1)},
            "d[]: decimal(9, 1) is not readable as decimal(9, 0)",
        ),
        (
            {"type": "fixed", "name": "F", "size": 8} | decimal(9, 0, type="fixed"),
            {"type": "fixed", "name": "F", "size": 8} | decimal(9, 1, type="fixed"),
            "d: decimal(9, 1) is not readable",
        ),
    ],
)
def test_decimals_of_another_precision_or_scale_are_not_readable(reader, writer, words):
    (found,) = unreadable(record(field("d", reader)), record(field("d", writer)))
    assert found.startswith(words)


@pytest.mark.parametrize(
    ("older", "newer", "words"),
    [
        (counted("long", "timestamp-micros"), counted("long", "timestamp-millis"), "off by a factor of 1000"),
        (counted("long", "timestamp-millis"), counted("long", "timestamp-nanos"), "off by a factor of 1000000"),
        (counted("int", "time-millis"), counted("long", "time-micros"), "off by a factor of 1000"),
        (counted("long", "timestamp-millis"), counted("long", "local-timestamp-millis"), "for something else"),
        ("long", counted("long", "timestamp-millis"), "plain long becomes long (timestamp-millis)"),
        (counted("int", "date"), "int", "int (date) becomes plain int"),
        (counted("int", "date"), counted("long", "timestamp-millis"), "int (date) becomes long (timestamp-millis)"),
        ("bytes", decimal(9, 2), "plain bytes becomes bytes (decimal 9, 2)"),
        (DURATION, DURATION | {"logicalType": "other"}, "becomes plain fixed"),
        (
            ["null", {"type": "map", "values": "long"}],
            ["null", {"type": "map", "values": counted("long", "timestamp-millis")}],
            "t{}: ",
        ),
    ],
)
def test_values_that_readers_take_for_something_else_are_remarked_on_and_not_refused(older, newer, words):
    old, new = record(field("t", older)), record(field("t", newer))
    assert unreadable(new, old) == []
    (found,) = remarks(old, new)
    assert found.startswith("t")
    assert words in found
    assert remarks(new, new) == []


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (decimal(4, 9), decimal(5, 9)),
        (decimal(9, 2, type="string"), "string"),
        (counted("string", "date"), "string"),
        (counted("long", "nobody-knows"), "long"),
        (counted("string", "uuid"), "string"),
        (DURATION | {"size": 8}, DURATION | {"size": 8, "logicalType": "other"}),
    ],
)
def test_a_logical_type_that_is_invalid_says_nothing_to_readers_and_is_still_a_change(older, newer):
    old, new = record(field("t", older)), record(field("t", newer))
    assert unreadable(new, old) == remarks(old, new) == []
    assert [(change.path, change.kind) for change in diff_schemas(old, new)] == [("t", "type_changed")]


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


def nested(levels, leaf="int"):
    """A record that uses the next one twice, and so on."""
    kind = leaf
    for level in range(levels, 0, -1):
        again = kind if level == levels else f"L{level + 1}"
        kind = {"type": "record", "name": f"L{level}", "fields": [field("a", kind), field("b", again)]}
    return kind


def test_types_that_use_each_other_many_times_take_no_longer_than_their_text():
    """2^60 fields: whoever looks at each place never ends."""
    old, new = nested(60), nested(60, "string")
    found = unreadable(new, old)
    assert found[0] == f"{'a.' * 59}a: int is not readable as string"
    assert len(found) < 130
    assert [change.path for change in diff_schemas(old, new)] == [f"{'a.' * 59}a", f"{'a.' * 59}b"]
    assert diff_schemas(old, shuffled(old)) == []
    assert normal_text(old) == normal_text(shuffled(old)) != normal_text(new)


TREE = record(field("value", "int"), field("next", ["null", "R"]))


def test_types_that_hold_themselves_are_compared_too():
    grown = copy.deepcopy(TREE)
    grown["fields"].append(field("label", "string"))
    assert unreadable(TREE, TREE) == []
    assert unreadable(grown, TREE) == ["label: missing from what is written, and without a default in what is read"]
    assert [(change.path, change.kind) for change in diff_schemas(TREE, grown)] == [("label", "added")]


def test_a_fault_of_a_type_that_is_used_again_is_told_at_each_place():
    inner = {"type": "record", "name": "M", "fields": [field("x", "int"), field("y", "int")]}
    other = {"type": "record", "name": "M", "fields": [field("x", "string"), field("y", "string")]}
    found = unreadable(record(field("p", inner), field("q", "M")), record(field("p", other), field("q", "M")))
    assert found == [
        "p.x: string is not readable as int",
        "p.y: string is not readable as int",
        "q.x: string is not readable as int (and 1 more in record M)",
    ]


def test_a_branch_of_the_full_name_comes_before_one_of_the_short_name():
    first = {"type": "record", "name": "a.X", "fields": [field("p", "int")]}
    second = {"type": "record", "name": "b.X", "fields": [field("q", "string")]}
    assert unreadable(record(field("v", [first, second])), record(field("v", [second, first]))) == []


def test_a_change_deep_inside_an_attribute_is_told_by_its_place():
    def hinted(high, words, **more):
        hint = {"range": {"min": 0, "max": high}, "options": words, **more}
        return record(field("f", {"type": "int", "arg.properties": hint}))

    def told(old, new):
        return [(c.path, c.kind, c.old, c.new) for c in diff_schemas(old, new)]

    kind = "arg.properties_changed"
    assert told(hinted(5, ["a"]), hinted(7, ["a"])) == [("f", kind, "range.max: 5", "range.max: 7")]
    assert told(hinted(5, ["a", {"b": 1}]), hinted(5, ["a", {"b": 2}])) == [
        ("f", kind, "options[1].b: 1", "options[1].b: 2")
    ]
    assert told(hinted(5, []), hinted(5, [], regex="x")) == [("f", kind, None, 'regex: "x"')]
    # Numbers and truth values that Python takes for equal are other texts to a registry.
    assert told(hinted(1, []), hinted(1.0, [])) == [("f", kind, "range.max: 1", "range.max: 1.0")]
    assert len(told(hinted(0.0, []), hinted(-0.0, []))) == 1
    assert told(hinted(1, []), hinted(True, [])) == [("f", kind, "range.max: 1", "range.max: true")]


def test_a_rename_by_alias_is_one_change():
    kept = field("kept", "int")
    old = record(field("old", ["null", "int"]), kept)
    new = record(field("new", ["null", "int"], aliases=["old"]), kept)
    assert [(c.path, c.kind, c.old, c.new) for c in diff_schemas(old, new)] == [("new", "renamed", "old", "new")]
    wider = record(field("new", ["null", "long"], aliases=["old", "older"]), kept)
    assert [(c.path, c.kind) for c in diff_schemas(old, wider)] == [
        ("new", "aliases_changed"),
        ("new", "renamed"),
        ("new", "type_changed"),
    ]
    both = record(field("old", "int"), field("new", "int", aliases=["old"]), kept)
    assert [(c.path, c.kind) for c in diff_schemas(record(field("old", "int"), kept), both)] == [("new", "added")]


def test_a_type_renamed_by_alias_is_one_change_wherever_it_is_used():
    def using(name, **more):
        inner = {"type": "record", "name": name, "fields": [field("x", "int")]} | more
        return record(
            field("one", inner), field("many", {"type": "array", "items": name}), field("may", ["null", name])
        )

    found = diff_schemas(using("n.Old"), using("n.New", aliases=["Old"]))
    assert [(c.path, c.kind, c.old, c.new) for c in found] == [("one", "renamed", "n.Old", "n.New")]
    assert {c.kind for c in diff_schemas(using("n.Old"), using("n.New"))} == {"type_changed"}


def shapes():
    """Yield the schemas of the cases that are records and complete."""
    for path in sorted(SHAPES.glob("*.avsc")):
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
            normal_text(schema)
        except (ValueError, UnsupportedSchema):
            continue
        if isinstance(schema, dict) and schema.get("type") == "record":
            yield schema


def spots(schema):
    """Yield every object of a schema that is a type or a field."""
    if isinstance(schema, dict):
        if {"type", "name"} & schema.keys():
            yield schema
        for key in ("fields", "type", "items", "values"):
            yield from spots(schema.get(key))
    elif isinstance(schema, list):
        for one in schema:
            yield from spots(one)


MORE = {
    "x-own": 1,
    "doc": "other",
    "logicalType": "mine",
    "scale": 77,
    "order": "ignore",
    "size": 3,
    "aliases": ["was"],
}


def test_an_empty_diff_is_the_same_schema_and_nothing_that_a_registry_tells_apart_is_overlooked():
    found = list(shapes())
    assert len(found) > 40
    for schema in found:
        text, count = json.dumps(schema), len(list(spots(schema)))
        assert diff_schemas(schema, shuffled(schema)) == []
        for number, (key, value) in enumerate(MORE.items()):
            other = json.loads(text)
            at = number * (count - 1) // (len(MORE) - 1)  # from the first to the last
            spot = list(spots(other))[at]
            if spot.get(key) != value:
                spot[key] = value
                assert diff_schemas(schema, other), (schema["name"], at, key)
                assert normal_text(schema) != normal_text(other)


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


@pytest.mark.parametrize("size", [16, 1_786, 1_787, 16_777_216, 10**30])
def test_a_fixed_of_any_size_that_is_a_decimal_is_compared_in_a_moment(size):
    kind = {"type": "fixed", "name": "F", "size": size, "logicalType": "decimal", "precision": 38, "scale": 2}
    schema = record(field("a", kind))
    other = record(field("a", kind | {"scale": 3}))
    assert reasons("FULL", schema, schema) == []
    assert "the point would move by 1 digits" in reasons("BACKWARD", schema, other)[0]
    assert [one.kind for one in diff_schemas(schema, other)] == ["type_changed"]

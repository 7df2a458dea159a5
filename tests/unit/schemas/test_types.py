"""What the one reader of schemas takes, what it says about it, and what it refuses in words with the place."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.registry.normal import normal
from schemas.types.arrow import arrow_schema
from schemas.types.decimals import decimals
from schemas.types.limits import MAX_LEAVES, MAX_LEVELS
from schemas.types.node import RECURSION, Node, member_names
from schemas.types.references import self_contained
from schemas.types.schema_text import load, plain
from schemas.types.tree import parse, parse_with_remarks
from schemas.undecodable import UndecodableValue, UnsupportedSchema
from tests.kit.depth import examples

CASES = Path(__file__).resolve().parents[2] / "cases"
SHAPES = sorted((CASES / "shapes").glob("*.avsc"))
# No table holds them, and why not.
REFUSED = {
    "33_reference_left_out": "person: type people.Person is defined neither here nor",
    "48_array_at_the_top": "the value is of type array; a table needs a record",
    "49_union_inside_a_union": "v: a union directly in a union",
    "50_name_with_a_dash": "'first-name' is not one of letters",
}


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def one(kind: Any, **more: Any) -> str:
    return json.dumps(record({"name": "f", "type": kind, **more}))


def field(text: str) -> Node:
    return parse(text).fields[0][1]


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_each_shape_is_read_or_refused_in_words(path: Path) -> None:
    if path.stem in REFUSED:
        with pytest.raises(UnsupportedSchema, match=REFUSED[path.stem]):
            parse(path.read_text())
        return
    root = parse(path.read_text())
    assert len(arrow_schema(root)) == len(root.fields) > 0


def reused(levels: int, fields: int = 2) -> str:
    """A type that uses the next one in each of its fields, so many levels deep."""
    inner: Any = record({"name": "x", "type": "int"}, name="T0")
    for level in range(1, levels + 1):
        rest = [{"name": f"f{place}", "type": f"T{level - 1}"} for place in range(1, fields)]
        inner = record({"name": "f0", "type": inner}, *rest, name=f"T{level}")
    return json.dumps(record({"name": "f", "type": inner}))


def test_a_type_used_many_times_over_is_read_in_a_moment() -> None:
    began = time.process_time()
    assert parse(reused(13)).leaves == 2**13
    for levels, fields in ((14, 2), (50, 2), (40, 50)):
        with pytest.raises(UnsupportedSchema, match=r"^f\S*: [\d,]+ fields, each type counted wherever it is used"):
            parse(reused(levels, fields))
    assert time.process_time() - began < 1
    uses = [
        {"name": f"u{place}", "type": "T" if place else record({"name": "x", "type": "int"}, name="T")}
        for place in range(5)
    ]
    shared = [node for _, node in parse(json.dumps(record(*uses))).fields]
    assert len({id(node) for node in shared}) == 1


def test_what_is_too_large_is_refused_with_its_place_before_it_is_built() -> None:
    wide = record(*({"name": f"f{n}", "type": "int"} for n in range(MAX_LEAVES)), name="W")
    assert parse(json.dumps(wide)).leaves == MAX_LEAVES
    wide["fields"].append({"name": "last", "type": "int"})
    with pytest.raises(UnsupportedSchema, match="10,001 fields"):
        parse(json.dumps(wide))
    with pytest.raises(UnsupportedSchema, match="f: a fixed of 16,777,217 bytes; a table holds up to 16,777,216"):
        parse(one({"type": "fixed", "name": "F", "size": (1 << 24) + 1}))
    deep: Any = "int"
    for _ in range(MAX_LEVELS - 1):
        deep = {"type": "array", "items": deep}
    assert field(one(deep)).levels == MAX_LEVELS - 1
    for beyond in ({"type": "map", "values": deep}, {"type": "array", "items": {"type": "array", "items": deep}}):
        with pytest.raises(UnsupportedSchema, match="f: types in types, more than 60 levels"):
            parse(one(beyond))
    for levels in (300, 5_000):  # the second is more than the reader of JSON itself takes
        text = one("HERE").replace('"HERE"', '{"type":"array","items":' * levels + '"int"' + "}" * levels)
        with pytest.raises(UnsupportedSchema, match="more than 60 levels"):
            parse(text)


def test_a_type_in_itself_is_text_and_its_name_says_of_what() -> None:
    link = record(
        {"name": "value", "type": "long"}, {"name": "next", "type": ["null", "Link"]}, name="Link", namespace="p"
    )
    found = parse_with_remarks(json.dumps(link))
    following = found.root.fields[1][1]
    assert (following.kind, following.name, following.nullable) == (RECURSION, "p.Link", True)
    assert following.definition is found.root
    assert arrow_schema(found.root).field("next").type == pa.string()
    assert [(str(one)) for one in found.remarks] == [
        "next: type p.Link holds itself: from here on it is kept as JSON text"
    ]
    assert parse(json.dumps(link)) == found.root != parse(one("long"))


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("R", False),
        (["R", "R2"], False),
        (["null", "R"], True),
        (["R", "int"], True),
        ({"type": "array", "items": "R"}, True),
        ({"type": "map", "values": "R"}, True),
        (record({"name": "g", "type": ["null", record({"name": "h", "type": "R"}, name="C")]}, name="B"), True),
        (record({"name": "g", "type": record({"name": "h", "type": "R"}, name="C")}, name="B"), False),
    ],
)
def test_a_type_of_which_no_value_ends_is_refused(kind: Any, ends: bool) -> None:
    second = record({"name": "g", "type": "R"}, name="R2")
    kind = [second if branch == "R2" else branch for branch in kind] if isinstance(kind, list) else kind
    if ends:
        assert parse(one(kind)).fields
        return
    with pytest.raises(UnsupportedSchema, match=r"^f\S*: type R always holds itself again: no value of it ends"):
        parse(one(kind))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 6}, "scale 6, above its precision 4"),
        ({"type": "bytes", "logicalType": "decimal"}, "precision None"),
        ({"type": "bytes", "logicalType": "decimal", "precision": True}, "precision True"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 39}, "39 digits: tables hold 38"),
        (
            {"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "precision": 5},
            "5 digits in a fixed that holds 4",
        ),
        ({"type": "string", "logicalType": "decimal", "precision": 5}, "decimal does not belong on string"),
        ({"type": "int", "logicalType": "timestamp-millis"}, "timestamp-millis does not belong on int"),
        ({"type": "string", "logicalType": "geometry"}, "geometry is unknown"),
        ({"type": "long", "logicalType": 7}, "7 is unknown"),
        ({"type": "array", "items": {"type": "int", "logicalType": "odd"}}, "odd is unknown"),
    ],
)
def test_an_invalid_logical_type_is_ignored_with_a_word(kind: Any, said: str) -> None:
    found = parse_with_remarks(one(kind))
    assert not any(node.logical for node in found.root.walk())
    (remark,) = found.remarks
    assert remark.kind == "logical_type"
    assert said in remark.sentence
    assert remark.path == ("f[]" if "items" in kind else "f")


def test_a_logical_type_beside_the_type_and_a_wrong_default_are_told() -> None:
    found = parse_with_remarks(one("long", logicalType="timestamp-millis", default="now"))
    assert [remark.kind for remark in found.remarks] == ["logical_type", "default"]
    assert found.root.defaults == {}
    good = parse_with_remarks(one(["string", "int"], default=7))
    assert (good.remarks, good.root.defaults) == ((), {"f": 7})


def test_members_have_names_of_their_own_whatever_the_case() -> None:
    def empty(name: str) -> dict[str, Any]:
        return record({"name": "x", "type": "int"}, name=name)

    union = [empty("com.a.X"), empty("com.b.X"), empty("com.a.Y"), "string", empty("p.String"), empty("q.y")]
    assert member_names(field(one(union))) == ["com_a_X", "com_b_X", "Y", "string", "String_2", "y_2"]
    inner = record(*({"name": name, "type": "int"} for name in ("Id", "id", "ID", "id_2", "other")), name="I")
    node = field(one(inner))
    assert member_names(node) == ["Id", "id_2", "ID_3", "id_2_2", "other"]
    assert [child.name for child in arrow_schema(parse(one(inner))).field("f").type] == member_names(node)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_comments_are_left_out_and_texts_are_not(ends: str) -> None:
    lines = [
        "/* a licence",
        'with // and " */',
        '{"type": "record", // a name: "x"',
        '"name": "R", "doc": "see // http://x /* */",',
    ]
    text = ends.join([*lines, '"fields": [{"name": "f", "type": "int"} /**/ ]}'])
    assert parse(text).fields[0][0] == "f"
    with pytest.raises(UnsupportedSchema, match=r"it is not JSON: .* line 2 column 1"):
        parse('{"type": // what\nx}')


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (record({"name": "f", "type": "Missing"}, namespace="p"), "f: type p.Missing is defined neither here nor"),
        (record({"name": "f"}), "f: a field without a type"),
        (record({"type": "int"}), "a field without a name"),
        (
            record({"name": "f", "type": "int"}, {"name": "f", "type": "int"}),
            "f: the record has two fields of this name",
        ),
        (record({"name": "f", "type": {"type": "array"}}), "f: a type array without items"),
        (record({"name": "f", "type": {"type": "fixed", "name": "F", "size": "5"}}), "f: a fixed whose size is '5'"),
        (record({"name": "f", "type": {"type": "enum", "name": "E"}}), "f: an enum without symbols"),
        (record({"name": "f", "type": {"type": "enum", "name": "E", "symbols": []}}), "f: an enum of no symbols"),
        (record({"name": "f", "type": {"type": "enum", "name": "E", "symbols": ["A", "A"]}}), "a symbol twice"),
        (record({"name": "f", "type": {"type": "enum", "name": "E", "symbols": ["a b"]}}), "the symbol 'a b'"),
        (
            record({"name": "f", "type": {"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}}),
            "none of its symbols",
        ),
        (
            record({"name": "f", "type": ["string", {"type": "string", "logicalType": "uuid"}]}),
            "a union with string twice",
        ),
        (record({"name": "f", "type": []}), "f: a union without branches"),
        (record({"name": "f", "type": record({"name": "g", "type": "int"})}), "f: type R is defined twice"),
        (record({"name": "f", "type": 7}), "f: 7 is not a type"),
        (record({"name": "f", "type": record(name="int")}), "the name of a type of Avro, int"),
        ({"type": "record", "name": "R"}, "record R without a list of fields"),
    ],
)
def test_what_is_not_avro_is_refused_with_its_place(schema: Any, said: str) -> None:
    with pytest.raises(UnsupportedSchema) as raised:
        parse(json.dumps(schema))
    assert said in raised.value.message


def test_a_name_is_looked_for_in_its_own_namespace_and_then_without() -> None:
    inner = record({"name": "x", "type": "int"}, name="T", namespace="")
    outer = record({"name": "a", "type": inner}, {"name": "b", "type": "T"}, namespace="p")
    assert parse(json.dumps(outer)).fields[1][1].name == "T"


def test_aliases_docs_and_attributes_of_its_own_are_kept_and_change_no_type() -> None:
    told = record(
        {"name": "f", "type": {"type": "long", "arg.properties": {"min": 1}}, "doc": "of it", "aliases": ["old"]},
        aliases=["Before", "q.Other"],
        namespace="p",
    )
    root = parse(json.dumps(told))
    assert (root.field_aliases, root.field_docs, root.aliases) == (
        {"f": ("old",)},
        {"f": "of it"},
        ("p.Before", "q.Other"),
    )
    assert root.fields[0][1].properties == {"arg.properties": {"min": 1}}
    assert root == parse(json.dumps(record({"name": "f", "type": "long"}, namespace="p")))


def test_a_record_without_fields_is_there_or_not() -> None:
    empty = record(name="E")
    schema = arrow_schema(parse(json.dumps(record({"name": "f", "type": ["null", empty]}, {"name": "g", "type": "E"}))))
    assert [column.type for column in schema] == [pa.bool_(), pa.bool_()]
    found = parse_with_remarks(json.dumps(record()))
    assert arrow_schema(found.root).names == ["_"]
    assert [remark.kind for remark in found.remarks] == ["no_fields"]


@given(
    st.integers(1, 38),
    st.lists(
        st.none()
        | st.binary(max_size=20)
        | st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: n.to_bytes(17, "big", signed=True))
    ),
    st.integers(0, 3),
    st.booleans(),
)
@settings(max_examples=examples(100), deadline=None)
def test_decimals_are_read_exactly_or_refused(precision: int, raws: list[bytes | None], cut: int, long: bool) -> None:
    if long and raws and raws[-1]:
        raws[-1] = (b"\xff" if raws[-1][0] >= 0x80 else b"\0") * 70 + raws[-1]
    numbers = [None if raw is None else int.from_bytes(raw, "big", signed=True) for raw in raws][cut:]
    column = pa.array(raws, pa.binary()).slice(cut)
    if any(number is not None and abs(number) >= 10**precision for number in numbers):
        with pytest.raises(UndecodableValue, match=f"more than {precision} digits"):
            decimals(column, precision, pa.decimal128(precision, 0))
        return
    found = decimals(column, precision, pa.decimal128(precision, 0))
    found.validate(full=True)
    assert [None if one is None else int(one) for one in found.to_pylist()] == numbers


def test_decimals_of_one_width_are_read_by_their_width() -> None:
    raws = [b"\xff\xff\x85", None, b"\x00\x00\x7b"]
    column = pa.array([b"\x7f\xff\xff", *raws], pa.binary(3)).slice(1)
    assert [str(one) for one in decimals(column, 3, pa.decimal128(3, 2)).to_pylist()] == ["-1.23", "None", "1.23"]


def test_types_of_other_schemas_are_put_where_their_names_are_met_first() -> None:
    inner = record({"name": "x", "type": "int"}, name="Inner", namespace="p")
    outer = record({"name": "a", "type": inner}, {"name": "b", "type": "Inner"}, name="p.Outer")
    free = record({"name": "o", "type": "p.Outer"}, name="Free")
    fields = [
        {"name": "first", "type": {"type": "array", "items": "Inner"}},
        {"name": "free", "type": ["null", "Free"]},
        {"name": "outer", "type": {"type": "map", "values": "p.Outer"}},
        {"name": "missing", "type": ["null", "q.Elsewhere"]},
    ]
    whole = self_contained(json.dumps(record(*fields, namespace="p")), [json.dumps(one) for one in (free, outer)])
    with pytest.raises(UnsupportedSchema, match=r"missing<Elsewhere>: type q\.Elsewhere is defined neither here nor"):
        parse(whole.replace('["null","q.Elsewhere"]', '["int","q.Elsewhere"]'))
    root = parse(whole.replace('"q.Elsewhere"', '"int"'))
    named = {node.name for node in root.walk() if node.name}
    assert named == {"p.R", "p.Inner", "p.Outer", "Free"}
    assert whole.count('"x"') == 1


def test_many_schemas_that_use_each_other_are_joined_in_a_moment() -> None:
    texts = [json.dumps(record({"name": "x", "type": "int"}, name="T0"))]
    for level in range(1, 200):
        uses = [{"name": f"f{place}", "type": f"T{level - 1}"} for place in range(5)]
        texts.append(json.dumps(record(*uses, name=f"T{level}")))
    whole = self_contained(json.dumps(record({"name": "f", "type": "T20"}, {"name": "g", "type": "T3"})), texts)
    assert whole.count('"x"') == 1
    assert len(whole) < 10_000


@pytest.mark.parametrize("half", [r"\ud83d", "\ud83d", r"\uDE00 and \ud83d"], ids=ascii)
def test_half_a_surrogate_pair_is_read_as_a_character_that_can_be_written(half: str) -> None:
    text = one({"type": "string", "said": "cut HERE"}, default="HERE", doc="HERE").replace("HERE", half)
    root = parse(text)
    told = [root.defaults["f"], root.field_docs["f"], root.fields[0][1].properties["said"]]
    assert all("\ufffd" in said for said in told)
    for written in (plain(text), json.dumps(load(text), ensure_ascii=False), self_contained(text, [text])):
        assert parse(written.encode().decode()) == root
    whole = one("string", doc=r"\ud83d\ude00")
    assert plain(whole) is whole
    assert parse(whole).field_docs == parse(one("string", doc=r"\ud83d\ude00")).field_docs


def test_a_schema_is_read_behind_a_byte_order_mark() -> None:
    assert parse("\ufeff" + one("int")) == parse(one("int"))
    assert parse("\ufeff// a comment\n" + one("int")) == parse(one("int"))


@pytest.mark.parametrize("levels", [600, 2_000, 200_000])
def test_brackets_in_brackets_are_refused_in_words_wherever_they_are(levels: int) -> None:
    deep = "[" * levels + "]" * levels
    for text in (deep, one("int", said="HERE").replace('"HERE"', deep)):
        with pytest.raises(UnsupportedSchema, match="types in types, more than 60 levels"):
            parse(text)
        with pytest.raises(UnsupportedSchema, match="types in types, more than 60 levels"):
            self_contained(text, [])
        with pytest.raises(ValueError, match="nested too deeply, more than 500 levels"):
            load(text)
        assert plain(text) == text


# A type in a record of namespace com.a, its full name, and the names that find it there.
NAMED = [
    ({"name": "I"}, "com.a.I", ["I", "com.a.I"]),
    ({"name": "I", "namespace": None}, "com.a.I", ["I", "com.a.I"]),
    ({"name": "I", "namespace": 5}, "com.a.I", ["I", "com.a.I"]),
    ({"name": "I", "namespace": ""}, "I", ["I", ".I"]),
    ({"name": ".I"}, "I", ["I", ".I"]),
    ({"name": "I", "namespace": "com.b"}, "com.b.I", ["com.b.I"]),
    ({"name": "com.b.I", "namespace": "com.c"}, "com.b.I", ["com.b.I"]),
]


@pytest.mark.parametrize(("said", "whole", "names"), NAMED)
def test_a_type_has_one_name_to_whoever_reads_the_schema(said: Any, whole: str, names: list[str]) -> None:
    inner = record({"name": "x", "type": {"type": "enum", "name": "E", "symbols": ["A"]}}) | said
    enum = f"{whole.removesuffix('I')}E"
    for name in names:
        kinds = {"f": inner, "g": name, "h": enum if "." in enum else f".{enum}"}
        fields = [{"name": field, "type": kind} for field, kind in kinds.items()]
        text = json.dumps(record(*fields, namespace="com.a"))
        for known in (text, self_contained(text, [])):
            nodes = dict(parse(known).fields)
            assert nodes["f"].name == nodes["g"].name == whole
            assert nodes["h"].name == enum
            assert {one.name for one in normal(json.loads(known)).walk()} >= {whole, enum}

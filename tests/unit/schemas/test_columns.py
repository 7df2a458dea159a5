"""The judge of what fits: what a table becomes with each schema, where values go, and what is said about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.columns.column_type import ColumnType, SchemaConflict
from schemas.columns.held import Held, NotAColumn, Place, undescribed
from schemas.columns.judge import Judgement, StoreRules, judge
from schemas.types.tree import Node, parse

REC = {"type": "record", "name": "ns.R", "fields": [{"name": "x", "type": "int"}]}
DECIMAL = {"type": "bytes", "logicalType": "decimal"}


def record(*fields: Any) -> Node:
    written = [{"name": field[0], "type": field[1], **(field[2] if len(field) > 2 else {})} for field in fields]
    return parse(json.dumps({"type": "record", "name": "t.Event", "fields": written}))


def judged(*roots: Node, rules: StoreRules | None = None) -> list[Judgement]:
    """Judge schemas one after the other."""
    found: list[Judgement] = []
    for root in roots:
        found.append(judge(found[-1].held if found else Held(), root, rules))
    return found


def spelled(judgement: Judgement) -> dict[str, str]:
    return {name: str(kind) for name, kind in judgement.held.columns.items()}


def digits(precision: int, scale: int) -> dict[str, Any]:
    return DECIMAL | {"precision": precision, "scale": scale}


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("int", "long", "BIGINT"),
        ("int", "float", "DOUBLE"),
        ("int", "double", "DOUBLE"),
        ("float", "double", "DOUBLE"),
        ("string", "bytes", "BLOB"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "bytes", "BLOB"),
        ({"type": "fixed", "name": "F", "size": 2}, "string", "BLOB"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "string", "VARCHAR"),
        (digits(10, 2), digits(12, 4), "DECIMAL(12,4)"),
        (digits(10, 2), digits(10, 8), "DECIMAL(16,8)"),
        (["null", "int"], "int", "INTEGER"),
        ("null", "string", "VARCHAR"),
        (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            {"type": "long", "logicalType": "local-timestamp-micros"},
            "TIMESTAMP",
        ),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, "BIGINT[]"),
        ({"type": "map", "values": "int"}, {"type": "map", "values": "double"}, "MAP(VARCHAR, DOUBLE)"),
    ],
    ids=str,
)
def test_one_column_holds_both_in_either_order(one: Any, other: Any, kind: str) -> None:
    for before, after in ((one, other), (other, one)):
        *_, last = judged(record(("c", before)), record(("c", after)))
        assert spelled(last) == {"c": kind}
        assert not [remark for remark in last.remarks if remark.kind == "new_column"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("long", "double"),
        ("long", "float"),
        ("long", {"type": "long", "logicalType": "timestamp-millis"}),
        ("string", REC),
        ({"type": "array", "items": "string"}, {"type": "array", "items": "int"}),
        (digits(38, 0), digits(38, 30)),
        ("int", "boolean"),
    ],
    ids=str,
)
def test_what_loses_something_gets_a_column_of_its_own_and_is_named(one: Any, other: Any) -> None:
    for before, after in ((one, other), (other, one)):
        first, second, third = judged(record(("c", before)), record(("c", after)), record(("c", before)))
        assert [placed.column for placed in second.columns] == ["c_2"]
        assert [(remark.path, remark.kind) for remark in second.remarks] == [("c", "new_column")]
        assert "c_2" in second.remarks[0].sentence
        # The first finds its column again.
        assert [placed.column for placed in third.columns] == ["c"]
        assert third.held == second.held
        assert not third.remarks
        assert first.held.record.members == second.held.record.members[:1]


def test_what_cannot_be_united_inside_a_record_gets_a_member_there() -> None:
    def nested(kind: str) -> Node:
        inner = {"type": "record", "name": "I", "fields": [{"name": "x", "type": kind}, {"name": "y", "type": "int"}]}
        return record(("c", {"type": "array", "items": {"type": "map", "values": inner}}))

    _, last = judged(nested("long"), nested("double"))
    assert spelled(last) == {"c": 'MAP(VARCHAR, STRUCT("x" BIGINT, "y" INTEGER, "x_2" DOUBLE))[]'}
    assert [(remark.path, remark.kind) for remark in last.remarks] == [("c[]{}.x", "new_column")]
    assert last.columns[0].place == Place(0, (Place(0, (Place(0), Place(1, (Place(2), Place(1))))),))


def test_lists_too_deep_in_each_other_are_not_changed_and_kept_as_they_are_where_nothing_changes() -> None:
    def within(levels: int, kind: Any) -> Any:
        for level in range(levels):
            kind = {"type": "map", "values": kind} if level % 2 else {"type": "array", "items": kind}
        return kind

    for levels, column in ((8, "c"), (9, "c_2"), (30, "c_2")):
        first, same, changed = judged(*(record(("c", within(levels, kind))) for kind in ("int", "int", "long")))
        assert same.held == first.held
        assert [placed.column for placed in changed.columns] == [column]
    # The record nearest to the top that is no deeper than that gets a member: what is below it is as it was.
    deep = (
        within(8, {"type": "record", "name": "I", "fields": [{"name": "x", "type": within(7, kind)}]})
        for kind in ("int", "long")
    )
    *_, changed = judged(*(record(("c", kind)) for kind in deep))
    assert [str(remark).split(" is ")[0] for remark in changed.remarks] == [f"c{'{}[]' * 4}.x: x"]


def test_a_type_joins_a_union_as_its_first_member_and_later_ones_behind() -> None:
    roots = [
        record(("c", "string")),
        record(("c", ["null", "long", "string"])),
        record(("c", REC)),
        record(("c", ["boolean", REC])),
        record(("c", "string")),
    ]
    found = judged(*roots)
    assert list(spelled(found[1]).values()) == ['UNION("string" VARCHAR, "null" "NULL", "long" BIGINT)']
    members = [name for name, _ in found[-1].held.columns["c"].members]
    assert members == ["string", "null", "long", "R", "boolean"]
    assert found[1].columns[0].place.inside == (Place(1), Place(2), Place(0))
    assert found[2].columns[0].place == Place(0, (Place(0),), branch=3)
    assert [place.at for place in found[3].columns[0].place.inside] == [4, 3]
    assert found[4].columns[0].place == Place(0, branch=0)
    assert found[4].held == found[3].held


def test_members_of_one_short_name_are_told_apart_where_one_schema_has_both() -> None:
    both = [REC, REC | {"name": "other.R"}]
    (only,) = judged(record(("c", both)))
    assert list(only.held.columns["c"].fields) == [("ns.R",), ("other.R",)]
    assert [place.at for place in only.columns[0].place.inside] == [0, 1]
    _, again = judged(record(("c", ["string", REC])), record(("c", both)))
    assert sorted(place.at for place in again.columns[0].place.inside) == [1, 2]
    assert len({name.lower() for name, _ in again.held.columns["c"].members}) == 3
    # Another namespace alone is the same record to Avro.
    _, moved = judged(record(("c", ["string", REC])), record(("c", ["string", REC | {"name": "other.R"}])))
    assert len(moved.held.columns["c"].members) == 2


def test_an_alias_unites_two_fields_in_one_column_under_the_new_name_whichever_comes_first() -> None:
    old = record(("a", "int"), ("in", {"type": "record", "name": "I", "fields": [{"name": "m", "type": "int"}]}))
    inner = {"type": "record", "name": "I", "fields": [{"name": "n", "type": "long", "aliases": ["m"]}]}
    new = record(("b", "long", {"aliases": ["a"]}), ("in", inner))
    first, second, third = judged(old, new, old)
    assert spelled(second) == {"b": "BIGINT", "in": 'STRUCT("n" BIGINT)'}
    assert sorted(second.renamed) == [(("a",), "b"), (("in", "m"), "n")]
    assert sorted(remark.path for remark in second.remarks if remark.kind == "renamed") == ["b", "in.n"]
    assert [placed.column for placed in third.columns] == ["b", "in"]
    _, reverse = judged(new, old)
    assert spelled(reverse) == spelled(second)
    assert not reverse.renamed
    assert [one.place for one in first.columns] == [one.place for one in third.columns]


def test_a_field_of_its_own_wins_over_an_alias() -> None:
    taken = record(("b", "int", {"aliases": ["a"]}), ("a", "int"))
    for before in (record(("a", "int")), record(("b", "int", {"aliases": ["a"]}))):
        _, last = judged(before, taken)
        columns = {placed.field: placed.column for placed in last.columns}
        assert columns == {"a": "a", "b": "b"}
        assert not last.renamed


def test_a_field_that_gets_its_old_name_again_has_the_column_under_it() -> None:
    a, b = record(("a", "int")), record(("b", "int", {"aliases": ["a"]}))
    found = judged(a, b, record(("a", "long", {"aliases": ["b"]})))
    assert [spelled(one) for one in found] == [{"a": "INTEGER"}, {"b": "INTEGER"}, {"a": "BIGINT"}]
    assert found[-1].renamed == ((("b",), "a"),)


def test_columns_that_are_renamed_one_after_the_other_leave_their_names_to_others() -> None:
    before = record(("a", "int"), ("b", "int"))
    _, last = judged(before, record(("c", "int", {"aliases": ["a"]}), ("A", "int", {"aliases": ["b"]})))
    assert list(spelled(last)) == ["c", "A"]
    _, last = judged(before, record(("A", "int", {"aliases": ["a"]}), ("b", "int")))
    assert list(spelled(last)) == ["A", "b"]


def test_an_alias_that_names_a_field_beside_it_is_none_inside_a_record_either() -> None:
    fields = [{"name": "new", "type": "int", "aliases": ["old"]}, {"name": "old", "type": "string"}]
    before = {"type": "record", "name": "I", "fields": fields}
    _, last = judged(record(("in", before)), record(("in", before | {"fields": [{"name": "old", "type": "int"}]})))
    assert spelled(last) == {"in": 'STRUCT("new" INTEGER, "old" VARCHAR, "old_2" INTEGER)'}
    assert [remark.path for remark in last.remarks if remark.kind == "new_column"] == ["in.old"]


def test_a_conflict_is_told_in_a_sentence_whatever_the_types() -> None:
    empty = {"type": "record", "name": "E", "fields": []}
    _, last = judged(record(("c", empty)), record(("c", "boolean")))
    assert last.remarks[0].sentence.startswith("c is a record without fields in the table and BOOLEAN here")
    unions = [
        ["null", *({"type": "record", "name": f"{letter}{n}", "fields": []} for n in range(70))] for letter in "AB"
    ]
    _, last = judged(*(record(("c", union)) for union in unions))
    assert last.remarks[0].sentence.startswith("c is a UNION of 71 members in the table and a UNION of 71 members here")
    _, last = judged(record(("c", unions[0][:30])), record(("c", unions[1][:30])))
    assert last.remarks[0].sentence.endswith("A18 and 39 more")


def test_a_store_says_what_it_does_not_do() -> None:
    rules = StoreRules(("_Offset",), lambda old, _: old.name != "INTEGER", renames=False)
    first, second = judged(
        record(("_offset", "int"), ("a", "int"), ("b", "int")),
        record(("_offset", "long"), ("new", "int", {"aliases": ["a"]})),
        rules=rules,
    )
    assert list(spelled(first)) == ["_offset_2", "a", "b"]
    assert [placed.column for placed in second.columns] == ["_offset_3", "a"]
    assert [remark.kind for remark in second.remarks] == ["new_column"]


def test_names_that_differ_in_case_get_numbers() -> None:
    first, again = judged(record(("x", "int"), ("X", "string")), record(("X", "string"), ("x", "int")))
    assert [placed.column for placed in first.columns] == ["x", "X_2"]
    assert [(remark.path, remark.kind) for remark in first.remarks] == [("X", "numbered")]
    assert [placed.column for placed in again.columns] == ["X_2", "x"]


def test_a_record_without_fields_grows_as_any_other() -> None:
    empty = {"type": "record", "name": "ns.R", "fields": []}
    first, last = judged(record(("c", empty)), record(("c", REC)))
    assert spelled(first) == {"c": "BOOLEAN"}
    assert spelled(last) == {"c": 'STRUCT("x" INTEGER)'}
    assert [placed.column for placed in judged(record())[0].columns] == ["_"]  # a table has columns


def test_documents_come_back_as_they_went_and_nothing_else_is_read() -> None:
    root = record(
        ("c", ["null", "string", REC]), ("d", {"type": "map", "values": digits(9, 3)}), ("e", "int", {"aliases": ["f"]})
    )
    (found,) = judged(root)
    text = json.dumps(found.held.to_document())
    again = Held.from_document(json.loads(text))
    assert again == found.held
    assert again.to_document() == found.held.to_document()
    for placed in found.columns:
        assert Place.from_document(json.loads(json.dumps(placed.place.to_document()))) == placed.place
    twins = [["a", {"type": "DATE"}], ["A", {"type": "DATE"}]]
    others: list[Any] = [
        {"type": "VARCHAR); DROP"},
        {"type": "LIST"},
        {"type": "STRUCT", "members": twins[:1]},
        {"type": "STRUCT", "members": twins, "fields": [["a"], ["A"]]},
        [],
    ]
    for wrong in others:
        with pytest.raises(NotAColumn):
            undescribed(wrong)
    nowhere: list[Any] = [[], [-1, []], [0, [1]], ["0", []]]
    for wrong_place in nowhere:
        with pytest.raises(NotAColumn):
            Place.from_document(wrong_place)
    assert undescribed({"type": "DATE"}) == ColumnType("DATE")


def test_a_store_says_why_it_has_no_table_of_so_many_columns() -> None:
    rules = StoreRules(refuses=lambda columns: "three are too many" if len(columns.members) > 2 else "")
    root = record(("a", "int"), ("b", "int"))
    (first,) = judged(root, rules=rules)
    assert judge(first.held, record(("b", "long")), rules).held.columns.keys() == {"a", "b"}
    with pytest.raises(SchemaConflict, match="three are too many"):
        judge(first.held, record(("a", "string")), rules)

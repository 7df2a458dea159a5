"""A table of before the judge: what is found of it is what a loader of today goes on with."""

from __future__ import annotations

import json
from dataclasses import replace

from schemas.columns.column_type import ColumnType
from schemas.columns.held import Held
from schemas.columns.judge import judge
from schemas.columns.taken_over import taken_over
from schemas.types.node import Node
from schemas.types.tree import parse
from tests.kit.versions import one, record

INNER = record("In", one("A", "int"), one("b", ["null", "string", record("Sub", one("x", "long"))]))
FIRST = record("R", one("id", "long"), one("old", "string"), one("Id", "int"), one("in", INNER))
LATER = record("R", one("new", "string", aliases=["old"]), one("in", {"type": "array", "items": "string"}))
MORE = record("In", one("b", [record("Sub", one("x", "long")), "string", "null"]), one("a", "int"), one("c", "bytes"))
SECOND = record("R", one("in", MORE), one("id", "long"), one("new", "string", aliases=["old"]))


def root(schema: object) -> Node:
    return parse(json.dumps(schema))


def plain(kind: ColumnType) -> ColumnType:
    """A type as a table has it, which says nothing of branches and fields."""
    return replace(kind, members=tuple((name, plain(child)) for name, child in kind.members), branch="", fields=())


def test_every_schema_finds_its_fields_and_a_schema_that_was_refused_has_no_place() -> None:
    held = judge(Held(), root(FIRST)).held
    grown = {name: plain(kind) for name, kind in held.columns.items()}
    a, b = grown["in"].members
    grown["in"] = ColumnType("STRUCT", (a, b, ("c", ColumnType("BLOB"))))
    grown["new"] = ColumnType("VARCHAR")
    fields = {"id": "id", "old": "old", "Id": "Id_2", "in": "in", "new": "new"}
    found, places = taken_over(grown, fields, {1: root(FIRST), 2: root(SECOND), 3: root(LATER)})
    assert places.keys() == {1, 2}
    assert found.columns == grown
    assert found.fields == {"id": ("id",), "old": ("old",), "Id_2": ("Id",), "in": ("in",), "new": ("new",)}
    # A member that was spelled otherwise is the same one.
    assert found.columns["in"].fields == (("A", "a"), ("b",), ("c",))
    assert found.columns["in"].members[1][1].fields == (("null",), ("string",), ("Sub",))
    assert [place.at for place in places[2]] == [3, 0, 4]
    assert [place.at for place in places[2][0].inside] == [1, 0, 2]
    assert [place.at for place in places[2][0].inside[0].inside] == [2, 1, 0]
    assert Held.from_document(json.loads(json.dumps(found.to_document()))) == found


def test_the_judge_goes_on_from_it_and_moves_nothing() -> None:
    grown = {name: plain(kind) for name, kind in judge(Held(), root(FIRST)).held.columns.items()}
    fields = {"id": "id", "old": "old", "Id": "Id_2", "in": "in"}
    found, places = taken_over(grown, fields, {1: root(FIRST)})
    again = judge(found, root(FIRST))
    assert again.held == found
    assert tuple(each.place for each in again.columns) == places[1]
    assert not again.remarks

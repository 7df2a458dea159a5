"""Values of many versions in one table: each comes back exactly, whatever the columns became since."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from consumer.sinks.conversion import converted, is_kept, returned
from schemas.columns.column_type import ColumnType, quote
from schemas.columns.held import Held
from schemas.columns.judge import Judgement, identity, judge, placed
from schemas.columns.of_nodes import columns_of
from schemas.types.arrow import raw_array, typed
from schemas.types.tree import Node, parse
from schemas.undecodable import UnsupportedSchema
from tests.kit.depth import examples

_LOGICAL = [
    {"type": "int", "logicalType": "date"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "local-timestamp-millis"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 7},
    {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 30},
]
_SCALARS = st.sampled_from(
    ["null", "boolean", "int", "long", "float", "double", "string", "bytes", "enum", "fixed", *_LOGICAL]
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    plain = inner.filter(lambda kind: not isinstance(kind, list))
    field = st.tuples(st.sampled_from(["a", "b", "C"]), inner, st.sampled_from([[], ["a"], ["b"]]))
    return st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner.filter(lambda kind: kind != "null")),
        st.builds(lambda values: {"type": "map", "values": values}, inner),
        st.lists(field, min_size=1, max_size=3, unique_by=lambda one: one[0]).map(tuple),
        st.lists(plain, min_size=2, max_size=4, unique_by=_branch),
    )


def _branch(kind: Any) -> str:
    return "record" if isinstance(kind, tuple) else str(kind["type"] if isinstance(kind, dict) else kind)


_TYPES = st.recursive(_SCALARS, _nested, max_leaves=5)
_VERSIONS = st.lists(st.tuples(_TYPES, st.sampled_from([[], ["old"]])), min_size=2, max_size=4)


def _written(kind: Any, path: str = "t") -> Any:
    """Return a drawn type as Avro writes it; the types of one place have one name in every version."""
    if isinstance(kind, tuple):
        fields = [
            {
                "name": name,
                "type": _written(inner, f"{path}_{name}"),
                "aliases": [one for one in aliases if one != name],
            }
            for name, inner, aliases in kind
        ]
        return {"type": "record", "name": f"R{path}", "fields": fields}
    if isinstance(kind, list):
        return [_written(branch, f"{path}{number}") for number, branch in enumerate(kind)]
    if kind == "enum":
        return {"type": "enum", "name": f"E{path}", "symbols": ["A", "b", "null"]}
    if kind == "fixed":
        return {"type": "fixed", "name": f"F{path}", "size": 3}
    if isinstance(kind, dict) and kind["type"] in ("array", "map"):
        below = "items" if kind["type"] == "array" else "values"
        return kind | {below: _written(kind[below], f"{path}i")}
    return kind


def _values(node: Node) -> st.SearchStrategy[Any]:
    if node.null_branch is not None:
        return st.none() | _plain(node)
    return _plain(node)


def _plain(node: Node) -> st.SearchStrategy[Any]:
    match node.kind:
        case "record":
            return st.fixed_dictionaries({name: _values(child) for name, child in node.fields})
        case "array":
            return st.lists(_values(node.element()), max_size=2)
        case "map":
            keys = st.sampled_from(["", "k", "ä\0"])
            return st.lists(st.tuples(keys, _values(node.element())), max_size=2, unique_by=lambda pair: pair[0])
        case "union":
            return st.one_of(
                [_plain(each).map(lambda value, at=at: (at, value)) for at, each in enumerate(node.branches)]
            )
        case "enum":
            return st.sampled_from(node.symbols)
        case "fixed":
            return st.binary(min_size=node.size, max_size=node.size)
    if node.logical == "decimal":
        number = st.integers(-(10**node.precision) + 1, 10**node.precision - 1)
        return number.map(lambda value: value.to_bytes(17, "big", signed=True))
    if node.logical:
        return st.integers(-1000, 1000)
    return {
        "null": st.none(),
        "boolean": st.booleans(),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(width=32),
        "double": st.floats(),
        "string": st.text(max_size=3) | st.sampled_from(["\\x41", "a\0b"]),
        "bytes": st.binary(max_size=3) | st.just(b"\xff\\x41"),
    }[node.kind]


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(versions=_VERSIONS, data=st.data())
def test_what_was_written_with_any_version_comes_back_as_it_was(versions: list[Any], data: st.DataObject) -> None:
    with duckdb.connect() as connection:
        held = Held()
        kept: list[tuple[ColumnType, Judgement]] = []
        connection.execute("CREATE TABLE events (number INTEGER)")
        for number, (kind, aliases) in enumerate(versions):
            name = "f" if aliases else "old"
            field = {"name": name, "type": _written(kind), "aliases": aliases}
            try:
                root = parse(json.dumps({"type": "record", "name": "Event", "fields": [field]}))
            except UnsupportedSchema:  # an array of items without bytes
                reject()
            judgement = judge(held, root)
            _grow(connection, held, judgement)
            held = judgement.held
            node = root.fields[0][1]
            values = data.draw(st.lists(_values(node), min_size=1, max_size=4), label=f"values {number}")
            connection.register("incoming", pa.table({"0": typed(raw_array(node, values), node)}))
            connection.execute(f"CREATE TABLE written_{number} AS SELECT row_number() OVER () AS row, * FROM incoming")
            (one,) = judgement.columns
            value = converted('"0"', one.source, one.place, one.target)
            rows = f"SELECT {value} AS {quote(one.column)}, {number} AS number FROM written_{number} ORDER BY row"
            connection.execute(f"INSERT INTO events BY NAME {rows}")
            kept.append((columns_of(root), judgement))
        for number, (source, judgement) in enumerate(kept):
            (one,) = placed(held, source, [each.place for each in judgement.columns])
            back = returned(quote(one.column), one.target, one.place, one.source)
            again = converted(f"({back})", one.source, one.place, one.target)
            stored = (
                f"SELECT row_number() OVER () AS row, {back} AS back, {quote(one.column)} IS NOT DISTINCT FROM {again} "
                f"AS same FROM events WHERE number = {number}"
            )
            unlike = 'WHERE "0" IS DISTINCT FROM back OR NOT same'
            query = f'SELECT "0", back, same FROM written_{number} JOIN ({stored}) USING (row) {unlike}'
            wrong = connection.execute(query).fetchall()
            assert not wrong, (one, wrong)


def _grow(connection: duckdb.DuckDBPyConnection, held: Held, judgement: Judgement) -> None:
    """Make the columns of a table what a judgement says, as a store does."""
    for path, name in judgement.renamed:
        if len(path) == 1:
            connection.execute(f"ALTER TABLE events RENAME {quote(path[0])} TO {quote(name)}")
    before = list(held.columns.values())
    for at, (name, kind) in enumerate(judgement.held.columns.items()):
        if at >= len(before):
            connection.execute(f"ALTER TABLE events ADD COLUMN {quote(name)} {kind}")
        elif str(before[at]) != str(kind):
            value = converted(quote(name), before[at], identity(before[at]), kind)
            connection.execute(f"ALTER TABLE events ALTER {quote(name)} SET DATA TYPE {kind} USING {value}")


@pytest.mark.parametrize(
    ("stored", "kind", "wanted"),
    [
        ("'\\xFF'::BLOB", "BLOB", "VARCHAR"),
        ("1.5::DOUBLE", "DOUBLE", "INTEGER"),
        ("3e10::DOUBLE", "DOUBLE", "INTEGER"),
        ("1.234::DECIMAL(12,4)", "DECIMAL(12,4)", "DECIMAL(10,2)"),
        ("0.1::DOUBLE", "DOUBLE", "FLOAT"),
    ],
)
def test_a_value_that_the_schema_cannot_have_is_not_what_would_be_stored(stored: str, kind: str, wanted: str) -> None:
    own, held = ColumnType(wanted), ColumnType(kind)
    back = returned(stored, held, identity(own), own)
    again = converted(f"({back})", own, identity(own), held)
    assert duckdb.sql(f"SELECT {stored} IS DISTINCT FROM {again}").fetchall() == [(True,)]


def test_a_column_that_is_as_the_schema_has_it_costs_nothing() -> None:
    kind = ColumnType("STRUCT", (("a", ColumnType("INTEGER")),), fields=(("a",),))
    assert is_kept(kind, identity(kind), kind)
    assert converted("x", kind, identity(kind), kind) == returned("x", kind, identity(kind), kind) == "x"

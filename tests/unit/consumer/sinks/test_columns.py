"""Columns: every name is possible, a table only grows, and every version is given back as it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import WarehouseDamaged
from consumer.sinks.batch import METADATA_COLUMNS, RECORD_COLUMNS
from consumer.sinks.duckdb.column_types import column_type
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.warehouse import Warehouse, open_as_it_is, open_warehouse
from schemas.columns.column_type import quote
from schemas.types.node import Node
from schemas.types.tree import parse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        yield warehouse


def types(warehouse: Warehouse) -> dict[str, str]:
    described = warehouse.rows("SELECT column_name, column_type FROM (DESCRIBE events)")
    return {name: kind for name, kind in described if name not in METADATA_COLUMNS}


@given(st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text))
def test_a_quoted_name_is_one_identifier_whatever_it_holds(name: str) -> None:
    quoted = quote(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "").count('"') == 0
    assert quoted[1:-1].replace('""', '"') == name


def record(*fields: Any) -> Node:
    """Return a schema of fields: name, type, aliases."""
    written = [{"name": name, "type": kind, "aliases": aliases} for name, kind, *aliases in fields]
    return parse(json.dumps({"type": "record", "name": "R", "fields": written}))


def keep(warehouse: Warehouse, schema_id: int) -> None:
    warehouse.rows("INSERT INTO schema_versions VALUES (?, NULL, NULL, '', now(), 'avro')", [schema_id])


def store(columns: EventColumns, warehouse: Warehouse, schema_id: int, root: Node, *rows: Any) -> None:
    """Adopt a schema and store rows of it, as a loader does."""
    names = columns.adopt(schema_id, root)
    keep(warehouse, schema_id)
    table = pa.table([*zip(*rows, strict=True)], names=names) if names else pa.table({})
    ours = {"_schema_id": pa.array([schema_id] * len(rows), pa.int32())}
    incoming = pa.table(dict(zip(table.column_names, table.columns, strict=True)) | ours)
    warehouse.connection.register("incoming", incoming)
    warehouse.connection.execute(columns.inserting(schema_id, incoming.column_names, "incoming"), [1])


def stored(columns: EventColumns, warehouse: Warehouse, schema_id: int, root: Node) -> list[tuple[Any, ...]]:
    """Return the rows of a schema as it has them."""
    values = ", ".join(columns.values_of(schema_id, root).values())
    odd = columns.odd_values(schema_id, root)
    assert warehouse.rows(f"SELECT count(*) FROM events WHERE _schema_id = {schema_id} AND ({odd})") == [(0,)]
    return warehouse.rows(f"SELECT {values} FROM events WHERE _schema_id = {schema_id} ORDER BY rowid")


def test_the_events_columns_come_before_ours_in_the_order_of_the_schema(warehouse: Warehouse) -> None:
    columns = EventColumns(warehouse)
    assert columns.adopt(1, record(("b", "string"), ("a", "int"))) == ["0", "1"]
    described = [name for (name,) in warehouse.rows("SELECT column_name FROM (DESCRIBE events)")]
    # A schema without a field for the identity has a column of ours for it, from the headers, before the others.
    assert described == ["b", "a", "_event_id", *RECORD_COLUMNS]


VERSIONS = [
    (record(("id", "int"), ("a", "string"), ("_batch", "int")), [(1, "x\\x41", 7), (2, "é", 8)]),
    (record(("id", "long"), ("b", "bytes", "a")), [(2**40, b"\xff")]),
    (record(("b", ["null", "bytes", "boolean"], "a")), [(None,)]),
    (record(("id", "double"), ("a", "int")), [(0.5, 3)]),
    (record(("X", "int"), ("x", "float")), [(1, 0.25)]),
]


def test_every_version_is_given_back_as_it_was_by_every_process(warehouse: Warehouse) -> None:
    columns = EventColumns(warehouse)
    for number, (root, rows) in enumerate(VERSIONS):
        store(columns, warehouse, number, root, *rows)
    assert types(warehouse) == {
        "id": "BIGINT",
        # What is called as the alias of before goes where that is.
        "b": 'UNION(bytes BLOB, "null" "NULL", "boolean" BOOLEAN, "int" INTEGER)',
        "_batch_2": "INTEGER",
        "id_2": "DOUBLE",
        "X": "INTEGER",
        "x_2": "FLOAT",
    }
    for known in (columns, EventColumns(warehouse)):
        for number, (root, rows) in enumerate(VERSIONS):
            assert stored(known, warehouse, number, root) == rows
            assert known.misfits(number, root) == {}
        assert known.strangers({number: root for number, (root, _) in enumerate(VERSIONS)}) == []
    before = types(warehouse)
    again = EventColumns(warehouse)
    for number, (root, rows) in enumerate(VERSIONS):
        again.adopt(number, root)
        assert stored(again, warehouse, number, root) == rows
    assert types(warehouse) == before


class Counted:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.asked = connection, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, *words: Any) -> Any:
        self.asked += 1
        return self.connection.execute(*words)


def test_a_wide_schema_is_noted_by_as_many_statements_as_a_narrow_one(tmp_path: Path) -> None:
    asked = []
    for width in (2, 200):
        with open_warehouse(tmp_path / f"{width}.duckdb", topic="t") as warehouse:
            counted: Any = Counted(warehouse.connection)
            warehouse.connection = counted
            EventColumns(warehouse).adopt(1, record(*((f"f{number}", "int") for number in range(width))))
            asked.append(counted.asked)
    assert asked[0] == asked[1]


def test_a_row_of_as_many_texts_as_a_table_may_have_is_stored(warehouse: Warehouse) -> None:
    """DuckDB needs some memory for each column at an insert, however few rows come: more than a load had."""
    width = 9_990
    root = parse(json.dumps({"type": "record", "name": "R", "fields": [
        {"name": f"f{number}", "type": "string"} for number in range(width)
    ]}))  # fmt: skip
    store(EventColumns(warehouse), warehouse, 1, root, ("x",) * width)
    assert warehouse.rows("SELECT f0, f9989 FROM events") == [("x", "x")]


_KILLED = """
import os, signal, sys
from pathlib import Path
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.warehouse import open_as_it_is, open_warehouse
from schemas.types.tree import parse

warehouse = open_warehouse(Path(sys.argv[1]))
warehouse.checkpoint = lambda: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "in the log":  # as before the change went past it
    warehouse.change_of_tables = warehouse.transaction
EventColumns(warehouse).adopt(2, parse(sys.argv[2]))
warehouse.checkpoint()
"""


@pytest.mark.parametrize("change", ["past the log", "in the log"])
def test_a_kill_behind_the_commit_of_a_new_type_leaves_a_file_that_opens(tmp_path: Path, change: str) -> None:
    """DuckDB writes the expression that changes a column into its log, and has to know its functions again."""
    path = tmp_path / "it's.duckdb"
    lines: Any = {"type": "array", "items": "int"}
    root, text = (
        record(("a", lines), ("b", "string")),
        json.dumps(
            {
                "type": "record",
                "name": "R",
                "fields": [{"name": "a", "type": ["string", lines]}, {"name": "b", "type": "bytes"}],
            }
        ),
    )
    with open_warehouse(path, topic="t") as warehouse:
        columns = EventColumns(warehouse)
        store(columns, warehouse, 1, root, ([1, 2], "x"))
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path), text, change], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    # Who only reads cannot do what whoever writes does about such a log.
    for opened in (open_as_it_is, open_warehouse) if change == "past the log" else (open_warehouse,):
        with opened(path) as warehouse:
            columns = EventColumns(warehouse)
            assert stored(columns, warehouse, 1, root) == [([1, 2], "x")]
            assert columns.misfits(2, parse(text)) == {}


def test_a_schema_of_which_nothing_was_kept_is_judged_again(warehouse: Warehouse) -> None:
    """A loader ended between the columns and the text; since then, the id may be another schema's."""
    EventColumns(warehouse).adopt(1, record(("a", "int")))
    columns = EventColumns(warehouse)
    store(columns, warehouse, 1, record(("b", "string")), ("x",))
    assert stored(columns, warehouse, 1, record(("b", "string"))) == [("x",)]


def test_rows_of_a_record_without_fields_stay_when_the_first_fields_come(warehouse: Warehouse) -> None:
    columns = EventColumns(warehouse)
    empty, later = record(), record(("a", "int"))
    store(columns, warehouse, 1, empty, (None,), (None,))
    store(columns, warehouse, 2, later, (5,))
    assert warehouse.rows("SELECT _schema_id, a FROM events ORDER BY ALL") == [(1, None), (1, None), (2, 5)]


def test_places_that_lead_nowhere_are_said_and_a_layout_that_is_none_is_damage(warehouse: Warehouse) -> None:
    columns, root = EventColumns(warehouse), record(("a", {"type": "array", "items": "int"}))
    store(columns, warehouse, 1, root, ([1],))
    for document in ("[[5, []]]", "[[0, []]]", "[]"):
        warehouse.rows("UPDATE schema_places SET document = ?", [document])
        assert "fields are where none can be" in EventColumns(warehouse).misfits(1, root)[""]
    for document in ("[[-1, []]]", "{"):
        warehouse.rows("UPDATE schema_places SET document = ?", [document])
        with pytest.raises(WarehouseDamaged, match="what the warehouse says of its columns cannot be read"):
            EventColumns(warehouse)


@pytest.mark.parametrize(
    "kind",
    [
        "INTEGER",
        "DECIMAL(10,2)",
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP_MS",
        '"NULL"',
        'STRUCT("a" INTEGER, "we""ird" VARCHAR[])',
        'MAP(VARCHAR, STRUCT("A" STRUCT("n" BLOB)))',
        'UNION("x" INTEGER, "y" STRUCT("z" DOUBLE[][]))',
    ],
)
def test_a_type_goes_into_the_tree_and_back(warehouse: Warehouse, kind: str) -> None:
    (there,) = warehouse.connection.sql(f"SELECT NULL::{kind}").types
    tree = column_type(there)
    assert str(tree) == kind
    assert column_type(warehouse.connection.sql(f"SELECT NULL::{tree}").types[0]) == tree

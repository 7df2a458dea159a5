"""A document in PostgreSQL is believed as far as it says what is read of it: no query there sees another value."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from consumer.sinks.postgres.values.copying import StoredColumn, converter, lines
from consumer.sinks.postgres.values.documents import NotAsWritten, read_page
from consumer.sinks.postgres.values.into_text import CopiedColumn
from schemas.columns.column_type import ColumnType

LEAVES = {
    "i": ColumnType("INTEGER"),
    "l": ColumnType("BIGINT"),
    "d": ColumnType("DOUBLE"),
    "f": ColumnType("FLOAT"),
    "ok": ColumnType("BOOLEAN"),
    "s": ColumnType("VARCHAR"),
    "dec": ColumnType("DECIMAL(20,4)"),
    "day": ColumnType("DATE"),
    "at": ColumnType("TIMESTAMP WITH TIME ZONE"),
    "time": ColumnType("TIME"),
    "b": ColumnType("BLOB"),
}
LINE = ColumnType("STRUCT", (("position", LEAVES["i"]), ("at", LEAVES["l"])))
UNION = ColumnType("UNION", (("string", LEAVES["s"]), ("long", LEAVES["l"]), ("boolean", LEAVES["ok"]), ("Line", LINE)))
RECORD = ColumnType("STRUCT", (*LEAVES.items(), ("u", UNION)))
MAP = ColumnType("MAP", (("key", LEAVES["s"]), ("value", LEAVES["i"])))
UNIONS = ColumnType("LIST", (("child", UNION),))


@pytest.fixture(scope="module")
def converts() -> Iterator[duckdb.DuckDBPyConnection]:
    with converter() as connection:
        yield connection


def read(converts: duckdb.DuckDBPyConnection, kind: ColumnType, text: str | None) -> object:
    """Read one value, as the last of three."""
    page = pa.table({"cut": pa.array([None, None, text], pa.string())})
    return read_page(converts, page, [StoredColumn("cut", "whole", kind)]).column("whole").to_pylist()[-1]


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (RECORD, '{"i": null}'),
        (RECORD, "{}"),
        (RECORD, '{"i": 2147483647, "l": -9223372036854775808, "s": "\\u001f\\u00e9é\\"/"}'),
        (RECORD, '{"l": 1, "i": 2}'),
        (RECORD, '{"d": 10000000000000000000000, "f": 0.10000000149011612}'),
        (RECORD, '{"d": 1e22}'),
        (RECORD, '{"d": 5}'),
        (RECORD, '{"d": "nan", "f": "-0.0"}'),
        (RECORD, '{"dec": "25.6735", "day": "0001-01-01", "b": "00ff", "time": "13:51:49.932"}'),
        (RECORD, '{"at": "9999-12-31 23:59:59.999999+00"}'),
        (RECORD, '{"u": {"tag": "Line", "value": {"position": 1}}}'),
        (UNIONS, '[{"tag": "long", "value": 1}, {"tag": "string", "value": "1"}, null]'),
        (MAP, '[{"key": "b", "value": 1}, {"key": "a", "value": null}]'),
        (MAP, "[]"),
        (UNION, None),
    ],
)
def test_what_a_loader_writes_is_read_however_postgresql_spells_it(
    converts: duckdb.DuckDBPyConnection, kind: ColumnType, document: str | None
) -> None:
    assert (read(converts, kind, document) is None) == (document is None)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (RECORD, "null"),
        (RECORD, "[]"),
        (RECORD, '{"added": null}'),
        (RECORD, '{"i": 3000000000}'),
        (RECORD, '{"i": 1.5}'),
        (RECORD, '{"i": "5"}'),
        (RECORD, '{"i": true}'),
        (RECORD, '{"l": 9223372036854775808}'),
        (RECORD, '{"l": 99999999999999999999}'),
        (RECORD, '{"d": "1.5"}'),
        (RECORD, '{"d": "word"}'),
        (RECORD, '{"d": 752.9970000000000000000001}'),
        (RECORD, '{"f": 0.1}'),
        (RECORD, '{"ok": "true"}'),
        (RECORD, '{"ok": 1}'),
        (RECORD, '{"s": 5}'),
        (RECORD, '{"s": {"x": 1}}'),
        (RECORD, '{"dec": "25.67354"}'),
        (RECORD, '{"dec": 25.6735}'),
        (RECORD, '{"dec": "word"}'),
        (RECORD, '{"day": "2026-11-27 23:59:59"}'),
        (RECORD, '{"day": " 2026-11-27"}'),
        (RECORD, '{"at": "2026-11-27 01:00:00+01"}'),
        (RECORD, '{"at": "2026-11-27 00:00:00.000000999+00"}'),
        (RECORD, '{"b": "zz"}'),
        (RECORD, '{"b": "FF"}'),
        (RECORD, '{"u": {"tag": "nonsense", "value": 7}}'),
        (UNION, '{"tag": "nonsense", "value": 1}'),
        (UNION, '{"tag": "string"}'),
        (UNION, '{"value": "x"}'),
        (UNION, "{}"),
        (UNION, '{"tag": "string", "value": 5}'),
        (UNION, '{"tag": "long", "value": "5"}'),
        (UNION, '{"tag": "long", "value": 5.4}'),
        (UNION, '{"tag": "long", "value": 99999999999999999999}'),
        (UNION, '{"tag": "boolean", "value": 1}'),
        (UNION, '{"tag": "Line", "value": {"position": 9999999999}}'),
        (UNION, '{"tag": "Line", "value": {"string": "x"}}'),
        (UNIONS, '[{"tag": "Line", "value": {"position": 1, "added": 2}}]'),
        (UNIONS, '[{"tag": "zzz", "value": {"position": 1}}]'),
        (MAP, '[{"key": "a", "value": 1}, {"key": "a", "value": 1}]'),
        (MAP, '[{"key": null, "value": 1}]'),
        (MAP, "[null]"),
        (MAP, "[{}]"),
        (MAP, '{"key": "a", "value": 1}'),
        (LEAVES["day"], "0044-03-15 BC"),
        (LEAVES["at"], "294276-12-31 00:00:00+00"),
        (LEAVES["dec"], "NaN"),
        (ColumnType("TIMESTAMP_NS"), "2026-11-27"),
        (ColumnType('"NULL"'), "something"),
    ],
)
def test_what_no_loader_writes_is_refused_and_not_repeated(
    converts: duckdb.DuckDBPyConnection, kind: ColumnType, document: str
) -> None:
    with pytest.raises(NotAsWritten, match="whole") as caught:
        read(converts, kind, document)
    assert not any(value in str(caught.value) for value in ("752", "word", "nonsense", "3000", "BC", "25.67"))


def test_a_fault_is_told_once_for_each_column_and_says_where_it_is(converts: duckdb.DuckDBPyConnection) -> None:
    page = pa.table(
        {"a": ['{"u": {"tag": "long", "value": "5"}}'] * 3, "b": ['[{"key": "a", "value": 5000000000}]'] * 3}
    )
    columns = [StoredColumn("a", "record", RECORD), StoredColumn("b", "map", MAP)]
    with pytest.raises(NotAsWritten) as caught:
        read_page(converts, page, columns)
    assert [each.rpartition(": ")[2] for each in caught.value.faults] == ["record.u.value", "map[].value"]


def test_a_row_of_hundreds_of_columns_is_written_and_read(converts: duckdb.DuckDBPyConnection) -> None:
    names = [f"c{number}" for number in range(600)]
    rows = pa.table({name: pa.array(["a\tb", None], pa.string()) for name in names})
    text = b"".join(bytes(one) for one in lines(converts, rows, [CopiedColumn(n, n, LEAVES["s"]) for n in names]))
    assert text == b"\t".join([rb"a\tb"] * 600) + b"\n" + b"\t".join([rb"\N"] * 600) + b"\n"
    assert read_page(converts, rows, [StoredColumn(name, name, LEAVES["s"]) for name in names]).equals(rows)

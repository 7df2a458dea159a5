"""Every type there and back through a real PostgreSQL: what comes out is what a DuckDB warehouse would hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.sinks.postgres.connecting import BoundedConnection, connect
from consumer.sinks.postgres.place import address_of
from consumer.sinks.postgres.values.copying import StoredColumn, converter, copy_in, copy_out, types_of
from consumer.sinks.postgres.values.documents import read_page
from consumer.sinks.postgres.values.into_text import CopiedColumn
from consumer.sinks.postgres.values.types import cut_name, postgres_type
from schemas.columns.column_type import ColumnType, quote
from schemas.columns.held import Place
from tests.kit.depth import examples
from tests.kit.postgres import PostgresServer

LONG = 2**63 - 1
# What PostgreSQL can hold as text: anything but NUL.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
AWKWARD = [
    "",
    "\\",
    "\\N",
    "\\.",
    '"',
    "'",
    "\t\n\r\b\f\v",
    "a,b;{}[]",
    "NULL",
    "null",
    "é\u2028🎈",
    "\\\\n",
    " x ",
    "\x7f\x01",
]
FLOATS = [
    0.0,
    -0.0,
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    1.401298464324817e-45,
    3.4028234663852886e38,
    0.10000000149011612,
]
DOUBLES = [
    0.0,
    -0.0,
    0.1,
    math.nan,
    math.inf,
    -math.inf,
    5e-324,
    1.7976931348623157e308,
    1e22,
    123456789012345680.0,
    2**53 + 2.0,
]
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)
utc = lambda moment: moment.replace(tzinfo=UTC)  # noqa: E731
milli = lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)  # noqa: E731

# The type, and values of it: some by hand, and a strategy of others.
SCALARS: dict[str, tuple[pa.DataType, list[Any], st.SearchStrategy[Any]]] = {
    "boolean": (pa.bool_(), [True, False], st.booleans()),
    "int": (pa.int32(), [-(2**31), 0, 2**31 - 1], st.integers(-(2**31), 2**31 - 1)),
    "long": (pa.int64(), [-LONG - 1, 0, LONG], st.integers(-LONG - 1, LONG)),
    "uinteger": (pa.uint32(), [0, 2**32 - 1], st.integers(0, 2**32 - 1)),
    "ubigint": (pa.uint64(), [0, 2**64 - 1], st.integers(0, 2**64 - 1)),
    "smallint": (pa.int16(), [-(2**15), 2**15 - 1], st.integers(-(2**15), 2**15 - 1)),
    "float": (pa.float32(), FLOATS, st.floats(width=32).filter(lambda x: not math.isnan(x))),
    "double": (pa.float64(), DOUBLES, st.floats().filter(lambda x: not math.isnan(x))),
    "string": (pa.string(), AWKWARD, TEXTS),
    "bytes": (pa.binary(), [b"", b"\0\\x\n", bytes(range(256))], st.binary(max_size=12)),
    "decimal": (
        pa.decimal128(38, 10),
        [Decimal("-9999999999999999999999999999.9999999999"), Decimal("0.0000000001"), Decimal("1.1000000000")],
        st.decimals(min_value=-(10**27), max_value=10**27, places=10),
    ),
    "date": (pa.date32(), [date(1, 1, 1), date(9999, 12, 31)], st.dates()),
    "time-millis": (pa.time32("ms"), [time(0), time(23, 59, 59, 999_000)], st.times().map(milli)),
    "time-micros": (pa.time64("us"), [time(0), time(23, 59, 59, 999_999)], st.times()),
    "timestamp-millis": (
        pa.timestamp("ms", tz="UTC"),
        [utc(FIRST), utc(milli(LAST))],
        st.datetimes().map(milli).map(utc),
    ),
    "timestamp-micros": (pa.timestamp("us", tz="UTC"), [utc(FIRST), utc(LAST)], st.datetimes().map(utc)),
    "local-timestamp-millis": (pa.timestamp("ms"), [FIRST, milli(LAST)], st.datetimes().map(milli)),
    "local-timestamp-micros": (pa.timestamp("us"), [FIRST, LAST], st.datetimes()),
    "timestamp-nanos": (pa.timestamp("ns"), [0, LONG - 10**9, 1], st.integers(0, 2 * 10**18)),
    "null": (pa.null(), [None], st.none()),
}


@pytest.fixture(scope="module")
def address(postgres: PostgresServer) -> str:
    return postgres.database()


@pytest.fixture(scope="module")
def database(address: str) -> Iterator[BoundedConnection]:
    with connect(address_of(address), lock_s=5) as connection:
        yield connection


@pytest.fixture(scope="module")
def converts() -> Iterator[duckdb.DuckDBPyConnection]:
    with converter() as connection:
        yield connection


def copied(kinds: dict[str, ColumnType]) -> list[CopiedColumn]:
    return [CopiedColumn(name, cut_name(name), kind) for name, kind in kinds.items()]


def named_types(converts: duckdb.DuckDBPyConnection, schema: pa.Schema) -> dict[str, ColumnType]:
    return dict(zip(schema.names, types_of(converts, schema), strict=True))


def there_and_back(database: psycopg.Connection[Any], converts: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    """Store rows in a table of PostgreSQL's, and read them again as a DuckDB warehouse would have them."""
    kinds = named_types(converts, rows.schema)
    with database.transaction(force_rollback=True):
        columns = ", ".join(f"{quote(cut_name(name))} {postgres_type(kind)}" for name, kind in kinds.items())
        database.execute(f"CREATE TABLE there ({columns})")
        copy_in(database, converts, "there", rows, copied(kinds))
        return read_back(database, converts, "there", kinds)


def read_back(
    database: psycopg.Connection[Any], converts: duckdb.DuckDBPyConnection, table: str, kinds: dict[str, ColumnType]
) -> pa.Table:
    columns = [StoredColumn(cut_name(name), name, kind) for name, kind in kinds.items()]
    query = f"SELECT {', '.join(quote(each.column) for each in columns)} FROM {table}"
    # Reading writes each document again, and compares.
    pages = copy_out(database, query, [each.column for each in columns])
    return pa.concat_tables([read_page(converts, page, columns) for page in pages])


def in_duckdb(converts: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    """What a DuckDB warehouse gives for the same rows."""
    converts.register("rows_in", rows)
    try:
        converts.execute("CREATE OR REPLACE TABLE kept AS SELECT * FROM rows_in")
        return converts.sql("SELECT * FROM kept").to_arrow_table()
    finally:
        converts.unregister("rows_in")


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """To the bit, but for NaN's payload: the text of a float says all of it, the sign of zero included."""
    assert found.schema.types == expected.schema.types
    assert found.schema.names == expected.schema.names
    for name in expected.schema.names:
        assert printed(found.column(name)) == printed(expected.column(name))


def printed(column: pa.ChunkedArray[Any]) -> list[str]:
    """All values as text, tags of unions included."""
    return [chunk.to_string(window=1_000, container_window=1_000) for chunk in column.chunks]


def arrow(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    return pa.array(values, kind)


@pytest.mark.parametrize("name", SCALARS)
def test_a_scalar_comes_back_as_it_was(name: str, database: Any, converts: Any) -> None:
    kind, values, _ = SCALARS[name]
    rows = pa.table({"x": arrow([*values, None], kind), "n": pa.array(range(len(values) + 1))})
    assert_same(there_and_back(database, converts, rows), in_duckdb(converts, rows))


@pytest.mark.parametrize("name", SCALARS)
def test_a_scalar_comes_back_from_inside_a_record_a_list_and_a_map(name: str, database: Any, converts: Any) -> None:
    kind, values, _ = SCALARS[name]
    values = [*values, None]
    deep = pa.struct([("x", kind), ("Odd \"name', é", pa.list_(pa.struct([("y", kind)])))])
    rows = pa.table(
        {
            "record": arrow([*({"x": v, "Odd \"name', é": [{"y": v}, None]} for v in values), None], deep),
            "list": arrow([[v, v] for v in values] + [[]], pa.list_(kind)),
            "map": arrow([[("b", v), ("a", v), ("", v)] for v in values] + [None], pa.map_(pa.string(), kind)),
            "lists": arrow([[[v], [], None] for v in values] + [None], pa.list_(pa.list_(kind))),
            "maps": arrow(
                [[("k", [("l", v)])] for v in values] + [[]], pa.map_(pa.string(), pa.map_(pa.string(), kind))
            ),
        }
    )
    assert_same(there_and_back(database, converts, rows), in_duckdb(converts, rows))


@pytest.mark.parametrize("name", [name for name in SCALARS if name != "null"])
def test_a_scalar_comes_back_from_a_union(name: str, database: Any, converts: Any) -> None:
    kind, values, _ = SCALARS[name]
    tags = pa.array([1, 2, 0] * len(values), pa.int8())
    held = arrow([v for v in values for _ in range(3)], kind)
    others = arrow([{"x": v} for v in values for _ in range(3)], pa.struct([("x", kind)]))
    null_first = pa.UnionArray.from_sparse(tags, [pa.nulls(len(tags)), held, others], ["null", "it", "record"])
    null_last = pa.UnionArray.from_sparse(tags, [held, others, pa.nulls(len(tags))], ["it", "record", "null"])
    inside = pa.StructArray.from_arrays([null_first, null_last], ["first", "last"])
    rows = pa.table({"first": null_first, "last": null_last, "inside": inside})
    assert_same(there_and_back(database, converts, rows), in_duckdb(converts, rows))


@pytest.mark.parametrize("name", [name for name in SCALARS if name != "null"])
def test_any_value_of_a_scalar_comes_back(name: str, database: Any, converts: Any) -> None:
    kind, _, strategy = SCALARS[name]

    @settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(strategy, min_size=1, max_size=30))
    def comes_back(values: list[Any]) -> None:
        rows = pa.table(
            {
                "x": arrow(values, kind),
                "inside": arrow([{"x": [v]} for v in values], pa.struct([("x", pa.list_(kind))])),
            }
        )
        assert_same(there_and_back(database, converts, rows), in_duckdb(converts, rows))

    comes_back()


def test_a_row_keeps_its_place_however_many_there_are(database: Any, converts: Any) -> None:
    count = 30_000
    rows = pa.table(
        {
            "n": range(count),
            "deep": arrow([{"t": [f"text\n{n}"]} for n in range(count)], pa.struct([("t", pa.list_(pa.string()))])),
        }
    )
    assert there_and_back(database, converts, rows).equals(in_duckdb(converts, rows))


def test_rows_of_before_a_widening_come_back_in_the_wider_type(database: Any, converts: Any) -> None:
    small = pa.struct([("Name", pa.string()), ("n", pa.int32()), ("f", pa.float32())])
    before = pa.table({"r": arrow([{"Name": "a", "n": 1, "f": 0.1}], small)})
    wide = pa.struct([("Name", pa.string()), ("n", pa.int64()), ("f", pa.float64()), ("more", pa.list_(pa.bool_()))])
    kinds = named_types(converts, pa.schema([("r", wide)]))
    with database.transaction(force_rollback=True):
        database.execute("CREATE TABLE there (r jsonb)")
        copy_in(database, converts, "there", before, copied(named_types(converts, before.schema)))
        # Another schema spells a member differently: the table's spelling stays.
        other = pa.table({"r": arrow([{"name": "b"}], pa.struct([("name", pa.string())]))})
        (arrived,) = types_of(converts, other.schema)
        moved = CopiedColumn("r", "r", kinds["r"], (arrived, Place(0, (Place(0),))))
        copy_in(database, converts, "there", other, [moved])
        found = read_back(database, converts, "there", kinds)
    assert found.column("r").to_pylist() == [
        {"Name": "a", "n": 1, "f": 0.10000000149011612, "more": None},
        {"Name": "b", "n": None, "f": None, "more": None},
    ]


@pytest.mark.parametrize("where", ["text", "record", "key"])
def test_a_text_with_nul_is_refused_and_nothing_of_it_is_quoted(where: str, database: Any, converts: Any) -> None:
    secret = "sec\0ret"
    kinds = {"text": pa.string(), "record": pa.struct([("t", pa.string())]), "key": pa.map_(pa.string(), pa.string())}
    values = {"text": secret, "record": {"t": secret}, "key": [(secret, "v")]}
    rows = pa.table({"x": arrow([values[where]], kinds[where])})
    with pytest.raises((psycopg.errors.CharacterNotInRepertoire, psycopg.errors.UntranslatableCharacter)):
        there_and_back(database, converts, rows)


def test_what_no_row_may_be_refused_for_is_stored_with_a_sign_for_nul(database: Any, converts: Any) -> None:
    texts = ["a\0\0b", "\\u0000", "\\\0", "\\\\u0000", "plain"]
    headers = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))
    rows = pa.table({"text": texts, "headers": arrow([[{"name": t, "value": b"\0"}] for t in texts], headers)})
    kinds = named_types(converts, rows.schema)
    with database.transaction(force_rollback=True):
        database.execute("CREATE TABLE there (text text, headers jsonb)")
        columns = [CopiedColumn(name, name, kind, always=True) for name, kind in kinds.items()]
        copy_in(database, converts, "there", rows, columns)
        found = read_back(database, converts, "there", kinds).to_pylist()
    signs = [text.replace("\0", "\ufffd") for text in texts]
    assert [row["text"] for row in found] == signs
    assert [row["headers"] for row in found] == [[{"name": sign, "value": b"\0"}] for sign in signs]

"""PostgreSQL at its worst: what others do meanwhile, a server that goes, and values that chance makes."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from cluster.errors import Busy, DependencyDown, WarehouseUnreachable
from consumer.pipeline.stored.naming import stored_at
from consumer.pipeline.stored.postgres import place as place_module
from consumer.sinks.postgres.place import address_of
from tests.kit.depth import examples
from tests.kit.postgres import PostgresServer
from tests.kit.stored_rows import read_place, rows_of


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.database()


@pytest.fixture
def other(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's connection."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield connection


def at(url: str, table: str = "t", **how: Any) -> Any:
    return stored_at("" if how else table, address=address_of(url), **how)


@pytest.mark.parametrize("statement", ["TRUNCATE t", "DROP TABLE t", "ALTER TABLE t DROP COLUMN v"])
def test_nobody_empties_a_table_or_takes_it_away_while_it_is_read(
    url: str, other: psycopg.Connection[Any], statement: str
) -> None:
    other.execute("CREATE TABLE t AS SELECT n, 'x' AS v FROM generate_series(1, 9) n")
    with at(url).open() as opened:
        other.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(statement.encode())
        assert len(rows_of(opened)) == 9
    other.execute(statement.encode())


def test_a_writer_that_holds_the_table_makes_it_busy(
    url: str, other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place_module, "_LOCK_S", 0.2)
    other.execute("CREATE TABLE t AS SELECT 1 AS a")
    with other.transaction():
        other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Busy) as caught, at(url).open():
            pass
        assert caught.value.exit_code == 75
    assert read_place(at(url)).rows == [{"a": 1}]


_END = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_a_connection_that_ends_between_two_readings_is_said(url: str, other: psycopg.Connection[Any]) -> None:
    other.execute("CREATE TABLE t AS SELECT 1 AS a")
    with at(url).open() as opened:
        other.execute(_END)
        with pytest.raises(WarehouseUnreachable):
            rows_of(opened)


def test_a_connection_that_ends_in_the_middle_of_a_reading_is_said(url: str, other: psycopg.Connection[Any]) -> None:
    other.execute("CREATE TABLE t AS SELECT n, repeat('x', 500) AS v FROM generate_series(1, 300000) n")
    with at(url).open() as opened, duckdb.connect() as session:
        relations = opened.relations(session, ["n", "v"])
        next(relations)
        other.execute(_END)
        with pytest.raises(WarehouseUnreachable):
            list(relations)


def test_a_query_that_takes_too_long_is_ended(
    url: str, other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place_module, "_READ_S", 0.5)
    place = at(url, query="SELECT pg_sleep(30)::text AS v")
    with pytest.raises(DependencyDown, match="in time"):
        read_place(place)


def test_an_error_in_the_middle_of_a_query_does_not_end_the_transaction(
    url: str, other: psycopg.Connection[Any]
) -> None:
    other.execute("CREATE TABLE t AS SELECT n FROM generate_series(0, 200000) n")
    with at(url, query="SELECT n, 1 / (n - 150000) AS v FROM t").open() as opened:
        for _ in range(2):
            with pytest.raises(Exception, match="a value stops the query"):
                rows_of(opened, ["v"])
        assert len(rows_of(opened, ["n"])) == 200_001


def test_roles_and_databases_with_settings_of_their_own_change_no_value(
    url: str, other: psycopg.Connection[Any]
) -> None:
    name = url.rpartition("/")[2]
    for setting in (
        "DateStyle = 'German'",
        "IntervalStyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "extra_float_digits = -5",
        "TimeZone = 'Asia/Kolkata'",
        "default_transaction_isolation = 'serializable'",
        "search_path = nowhere, public",
        "client_encoding = 'LATIN1'",
        "lc_monetary = 'C'",
        "standard_conforming_strings = off",
    ):
        other.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    other.execute(
        "CREATE TABLE public.t AS SELECT timestamptz '2026-02-03 04:05:06+00' AS at, date '2026-02-03' AS day,"
        " interval '1 day 2 hours' AS span, bytea '\\x00ff' AS raw, 0.1::float8 AS ratio, '€'::text AS sign"
    )
    row = read_place(at(url), texts=True).rows
    assert row == [
        {
            "at": "2026-02-03 04:05:06+00",
            "day": "2026-02-03",
            "span": "1 day 02:00:00",
            "raw": "\\x00\\xFF",
            "ratio": "0.1",
            "sign": "€",
        }
    ]


def test_large_values_are_read_in_little_memory(url: str, other: psycopg.Connection[Any]) -> None:
    other.execute("CREATE TABLE t AS SELECT n, repeat(md5(n::text), 30000) AS v FROM generate_series(1, 100) n")
    sizes = []
    with at(url).open() as opened, duckdb.connect() as session:
        for relation in opened.relations(session, ["n", "v"]):
            sizes += session.sql(f"SELECT sum(length(v)), count(*) FROM {relation}").fetchall()
    assert sum(rows for _, rows in sizes) == 100
    assert max(size for size, _ in sizes) < 20_000_000


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
COLUMNS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "a": ("smallint", st.integers(-(1 << 15), (1 << 15) - 1)),
    "b": ("bigint", st.integers(-(1 << 63), (1 << 63) - 1)),
    "c": ("real", st.floats(width=32, allow_nan=False)),
    "d": ("double precision", st.floats(allow_nan=False)),
    "e": ("numeric(20,7)", st.decimals(-(10**12), 10**12, places=7, allow_nan=False)),
    "f": ("numeric", st.decimals(-(10**15), 10**15, places=12, allow_nan=False)),
    "g": ("text", TEXT),
    "h": ("bytea", st.binary()),
    "i": ("uuid", st.uuids()),
    "j": ("date", st.dates()),
    "k": ("time", st.times()),
    "l": ("timestamp", st.datetimes()),
    "m": ("timestamptz", st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC))),
    "n": ("boolean", st.booleans()),
    "o": ("jsonb", JSON.map(Jsonb)),
    "p": ("text[]", st.lists(TEXT, max_size=3)),
}


@settings(
    deadline=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(rows=st.lists(st.tuples(*[st.none() | values for _, values in COLUMNS.values()]), min_size=1, max_size=5))
def test_any_values_come_back_as_they_were_stored(url: str, rows: list[tuple[Any, ...]]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
        connection.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (number int, {columns})".encode())
        marks = ", ".join(["%s"] * (len(COLUMNS) + 1))
        for number, row in enumerate(rows):
            connection.execute(f"INSERT INTO t VALUES ({marks})".encode(), [number, *row])
        shown = ", ".join(f"{name}::text" if kind == "jsonb" else name for name, (kind, _) in COLUMNS.items())
        stored = connection.execute(f"SELECT {shown} FROM t ORDER BY number".encode()).fetchall()
    read = sorted(read_place(at(url)).rows, key=lambda row: row["number"])
    for told, there in zip(read, stored, strict=True):
        for (name, (kind, _)), value in zip(COLUMNS.items(), there, strict=True):
            assert plain(told[name], kind) == plain(value, kind), name


def plain(value: Any, kind: str) -> Any:
    """What a value is, whichever way Python has it."""
    if value is None or kind == "jsonb":
        return value
    if kind == "text[]":
        return json.loads(value) if isinstance(value, str) else value
    if kind.startswith("numeric"):
        return Decimal(value)
    if kind == "uuid":
        return uuid.UUID(str(value))
    if kind == "real":
        return np.float32(value)
    return value.astimezone(dt.UTC) if kind == "timestamptz" else value

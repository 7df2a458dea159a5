"""What is stored in PostgreSQL: every value of every type comes over, as of one moment, and nothing is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pytest

from cluster.errors import DataRejected, Misconfigured, Refused, WarehouseUnreachable
from consumer.pipeline.stored import StoredPlace
from consumer.pipeline.stored.naming import stored_at
from consumer.sinks.postgres.place import address_of
from tests.kit.postgres import PostgresServer
from tests.kit.postgres_values import OWN, TYPES, VALUES
from tests.kit.stored_rows import read_place, rows_of


@dataclass
class Database:
    """A database of a test's own."""

    server: PostgresServer
    url: str

    def run(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def place(self, table: str = "", **how: Any) -> StoredPlace:
        return stored_at(table, address=address_of(self.url), **how)


@pytest.fixture
def database(postgres: PostgresServer) -> Database:
    return Database(postgres, postgres.database())


@pytest.mark.parametrize("kind", TYPES)
def test_values_of_every_type_come_over_as_they_are(database: Database, kind: str) -> None:
    database.run(OWN)
    values = {literal: shown for one, literal, shown in VALUES if one == kind}
    literals = ", ".join(f"({number}, {literal}::{kind})" for number, literal in enumerate(values))
    database.run(f"CREATE TABLE t (n int, v {kind}); INSERT INTO t VALUES {literals}, (999, NULL)")
    for how in ({"table": "t"}, {"query": "SELECT * FROM t ORDER BY n;"}):
        read = read_place(database.place(**how), texts=True)
        assert read.types["v"] == TYPES[kind]
        assert sorted((int(row["n"]), row["v"]) for row in read.rows) == [*enumerate(values.values()), (999, None)]


def test_a_column_says_how_it_was_declared(database: Database) -> None:
    database.run("CREATE TABLE t (a numeric(12,2), b jsonb, c text, d int[], e timestamptz, f varchar(10))")
    declared = read_place(database.place("t")).declared
    assert declared == {
        "a": "numeric(12,2)",
        "b": "jsonb",
        "c": "",
        "d": "integer[]",
        "e": "timestamp with time zone",
        "f": "character varying(10)",
    }


def test_many_rows_come_in_pages_each_once(database: Database) -> None:
    database.run("CREATE TABLE t AS SELECT n, 'value ' || n AS v FROM generate_series(1, 200000) n")
    read = read_place(database.place("public.t"))
    assert sorted(read.column("n")) == list(range(1, 200_001))
    assert all(row["v"] == f"value {row['n']}" for row in read.rows)


def test_every_reading_is_of_the_moment_of_opening(database: Database) -> None:
    database.run("CREATE TABLE t AS SELECT n FROM generate_series(1, 10) n")
    with database.place("t").open() as opened:
        database.run("INSERT INTO t VALUES (11); DELETE FROM t WHERE n < 3; UPDATE t SET n = -n")
        for _ in range(2):
            assert sorted(row["n"] for row in rows_of(opened, ["n"])) == list(range(1, 11))
        assert opened.changed() == ""
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", opened.as_of)


def test_who_stops_reading_half_way_can_read_again(database: Database) -> None:
    database.run("CREATE TABLE t AS SELECT n FROM generate_series(1, 200000) n")
    with database.place("t").open() as opened, duckdb.connect() as session:
        for _ in opened.relations(session, ["n"]):
            break
        assert len(rows_of(opened)) == 200_000


def test_some_columns_and_the_place_of_a_row(database: Database) -> None:
    database.run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'); CREATE VIEW v AS SELECT * FROM t")
    assert read_place(database.place("t"), ["b"], located=True).rows == [{"b": "x", "_where": "row (0,1)"}]
    assert read_place(database.place("v"), ["a"], located=True).rows == [{"a": 1, "_where": ""}]
    assert len(read_place(database.place("t"), []).rows) == 1
    with database.place("t").open() as opened, pytest.raises(Misconfigured, match="no column c"):
        rows_of(opened, ["c"])


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("t", "CREATE TABLE t (a int)"),
        ("#t", "CREATE TABLE t (a int)"),
        ("T", "CREATE TABLE t (a int)"),
        ("T", 'CREATE TABLE "T" (a int)'),
        ("s.t", "CREATE SCHEMA s; CREATE TABLE s.t (a int)"),
        ("S.T", "CREATE SCHEMA s; CREATE TABLE s.t (a int)"),
        ("my.topic.events", 'CREATE SCHEMA "my.topic"; CREATE TABLE "my.topic".events (a int)'),
        ('"a.b"', 'CREATE TABLE "a.b" (a int)'),
        ("a.b", 'CREATE TABLE "a.b" (a int)'),
        ('"s ""x"""."t#1"', 'CREATE SCHEMA "s ""x"""; CREATE TABLE "s ""x"""."t#1" (a int)'),
        ("v", "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a"),
        (
            "p",
            "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)",
        ),
    ],
)
def test_a_table_is_found_by_the_names_that_people_write(database: Database, text: str, statement: str) -> None:
    database.run(statement)
    assert read_place(database.place(text)).types == {"a": "INTEGER"}


def test_names_that_differ_in_case_get_columns_of_their_own(database: Database) -> None:
    database.run('CREATE TABLE t (a int, "A" int, "_where" int, "q""x" int); INSERT INTO t VALUES (1, 2, 3, 4)')
    read = read_place(database.place("t"), ["a", "A_2", "_where_2", 'q"x'][:3])
    assert read.rows == [{"a": 1, "A_2": 2, "_where_2": 3}]
    assert list(read.types) == ["a", "A_2", "_where_2", 'q"x']


def test_a_missing_table_is_said_with_the_nearest_one(database: Database) -> None:
    database.run("CREATE TABLE events (a int)")
    with (
        pytest.raises(Misconfigured, match="there is no table evnts, did you mean events"),
        database.place("evnts").open(),
    ):
        pass
    with pytest.raises(Misconfigured, match="there is events"), database.place("nothing_like_it").open():
        pass


def test_a_missing_database_a_wrong_password_and_no_server_are_said_without_secrets(
    database: Database, postgres: PostgresServer
) -> None:
    def fails(url: str) -> str:
        with pytest.raises((Misconfigured, Refused, WarehouseUnreachable)) as caught:
            stored_at("t", address=address_of(url)).open().__enter__()
        assert "s3cret" not in str(caught.value) + repr(caught.value.__cause__)
        return f"{type(caught.value).__name__}: {caught.value}"

    assert fails(postgres.url("no_such")).startswith("Misconfigured: there is no such database")
    assert fails(postgres.url(password="s3cret")).startswith("Refused: PostgreSQL refuses the login")
    assert fails("postgresql://u:s3cret@127.0.0.1:1/db").startswith("WarehouseUnreachable")


@pytest.fixture
def reader(database: Database) -> Iterator[Callable[..., StoredPlace]]:
    """A user who may do nothing but connect."""
    name = f"reader_{database.url[-12:]}"
    database.run(f"CREATE ROLE {name} LOGIN PASSWORD 'reading'")
    address = address_of(database.server.url(database.url.rpartition("/")[2], name, "reading"))

    def place(grants: str = "", table: str = "t", **how: Any) -> StoredPlace:
        database.run("CREATE TABLE IF NOT EXISTS t (a int, b int); INSERT INTO t VALUES (1, 2)")
        database.run(grants.format(name=name))
        return stored_at("" if how else table, address=address, **how)

    yield place
    database.run(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_missing_right_is_refused(reader: Callable[..., StoredPlace]) -> None:
    for place in (reader(), reader(query="SELECT * FROM t")):
        with pytest.raises(Refused) as caught, place.open():
            pass
        assert "GRANT" in caught.value.hint.upper()
    assert caught.value.exit_code == 77


def test_a_schema_that_may_not_be_entered_is_refused(reader: Callable[..., StoredPlace]) -> None:
    place = reader("CREATE SCHEMA s; CREATE TABLE s.x (a int); GRANT SELECT ON s.x TO {name}", table="s.x")
    with pytest.raises(Refused), place.open():
        pass


def test_columns_that_may_not_be_read_are_left_out_and_told(reader: Callable[..., StoredPlace]) -> None:
    read = read_place(reader("GRANT SELECT (a) ON t TO {name}"), located=True)
    assert read.rows == [{"a": 1, "_where": ""}]
    assert read.notes == ["the user may not read the columns b"]


def test_rows_that_a_policy_hides_are_never_taken_for_lost(reader: Callable[..., StoredPlace]) -> None:
    place = reader("GRANT SELECT ON t TO {name}; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    with pytest.raises(Refused, match="may not read"):
        read_place(place)


QUERIES = {
    "INSERT INTO t VALUES (1)": Misconfigured,
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x": Misconfigured,
    "SELECT 1; DROP TABLE t": Misconfigured,
    "SELECT 1) TO PROGRAM 'touch /tmp/never' --": Misconfigured,
    "SELECT 1) AS x; DROP TABLE t; --": Misconfigured,
    "DROP TABLE t": Misconfigured,
    "SHOW ALL": Misconfigured,
    "SELECT $1::int": Misconfigured,
    "SELECT nope FROM t": Misconfigured,
    "SELECT * FROM nope": Misconfigured,
    "SELEC 1": Misconfigured,
    "SELECT 1 AS a, 2 AS a": Misconfigured,
    "": Misconfigured,
    "SELECT set_config('transaction_read_only', 'off', true)": Misconfigured,
    "SELECT lo_create(0)": Misconfigured,
    "SELECT nextval('q')": Misconfigured,
    "SELECT ('x' || a)::int AS v FROM t": DataRejected,
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_is_not_one_select_is_refused_and_nothing_is_written(database: Database, query: str) -> None:
    database.run("CREATE TABLE t AS SELECT 7 AS a; CREATE SEQUENCE q")
    with pytest.raises(QUERIES[query]) as caught:
        read_place(database.place(query=query))
    assert "x7" not in str(caught.value)
    assert database.run("SELECT a FROM t") == [(7,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, sum(a) OVER () AS s FROM t ;  ",
        "VALUES (7, 7)",
        "WITH x AS (SELECT 7 AS a, 7 AS s) SELECT * FROM x -- the end",
        "TABLE pairs",
        "SELECT 7 AS a, 7 AS s UNION ALL SELECT 1, 1 WHERE false",
    ],
)
def test_a_query_is_read_as_a_table_is(database: Database, query: str) -> None:
    database.run("CREATE TABLE t AS SELECT 7 AS a; CREATE TABLE pairs AS SELECT 7 AS a, 7 AS s")
    assert [list(map(int, row.values())) for row in read_place(database.place(query=query)).rows] == [[7, 7]]


def test_a_value_that_nothing_here_holds_is_an_error_and_never_a_null(database: Database) -> None:
    database.run("CREATE TABLE t AS SELECT '294276-12-31'::timestamp AS v")
    with pytest.raises(DataRejected, match="no room"):
        read_place(database.place("t"))
    assert read_place(database.place(query="SELECT v::text AS v FROM t")).rows == [{"v": "294276-12-31 00:00:00"}]


def test_text_that_is_not_utf8_is_an_error(postgres: PostgresServer) -> None:
    name = "plain_bytes"
    postgres.run(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    database = Database(postgres, postgres.url(name))
    database.run("SET client_encoding = 'SQL_ASCII'; CREATE TABLE t AS SELECT convert_from('\\xff', 'SQL_ASCII') AS v")
    with pytest.raises(DataRejected):
        read_place(database.place("t"))


def test_numerics_without_limits_keep_every_digit(database: Database) -> None:
    values = ["1e19", "1e-18", "-0.5", "12345678901234567890.000000000000000001"]
    database.run(f"CREATE TABLE t AS SELECT v::numeric AS v FROM (VALUES {', '.join(f'({v})' for v in values)}) x(v)")
    read = read_place(database.place("t"))
    assert read.types == {"v": "DECIMAL(38,18)"}
    assert sorted(read.column("v")) == sorted(map(Decimal, values))
    database.run("INSERT INTO t VALUES (1e20)")
    assert read_place(database.place("t")).types == {"v": "VARCHAR"}


def test_an_address_as_people_write_it_is_read_with_the_password_of_the_environment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run("CREATE TABLE t AS SELECT 1 AS a")
    monkeypatch.setenv("PGPASSWORD", database.server.password)
    address = database.url.replace(f":{database.server.password}@", "@")
    place = stored_at(f"{address}#public.t")
    assert read_place(place).rows == [{"a": 1}]
    assert place.shown == f"{address}#public.t"

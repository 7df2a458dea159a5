"""A DuckDB file that somebody else filled: read as it is, and never written."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.errors import Busy, DataRejected, Misconfigured, Refused, StoreFailed, StreamproofError
from consumer.pipeline.stored.naming import stored_at
from tests.kit.stored_rows import ReadPlace, read_place, rows_of
from tests.kit.waiting import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """A database: ``file("CREATE TABLE t ...")``."""

    def make(*statements: str) -> Path:
        path = tmp_path / "their.duckdb"
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement)
        return path

    return make


def read(where: object, *columns: str, query: str | None = None, **how: bool) -> ReadPlace:
    return read_place(stored_at(str(where), query=query), columns or None, **how)


TYPES = {
    "BOOLEAN": "true",
    "TINYINT": "-128",
    "UBIGINT": "18446744073709551615",
    "HUGEINT": "-170141183460469231731687303715884105728",
    "UHUGEINT": "340282366920938463463374607431768211455",
    "BIGNUM": "123456789012345678901234567890123456789012345678901234567890",
    "FLOAT": "nan",
    "DOUBLE": "-0.0",
    "DECIMAL(38,10)": "9999999999999999999999999999.9999999999",
    "VARCHAR": "a\nb",
    "BLOB": "\\x00\\xFF",
    "DATE": "infinity",
    "TIME": "23:59:59.999999",
    "TIME_NS": "23:59:59.999999999",
    "TIME WITH TIME ZONE": "12:00:00.000001+02:30",
    "TIMESTAMP": "-infinity",
    "TIMESTAMP_S": "2026-01-01 00:00:00",
    "TIMESTAMP_MS": "2026-01-01 00:00:00.001",
    "TIMESTAMP_NS": "2026-01-01 00:00:00.000000001",
    "TIMESTAMP WITH TIME ZONE": "2026-01-01 00:00:00.000001+00",
    "INTERVAL": "1 month -2 days 00:00:00.000003",
    "UUID": "ffffffff-ffff-ffff-0000-000000000001",
    "BIT": "10101",
    "JSON": '{"a": 1}',
    "INTEGER[]": "[1, NULL]",
    "INTEGER[2]": "[1, 2]",
    "STRUCT(a INTEGER, b VARCHAR)": "{'a': 1, 'b': NULL}",
    "MAP(VARCHAR, INTEGER)": "{k=1}",
    "UUID[]": "[ffffffff-ffff-ffff-0000-000000000001]",
}


@pytest.mark.parametrize("kind", TYPES)
def test_values_of_every_type_come_over_as_they_are(file: Callable[..., Path], kind: str) -> None:
    value = TYPES[kind].replace("'", "''")
    path = file(f"CREATE TABLE t AS SELECT 1 AS n, '{value}'::{kind} AS v UNION ALL SELECT 2, NULL")
    found = read(f"{path}#t", texts=True)
    assert (found.types["v"], sorted(found.rows, key=str)) == (
        kind,
        [{"n": "1", "v": TYPES[kind]}, {"n": "2", "v": None}],
    )


def test_what_has_no_type_of_its_own_outside_the_file_is_text_and_says_so(file: Callable[..., Path]) -> None:
    path = file("CREATE TYPE mood AS ENUM ('up')", "CREATE TABLE t AS SELECT 'up'::mood AS v")
    found = read(f"{path}#t")
    assert (found.types, found.declared, found.rows) == ({"v": "VARCHAR"}, {"v": "ENUM('up')"}, [{"v": "up"}])


def test_many_rows_come_in_tables_each_once(file: Callable[..., Path]) -> None:
    path = file("CREATE TABLE t AS SELECT range AS n, {'l': [range]} AS s FROM range(300000)")
    found = read(f"{path}#t", located=True)
    assert sorted(found.column("n")) == list(range(300_000))
    assert all(row["s"] == {"l": [row["n"]]} and row["_where"] == f"row {row['n']}" for row in found.rows)


@pytest.mark.parametrize("name", ["t", "T", "main.t", "s.v", "S.V", '"dotted.name"', "dotted.name", '"s"."odd ""#"""'])
def test_a_table_or_view_is_found_by_the_names_that_people_write(file: Callable[..., Path], name: str) -> None:
    path = file(
        "CREATE TABLE t AS SELECT 1 AS a",
        "CREATE SCHEMA s",
        "CREATE VIEW s.v AS SELECT 1 AS a",
        'CREATE TABLE "dotted.name" AS SELECT 1 AS a',
        'CREATE TABLE s."odd ""#""" AS SELECT 1 AS a',
    )
    assert read(f"{path}#{name}").rows == [{"a": 1}]


def test_a_missing_table_file_or_query_is_said(file: Callable[..., Path], tmp_path: Path) -> None:
    path = file("CREATE TABLE events AS SELECT 1 AS a")
    for where, says in {
        f"{path}#evnts": "there is no table evnts, did you mean events",
        f"{path}#s.events": "did you mean events",
        str(path): "neither a table nor a query is given",
        f"{tmp_path / 'ther.duckdb'}#t": "did you mean their.duckdb",
        f"{path}#": "neither a table nor a query",
    }.items():
        with pytest.raises(Misconfigured, match=says):
            read(where)


QUERIES: dict[str, type[StreamproofError]] = {
    "DROP TABLE t": Misconfigured,
    "INSERT INTO t VALUES (1)": Misconfigured,
    "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x": Misconfigured,
    "SELECT 1; SELECT 2": Misconfigured,
    "SELECT 1) AS x; DROP TABLE t; SELECT * FROM (SELECT 1": Misconfigured,
    "SELECT $a": Misconfigured,
    "COPY t TO 'never.csv'": Misconfigured,
    "ATTACH 'other.duckdb'": Misconfigured,
    "SET memory_limit = '9GB'": Misconfigured,
    "PRAGMA database_list": Misconfigured,
    "SELEC 1": Misconfigured,
    "SELECT nope FROM t": Misconfigured,
    "SELECT * FROM local_rows": Misconfigured,
    "SELECT * FROM read_csv('/etc/passwd')": Refused,
    "SELECT * FROM '/etc/passwd'": Misconfigured,
    "SELECT * FROM glob('/*')": Refused,
    "SELECT ('secret' || a)::INTEGER AS v FROM t": DataRejected,
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_is_not_one_select_from_the_file_is_refused(file: Callable[..., Path], query: str) -> None:
    local_rows: Any = duckdb.sql("SELECT 1 AS a").to_arrow_table()
    assert len(local_rows) == 1
    path = file("CREATE TABLE t AS SELECT 7 AS a")
    with pytest.raises(QUERIES[query]) as caught:
        read(path, query=query)
    assert "secret7" not in str(caught.value)
    assert read(f"{path}#t").rows == [{"a": 7}]


@pytest.mark.parametrize("query", ["SELECT a FROM t;", "FROM t -- the end", "WITH x AS (FROM t) FROM x", "VALUES (7)"])
def test_a_query_is_read_as_a_table_is(file: Callable[..., Path], query: str) -> None:
    path = file("CREATE TABLE t AS SELECT 7 AS a")
    found = read(path, query=query, located=True)
    assert [list(row.values()) for row in found.rows] == [[7, ""]]


def test_a_view_over_other_files_is_refused(file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    path = file(f"CREATE VIEW v AS SELECT * FROM read_csv('{tmp_path}/a.csv')")
    with pytest.raises(Refused, match="beyond its file"):
        read(f"{path}#v")


def test_reading_leaves_the_file_and_its_folder_as_they_were(file: Callable[..., Path]) -> None:
    path = file("CREATE TABLE t AS SELECT range AS a FROM range(1000)")
    before = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())
    read(path, query="SELECT a, count(*) AS n FROM t GROUP BY a ORDER BY a")
    after = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())
    assert [*before[:2]] == [*after[:2]]
    assert {p.name for p in after[2]} - {p.name for p in before[2]} <= {"var"}


def test_what_a_writer_left_in_its_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "killed.duckdb"
    script = f"""
import duckdb, os
c = duckdb.connect({str(path)!r}); c.execute("CREATE TABLE t AS SELECT 1 AS a"); c.execute("CHECKPOINT")
c.execute("INSERT INTO t VALUES (2)"); os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert path.with_name("killed.duckdb.wal").exists()
    assert sorted(read(f"{path}#t").column("a")) == [1, 2]
    assert path.with_name("killed.duckdb.wal").exists()


def test_a_writer_in_another_process_is_named_as_busy(file: Callable[..., Path]) -> None:
    path = file("CREATE TABLE t AS SELECT 1 AS a")
    script = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        with pytest.raises(Busy, match=str(writer.pid)) as caught:
            read(f"{path}#t")
        assert caught.value.exit_code == 75
    finally:
        writer.communicate(timeout=30)
    wait_until(lambda: writer.poll() is not None, "the writer to end")
    assert read(f"{path}#t").rows == [{"a": 1}]


def test_a_writer_in_this_process_is_busy_too(file: Callable[..., Path]) -> None:
    path = file("CREATE TABLE t AS SELECT 1 AS a")
    with duckdb.connect(str(path)), pytest.raises(Busy):
        read(f"{path}#t")


def test_two_readers_may_have_it_open_and_no_writer_comes_between(file: Callable[..., Path]) -> None:
    path = file("CREATE TABLE t AS SELECT 1 AS a")
    with stored_at(f"{path}#t").open() as opened:
        with pytest.raises(duckdb.Error):
            duckdb.connect(str(path))
        assert [rows_of(opened) for _ in range(2)] == [[{"a": 1}]] * 2
        assert opened.changed() == ""


@pytest.mark.parametrize("raw", [b"", b"no database at all", b"\0" * 8 + b"DUCK" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_said(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "not.duckdb"
    path.write_bytes(raw)
    with pytest.raises(StreamproofError) as caught:
        read(f"{path}#t")
    assert isinstance(caught.value, StoreFailed | Misconfigured)


def test_a_database_is_known_by_what_is_in_it(file: Callable[..., Path], tmp_path: Path) -> None:
    path = file("CREATE TABLE t AS SELECT 1 AS a").rename(tmp_path / "warehouse.data")
    assert read(f"{path}#t").rows == [{"a": 1}]

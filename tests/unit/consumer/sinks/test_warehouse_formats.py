"""A warehouse of an earlier format becomes one of today's, whole or not at all; one of a later format is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

import consumer.sinks.duckdb.migrations
import consumer.sinks.duckdb.warehouse
from cluster.errors import Misconfigured, WarehouseDamaged
from consumer.proof.checks import latest_results
from consumer.proof.found import CLASSES
from consumer.proof.kept_audits import latest_audit
from consumer.proof.run_scope import known_runs
from consumer.sinks.duckdb.migrations import NEWEST
from consumer.sinks.duckdb.warehouse import open_warehouse

FOLDER = Path(consumer.sinks.duckdb.migrations.__file__).parent
YOUNGER = ("realism", "tombstones", "manifest_faults")  # tables that came while the format was still called 1

SAID: dict[str, Any] = dict.fromkeys(("verdict", "reason", "claims"), "x") | dict.fromkeys(
    ("loaded", "uncompared", *CLASSES), 0
)
SAID["partitions"] = []

_ROWS = """
    INSERT INTO meta VALUES ('format', '1'), ('topic', 't'), ('created_at', '2026-11-01T00:00:00+00:00');
    INSERT INTO load_batches
    SELECT n, 'load', TIMESTAMPTZ '2026-11-20 10:00:00+00' + to_hours(n::INTEGER), 0, n, n + 1,
           1, 0, 0, 0, 0, [1], 1, 1, 0, 0, 0
    FROM range(1, 4) numbers(n);
    INSERT INTO audits VALUES
        ('later', 'run', '2026-11-20 12:30:00+00', 'FAILED', '{later}'),
        ('earlier', 'run', '2026-11-20 11:30:00+00', 'PASSED', '{earlier}');
    INSERT INTO check_results VALUES
        ('later', 'run', 'a', 'blocking', FALSE, 1, 'x', '2026-11-20 12:40:00+00'),
        ('later', 'run', 'b', 'warning', TRUE, 0, '', '2026-11-20 12:40:00+00'),
        ('earlier', 'run', 'a', 'blocking', TRUE, 0, '', '2026-11-20 11:40:00+00');
    INSERT INTO schema_versions VALUES (1, 't-value', 1, '{}', '2026-11-20 10:00:00+00');
    INSERT INTO publications VALUES ('2026-11-20 11:50:00+00', 'run', '/p', 1);
    INSERT INTO manifests VALUES
        ('run', 0, 'running', '{"started_at": "2026-11-20T09:00:00+00:00"}', '2026-11-20 11:30:00+00'),
        ('run', 0, 'finished', '{"started_at": "2026-11-20T09:00:00+00:00"}', '2026-11-20 12:30:00+00'),
        ('a run of before', 0, 'finished', '{"started_at": "2026-11-19T09:00:00+00:00"}', '2026-11-20 12:30:00+00'),
        ('broken', 0, 'finished', '{}', '2026-11-20 12:30:00+00');
"""
_COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default FROM duckdb_columns()
    WHERE schema_name = 'main' AND NOT internal AND database_name <> 'temp' ORDER BY table_name, column_index
"""
_CONSTRAINTS = """
    SELECT table_name, constraint_text FROM duckdb_constraints() WHERE database_name <> 'temp' ORDER BY ALL
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as the first version made it, with rows in what has changed since."""
    path = tmp_path / "w.duckdb"
    newest = Path(consumer.sinks.duckdb.warehouse.__file__).with_name("warehouse.sql").read_text()
    with duckdb.connect(str(path)) as file:
        file.execute((FOLDER / "format_1.sql").read_text())
        file.execute(newest[newest.index("CREATE MACRO") :])
        rows = _ROWS
        for name in ("later", "earlier"):
            rows = rows.replace(f"{{{name}}}", json.dumps(SAID | {"audit_id": name}))
        file.execute(rows)
        file.execute(
            "CREATE OR REPLACE TABLE events AS SELECT 'a' AS own, events.* FROM range(1) LEFT JOIN events ON TRUE"
        )
    return path


def _shape(path: Path) -> list[Any]:
    with duckdb.connect(str(path)) as file:
        return [file.execute(query).fetchall() for query in (_COLUMNS, _CONSTRAINTS)]


def test_a_file_of_the_first_format_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    open_warehouse(tmp_path / "new.duckdb", topic="t").close()
    with open_warehouse(old, topic="t") as warehouse:
        assert warehouse.meta()["format"] == str(NEWEST)
        assert warehouse.rows("SELECT own FROM events") == [("a",)]
        warehouse.connection.execute("ALTER TABLE events DROP own")
    assert _shape(old) == _shape(tmp_path / "new.duckdb")


def test_what_a_file_of_the_first_format_says_stays(old: Path) -> None:
    with open_warehouse(old, topic="t") as warehouse:
        assert latest_audit(warehouse, "run") == SAID | {"audit_id": "later"}
        assert warehouse.rows("SELECT audit_id, number, batch FROM audits ORDER BY number") == [
            ("earlier", 1, 1),
            ("later", 2, 2),
        ]
        assert [(result.check, result.passed) for result in latest_results(warehouse, "run")] == [
            ("a", False),
            ("b", True),
        ]
        assert [run.run_id for run in known_runs(warehouse)][:2] == ["run", "a run of before"]
        assert warehouse.rows("SELECT status FROM manifests WHERE run_id = 'run'") == [("finished",)]
        assert warehouse.rows("SELECT number, path FROM publications") == [(1, "/p")]
        assert warehouse.rows("SELECT schema_id, format FROM schema_versions") == [(1, "avro")]


def test_a_file_that_lacks_the_younger_tables_of_its_format_gets_them(old: Path) -> None:
    with duckdb.connect(str(old)) as warehouse:
        for table in YOUNGER:
            warehouse.execute(f"DROP TABLE {table}")
    with open_warehouse(old, topic="t") as warehouse:
        for table in YOUNGER:
            assert warehouse.rows(f"SELECT count(*) FROM {table}") == [(0,)]


_KILLED = """
import os, sys
from pathlib import Path
import consumer.sinks.duckdb.migrations as migrations
from consumer.proof.found import CLASSES
from consumer.sinks.duckdb.warehouse import open_warehouse

class Dying:
    def __init__(self, connection): self.connection = connection
    def execute(self, statement, *values):
        if statement == sys.argv[2]:
            os._exit(9)
        return self.connection.execute(statement, *values)

step = migrations._step
migrations._step = lambda connection, *rest: step(Dying(connection), *rest)
open_warehouse(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("before", ["COMMIT", consumer.sinks.duckdb.migrations._NOTE])
def test_a_kill_in_a_step_leaves_the_format_before_it(old: Path, before: str) -> None:
    shape = _shape(old)
    done = subprocess.run([sys.executable, "-c", _KILLED, str(old), before], check=False, timeout=60)
    assert done.returncode == 9
    assert _shape(old) == shape
    with open_warehouse(old, topic="t") as warehouse:
        assert latest_audit(warehouse, "run") == SAID | {"audit_id": "later"}


def test_a_later_format_is_refused_in_words(old: Path) -> None:
    with open_warehouse(old) as warehouse:
        warehouse.rows("UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(Misconfigured, match=f"format 99, this version of Streamproof knows formats up to {NEWEST}"):
        open_warehouse(old)


@pytest.mark.parametrize("said", ["", "x", "-1", "0", "1.5"])
def test_a_format_that_there_never_was_is_damage(old: Path, said: str) -> None:
    with duckdb.connect(str(old)) as file:
        file.execute("UPDATE meta SET value = ? WHERE key = 'format'", [said])
    with pytest.raises(WarehouseDamaged, match="no format that there ever was"):
        open_warehouse(old)


def test_a_file_that_names_an_earlier_format_than_its_own_is_damage(old: Path) -> None:
    with open_warehouse(old) as warehouse:
        warehouse.rows("UPDATE meta SET value = '1' WHERE key = 'format'")
    with pytest.raises(WarehouseDamaged, match="does not have the tables of the format"):
        open_warehouse(old)


def test_every_step_is_there_and_none_is_left_out() -> None:
    assert sorted(path.name for path in FOLDER.glob("to_*.sql")) == sorted(f"to_{n}.sql" for n in range(2, NEWEST + 1))


def test_a_field_that_is_called_as_a_later_format_calls_its_own_keeps_its_values_under_a_number(old: Path) -> None:
    with duckdb.connect(str(old)) as file:
        for name in ("_headers", "_Headers_2", "_RECORD_NAME"):
            file.execute(f'ALTER TABLE events ADD COLUMN "{name}" VARCHAR')
            file.execute(f"UPDATE events SET {name} = 'of {name}'")
            file.execute("INSERT INTO event_columns VALUES (?, ?)", [name, name])
    with open_warehouse(old, topic="t") as warehouse:
        places = dict(warehouse.rows("SELECT field, column_name FROM event_columns"))
        assert places == {"_headers": "_headers_3", "_Headers_2": "_Headers_2", "_RECORD_NAME": "_RECORD_NAME_2"}
        for field, column in places.items():
            assert warehouse.rows(f'SELECT "{column}" FROM events') == [(f"of {field}",)]
        assert warehouse.rows("SELECT _headers FROM events") == [(None,)]

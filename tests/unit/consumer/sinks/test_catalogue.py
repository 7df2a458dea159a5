"""Nothing in a warehouse file answers in place of its data."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cluster.errors import WarehouseDamaged
from consumer.sinks.duckdb.catalogue import read_catalogue, strangers
from consumer.sinks.duckdb.warehouse import open_warehouse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new warehouse."""
    path = tmp_path / "warehouse.duckdb"
    open_warehouse(path, topic="t").close()
    return path


def change(path: Path, statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE OR REPLACE MACRO event_sequence(id) AS 1", "event_sequence"),
        ("CREATE MACRO starts_with(a, b) AS true", "starts_with"),
        ("CREATE MACRO count_star() AS 7", "count_star"),
        ('CREATE MACRO "+"(a, b) AS 7', r"\+"),
        ("CREATE MACRO range(a, b) AS TABLE SELECT 7 AS range", "range"),
        ("CREATE MACRO duckdb_functions() AS TABLE SELECT 7 AS function_name", "duckdb_functions"),
        ("CREATE SCHEMA other; CREATE MACRO other.sum(a) AS 7", "other.sum"),
        ("ALTER TABLE meta RENAME TO kept; CREATE VIEW meta AS FROM kept", "meta is a view"),
    ],
)
def test_what_could_answer_in_place_of_the_data_is_refused(path: Path, statement: str, name: str) -> None:
    change(path, statement)
    with pytest.raises(WarehouseDamaged, match=name):
        open_warehouse(path, topic="t")


def test_what_is_merely_beside_our_tables_does_not_stop_work_and_is_named(path: Path) -> None:
    change(path, "CREATE TABLE notes (text VARCHAR); CREATE VIEW shown AS FROM notes; CREATE SEQUENCE counter")
    change(path, "CREATE INDEX quick ON audits (run_id); COMMENT ON TABLE audits IS 'looked at'")
    with open_warehouse(path, topic="t") as warehouse:
        found = list(strangers(read_catalogue(warehouse.connection)))
    assert found == ["the table notes is not ours", "the view shown is not ours", "the sequence counter is not ours"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE tombstones", "the table tombstones is missing"),
        ("DROP MACRO event_shard", "the macro event_shard is missing"),
        ("ALTER TABLE load_batches ADD COLUMN remark VARCHAR", "the column load_batches.remark is not ours"),
        ("ALTER TABLE load_batches DROP COLUMN fetch_s", "load_batches has no column fetch_s"),
        ("ALTER TABLE events ALTER _offset TYPE INTEGER", "the column events._offset is INTEGER, not BIGINT"),
        (
            "ALTER TABLE events ADD COLUMN user_id VARCHAR DEFAULT 'x'",
            "the column events.user_id is filled with 'x' where a schema lacks it",
        ),
    ],
)
def test_what_is_not_as_it_was_made_is_named(path: Path, statement: str, said: str) -> None:
    change(path, statement)
    with duckdb.connect(str(path)) as connection:
        assert list(strangers(read_catalogue(connection))) == [said]


def test_a_new_warehouse_holds_what_is_ours_and_columns_of_events_are_not_foreign(path: Path) -> None:
    change(path, "ALTER TABLE events ADD COLUMN user_id VARCHAR")
    with open_warehouse(path, topic="t") as warehouse:
        assert list(strangers(read_catalogue(warehouse.connection))) == []

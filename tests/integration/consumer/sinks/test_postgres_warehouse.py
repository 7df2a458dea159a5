"""The schema of a topic in a real PostgreSQL: made whole, told from anything else, and the same as a DuckDB file."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cluster.errors import Misconfigured, Refused, StreamproofError, WarehouseDamaged, WarehouseUnreachable
from consumer.sinks.postgres.catalogue import our_tables
from consumer.sinks.postgres.connecting import connect
from consumer.sinks.postgres.place import address_of, schema_of
from consumer.sinks.postgres.warehouse import open_warehouse
from stack.ports import Ports
from tests.kit.postgres import PostgresServer


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.database()


def asked(url: str, statement: str) -> list[tuple[Any, ...]]:
    with connect(address_of(url), lock_s=5) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def make(url: str, topic: str = "clicks") -> None:
    with open_warehouse(address_of(url), topic):
        pass


def test_it_has_the_tables_and_columns_of_a_duckdb_file(url: str) -> None:
    make(url)
    found: dict[str, list[str]] = {}
    for table, name in asked(
        url,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'clicks' "
        "ORDER BY table_name, ordinal_position",
    ):
        found.setdefault(table, []).append(name)
    assert found.keys() - our_tables().keys() == {"event_types", "alembic_version", "batch_order"}
    assert {name: found[name] for name in our_tables()} == {name: list(kinds) for name, kinds in our_tables().items()}
    nullable = {
        (table, name)
        for table, name in asked(
            url,
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'clicks' AND is_nullable = 'YES'",
        )
    }
    with open_warehouse(address_of(url), "clicks") as warehouse:
        from consumer.sinks.duckdb.catalogue import our_catalogue

        theirs = {
            (table, name)
            for table, columns in our_catalogue().tables.items()
            for name, column in columns.items()
            if column.nullable
        }
        assert theirs - nullable == {("events", "_partition"), ("events", "_offset")}  # a key's are never null
        assert nullable <= theirs
        assert [page.num_rows for page in warehouse.pages("meta")] == [2]


def test_it_is_found_again_and_what_is_in_it_stays(url: str) -> None:
    make(url)
    asked(url, "INSERT INTO clicks.load_offsets VALUES ('c', 'clicks', 't', 0, 7)")
    with open_warehouse(address_of(url), "clicks", create=False) as warehouse:
        assert warehouse.rows("SELECT next_offset FROM load_offsets") == [(7,)]


def test_many_who_find_none_make_one(url: str) -> None:
    failed: list[BaseException] = []

    def one() -> None:
        try:
            make(url)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test says it
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert asked(url, "SELECT count(*) FROM clicks.meta WHERE key = 'topic'") == [(1,)]


def test_a_topic_of_249_characters_has_a_schema_and_is_told_from_another_of_the_same_beginning(url: str) -> None:
    one, other = "t" * 248 + "a", "t" * 248 + "b"
    make(url, one)
    make(url, other)
    topics = {
        asked(url, f"SELECT value FROM \"{schema_of(topic)}\".meta WHERE key = 'topic'")[0][0] for topic in (one, other)
    }
    assert topics == {one, other}


def test_a_schema_that_names_another_topic_is_refused(url: str) -> None:
    make(url)
    asked(url, "UPDATE clicks.meta SET value = 'other' WHERE key = 'topic'")
    with pytest.raises(Misconfigured, match="holds the topic other"):
        make(url)


def test_a_schema_of_somebody_else_is_refused_and_an_empty_one_is_taken(url: str) -> None:
    asked(url, "CREATE SCHEMA clicks; CREATE TABLE clicks.theirs (n int)")
    with pytest.raises(Misconfigured, match="is not a warehouse"):
        make(url)
    asked(url, "DROP TABLE clicks.theirs")
    make(url)


@pytest.mark.parametrize("table", ["alembic_version (version_num text)", "meta (key text, value text)"])
def test_a_schema_with_one_table_of_a_name_that_we_use_is_somebody_elses(url: str, table: str) -> None:
    asked(url, f"CREATE SCHEMA clicks; CREATE TABLE clicks.{table}")
    with pytest.raises(Misconfigured, match="is not a warehouse"):
        make(url)


def test_reading_makes_none(url: str) -> None:
    with (
        pytest.raises(Misconfigured, match="there is no warehouse"),
        open_warehouse(address_of(url), "clicks", create=False),
    ):
        pass
    assert asked(url, "SELECT count(*) FROM pg_namespace WHERE nspname = 'clicks'") == [(0,)]


def test_one_of_a_later_format_is_refused(url: str) -> None:
    make(url)
    asked(url, "UPDATE clicks.alembic_version SET version_num = '99'")
    with pytest.raises(Misconfigured, match="format 99"):
        make(url)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE clicks.events DROP COLUMN _crc32", "events has no column _crc32"),
        ("ALTER TABLE clicks.events ALTER COLUMN _offset TYPE numeric", "events._offset is numeric, not bigint"),
        ("ALTER TABLE clicks.events DROP CONSTRAINT events_pkey", "events has not the key"),
        ("ALTER TABLE clicks.events ADD COLUMN x int NOT NULL", "events.x is not ours"),
        ("DROP TABLE clicks.quarantine", "the table quarantine is missing"),
        ("ALTER TABLE clicks.audits RENAME TO a; CREATE VIEW clicks.audits AS TABLE clicks.a", "audits is not a table"),
        ("CREATE RULE none AS ON INSERT TO clicks.events DO INSTEAD NOTHING", "events has a trigger, a rule"),
        ("ALTER TABLE clicks.events ENABLE ROW LEVEL SECURITY", "events has a trigger, a rule or a row policy"),
        ("INSERT INTO clicks.event_types VALUES ('x', 'x', '\"); DROP\"')", "the type of x in event_types is none"),
        ("INSERT INTO clicks.event_types VALUES ('x', 'x', '\"BIGINT\"')", "events has no column x"),
        ("DELETE FROM clicks.alembic_version", "names no format"),
        ("DELETE FROM clicks.meta", "names no topic"),
    ],
)
def test_a_change_by_hand_is_said_in_words(url: str, change: str, said: str) -> None:
    make(url)
    asked(url, change)
    with pytest.raises(WarehouseDamaged, match=said.replace("(", r"\(")):
        make(url)


def test_somebodys_own_table_and_column_are_no_harm(url: str) -> None:
    make(url)
    asked(url, "CREATE TABLE clicks.notes (n int); ALTER TABLE clicks.events ADD COLUMN note text")
    make(url)


def test_a_wrong_password_a_missing_database_and_a_server_that_is_down_are_told_apart(
    postgres: PostgresServer, url: str, tmp_path: Any
) -> None:
    failures: list[tuple[str, type[StreamproofError], int]] = [
        (postgres.url(password="wrong-secret"), Refused, 77),
        (postgres.url("missing"), Misconfigured, 78),
        (f"{url}?sslmode=wrong", Misconfigured, 78),
        (f"{url}?options=-c%20nothing=1", Misconfigured, 78),
        (f"postgresql://user:wrong-secret@127.0.0.1:{Ports(tmp_path).take('nobody')}/db", WarehouseUnreachable, 69),
    ]
    for address, kind, code in failures:
        with pytest.raises(kind) as caught:
            make(address)
        assert caught.value.exit_code == code
        assert "wrong-secret" not in str(caught.value)
        assert postgres.password not in str(caught.value)


def test_a_user_without_the_right_to_make_one_is_refused_and_helped(postgres: PostgresServer, url: str) -> None:
    asked(url, "DO $$ BEGIN CREATE ROLE weak LOGIN PASSWORD 'weak'; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    weak = postgres.url(url.rpartition("/")[2], "weak", "weak")
    with pytest.raises(Refused, match="Grant CREATE"):
        make(weak)
    asked(url, "CREATE SCHEMA clicks AUTHORIZATION weak")
    make(weak)


def test_a_user_who_may_not_look_into_a_warehouse_is_refused_and_it_is_not_called_damaged(
    postgres: PostgresServer, url: str
) -> None:
    make(url)
    asked(url, "DO $$ BEGIN CREATE ROLE weak LOGIN PASSWORD 'weak'; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    weak = postgres.url(url.rpartition("/")[2], "weak", "weak")
    with pytest.raises(Refused, match="grant USAGE"):
        make(weak)
    asked(url, "GRANT USAGE ON SCHEMA clicks TO weak")
    with pytest.raises(Refused):
        make(weak)

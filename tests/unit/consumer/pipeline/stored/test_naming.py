"""The text that names a place: each form is what it says, and no message repeats a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.connection import Connection
from cluster.errors import Misconfigured
from consumer.pipeline.stored.naming import stored_at
from consumer.pipeline.stored.table_name import read_table_name
from consumer.sinks.postgres.place import address_from

NOWHERE = Connection.of({"bootstrap_servers": "127.0.0.1:1"}, {"url": "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("text", "query", "kind", "shown"),
    [
        ("postgresql://u@h:5/db#s.t", None, "PostgresPlace", "postgresql://u@h:5/db#s.t"),
        ("postgres://h/db#t", None, "PostgresPlace", "postgresql://h/db#t"),
        ("postgresql://h/db", "SELECT 1", "PostgresPlace", "postgresql://h/db (query)"),
        ("postgresql://h/db?sslmode=disable#t", None, "PostgresPlace", "postgresql://h/db#t"),
        ("postgresql://h/db?service=x#t", None, "PostgresPlace", "postgresql://h/db#t"),
        ('postgresql://h/db#"a#b"."c.d"', None, "PostgresPlace", "postgresql://h/db#a#b.c.d"),
        ("events.duckdb#t", None, "DuckdbPlace", "events.duckdb#t"),
        ("some/where.db#s.t", None, "DuckdbPlace", "some/where.db#s.t"),
        ("events.duckdb", "FROM t", "DuckdbPlace", "events.duckdb (query)"),
        ("out/*.parquet", None, "FilesPlace", "out/*.parquet"),
        ("out", None, "FilesPlace", "out"),
        ("a.csv.gz", None, "FilesPlace", "a.csv.gz"),
        ("kafka:my.topic", None, "TopicPlace", "kafka:my.topic"),
        ("s3://bucket/a/*.parquet", None, "ObjectStorePlace", "s3://bucket/a/*.parquet"),
        ("  out  ", None, "FilesPlace", "out"),
    ],
)
def test_each_form_is_what_it_says(text: str, query: str | None, kind: str, shown: str) -> None:
    place = stored_at(text, query=query, connection=NOWHERE)
    assert (type(place).__name__, place.shown) == (kind, shown)


def test_an_address_that_a_connection_gave_needs_a_table_or_a_query() -> None:
    address = address_from({"host": "h", "dbname": "db", "user": "u", "password": "s3cret"})
    assert stored_at("s.t", address=address).shown == "postgresql://u@h/db#s.t"
    assert stored_at("#s.t", address=address).shown == "postgresql://u@h/db#s.t"
    assert stored_at("", query="SELECT 1", address=address).shown == "postgresql://u@h/db (query)"
    assert "s3cret" not in repr(stored_at("t", address=address))
    with pytest.raises(Misconfigured, match="neither"):
        stored_at("", address=address)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:s3cret@h/db#t",
        "postgresql://u:s3cret@h/db",
        "postgresql://u:s3#cret@h/db#t",
        "postgresql://u:s3/cret@h/db#t",
        "postgresql://u:s3@cret@h/db#t",
        "postgresql://h/db?password=s3cret#t",
        "postgresql://h/db?user=u&password=s3cret",
        "postgresql://h/db?sslpassword=s3cret#t",
        "postgresq://u:s3cret@h/db#t",
        "postgres:/u:s3cret@h/db#t",
        "postgresql:u:s3cret@h/db#t",
        "PostgreSQL://u:s3cret@h/db#t",
        " postgresql://u:s3cret@h/db#t",
        "jdbc:postgresql://u:s3cret@h/db#t",
        "mysql://u:s3cret@h/db#t",
        "https://u:s3cret@h/x.parquet",
        "u:s3cret@h/db#t",
        "u:s3cret@h",
        "host=h password=s3cret dbname=db",
        "password=s3cret#t",
        "s3://key:s3cret@bucket/x.parquet",
        "s3://bucket/x.parquet?s3_secret_access_key=s3cret",
        "kafka://u:s3cret@h/topic",
        "kafka:u:s3cret@h",
    ],
)
def test_a_secret_in_the_text_is_refused_and_not_repeated(text: str) -> None:
    for query in (None, "SELECT 1"):
        with pytest.raises(Misconfigured) as caught:
            stored_at(text, query=query, connection=NOWHERE)
        said = f"{caught.value} {caught.value.document()} {caught.value.__cause__!r}"
        assert not any(part in said for part in ("s3cret", "cret@", "s3#", "s3/cret"))


@pytest.mark.parametrize(
    ("text", "query", "says"),
    [
        ("", None, "the place is empty"),
        ("postgresql://h/db", None, "neither a table nor a query"),
        ("postgresql://h/db#", None, "neither a table nor a query"),
        ("postgresql://h/db#t", "SELECT 1", "a table and a query"),
        ("events.duckdb", None, "neither a table nor a query"),
        ("events.duckdb#t", "SELECT 1", "a table and a query"),
        ("out/*.parquet", "SELECT 1", "a query is given beside files"),
        ("kafka:t", "SELECT 1", "a query is given beside a topic"),
        ("s3://b/*.parquet", "SELECT 1", "a query is given beside files"),
        ("out.csv#t", None, "only a database has tables"),
        ("postgresql://h/db", "  ", "the query is empty"),
        ("kafka:", None, "is not a topic name"),
        ("kafka:a b", None, "is not a topic name"),
        ('events.duckdb#"a', None, "no name of a table"),
        ('events.duckdb#a."b', None, "no name of a table"),
        ("events.duckdb#a..b", None, "is not the name of a table"),
        ('events.duckdb#"a"b', None, "is not the name of a table"),
        ('events.duckdb#"a"."b"."c"', None, "is not the name of a table"),
    ],
)
def test_what_names_no_place_is_said(text: str, query: str | None, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        stored_at(text, query=query, connection=NOWHERE)
    assert caught.value.exit_code == 78


def test_a_topic_needs_a_cluster() -> None:
    with pytest.raises(Misconfigured, match="no address of Kafka"):
        stored_at("kafka:t")


def test_a_file_may_have_the_sign_of_a_table_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a#b.csv").write_text("a\n1\n")
    assert type(stored_at(f"{tmp_path}/a#b.csv")).__name__ == "FilesPlace"


@given(st.lists(st.text(min_size=1).filter(lambda name: "\0" not in name), min_size=1, max_size=2))
def test_any_name_can_be_written_in_quotes(parts: list[str]) -> None:
    text = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    assert list(read_table_name(text).readings()) == [tuple(parts)]

"""Addresses and schemas: every topic has a schema of its own, and no password is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from consumer.sinks import place_named, place_to_verify
from consumer.sinks.postgres.place import Address, address_of, aside_of, is_address, schema_of
from consumer.sinks.postgres.values.types import cut_name, described, read_type
from schemas.columns.column_type import ColumnType

TOPICS = st.text("abcXYZ019._-", min_size=1, max_size=249).filter(lambda name: name not in (".", ".."))
SCALARS = st.sampled_from(["BIGINT", "VARCHAR", "DOUBLE", "DECIMAL(38,10)", "TIMESTAMP WITH TIME ZONE", '"NULL"'])
TYPES = st.recursive(
    SCALARS.map(ColumnType),
    lambda inner: st.one_of(
        inner.map(lambda kind: ColumnType("LIST", (("child", kind),))),
        st.tuples(inner, inner).map(lambda two: ColumnType("MAP", (("key", two[0]), ("value", two[1])))),
        st.lists(st.tuples(st.text(min_size=1), inner), min_size=1).map(lambda m: ColumnType("STRUCT", tuple(m))),
        st.lists(st.tuples(st.text(min_size=1), inner), min_size=1).map(lambda m: ColumnType("UNION", tuple(m))),
    ),
    max_leaves=8,
)


@given(st.sets(TOPICS, min_size=2, max_size=6))
def test_every_topic_has_a_schema_of_its_own_that_fits(topics: set[str]) -> None:
    schemas = {schema_of(topic) for topic in topics}
    assert len(schemas) == len(topics)
    assert all(len(schema.encode()) <= 63 for schema in schemas)
    assert all(len(aside_of(schema, "20261127T120000Z")) <= 63 for schema in schemas)


@pytest.mark.parametrize("topic", ["public", "information_schema", "pg_catalog", "pg_mine"])
def test_no_topic_gets_a_schema_that_postgresql_keeps(topic: str) -> None:
    assert schema_of(topic) != topic
    assert not schema_of(topic).startswith("pg_")


@pytest.mark.parametrize("name", ["n" * 64, "é" * 32, "x" * 100])
def test_long_names_of_columns_are_cut_and_stay_apart(name: str) -> None:
    cut = {cut_name(name + end) for end in ("", "a", "b")}
    assert len(cut) == 3
    assert all(len(each.encode()) <= 63 for each in cut)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db.example:5433/clicks", "postgresql://me@db.example:5433/clicks"),
        ("postgres://me@db/clicks?password=secret&sslmode=require", "postgresql://me@db/clicks"),
        ("postgresql:///clicks?host=/run/secret-less", "postgresql:///run/secret-less/clicks"),
        ("postgresql://", None),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(Misconfigured):
            address_of(url)
        return
    address = address_of(url)
    assert isinstance(address, Address)
    assert address.shown == shown
    assert "secret@" not in repr(address)
    assert "'secret'" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:sec/ret@db/clicks",
        "postgresql://me:12/ret@db/clicks",
        "postgresql://me:sec%ret@db/c",
        "postgresql://me:sec@ret@db/c",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        address_of(url)
    assert "ret" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "env", "mode"),
    [
        ("db.example", {}, "require"),
        ("127.0.0.1,db.example", {}, "require"),
        ("localhost", {}, None),
        ("127.0.0.1", {}, None),
        ("", {}, None),
        ("db.example", {"PGSSLMODE": "verify-full"}, None),
    ],
)
def test_a_connection_to_another_machine_is_encrypted(place: str, env: dict[str, str], mode: str | None) -> None:
    assert address_of(f"postgresql://me@{place}/clicks", env).conninfo.get("sslmode") == mode
    assert address_of(f"postgresql://me@{place}/clicks?sslmode=disable", env).conninfo["sslmode"] == "disable"
    assert address_of("postgresql://me@/clicks?host=/run/postgresql", env).conninfo.get("sslmode") is None


@pytest.mark.parametrize(
    "path", ["/tmp/postgresql.duckdb", "postgresql.duckdb", "my user=1/x.duckdb", "C:/x.duckdb", "./host=a/b:c"]
)
def test_a_path_is_not_an_address(path: str) -> None:
    assert not is_address(path)


@pytest.mark.parametrize(
    "said",
    [
        "POSTGRESQL://me:secret@db/x",
        " postgresql://me:secret@db/x",
        "postgresql+psycopg://me:secret@db/x",
        "postgresql:/me:secret@db/x",
        "postgres:me:secret@db/x",
        "mysql://me:secret@db/x",
        "host=db user=me password=secret dbname=x",
        "password = secret host=db",
    ],
)
def test_a_misspelt_address_is_refused_and_makes_no_file_that_is_named_after_a_password(said: str) -> None:
    with pytest.raises(Misconfigured, match="not one of PostgreSQL's") as caught:
        place_named(said, "clicks", {})
    assert "secret" not in str(caught.value)
    with pytest.raises(Misconfigured, match="not one of PostgreSQL's"):
        place_to_verify(said, None)


def test_a_socket_without_a_file_is_a_host() -> None:
    assert address_of("postgresql:///clicks?host=@one,@two").shown == "postgresql://@one,@two/clicks"


@given(TYPES)
def test_a_type_is_read_as_it_was_described(kind: ColumnType) -> None:
    assert read_type(described(kind)) == kind


@pytest.mark.parametrize(
    "said", ["INTEGER); DROP TABLE x", {"LIST": []}, {"MAP": [["key", "VARCHAR"]]}, 1, None, {"STRUCT": [1]}]
)
def test_what_is_not_a_type_is_refused(said: object) -> None:
    with pytest.raises(ValueError, match="is not a"):
        read_type(said)

"""A value is the same in another type exactly where nothing of it is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.pipeline.values.alike import alike, retyped
from consumer.pipeline.values.macros import MACROS
from consumer.pipeline.values.sides import NotComparable, digests
from tests.kit.depth import examples


@pytest.fixture(scope="module")
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(MACROS)
        yield connection


def same(session: duckdb.DuckDBPyConnection, stored: str, stored_type: str, sent: str, sent_type: str) -> bool:
    here, there = f"CAST({stored} AS {stored_type})", f"CAST({sent} AS {sent_type})"
    sides = digests(here, there, alike(here, stored_type, there, sent_type))
    right = ", ".join([sides.sent, *sides.also])
    return bool(session.execute(f"SELECT {sides.stored} IN ({right})").fetchall()[0][0])


@pytest.mark.parametrize(
    ("stored", "stored_type", "sent", "sent_type"),
    [
        ("5", "BIGINT", "5", "INTEGER"),
        ("'5'", "VARCHAR", "5", "INTEGER"),
        ("' 5.00 '", "VARCHAR", "5", "INTEGER"),
        ("'+05'", "VARCHAR", "5", "BIGINT"),
        ("'1e3'", "VARCHAR", "1000", "BIGINT"),
        ("5.0", "DOUBLE", "5", "INTEGER"),
        ("0.1", "DECIMAL(10,2)", "0.1", "DOUBLE"),
        ("'0.1'", "VARCHAR", "0.1", "DOUBLE"),
        ("12.3", "DECIMAL(20,10)", "12.30", "DECIMAL(12,2)"),
        ("'12.3000'", "VARCHAR", "12.30", "DECIMAL(12,2)"),
        ("12.3", "DOUBLE", "12.30", "DECIMAL(12,2)"),
        ("0.5", "FLOAT", "0.5", "DOUBLE"),
        ("'true'", "VARCHAR", "true", "BOOLEAN"),
        ("1", "INTEGER", "true", "BOOLEAN"),
        ("5", "INTEGER", "'5'", "VARCHAR"),
        ("'6f9619ff-8b86-d011-b42d-00c04fc964ff'", "UUID", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "VARCHAR"),
        ("'2026-01-01T00:00:00.5Z'", "VARCHAR", "'2026-01-01 00:00:00.5'", "TIMESTAMP"),
        ("'2026-01-01T02:00:00+02:00'", "VARCHAR", "'2026-01-01 00:00:00'", "TIMESTAMP WITH TIME ZONE"),
        ("1767225600", "BIGINT", "'2026-01-01'", "TIMESTAMP"),
        ("1767225600123", "BIGINT", "'2026-01-01 00:00:00.123'", "TIMESTAMP"),
        ("'1767225600123456'", "VARCHAR", "'2026-01-01 00:00:00.123456'", "TIMESTAMP"),
        ("1767225600123456000", "BIGINT", "'2026-01-01 00:00:00.123456'", "TIMESTAMP"),
        ("'2026-01-01'", "DATE", "'2026-01-01'", "TIMESTAMP"),
        ("'2026-01-01 00:00:00.123'", "TIMESTAMP", "1767225600123", "BIGINT"),
        ("'2026-01-01 00:00:00'", "TIMESTAMP", "'2026-01-01T00:00:00Z'", "VARCHAR"),
        ("'[1, 2]'", "VARCHAR", "[1, 2]", "INTEGER[]"),
        ("[1.0, 2.0]", "DOUBLE[]", "[1, 2]", "INTEGER[]"),
        ("'\\x61'::BLOB", "BLOB", "'a'", "VARCHAR"),
        ("'1E+30'", "VARCHAR", f"{10**30}", "DECIMAL(38,0)"),
        ("'.5'", "VARCHAR", "0.5", "DECIMAL(3,1)"),
        ("'-12.5e-1'", "VARCHAR", "-1.25", "DECIMAL(5,2)"),
        ("1700000000.123456", "DOUBLE", "'2023-11-14 22:13:20.123456'", "TIMESTAMP"),
        ("1700000000123.456", "DOUBLE", "'2023-11-14 22:13:20.123456'", "TIMESTAMP"),
        ("1700000000.123", "DECIMAL(20,6)", "'2023-11-14 22:13:20.123'", "TIMESTAMP"),
        ("'1700000000.123'", "VARCHAR", "'2023-11-14 22:13:20.123'", "TIMESTAMP"),
        ("'1.7000000001235E9'", "VARCHAR", "'2023-11-14 22:13:20.1235'", "TIMESTAMP"),
        ("500", "BIGINT", "'1970-01-01 00:00:00.5'", "TIMESTAMP"),
        ("73612800000", "BIGINT", "'1972-05-02'", "TIMESTAMP"),
        ("'73612800000000'", "VARCHAR", "'1972-05-02'", "TIMESTAMP"),
        ("-1000", "BIGINT", "'1969-12-31 23:59:59'", "TIMESTAMP"),
        ("-62135596800000", "BIGINT", "'0001-01-01'", "TIMESTAMP"),
        ("253402300799", "BIGINT", "'9999-12-31 23:59:59'", "TIMESTAMP"),
        ("20000", "INTEGER", "'2024-10-04'", "DATE"),
        ("1700000000123456789", "BIGINT", "'2023-11-14 22:13:20.123456789'", "TIMESTAMP_NS"),
        ("'2023-11-14T22:13:20.123456789Z'", "VARCHAR", "'2023-11-14 22:13:20.123456789'", "TIMESTAMP_NS"),
        ("MAP{'y':2,'x':1}", "MAP(VARCHAR, INTEGER)", "MAP{'x':1,'y':2}", "MAP(VARCHAR, INTEGER)"),
        ("[MAP{'y':2,'x':1}]", "MAP(VARCHAR, INTEGER)[]", "[MAP{'x':1,'y':2}]", "MAP(VARCHAR, INTEGER)[]"),
        ('\'{"y":2.50,"x":1}\'', "VARCHAR", "MAP{'x':1,'y':2.5}", "MAP(VARCHAR, DECIMAL(9,2))"),
        ("'[{\"at\":1700000000123}]'", "VARCHAR", "[{'at':'2023-11-14 22:13:20.123'}]", 'STRUCT("at" TIMESTAMP)[]'),
        (
            '\'[{"at":"2023-11-14T23:13:20+01:00"}]\'',
            "VARCHAR",
            "[{'at':'2023-11-14 22:13:20'}]",
            'STRUCT("at" TIMESTAMP)[]',
        ),
        (
            "[{'at':1700000000123}]",
            'STRUCT("at" BIGINT)[]',
            "[{'at':'2023-11-14 22:13:20.123'}]",
            'STRUCT("at" TIMESTAMP)[]',
        ),
        ("'[null, [\"a\", null]]'", "VARCHAR", "[NULL, ['a', NULL]]", "VARCHAR[][]"),
        ("NULL", "VARCHAR", "NULL", "BIGINT"),
        ("NULL", "DOUBLE", "NULL", "TIMESTAMP"),
    ],
)
def test_a_value_is_the_same_in_another_type(
    session: duckdb.DuckDBPyConnection, stored: str, stored_type: str, sent: str, sent_type: str
) -> None:
    assert same(session, stored, stored_type, sent, sent_type)


@pytest.mark.parametrize(
    ("stored", "stored_type", "sent", "sent_type"),
    [
        ("5.4", "DOUBLE", "5", "INTEGER"),
        ("'5.4'", "VARCHAR", "5", "INTEGER"),
        ("'abc'", "VARCHAR", "NULL", "INTEGER"),
        ("''", "VARCHAR", "0", "INTEGER"),
        ("9007199254740993", "DOUBLE", "9007199254740993", "BIGINT"),
        ("0.1", "FLOAT", "0.1", "DOUBLE"),
        ("12.35", "DECIMAL(12,2)", "12.345", "DOUBLE"),
        ("12.35", "DECIMAL(12,2)", "12.345", "DECIMAL(12,3)"),
        ("'0.1000000000000000055'", "VARCHAR", "0.1", "DECIMAL(20,19)"),
        ("12345678901234567890.12", "DOUBLE", "12345678901234567890.12", "DECIMAL(38,2)"),
        ("5", "INTEGER", "'05'", "VARCHAR"),
        ("'2026-01-01'", "DATE", "'2026-01-01 00:00:01'", "TIMESTAMP"),
        ("'2026-01-01 00:00:00'", "TIMESTAMP_S", "'2026-01-01 00:00:00.001'", "TIMESTAMP"),
        ("1767225600", "BIGINT", "'2026-01-01 00:00:00.001'", "TIMESTAMP"),
        ("'yesterday'", "VARCHAR", "NULL", "TIMESTAMP"),
        ("'yesterday'", "VARCHAR", "'2026-01-01'", "TIMESTAMP"),
        ("'[1]'", "VARCHAR", "[1, 2]", "INTEGER[]"),
        ("[1.5]", "DOUBLE[]", "[1]", "INTEGER[]"),
        ("'no json'", "VARCHAR", "NULL", "INTEGER[]"),
        ("'1e-16'", "VARCHAR", "0", "INTEGER"),
        ("'1.0000000000000004e0'", "VARCHAR", "1", "INTEGER"),
        ("'1_000'", "VARCHAR", "1000", "INTEGER"),
        ("'inf'", "DOUBLE", "'2026-01-01'", "TIMESTAMP"),
        ("'NaN'", "DOUBLE", "'2026-01-01'", "TIMESTAMP"),
        ("1700000000.4", "DOUBLE", "'2023-11-14 22:13:20'", "TIMESTAMP"),
        ("1700000000123.4", "DOUBLE", "'2023-11-14 22:13:20.123'", "TIMESTAMP"),
        ("1700000000.4", "DECIMAL(20,6)", "'2023-11-14 22:13:20'", "TIMESTAMP"),
        ("'1700000000.4'", "VARCHAR", "'2023-11-14 22:13:20'", "TIMESTAMP"),
        ("'2023-11-14T22:13:20.123456999Z'", "VARCHAR", "'2023-11-14 22:13:20.123456'", "TIMESTAMP"),
        ("'[1.4]'", "VARCHAR", "[1]", "INTEGER[]"),
        ("'[9007199254740993]'", "VARCHAR", "[9007199254740992]", "BIGINT[]"),
        ("'[2147483648]'", "VARCHAR", "[NULL]", "INTEGER[]"),
        ("'[1.00004]'", "VARCHAR", "[1.0000]", "DECIMAL(10,4)[]"),
        ("'[\"abc\"]'", "VARCHAR", "[NULL]", "INTEGER[]"),
        ("'[[\"a\"], 5]'", "VARCHAR", "[['a'], NULL]", "VARCHAR[][]"),
        ("'{\"x\":2}'", "VARCHAR", "MAP{'x':1}", "MAP(VARCHAR, INTEGER)"),
        ("NULL", "VARCHAR", "''", "VARCHAR"),
        ("'A'", "VARCHAR", "'a'", "VARCHAR"),
        ("false", "BOOLEAN", "true", "BOOLEAN"),
    ],
)
def test_what_is_lost_on_the_way_shows(
    session: duckdb.DuckDBPyConnection, stored: str, stored_type: str, sent: str, sent_type: str
) -> None:
    assert not same(session, stored, stored_type, sent, sent_type)


@pytest.mark.parametrize(("stored", "sent"), [("VARCHAR", "BLOB"), ("BLOB", "INTEGER")])
def test_bytes_and_what_is_none_are_not_compared(stored: str, sent: str) -> None:
    with pytest.raises(NotComparable):
        alike("stored", stored, "sent", sent)


@pytest.mark.parametrize(
    ("stored", "stored_type", "sent", "asked", "right"),
    [
        ("12.35", "DECIMAL(12,2)", "12.345::DECIMAL(12,3)", "decimal(12,2)", True),
        ("12.34", "DECIMAL(12,2)", "12.345::DECIMAL(12,3)", "decimal(12,2)", True),
        ("12.33", "DECIMAL(12,2)", "12.345::DECIMAL(12,3)", "decimal(12,2)", False),
        ("'2026-01-01 00:00:01'", "TIMESTAMP", "TIMESTAMP '2026-01-01 00:00:00.6'", "timestamp(0)", True),
        ("'2026-01-01 00:00:00'", "TIMESTAMP", "TIMESTAMP '2026-01-01 00:00:00.6'", "timestamp(0)", True),
        ("'2026-01-01 00:00:02'", "TIMESTAMP", "TIMESTAMP '2026-01-01 00:00:00.6'", "timestamp(0)", False),
        ("'2026-01-01'", "DATE", "TIMESTAMP '2026-01-01 12:00:00'", "date", True),
        ("1767225600", "BIGINT", "TIMESTAMP '2026-01-01 00:00:00.6'", "epoch_s", True),
        ("'6162'", "VARCHAR", "'ab'::BLOB", "hex", True),
        ("'YWI='", "VARCHAR", "'ab'::BLOB", "base64", True),
        ("'6163'", "VARCHAR", "'ab'::BLOB", "hex", False),
        ("0.1", "FLOAT", "0.1::DOUBLE", "float", True),
        ("'12.35'", "VARCHAR", "'12.345'", "decimal(12,2)", True),
        ("12.5", "DECIMAL(12,2)", "'12.50'", "decimal(12,2)", True),
        ("12", "DECIMAL(12,2)", "12::BIGINT", "decimal(12,2)", True),
        ("1767225600", "BIGINT", "'2026-01-01T00:00:00Z'", "epoch_s", True),
        ("1767225600", "BIGINT", "1767225600123::BIGINT", "epoch_s", True),
        ("'2026-01-01'", "DATE", "'2026-01-01T12:00:00Z'", "date", True),
        ("1767225601", "BIGINT", "TIMESTAMP '2026-01-01 00:00:00.6'", "epoch_s", True),
        ("1767225602", "BIGINT", "TIMESTAMP '2026-01-01 00:00:00.6'", "epoch_s", False),
        ("-1", "BIGINT", "TIMESTAMP '1969-12-31 23:59:59.4'", "epoch_s", True),
        ("0", "BIGINT", "TIMESTAMP '1969-12-31 23:59:59.4'", "epoch_s", True),
        ("-62135596800", "BIGINT", "TIMESTAMP '0001-01-01'", "epoch_s", True),
        ("253402300799000", "BIGINT", "TIMESTAMP '9999-12-31 23:59:59'", "epoch_ms", True),
        ("100", "INTEGER", "1000::INTEGER", "tinyint", False),
        ("NULL", "INTEGER", "1000::INTEGER", "tinyint", False),
        ("'zz'", "VARCHAR", "NULL::BLOB", "hex", False),
    ],
)
def test_a_type_that_is_named_makes_its_own_loss_right(
    session: duckdb.DuckDBPyConnection, stored: str, stored_type: str, sent: str, asked: str, right: bool
) -> None:
    kept = retyped(f"CAST({stored} AS {stored_type})", sent, str(session.sql(f"SELECT {sent}").types[0]), asked)
    sent_type = kept.sent_type or "BLOB"
    both = [
        digests(
            f"CAST({stored} AS {stored_type})",
            sent,
            alike(kept.stored, kept.stored_type or stored_type, side, sent_type),
        )
        for side in (kept.sent, *kept.also)
    ]
    found = session.execute("SELECT " + ", ".join(f"{sides.stored} = {sides.sent}" for sides in both)).fetchall()[0]
    assert any(found) == right


VALUES: dict[str, Any] = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "INTEGER": st.integers(-(2**31), 2**31 - 1),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "DECIMAL(38,9)": st.decimals(-(10**20), 10**20, places=9, allow_nan=False, allow_infinity=False),
    "DECIMAL(12,2)": st.decimals(-(10**9), 10**9, places=2, allow_nan=False, allow_infinity=False),
    "TIMESTAMP": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)),
    "DATE": st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
    "VARCHAR": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    "BOOLEAN": st.booleans(),
}
PAIRS = [
    ("INTEGER", "BIGINT"),
    ("VARCHAR", "BIGINT"),
    ("DOUBLE", "BIGINT"),
    ("DECIMAL(38,9)", "BIGINT"),
    ("VARCHAR", "DECIMAL(38,9)"),
    ("DOUBLE", "DECIMAL(38,9)"),
    ("DECIMAL(12,2)", "DECIMAL(38,9)"),
    ("DOUBLE", "DECIMAL(12,2)"),
    ("VARCHAR", "DOUBLE"),
    ("VARCHAR", "TIMESTAMP"),
    ("DATE", "TIMESTAMP"),
    ("TIMESTAMP_MS", "TIMESTAMP"),
    ("TIMESTAMP_S", "TIMESTAMP"),
    ("VARCHAR", "BOOLEAN"),
]


@pytest.mark.parametrize(("stored_type", "sent_type"), PAIRS)
def test_a_value_that_was_brought_into_another_type_is_the_same_exactly_where_it_comes_back(
    session: duckdb.DuckDBPyConnection, stored_type: str, sent_type: str
) -> None:
    sides = digests("stored", "sent", alike("stored", stored_type, "sent", sent_type))
    query = f"""
        SELECT {sides.stored} IN ({", ".join([sides.sent, *sides.also])}),
               TRY_CAST(stored AS {sent_type}) IS NOT DISTINCT FROM sent, stored IS NULL
        FROM (SELECT TRY_CAST(sent AS {stored_type}) AS stored, sent FROM (SELECT CAST(? AS {sent_type}) AS sent))
    """

    @given(VALUES[sent_type])
    @examples_of_one
    def hold(value: Any) -> None:
        text = str(value) if isinstance(value, Decimal) else value
        ((alike_, comes_back, gone),) = session.execute(query, [text]).fetchall()
        assert alike_ == (comes_back and not gone)

    hold()


def examples_of_one(function: Any) -> Any:
    from hypothesis import settings

    return settings(max_examples=examples(40), deadline=None)(function)

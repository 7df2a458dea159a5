"""What became of a value is said as what it is."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest

from consumer.pipeline.values.likeness import likeness, likenesses

NOON = dt.datetime(2026, 1, 1, 12, 0, 5, 123_456, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("sent", "stored", "words"),
    [
        (NOON, NOON.replace(microsecond=123_000), "rounded to milliseconds"),
        (NOON, NOON.replace(microsecond=0), "rounded to seconds"),
        (NOON, NOON.replace(second=0, microsecond=0), "rounded to minutes"),
        (NOON, NOON.date(), "rounded to days"),
        (NOON, NOON + dt.timedelta(hours=2), "moved by +2 h, as by a time zone"),
        (NOON, NOON - dt.timedelta(hours=5, minutes=30), "moved by -5.5 h, as by a time zone"),
        (NOON, "2026-01-01T12:00:05Z", "rounded to seconds"),
        (NOON, "noon", "no time can be read in it"),
        (0.14285714285714285, 0.1428571492433548, "of the precision of a 32-bit number"),
        (Decimal("12345678901234567890.12"), 12345678901234567168.0, "of the precision of a 64-bit number"),
        (9007199254740993, 9007199254740992.0, "of the precision of a 64-bit number"),
        (3.14159, 3.14, "rounded to 2 digits after the point"),
        (2.999, Decimal("2.99"), "cut off to 2 digits after the point"),
        (3.64, 3.6, "rounded to 1 digit after the point"),
        (3.6, 4, "rounded to a whole number"),
        (5, -5, "of the other sign"),
        (5, 6, "another value"),
        (5, "five", "no number can be read in it"),
        (True, False, "another value"),
        ("Zürich", "Z?rich", "with letters that a character set lacks"),
        ("a long text", "a long", "cut off after 6 characters"),
        ("text", " text ", "with other blanks around it"),
        ("Text", "TEXT", "in another case"),
        ("text", "", "an empty text"),
        ("007", 7, "of a type that does not keep the text"),
        ("x", uuid.UUID(int=1), "another value"),
        (b"abc", b"ab", "cut off after 2 bytes"),
        ("text", None, "NULL"),
        (None, "text", "a value where there was none"),
        ([1, 2], [1], "another value"),
    ],
)
def test_what_became_of_a_value_is_said(sent: Any, stored: Any, words: str) -> None:
    assert likeness(sent, stored) == words


def test_the_rounding_that_explains_all_values_of_a_column_is_told() -> None:
    pairs = [(Decimal("3.0003"), Decimal("3.00")), (Decimal("3.0157"), Decimal("3.02"))]
    assert likenesses(pairs) == ["rounded to 2 digits after the point"] * 2
    assert likenesses([*pairs, (Decimal("1.5"), Decimal(7))])[2] == "another value"

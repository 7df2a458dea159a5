"""A text becomes a value only where the value says it again; all else is no value of its type."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from producer.scenarios.replay.rows.guess import Guess
from producer.scenarios.replay.rows.text_types import refused_kind, says_again, typed
from schemas.types.tree import Node
from tests.kit.depth import examples

BAD = object()
MILLIS, MICROS = Node("long", logical="timestamp-millis"), Node("long", logical="timestamp-micros")
LOCAL = Node("long", logical="local-timestamp-micros")
DAY, PRICE = Node("int", logical="date"), Node("bytes", logical="decimal", precision=5, scale=2)
NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


def values(node: Node, *texts: str) -> list[object]:
    found = typed(pa.array(texts, pa.string()), node)
    bad = [False] * len(texts) if found.bad is None else found.bad.tolist()
    return [BAD if wrong else value for wrong, value in zip(bad, found.values.to_pylist(), strict=True)]


@pytest.mark.parametrize(
    ("node", "text", "value"),
    [
        (Node("long"), "9223372036854775807", 2**63 - 1),
        (Node("long"), "-9223372036854775808", -(2**63)),
        (Node("int"), "-2147483648", -(2**31)),
        (Node("double"), "1e3", 1000.0),
        (Node("double"), "0.30000000000000004", 0.1 + 0.2),
        (Node("double"), "1.50000000000000000000", 1.5),
        (Node("double"), "0e-999", 0.0),
        (Node("double"), "5e-324", 5e-324),
        (Node("double"), "1.2e-320", 1.2e-320),
        (Node("double"), "2.2250738585072e-309", 2.2250738585072e-309),
        (Node("float"), "0.5", 0.5),
        (Node("boolean"), "TRUE", True),
        (Node("boolean"), "False", False),
        (MILLIS, "1506826800026", dt.datetime(2017, 10, 1, 3, 0, 0, 26000, tzinfo=dt.UTC)),
        (MILLIS, "2026-01-31 12:00:00+00:00", NOON),
        (MICROS, "2026-01-31T12:00:00.000001Z", NOON + dt.timedelta(microseconds=1)),
        (LOCAL, "2026-01-31T12:00:00", NOON.replace(tzinfo=None)),
        (DAY, "2026-01-31", dt.date(2026, 1, 31)),
        (PRICE, "1.5", Decimal("1.50")),
        (Node("enum", symbols=("A", "B")), "B", "B"),
        (Node("string"), "007", "007"),
        (Node("string"), "", ""),
        (Node("string", null_branch=0), "", None),
        (Node("long", null_branch=0), "", None),
    ],
)
def test_a_text_that_says_a_value_is_that_value(node, text, value):
    assert values(node, text) == [value]


@pytest.mark.parametrize(
    ("node", "texts"),
    [
        (Node("long"), ("007", "-0", "+5", " 5", "5 ", "0x1F", "1e3", "1.0", "9223372036854775808", "", "٣")),
        (Node("int"), ("2147483648",)),
        (Node("double"), ("NaN", "inf", ".5", "5.", "00.1", "1e999", "1e-999", "9007199254740993", "1,5", "")),
        (Node("double"), ("0.1234567890123456789", "12345678901234567890")),
        (Node("double"), ("3e-324", "1.23456789e-320")),  # the smallest have few digits
        (Node("float"), ("16777217", "1e39", "1e-46", "1.23456e-42")),
        (Node("boolean"), ("1", "0", "yes", "tRue", "")),
        (MILLIS, ("2026-01-31T12:00:00", "2026-01-31T12:00:00+02:00", "2026-01-31", "2026-02-30T00:00:00Z")),
        (MILLIS, ("2026-01-31T12:00:00.0001Z", "2026-01-31T24:00:00Z", "999999999999999999", "")),
        (LOCAL, ("2026-01-31T12:00:00Z",)),
        (DAY, ("2026-1-3", "2026-02-30", "31.01.2026", "0000-01-01")),
        (PRICE, ("1.555", "1234.1", "1e2", "-0", "-0.00")),
        (Node("enum", symbols=("A", "B")), ("C", "")),
    ],
)
def test_a_text_that_does_not_say_a_value_exactly_is_none(node, texts):
    assert values(node, *texts) == [BAD] * len(texts)
    good = {"boolean": "true", "enum": "A"}.get(node.kind, "7" if not node.logical else "")
    if good:
        assert values(node, good, *texts)[0] is not BAD  # one bad text does not spoil the others


@example([2.0**-24, 2.0**-25, 5e-324, 1.7976931348623157e308])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
@settings(max_examples=examples(100), deadline=None)
def test_every_double_is_read_from_the_text_that_python_and_c_write(numbers):
    texts = [repr(number).replace("e+", "e") for number in numbers]
    assert values(Node("double"), *texts) == numbers
    assert values(Node("double"), *[f"{number:.17g}" for number in numbers]) == numbers


@given(st.lists(st.from_regex(r"-?[0-9]{1,24}(\.[0-9]{1,24})?", fullmatch=True), min_size=1, max_size=8))
@settings(max_examples=examples(100), deadline=None)
def test_a_double_says_its_text_again_in_as_many_digits_or_is_none(texts):
    for text, value in zip(texts, values(Node("double"), *texts), strict=True):
        if value is not BAD:
            digits = len(Decimal(text).normalize().as_tuple().digits)
            assert math.isfinite(value)
            assert Decimal(f"{value:.{digits - 1}e}") == Decimal(text)


@pytest.mark.parametrize(
    ("texts", "avro"),
    [
        (["1", "2"], "long"),
        (["1", ""], ["null", "long"]),
        (["1", "2.5"], "double"),
        (["1", "007"], "string"),
        (["1", "9223372036854775808"], "string"),
        (["1.5", "0.1234567890123456789"], "string"),
        (["true", "false"], "boolean"),
        (["0", "1"], "long"),
        (["1506826800026"], "long"),
        (["2026-01-31T12:00:00Z"], {"type": "long", "logicalType": "timestamp-micros"}),
        (["2026-01-31T12:00:00", ""], ["null", {"type": "long", "logicalType": "local-timestamp-micros"}]),
        (["2026-01-31T12:00:00+02:00"], "string"),
        (["2026-01-31"], "string"),
        (["2026-01-31T12:00:00Z", "1506826800026000"], "string"),
        (["", ""], ["null", "string"]),
        ([], ["null", "string"]),
        (["a", "1"], "string"),
    ],
)
def test_a_column_has_the_type_that_all_its_texts_have(texts, avro):
    guess = Guess()
    for text in texts:  # however they come
        guess.look(pa.array([text], pa.string()))
    assert guess.avro == avro
    whole = Guess()
    if texts:
        whole.look(pa.array(texts, pa.string()))
    assert whole.avro == avro


@pytest.mark.parametrize("text", ["1e-99999999", "1e-99999999999999999999", "1.5e-99999999", "1e99999999999999999999"])
def test_an_exponent_without_bounds_is_no_number_and_no_error(text):
    assert not says_again(text, float(text))
    assert says_again("0e-99999999", 0.0)


def test_types_that_no_text_says_are_named():
    assert [refused_kind(node) for node in (Node("bytes"), Node("array"), Node("int", logical="time-millis"))] == [
        "bytes",
        "array",
        "time-millis",
    ]
    assert refused_kind(MILLIS) is None

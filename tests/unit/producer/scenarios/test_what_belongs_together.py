"""Fields of one record that depend on each other, where a scenario file says nothing: what holds in every event."""

from __future__ import annotations

import datetime as dt
from functools import partial
from itertools import product

import pytest

from tests.unit.producer.scenarios.test_names_of_fields import MOMENT, record_of

MICROS = {"type": "long", "logicalType": "timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
UNITS_S = {"nano": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "minutes": 60, "hours": 3600, "days": 86400}


@pytest.fixture
def draw(draw):
    return partial(draw, events=300)


def rows(drawn):
    return [dict(zip(drawn, values, strict=True)) for values in zip(*drawn.values(), strict=True)]


def seconds(value, unit=None):
    """Return a point in time, as a schema writes it, in seconds."""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return value.toordinal() * 86400 if isinstance(value, dt.date) else value * UNITS_S[unit]


@pytest.mark.parametrize("number", ["int", "double"])
@pytest.mark.parametrize(
    ("start", "end", "kind", "lasts", "unit", "record"),
    [
        ("started_at", "ended_at", MOMENT, "duration_ms", "ms", "Thing"),
        ("start_time", "end_time", MICROS, "elapsed_seconds", "s", "Thing"),
        ("pickup_datetime", "dropoff_datetime", "string", "trip_minutes", "minutes", "TaxiRide"),
        ("start_ms", "end_ms", "long", "durationMillis", "ms", "JobRun"),
        ("startTimeUnixNano", "endTimeUnixNano", "long", "duration_us", "us", "Span"),
        ("check_in", "check_out", DATE, "nights", "days", "Stay"),
        ("call_start_time", "call_end_time", MOMENT, "call_duration_sec", "s", "CallDetailRecord"),
        ("departure_time", "arrival_time", "string", "flight_time_min", "minutes", "Flight"),
        ("admitted_at", "discharged_at", MICROS, "length_of_stay_days", "days", "Encounter"),
        ("login_time", "logout_time", "double", "session_length_s", "s", "Session"),
        ("requestSent", "responseReceived", MICROS, "latencyMs", "ms", "Exchange"),
        ("actual_start", "actual_end", MOMENT, "actual_hours", "hours", "WorkOrder"),
    ],
)
def test_a_duration_is_the_end_minus_the_start_in_its_unit(draw, start, end, kind, lasts, unit, record, number):
    drawn = draw(
        record_of(record, **{lasts: number, end: kind, "ring_duration": "int", start: kind, "timeout_ms": "int"})
    )
    written = next((one for one in ("ms", "nano") if one in start.lower()), "s") if kind in ("long", "double") else None
    gaps = [
        (seconds(after, written) - seconds(before, written)) / UNITS_S[unit]
        for before, after in zip(drawn[start], drawn[end], strict=True)
    ]
    assert drawn[lasts] == pytest.approx(gaps, rel=1e-6, abs=0.5 if unit == "us" else 0.01)
    assert min(gaps) >= 0 and len(set(gaps)) > 1
    assert drawn["ring_duration"] != drawn[lasts] != drawn["timeout_ms"]


def test_a_duration_is_null_where_its_end_is_and_follows_what_the_file_says(draw):
    record = record_of("Trip", start=MOMENT, end=["null", "string"], minutes=["null", "int"])
    for row in rows(draw(record, rules="fields: {end: {reference: {field: start, plus: [60, 900]}, nulls: 0.3}}")):
        assert (row["minutes"] is None) == (row["end"] is None)
        if row["end"] is not None:
            assert row["minutes"] == (seconds(row["end"]) - seconds(row["start"])) // 60 <= 15


@pytest.mark.parametrize("other", ["{distribution: [1, 9]}", "{reference: {field: duration_ms}}", "{constant: 5}"])
def test_a_span_of_what_the_file_makes_no_times_is_drawn(draw, other):
    record = record_of("Trip", start_ms="long", end_ms="long", duration_ms="long")
    assert min(draw(record, rules=f"fields: {{end_ms: {other}}}")["duration_ms"]) > 0


@pytest.mark.parametrize(
    ("op", "made", "gone"),
    [
        ("string", {"c", "r"}, {"d"}),
        ({"type": "enum", "name": "Op", "symbols": ["INSERT", "UPDATE", "DELETE"]}, {"INSERT"}, {"DELETE"}),
        ({"type": "enum", "name": "Op", "symbols": ["u", "c", "d", "r", "t"]}, {"c", "r"}, {"d"}),
    ],
)
@pytest.mark.parametrize(
    ("before", "after", "named"), [("before", "after", "op"), ("oldImage", "newImage", "operation")]
)
def test_the_rows_before_and_after_a_change_are_there_as_its_operation_says(draw, op, made, gone, before, after, named):
    value = record_of("Value", id="int", customer_id="long", total="double", created_at="long")
    drawn = draw(record_of("Envelope", **{before: ["null", value], after: ["null", "Value"], named: op}))
    for row in rows(drawn):
        assert (row[before] is None) == (row[named] in made)
        assert (row[after] is None) == (row[named] in gone)
        if before == "before" and row[before] and row[after]:
            assert [row[before][one] == row[after][one] for one in ("id", "customer_id", "created_at")] == [True] * 3
    assert {row[named] for row in rows(drawn)} >= made | gone
    if before == "before":
        assert any(row[before] and row[after] and row[before]["total"] != row[after]["total"] for row in rows(drawn))


def test_the_operations_of_a_file_decide_as_well_and_its_nulls_stay(draw):
    record = record_of("Envelope", before=["null", "string"], after=["null", "string"], op="string")
    drawn = draw(record, rules="fields: {op: {choice: [create, update]}, after: {nulls: 1}}")
    assert {(row["op"], row["before"] is None) for row in rows(drawn)} == {("create", True), ("update", False)}
    assert set(drawn["after"]) == {None}


@pytest.mark.parametrize("kind", ["double", "int", MONEY])
def test_a_total_is_what_its_parts_come_to(draw, kind):
    names = ["subtotal", "tax_amount", "shippingFee", "discount", "total"]
    for row in rows(draw(record_of("Invoice", **dict.fromkeys(reversed(names), kind)))):
        subtotal, tax, shipping, discount, total = (float(row[name]) for name in names)
        assert total == pytest.approx(subtotal + tax + shipping - discount, abs=0.001)
        assert 0 <= discount <= subtotal


@pytest.mark.parametrize(
    ("record", "fields", "holds"),
    [
        ("TaxiTrip", "fare_amount extra mta_tax tip_amount tolls_amount total_amount", lambda f, e, m, tip, t, total: total == f + e + m + tip + t),
        ("Invoice", "net_amount vat_amount gross_amount", lambda net, vat, gross: gross == net + vat and vat < net),
        ("Charge", "amount fee net", lambda amount, fee, net: amount == net + fee),
        ("Line", "quantity unit_price line_total", lambda quantity, price, total: total == quantity * price),
        ("Trade", "price quantity notional", lambda price, quantity, notional: notional == price * quantity),
        ("Payroll", "hours_worked hourly_rate gross_pay", lambda hours, rate, pay: pay == hours * rate),
        ("Receipt", "quantity unitPrice subtotal tax total", lambda q, p, s, tax, total: s == q * p and total == s + tax),
        ("Receipt", "total tax", lambda total, tax: tax < total),
        ("Recharge", "balance_before charged_amount balance_after", lambda b, gone, a: a == b - gone and a >= 0),
        ("Ledger", "opening_balance deposit_amount closing_balance", lambda b, come, a: a == b + come),
        ("Volume", "total_gb used_gb free_gb", lambda total, used, free: total == used + free and used <= total),
        ("Cpu", "cpu_user_pct cpu_system_pct cpu_idle_pct", lambda user, system, idle: idle == 100 - user - system and idle >= 0),
        ("Vitals", "diastolic systolic", lambda low, high: low < high),
        ("Weather", "dew_point temperature", lambda low, high: low <= high),
        ("Service", "p50_ms p95_ms p99_ms", lambda one, two, three: one <= two <= three),
        ("Reading", "min_value value max_value", lambda low, value, high: low <= value <= high),
        ("Reading", "temp_min temp temp_max", lambda low, value, high: low <= value <= high),
        ("Parcel", "net_weight gross_weight", lambda net, gross: net <= gross),
    ],
)  # fmt: skip
def test_amounts_of_one_record_add_up(draw, record, fields, holds):
    class Near(float):
        def __eq__(self, other):
            return abs(self - other) < 0.03

        __hash__ = float.__hash__

    drawn = draw(record_of(record, **dict.fromkeys(fields.split(), "double")))
    assert all(holds(*(Near(row[name]) for name in fields.split())) for row in rows(drawn))
    assert len({row[fields.split()[-1]] for row in rows(drawn)}) > 1


def test_lines_and_their_number_come_to_the_total_of_an_order(draw):
    line = record_of("Line", sku="string", quantity="int", unit_price=MONEY, amount=MONEY)
    amounts = dict.fromkeys(["subtotal", "vat", "order_total"], MONEY)
    for row in rows(draw(record_of("Order", lines={"type": "array", "items": line}, line_count="int", **amounts))):
        assert row["line_count"] == len(row["lines"]) > 0
        assert all(one["amount"] == one["quantity"] * one["unit_price"] for one in row["lines"])
        assert row["subtotal"] == sum(one["amount"] for one in row["lines"])
        assert row["order_total"] == row["subtotal"] + row["vat"]


@pytest.mark.parametrize("name", ["item_count", "itemsCount", "num_items", "number_of_items", "total_items", "count"])
@pytest.mark.parametrize("kind", [["null", {"type": "array", "items": "string"}], {"type": "map", "values": "long"}])
def test_a_count_is_the_number_of_items_beside_it(draw, name, kind):
    drawn = draw(record_of("Basket", **{name: "int", "items": kind}))
    assert drawn[name] == [len(one or ()) for one in drawn["items"]]


@pytest.mark.parametrize(
    ("fields", "well"),
    [
        ({"status": "int", "success": "boolean", "url": "string"}, lambda row: row["status"] < 400),
        ({"http_status": "string", "ok": "boolean"}, lambda row: row["http_status"] < "400"),
        ({"exit_code": "int", "succeeded": "boolean"}, lambda row: row["exit_code"] == 0),
        ({"job_status": "string", "success": "boolean"}, lambda row: row["job_status"] != "FAILED"),
        ({"result": {"type": "enum", "name": "R", "symbols": ["OK", "ERROR"]}, "success": "boolean"}, lambda row: row["result"] == "OK"),
    ],
)  # fmt: skip
def test_flags_and_errors_say_the_same_as_the_status_beside_them(draw, fields, well):
    drawn = draw(record_of("Call", **fields, error_message=["null", "string"], is_error="boolean"))
    flag = next(name for name, kind in fields.items() if kind == "boolean")
    for row in rows(drawn):
        assert row[flag] == well(row) == (not row["is_error"]) == (row["error_message"] is None)
    assert set(drawn[flag]) == {True, False}


def test_what_has_not_come_to_such_an_end_has_no_time_of_it(draw):
    drawn = draw(record_of("Order", status="string", cancelled_at=["null", MOMENT], refund_reason=["null", "string"]))
    assert all((row["cancelled_at"] is None) == (row["status"] != "CANCELLED") for row in rows(drawn))


def test_money_time_and_position_are_those_of_the_country(draw):
    texts = dict.fromkeys(["country_code", "currency", "timezone"], "string")
    drawn = draw(record_of("Shop", **texts, latitude="double", longitude="double"))
    found = set(zip(*drawn.values(), strict=True))
    assert {(one[0], one[1]) for one in found} >= {("GB", "GBP"), ("US", "USD"), ("JP", "JPY"), ("DE", "EUR")}
    assert len({one[:2] for one in found}) == len({one[0] for one in found})


NAMES = [
    "subtotal", "tax", "total", "discount", "quantity", "unit_price", "amount", "fee", "net", "gross", "balance_before", "balance_after",
    "min_price", "max_price", "price", "used_bytes", "total_bytes", "free_bytes", "used_percent", "start", "end", "duration_ms",
    "items", "item_count", "passed", "failed", "total_count", "p50", "p99", "status", "success", "error_message",
]  # fmt: skip


@pytest.mark.parametrize("part", range(4))
def test_relations_and_rules_of_a_file_never_lead_round_in_a_circle(draw, part):
    numbers = [name for name in NAMES if name not in ("items", "status", "success", "error_message", "start", "end")]
    kinds = dict.fromkeys(NAMES, "double") | {
        "items": {"type": "array", "items": "int"}, "status": "string", "success": "boolean", "error_message": ["null", "string"],
        "start": MOMENT, "end": MOMENT, "duration_ms": "long", "item_count": "int",
    }  # fmt: skip
    pairs = [
        pair
        for place, pair in enumerate(product(numbers[::3], numbers[1::4]))
        if place % 4 == part and pair[0] != pair[1]
    ]
    for one, other in pairs[:6]:
        drawn = draw(record_of("Everything", **kinds), rules=f"fields: {{{one}: {{reference: {other}}}}}")
        assert drawn[one] == pytest.approx(drawn[other], abs=0.6)

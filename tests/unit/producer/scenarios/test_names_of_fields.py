"""What fields hold that a scenario file says nothing about: what somebody expects who knows such fields."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.preview.preview import preview
from producer.scenarios import find_scenario
from producer.scenarios.declared.defaults.codes import FORMS, checked
from producer.scenarios.declared.defaults.lists import LISTS
from producer.scenarios.declared.defaults.places import COLUMNS
from producer.scenarios.declared.defaults.ranges import CHOICES, KINDS
from producer.scenarios.declared.defaults.readings import readings_of
from tests.kit import ROOT
from tests.kit.depth import examples
from tests.kit.value_classes import is_right

CASES = ROOT / "tests" / "cases"
EVENTS = 1000
# What cannot be: a thousand different codes of a status out of five hundred.
# What a match knows of distances and speeds, and which of two records a number is of, names alone do not tell.
KNOWN_MISSES = {
    ("codes", "code"),
    ("ListingPublished", "listing_ref"),
    ("TicketUpdated", "ticket_id"),
    ("CourtFiling", "case_number"),
    ("MatchEvent", "distance_covered_km"),
    ("MatchEvent", "top_speed_kmh"),
}


def record_of(name, /, **fields):
    return {"type": "record", "name": name, "fields": [{"name": one, "type": kind} for one, kind in fields.items()]}


def table(path):
    head, *lines = path.read_text().splitlines()
    rows = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
    records: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        records.setdefault(row["record"], {}).setdefault(row["field"], row)
    return records


@pytest.mark.parametrize(
    "path",
    [CASES / "field_names.tsv", CASES / "field_names_of_trades.tsv", Path(__file__).with_name("further_names.tsv")],
    ids=lambda path: path.stem,
)
def test_values_are_of_the_class_that_names_types_and_records_tell(draw, path):
    now = dt.datetime.now(dt.UTC)
    misses, count = set(), 0
    for name, rows in table(path).items():
        drawn = draw(record_of(name, **{field: json.loads(row["avro_type"]) for field, row in rows.items()}))
        for field, row in rows.items():
            # A text event_id at the top is the identity that the run gives: no value of it is the scenario's.
            values = [value for value in drawn.get(field, []) if value is not None]
            count += 1
            if not is_right(row["class"], row["role"], values, now):
                misses.add((name, field))
    assert misses <= KNOWN_MISSES, sorted(misses - KNOWN_MISSES)
    assert len(misses) <= 0.05 * count


def test_every_reading_of_a_name_has_values():
    lists, forms, checks = set(LISTS), set(FORMS), set(checked())
    known = {"list": lists, "form": forms, "checked": checks, "place": {*COLUMNS, "state"}}
    texts = [one.values.split(":") for one in readings_of("texts.txt")]
    assert [one for one in texts if one[0] != "faker" and one[1] not in known[one[0]]] == []
    # What these mean, type and name decide.
    told = {"battery", "score", "count", "share or percent", "tax rate"}
    assert {one.values for one in readings_of("numbers.txt")} - KINDS.keys() - CHOICES.keys() <= told


def test_names_whose_parts_mean_something_else_mislead_nobody(draw):
    drawn = draw(json.loads((CASES / "fs_names_that_mislead.avsc").read_text()))
    wanted = {
        "mac_address": "mac", "remote_address": "ip", "state": "us_state|region", "hostname": "host_name", "service_name": "service_name",
        "repo_name": "service_name", "gender": "gender", "op": "one_of{c,u,d,r,t}", "symbol": "ticker", "userid": "id_text",
        "average_heart_rate": "heart_rate", "humidity": "percentage", "battery_level": "share", "month": "month", "port": "port",
        "http_status": "http_status", "rating": "rating_5", "fico": "fico", "account": "id_number", "discount": "money",
        "feedback_score": "percentage", "ts_ms": "epoch_ms:now", "event_time_us": "epoch_us:now", "start_time_unix_nano": "epoch_ns:now",
        "registertime": "epoch_ms:past", "hash": "hash_text",
    }  # fmt: skip
    now = dt.datetime.now(dt.UTC)
    assert [name for name, said in wanted.items() if not is_right(said, "-", drawn[name], now)] == []
    assert wanted.keys() == drawn.keys()


MOMENT = {"type": "long", "logicalType": "timestamp-millis"}


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("start_time", "end_time", MOMENT),
        ("bedtimeStart", "bedtimeEnd", "string"),
        ("created_at", "updated_at", MOMENT),
        ("departureTime", "arrivalTime", "long"),
        ("check_in", "check_out", {"type": "int", "logicalType": "date"}),
        ("start_time_unix_nano", "end_time_unix_nano", "long"),
        ("validFrom", "validTo", MOMENT),
        ("hire_date", "termination_date", {"type": "int", "logicalType": "date"}),
        ("openedAt", "closedAt", "double"),
    ],
)
def test_two_times_of_a_record_are_in_order(draw, first, second, kind):
    drawn = draw(record_of("Thing", **{second: kind, first: kind}))
    assert all(before <= after for before, after in zip(drawn[first], drawn[second], strict=True))
    assert drawn[first] != drawn[second]


@pytest.mark.parametrize("kind", ["int", "long", "float", "double"])
@pytest.mark.parametrize(
    "names",
    [
        ("bid_price", "askPrice"),
        ("min_temp", "avgTemp", "maxTemp"),
        ("low", "open", "high"),
        ("salary_min", "salary_max"),
        ("minimumPct", "maximumPct"),
        ("lower_bound", "upper_bound"),
        ("minHeartRate", "maxHeartRate"),
    ],
)
def test_numbers_of_a_record_that_bound_each_other_are_in_order(draw, names, kind):
    drawn = draw(record_of("Thing", **dict.fromkeys(reversed(names), kind), note="string"))
    columns = [drawn[name] for name in names]
    assert all(list(row) == sorted(row) for row in zip(*columns, strict=True))
    assert columns[0] != columns[-1]
    if kind == "double":
        assert all(len(repr(value)) < 12 for column in columns for value in column)


def test_a_number_that_has_a_rule_is_bounded_by_none(draw):
    drawn = draw(record_of("Quote", bid="double", ask="double"), rules="fields: {bid: {constant: 1000000.0}}")
    assert max(drawn["ask"]) < 1000000


def test_the_names_and_the_email_of_one_person_belong_together(draw):
    texts = dict.fromkeys(["firstName", "last_name", "email", "managerName", "manager_email", "contactEmail"], "string")
    drawn = draw(record_of("Employee", **texts))
    for first, last, email in zip(drawn["firstName"], drawn["last_name"], drawn["email"], strict=True):
        assert email.startswith(f"{first}.{last}@".lower())
    for name, email in zip(drawn["managerName"], drawn["manager_email"], strict=True):
        assert email.startswith(f"{name.replace(' ', '.')}@".lower())
    assert drawn["firstName"] != [name.split()[0] for name in drawn["managerName"]]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"created_at": "string", "occurredAt": "string"}, "occurredAt"),
        ({"note": "string", "time": "long"}, "time"),
        ({"ts_ns": "long", "x": {"type": "long", "logicalType": "time-micros"}}, None),
        ({"time": "long", "at": MOMENT}, "at"),
    ],
)
def test_the_time_of_an_event_is_found_where_no_type_says_it(tmp_path, fields, found):
    (tmp_path / "r.avsc").write_text(json.dumps(record_of("R", **fields)))
    (tmp_path / "r.yaml").write_text("schema: r.avsc\n")
    assert find_scenario(str(tmp_path / "r.yaml")).event_time == found


TIMES = [
    *(
        "start_time",
        "end_time",
        "created_at",
        "updated_at",
        "opened",
        "closed",
        "order_time",
        "shipped_at",
        "delivered_at",
        "from",
        "until",
    ),
    *(
        "departure",
        "arrival",
        "check_in",
        "check_out",
        "valid_from",
        "valid_to",
        "hired_on",
        "left_on",
        "sent",
        "received",
        "paid_at",
    ),
    *(
        "login_time",
        "logout_time",
        "pickup_time",
        "dropoff_time",
        "due_date",
        "birth_date",
        "admitted",
        "discharged",
        "date",
        "ts",
        "eta",
    ),
]


@given(st.lists(st.sampled_from(TIMES), unique=True, min_size=2), st.booleans())
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_times_of_one_record_never_refer_to_each_other_in_a_circle(draw, names, nested):
    times = record_of("Times", **dict.fromkeys(names, MOMENT))
    drawn = draw(record_of("Outer", inner=times) if nested else times)
    assert all(len(column) == EVENTS for column in drawn.values())


def test_a_rule_of_the_file_is_never_refused_for_what_follows_its_field_by_default(draw):
    record = record_of("Trip", start_time=MOMENT, end_time=MOMENT)
    drawn = draw(record, rules="fields: {start_time: {reference: {field: end_time, plus: -60}}}")
    gaps = {
        (after - before).total_seconds() for before, after in zip(drawn["start_time"], drawn["end_time"], strict=True)
    }
    assert gaps == {60.0}


def test_the_parts_of_one_address_belong_together(draw):
    record = record_of(
        "Customer",
        city="string",
        country="string",
        country_code="string",
        billing_country="string",
        billing_city="string",
    )
    drawn = draw(record)
    assert len(set(drawn["country"])) == len(set(zip(drawn["country"], drawn["country_code"], strict=True))) > 5
    assert len(set(drawn["city"])) == len(set(zip(drawn["city"], drawn["country"], strict=True)))
    assert drawn["billing_country"] != drawn["country"]


@pytest.mark.parametrize(
    ("record", "own", "refers"),
    [
        ("orders", "orderid", "itemid"),
        ("credit_cards", "card_id", "customer_id"),
        ("PaymentCreated", "paymentId", "accountId"),
        ("ratings", "rating_id", "route_id"),
        ("Order", "id", "order_type_id"),
    ],
)
@pytest.mark.parametrize("kind", ["string", "long"])
def test_a_record_has_an_identifier_of_its_own_and_refers_to_what_is_met_often(draw, record, own, refers, kind):
    drawn = draw(record_of(record, **{refers: kind, own: kind}))
    assert len(set(drawn[own])) == EVENTS
    assert 10 < len(set(drawn[refers])) < EVENTS * 0.8


def said(kind, /, **properties):
    inner = kind if isinstance(kind, dict) else {"type": kind}
    return inner | {"arg.properties": properties}


ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (said("string", options=["x", "y"]), lambda v: set(v) == {"x", "y"}),
        (said("string", regex="User_[1-9]{0,1}"), lambda v: all(re.fullmatch("User_[1-9]?", one) for one in v)),
        (said("string", length=5), lambda v: {len(one) for one in v} == {5}),
        (said("string", length={"min": 3, "max": 6}), lambda v: {len(one) for one in v} == {3, 4, 5}),
        (said("string", regex="[a-z]*", length={"min": 5, "max": 8}), lambda v: {len(one) for one in v} == {5, 6, 7} and len(set(v)) > 500),
        (said("string", regex="id-(ab|cde)+[0-9]{0,20}", length=12, prefix="x."), lambda v: {len(one) for one in v} == {14} and len(set(v)) > 20),
        (said("string", regex="[a-z]{2}", length=5), lambda v: {len(one) for one in v} == {2}),
        (said("string", prefix="a.", options=["x"]), lambda v: set(v) == {"a.x"}),
        (said("string", kind="uuid"), lambda v: len(set(v)) == EVENTS),
        (said("int", range={"min": 18, "max": 21}), lambda v: set(v) == {18, 19, 20}),
        (said("long", range={"min": 1487715775521, "max": 1519273364600}), lambda v: 1487715775521 <= min(v) < max(v) < 1519273364600),
        (said("double", range={"min": "0.1", "max": 0.2}), lambda v: 0.1 <= min(v) < max(v) < 0.2),
        (said("int", iteration={"start": 0}), lambda v: v == list(range(EVENTS))),
        (said("long", iteration={"start": 10, "restart": 4}), lambda v: v[:7] == [10, 9, 8, 7, 6, 5, 10]),
        (said("int", iteration={"start": 1, "restart": 7, "step": 2}), lambda v: v[:4] == [1, 3, 5, 1]),
        (said("boolean", odds=0.9), lambda v: 0.85 < sum(v) / len(v) < 0.95),
        (said("boolean", iteration={"start": True}), lambda v: v[:3] == [True, False, True]),
        (said(ENUM, options=["A", "C"]), lambda v: set(v) == {"A", "C"}),
        (said("bytes", length={"min": 2, "max": 4}), lambda v: {len(one) for one in v} == {2, 3}),
        (said({"type": "array", "items": "string"}, options=[["a", "b"], []]), lambda v: {*map(tuple, v)} == {("a", "b"), ()}),
        (said({"type": "array", "items": said("int", options=[7])}, length=2), lambda v: {*map(tuple, v)} == {(7, 7)}),
        (said({"type": "map", "values": "string"}, options=[{"a": "b"}]), lambda v: {*map(tuple, v)} == {(("a", "b"),)}),
        (["null", said("string", regex="[A-Z]{3}")], lambda v: None in v and all(one is None or len(one) == 3 for one in v)),
        ({"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}, lambda v: v[1] - v[0] == 10_000 and 1e15 < v[0] < 3e15),
        ({"type": "int", "connect.name": "io.debezium.time.Date"}, lambda v: all(20_000 < one < 40_000 for one in v)),
        ({"type": "string", "connect.name": "io.debezium.time.ZonedTimestamp"}, lambda v: all("T" in one for one in v)),
        ({"type": "string", "connect.parameters": {"allowed": "new,paid"}}, lambda v: set(v) == {"new", "paid"}),
    ],
)  # fmt: skip
def test_what_a_schema_says_of_its_own_values_is_done(draw, kind, check):
    assert check(draw(record_of("Any", x=kind))["x"])


def test_what_is_said_and_not_understood_is_as_if_it_were_not_there(draw):
    unknown: tuple[dict[str, object], ...] = (
        {"options": {"file": "x.json"}},
        {"regex": "(?=a)b"},
        {"regex": "["},
        {"range": {}},
        {"length": {}},
        {"odds": 3},
        {},
    )
    for properties in unknown:
        for kind in ("string", "int", "boolean", "bytes"):
            assert len(draw(record_of("Any", x=said(kind, **properties)))["x"]) == EVENTS


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (said("string", options={"file": "x.json"}), "options from a file (x)"),
        (said({"type": "map", "values": "string"}, keys={"length": 3}), "keys of a map (x)"),
        (said("string", regex="(?=a)b"), "regex (x)"),
        (said("string", regex="[a-z]{2}", length=5), "length beside a regex of which no text is so long (x)"),
        (said("int", range={}), "range (x)"),
        (said("string", regex="[a-z]*", length=5), None),
        (said("string", length=5, prefix="a"), None),
        (said({"type": "map", "values": "string"}, length=2), None),
        ("string", None),
    ],
)
def test_what_a_schema_says_of_its_values_and_is_left_out_is_told_in_one_remark(tmp_path, kind, told):
    (tmp_path / "r.avsc").write_text(json.dumps(record_of("Any", x=kind, y=said("boolean", odds=3))))
    (tmp_path / "r.yaml").write_text("schema: r.avsc\n")
    path = str(tmp_path / "r.yaml")
    left = f"{told}, odds (y)" if told else "odds (y)"
    assert preview(path, events=10).remarks == [f"arg.properties are not followed in: {left}"]
    (tmp_path / "r.yaml").write_text("schema: r.avsc\nfields: {y: {constant: true}}\n")
    assert find_scenario(path).remarks == ((f"arg.properties are not followed in: {told}",) if told else ())


def test_the_fields_of_a_record_that_is_listed_whole_come_from_one_of_its_rows(draw):
    rows = [{"code": 200, "definition": "fine"}, {"code": 404, "definition": "nowhere"}]
    listed = record_of("codes", code="int", definition="string") | {"arg.properties": {"options": rows}}
    drawn = draw(listed)
    assert set(zip(drawn["code"], drawn["definition"], strict=True)) == {(200, "fine"), (404, "nowhere")}
    drawn = draw(record_of("Outer", inner=listed))
    assert {(one["code"], one["definition"]) for one in drawn["inner"]} == {(200, "fine"), (404, "nowhere")}


@pytest.mark.parametrize(
    ("doc", "kind", "wanted"),
    [
        ("ISO 4217 code", "string", "currency"),
        ("alpha-2 code of ISO 3166", "string", "country_code"),
        ("in microseconds since the epoch", "long", "epoch_us:now"),
        ("epoch milliseconds", "long", "epoch_ms:now"),
        ("Unix time in seconds", "long", "epoch_s:now"),
        ("an RFC 3339 text", "string", "iso_datetime:now"),
        ("the user's IPv6 address", "string", "ipv6"),
        ("One of NEW, PAID or SHIPPED.", "string", "one_of{NEW,PAID,SHIPPED}"),
        ("a number between 0 and 1", "double", "share"),
        ("from 1 to 5", "int", "integer[1,5]"),
    ],
)
def test_what_the_doc_of_a_field_says_helps_where_its_name_does_not(draw, doc, kind, wanted):
    record = record_of("Thing", zorb=kind)
    record["fields"][0]["doc"] = doc
    assert is_right(wanted, "-", draw(record)["zorb"], dt.datetime.now(dt.UTC))


@pytest.mark.parametrize("name", ["_", "__", "_1", "_1_2", "x9", "id_", "no", "s"])
@pytest.mark.parametrize("kind", ["string", "long", "double", MOMENT, {"type": "array", "items": "string"}])
def test_a_name_without_a_word_has_values_too(draw, name, kind):
    assert len(draw(record_of(name, **{name: kind, "other": "int"}))["other"]) == EVENTS


def test_no_pattern_of_names_is_read_again_for_another_field(draw):
    draw(record_of("first", c1="string", c2="double", when="long", whose_id="string"))
    with mock.patch("re._compiler.compile", side_effect=lambda pattern, _: pytest.fail(f"read again: {pattern}")):
        draw(record_of("second", d1="string", d2="double", then="long", owner_id="string"))

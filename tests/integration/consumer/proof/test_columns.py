"""A column that is edited by hand is found, whatever its type, and what nobody edited gives no alarm."""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from cluster.connection import Connection
from cluster.errors import VerdictFailed
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.proof.checks import run_checks
from consumer.proof.result import AuditResult
from consumer.publish.publish import publish
from producer import ProduceRequest, produce_run
from schemas.identity import event_id
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry, gate

RUN = "columns"
EVENTS = 3000

# Every type that the fast encoder writes, in a schema with its identity in a header.
PARCEL = {
    "type": "record",
    "name": "Parcel",
    "fields": [
        {"name": "number", "type": "long"},
        {"name": "pieces", "type": "int"},
        {"name": "weight", "type": "float"},
        {"name": "price", "type": "double"},
        {"name": "fragile", "type": "boolean"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "SENT", "LOST"]}},
        {"name": "note", "type": ["null", "string"]},
        {"name": "rank", "type": ["int", "null"]},
        {"name": "code", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "opens", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "closes", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "sent_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "packed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "local_at", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "counts", "type": {"type": "map", "values": "int"}},
        {
            "name": "stops",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Stop",
                    "fields": [{"name": "city", "type": "string"}, {"name": "minutes", "type": ["null", "int"]}],
                },
            },
        },
    ],
}


@dataclass(frozen=True)
class Loaded:
    """A topic with one run that passed its audit, and its warehouse."""

    connection: Connection
    topic: str
    path: Path

    def audit(self) -> AuditResult:
        return audit(self.connection, self.path, self.topic, RUN)

    def edit(self, statement: str) -> None:
        with duckdb.connect(str(self.path)) as warehouse:
            warehouse.execute(statement)


def load_run(connection: Connection, request: ProduceRequest, folder: Path) -> Loaded:
    """Produce and load a run, and prove it."""
    result = produce_run(connection, request, shards=tuple(range(request.shards)), stop=threading.Event())
    assert result.error is None
    loaded = Loaded(connection, request.topic, folder / "warehouse.duckdb")
    load(connection, request.topic, loaded.path, stop=threading.Event())
    said = loaded.audit()
    assert (said.verdict, said.loaded) == ("PASSED", EVENTS), said.reason
    assert said.not_compared == []
    return loaded


@pytest.fixture(scope="module")
def mixed(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A run of two schema versions: its table holds more than the first of them."""
    topic = f"columns-{uuid.uuid4().hex[:8]}"
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    contract = load_contract("customer_events")
    with Registry(connection.registry) as registry:
        gate(registry, contract, subject_for(topic), up_to=contract.active + 1)
    request = ProduceRequest(topic=topic, run_id=RUN, events=EVENTS, next_version_share=0.4)
    return load_run(connection, request, tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def parcels(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A run of a foreign schema, with its identities in headers."""
    topic, folder = f"columns-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("parcels")
    (folder / "parcel.avsc").write_text(json.dumps(PARCEL))
    (folder / "parcels.yaml").write_text("schema: parcel.avsc\n")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        gate(registry, load_contract(str(folder / "parcel.avsc")), subject_for(topic))
    request = ProduceRequest(topic=topic, run_id=RUN, scenario=str(folder / "parcels.yaml"), events=EVENTS)
    return load_run(connection, request, folder)


@pytest.fixture
def own(tmp_path: Path) -> Callable[[Loaded], Loaded]:
    """A function that returns a loaded run with a warehouse of this test's own, to damage."""

    def copy(loaded: Loaded) -> Loaded:
        return Loaded(loaded.connection, loaded.topic, Path(shutil.copy(loaded.path, tmp_path / "own.duckdb")))

    return copy


@pytest.mark.parametrize(
    "change",
    [
        "user_id = 'somebody'",
        "timestamp = timestamp + INTERVAL 1 MILLISECOND",
        "timestamp = timestamp + INTERVAL 1 MICROSECOND",
        "device = struct_update(device, os := 'none')",
        "user_id = NULL",
        "actions = NULL",
    ],
)
def test_an_edited_column_is_found_and_its_event_is_named(
    mixed: Loaded, own: Callable[[Loaded], Loaded], change: str
) -> None:
    loaded, edited = own(mixed), event_id(RUN, 0, 1234)
    loaded.edit(f"UPDATE events SET {change} WHERE event_id = '{edited}'")
    said = loaded.audit()
    assert (said.verdict, said.altered, said.lost) == ("FAILED", 1, 0)
    assert said.examples["altered"] == [edited]
    assert said.located["altered"][0].note == "its columns are not what its record says"


def test_all_rows_edited_at_once_are_all_found(mixed: Loaded, own: Callable[[Loaded], Loaded]) -> None:
    loaded = own(mixed)
    loaded.edit("UPDATE events SET session_id = session_id || 'x'")
    assert loaded.audit().altered == EVENTS


def test_an_edited_column_is_found_by_publish_too(
    mixed: Loaded, own: Callable[[Loaded], Loaded], tmp_path: Path
) -> None:
    loaded = own(mixed)
    run_checks(loaded.path, RUN, topic=loaded.topic)
    loaded.edit(f"UPDATE events SET user_id = 'somebody' WHERE event_id = '{event_id(RUN, 0, 77)}'")
    with pytest.raises(VerdictFailed, match=f"altered was 0, is now 1 .{event_id(RUN, 0, 77)}"):
        publish(loaded.path, loaded.topic, RUN, tmp_path / "publications")
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(
    "change",
    [
        "number = number + 1",
        "pieces = pieces + 1",
        "weight = weight + 1",
        "price = price * 1.5 + 1",
        "fragile = NOT fragile",
        "state = CASE state WHEN 'NEW' THEN 'LOST' ELSE 'NEW' END",
        "note = coalesce(note, '') || '!'",
        "rank = coalesce(rank, 0) + 1",
        "code = reverse(code)",
        "day = day + 1",
        "opens = opens + INTERVAL 1 MILLISECOND",
        "closes = closes + INTERVAL 1 MICROSECOND",
        "sent_at = sent_at + INTERVAL 1 MICROSECOND",
        "packed_at = packed_at + INTERVAL 1 MILLISECOND",
        "local_at = local_at + INTERVAL 1 MILLISECOND",
        "tags = list_append(tags, 'more')",
        "counts = map_concat(counts, MAP {'more': 1})",
        "stops = list_append(stops, {'city': 'Nowhere', 'minutes': NULL})",
    ],
)
def test_a_column_of_every_type_is_compared(parcels: Loaded, own: Callable[[Loaded], Loaded], change: str) -> None:
    loaded, edited = own(parcels), event_id(RUN, 0, 1234)
    loaded.edit(f"UPDATE events SET {change} WHERE _event_id = '{edited}'")
    said = loaded.audit()
    assert (said.verdict, said.altered, said.examples.get("altered")) == ("FAILED", 1, [edited])


# Types that pyruhvro does not write, beside plain ones.
MONEY = {
    "type": "record",
    "name": "Payment",
    "fields": [
        {"name": "currency", "type": "string"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "fee", "type": ["null", {"type": "fixed", "name": "Fee", "size": 6, "logicalType": "decimal",
                                          "precision": 10, "scale": 3}]},
        {"name": "raw", "type": "bytes"},
        {"name": "mac", "type": {"type": "fixed", "name": "Mac", "size": 6}},
        {"name": "either", "type": ["null", "long", "string", {"type": "fixed", "name": "Two", "size": 2}]},
        {"name": "nothing", "type": "null"},
        {"name": "parts", "type": {"type": "array", "items": ["string", "int"]}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def payments(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A run of a schema with a decimal, bytes, fixed and unions."""
    topic, folder = f"columns-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("payments")
    (folder / "payment.avsc").write_text(json.dumps(MONEY))
    (folder / "payments.yaml").write_text("schema: payment.avsc\n")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        gate(registry, load_contract(str(folder / "payment.avsc")), subject_for(topic))
    request = ProduceRequest(topic=topic, run_id=RUN, scenario=str(folder / "payments.yaml"), events=EVENTS)
    return load_run(connection, request, folder)


@pytest.mark.parametrize(
    "change",
    [
        "currency = currency || 'X'",
        "total = total + 0.01",
        "fee = coalesce(fee, 0) + 0.001",
        "raw = raw || '\\x00'::BLOB",
        "mac = from_hex('00000000000' || (1 - hex(mac)[12:12]::INTEGER % 2))",
        "either = union_value(\"string\" := 'another')",
        "parts = list_append(parts, union_value(int := 7))",
    ],
)
def test_types_that_are_encoded_by_columns_are_compared_with_all_beside_them(
    payments: Loaded, own: Callable[[Loaded], Loaded], change: str
) -> None:
    loaded, edited = own(payments), event_id(RUN, 0, 1234)
    loaded.edit(f"UPDATE events SET {change} WHERE _event_id = '{edited}'")
    said = loaded.audit()
    assert (said.verdict, said.altered, said.examples.get("altered")) == ("FAILED", 1, [edited]), said.reason
    assert said.not_compared == []


def test_a_value_in_a_column_that_the_schema_of_its_record_does_not_have_is_found(
    mixed: Loaded, own: Callable[[Loaded], Loaded]
) -> None:
    loaded = own(mixed)
    with duckdb.connect(str(loaded.path)) as warehouse:
        old, new = (row[0] for row in warehouse.execute("SELECT schema_id FROM schema_versions ORDER BY 1").fetchall())
        texts = dict(warehouse.execute("SELECT schema_id, schema FROM schema_versions").fetchall())
    names = [{field["name"] for field in json.loads(texts[one])["fields"]} for one in (old, new)]
    added = next(iter(sorted(names[1] - names[0])), None)
    assert added is not None, "the next version has a field of its own"
    with duckdb.connect(str(loaded.path)) as warehouse:
        source = f"(SELECT any_value({added}) FROM events WHERE {added} IS NOT NULL)"
        ((edited,),) = warehouse.execute(
            f"SELECT min(event_id) FROM events WHERE _schema_id = {old} AND {added} IS NULL"
        ).fetchall()
        warehouse.execute(f"UPDATE events SET {added} = {source} WHERE event_id = '{edited}'")
    said = loaded.audit()
    assert (said.verdict, said.altered, said.examples.get("altered")) == ("FAILED", 1, [edited]), said.reason


@pytest.mark.parametrize("kind", ["long", ["null", "string"], "bytes", "double"], ids=str)
def test_a_field_event_id_that_is_not_plain_text_is_the_users_own_and_every_event_is_found(
    connection: Connection, tmp_path: Path, kind: object
) -> None:
    topic, fields = f"columns-{uuid.uuid4().hex[:8]}", [{"name": "what", "type": "string"}]
    schema = {"type": "record", "name": "Thing", "fields": [*fields, {"name": "event_id", "type": kind}]}
    (tmp_path / "thing.avsc").write_text(json.dumps(schema))
    (tmp_path / "thing.yaml").write_text("schema: thing.avsc\n")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        gate(registry, load_contract(str(tmp_path / "thing.avsc")), subject_for(topic))
    request = ProduceRequest(topic=topic, run_id=RUN, scenario=str(tmp_path / "thing.yaml"), events=500)
    assert produce_run(connection, request, shards=(0,), stop=threading.Event()).error is None
    path = tmp_path / "warehouse.duckdb"
    assert load(connection, topic, path, stop=threading.Event()).rows == 500
    said = audit(connection, path, topic, RUN)
    assert (said.verdict, said.lost, said.loaded) == ("PASSED", 0, 500), said.reason
    assert run_checks(path, RUN).blocked_by == []

"""A warehouse with one delivered run, made through the real tables, for tests to break."""

from __future__ import annotations

import copy
import importlib
import json
import shutil
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from cluster.connection import Connection
from cluster.reading import Watermarks
from cluster.topics import TopicInfo
from consumer.proof.checks import run_checks
from consumer.proof.result import AuditResult
from consumer.publish.publish import publish
from consumer.sinks.duckdb.migrations.to_6 import lay_out
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.control_topic import ControlTopic
from schemas.fault_targets import FaultTargets, KeySample
from schemas.fingerprint import fingerprint
from schemas.formats.avro.codec import Encoder
from schemas.identity import IDENTITY_HEADER, event_id, run_prefix
from schemas.manifest import CrcWindows, Manifest, PlaceWindows, RateWindow, SchemaUsed
from schemas.places import PlaceSums

audit_module = importlib.import_module("consumer.proof.audit")
bounds_module = importlib.import_module("consumer.proof.bounds")

TOPIC = "customer_events"
RUN, OTHER = "rehearsal/one", "rehearsal/two"
STARTED = "2026-11-20T10:00:00+00:00"
ENDED = "2026-11-20T10:00:10+00:00"
TARGETS = FaultTargets(
    event_time="timestamp",
    duration="details.play_duration",
    choice="event_type",
    choices=("content_play", "search", "browse"),
    keys=KeySample(events=300, most=12),
)
NOWHERE = Connection.of({"bootstrap_servers": "127.0.0.1:1"}, {"url": "http://127.0.0.1:1"})

_MILLIS = {"type": "long", "logicalType": "timestamp-millis"}


def _record(name: str, *fields: Any) -> dict[str, Any]:
    """Return the schema of a record; a field that is only a name is text."""
    typed = [(field, "string") if isinstance(field, str) else field for field in fields]
    return {"type": "record", "name": name, "fields": [{"name": field, "type": kind} for field, kind in typed]}


# A believable run: {events} events per shard over {shards} shards, three partitions, one batch.
_EVENTS = """
CREATE OR REPLACE TABLE events AS
WITH numbered AS (
    SELECT s.range AS shard, n.range AS sequence, (hash(s.range * 1000003 + n.range) >> 1)::BIGINT AS h
    FROM range({shards}) s, range({events}) n
),
placed AS (
    SELECT *, h % 40 AS customer, (h % 40) % 3 AS partition,
           row_number() OVER (PARTITION BY (h % 40) % 3 ORDER BY sequence, shard) - 1 AS "offset",
           CASE h % 5 WHEN 0 THEN 'search' WHEN 1 THEN 'browse' ELSE 'content_play' END AS kind,
           TIMESTAMPTZ '{started}' + to_milliseconds(sequence * 10) AS happened
    FROM numbered
)
SELECT
    '{p1}-{p2}-8' || printf('%03x', shard) || '-8000-' || printf('%012x', sequence) AS event_id,
    kind AS event_type,
    'user-' || customer AS user_id,
    'session-' || customer AS session_id,
    happened AS timestamp,
    {{'type': ['mobile', 'tablet', 'smart_tv', 'desktop'][1 + customer % 4], 'os': 'x', 'os_version': '1',
      'app_version': '1.0.0', 'model': 'm'}} AS device,
    {{'country': 'DE', 'city': 'Berlin', 'region': 'Berlin', 'timezone': 'Europe/Berlin'}} AS location,
    CASE WHEN kind = 'content_play' THEN
        {{'id': 'c' || h % 10, 'title': 'Title', 'type': 'movie', 'episode': NULL::INTEGER, 'season': NULL::INTEGER,
          'provider': 'p', 'genre': ['Drama', 'Comedy', 'Sport'][1 + (h // 7) % 3], 'release_year': 2020,
          'duration': 6000, 'language': 'de'}} END AS content,
    {{'plan': 'premium', 'start_date': DATE '2025-01-01', 'billing_cycle': 'monthly',
      'connected_services': []::VARCHAR[]}} AS subscription,
    CASE WHEN kind = 'content_play' THEN
        {{'play_duration': (60 * (h % 101))::INTEGER, 'play_percentage': (h % 101)::DOUBLE, 'playback_quality': '1080p',
          'buffering_incidents': (h % 3)::INTEGER, 'playback_speed': 1.0::DOUBLE, 'paused': FALSE,
          'completed': h % 101 >= 95, 'network_type': ['wifi', '5g', 'ethernet'][1 + (h // 11) % 3],
          'bandwidth': 20.0::DOUBLE}} END AS details,
    []::STRUCT(action_type VARCHAR, timestamp TIMESTAMPTZ)[] AS actions,
    partition::INTEGER AS _partition,
    "offset"::BIGINT AS _offset,
    happened + INTERVAL 5 MILLISECONDS AS _timestamp,
    encode('user-' || customer) AS _key,
    1::INTEGER AS _schema_id,
    (h % 4294967291)::UINTEGER AS _crc32,
    1::BIGINT AS _batch,
    NULL::STRUCT(name VARCHAR, value BLOB)[] AS _headers,
    NULL::BIGINT AS _timestamp_ms
FROM placed
"""
_LEDGER = """
INSERT INTO load_batches
SELECT 1, 'load', TIMESTAMPTZ '{ended}' + INTERVAL 5 SECONDS, _partition, 0, count(*), count(*), 0, 0, 0, 0, [1],
       sum(_crc32), count(*) * 500, 0.1, 0.1, 0.2
FROM events GROUP BY _partition
"""
_OFFSETS = """
INSERT INTO load_offsets
SELECT 'cluster', '{topic}', 'topic-id', _partition, count(*) FROM events GROUP BY _partition
"""

# The ledger of a loader that stored just the rows that are there.
_SETTLE = """
CREATE OR REPLACE TEMP TABLE placed AS
SELECT _partition AS partition, _offset AS "offset", 'events' AS place, _crc32 AS crc FROM events
UNION ALL SELECT _partition, _offset, 'quarantine', crc32 FROM quarantine
UNION ALL SELECT _partition, _offset, 'tombstones', 0 FROM tombstones;
UPDATE events SET _batch = 1 WHERE _batch <> 1;
DELETE FROM load_batches;
INSERT INTO load_batches
SELECT 1, 'load', TIMESTAMPTZ '{ended}' + INTERVAL 5 SECONDS, partition, 0, "end", events, quarantined, tombstones,
       "end" - events - quarantined - tombstones, 0, [1], crc_sum, events * 500, 0.1, 0.1, 0.2
FROM (
    SELECT partition, greatest(coalesce(max("offset") + 1, 0), any_value(next_offset)) AS "end",
           count(*) FILTER (place = 'events') AS events, count(*) FILTER (place = 'quarantine') AS quarantined,
           count(*) FILTER (place = 'tombstones') AS tombstones, coalesce(sum(crc), 0) AS crc_sum
    FROM load_offsets LEFT JOIN placed USING (partition) GROUP BY partition
);
UPDATE load_offsets SET next_offset = (SELECT end_offset FROM load_batches WHERE partition = load_offsets.partition)
"""
_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "UserEvent",
    "fields": [
        *({"name": name, "type": "string"} for name in ("event_id", "event_type", "user_id", "session_id")),
        {"name": "timestamp", "type": _MILLIS},
        {"name": "device", "type": _record("Device", "type", "os", "os_version", "app_version", "model")},
        {"name": "location", "type": _record("Location", "country", "city", "region", "timezone")},
        {
            "name": "content",
            "type": [
                "null",
                _record(
                    "Content", "id", "title", "type", ("episode", ["null", "int"]), ("season", ["null", "int"]),
                    "provider", "genre", ("release_year", "int"), ("duration", "int"), "language",
                ),
            ],
        },
        {
            "name": "subscription",
            "type": _record(
                "Subscription", "plan", ("start_date", {"type": "int", "logicalType": "date"}), "billing_cycle",
                ("connected_services", {"type": "array", "items": "string"}),
            ),
        },
        {
            "name": "details",
            "type": [
                "null",
                _record(
                    "Details", ("play_duration", "int"), ("play_percentage", "double"), "playback_quality",
                    ("buffering_incidents", "int"), ("playback_speed", "double"), ("paused", "boolean"),
                    ("completed", "boolean"), "network_type", ("bandwidth", "double"),
                ),
            ],
        },
        {
            "name": "actions",
            "type": {"type": "array", "items": _record("Action", "action_type", ("timestamp", _MILLIS))},
        },
    ],
}  # fmt: skip
SCHEMA = json.dumps(_SCHEMA)


def _encode(warehouse: Warehouse, start: str = "", schema: str = SCHEMA) -> None:
    """Give every row of a run the checksum of its value, and keep the schema."""
    encoder = Encoder(schema, 1)
    query = f"FROM events WHERE starts_with(event_id, '{start}') ORDER BY _partition, _offset"
    rows = warehouse.connection.sql(query).to_arrow_table().combine_chunks()
    crcs = [zlib.crc32(value) for value in encoder.encode(rows.to_batches()[0]).to_pylist()]
    checked = pa.table(
        {"p": rows.column("_partition"), "o": rows.column("_offset"), "crc": pa.array(crcs, pa.uint32())}
    )
    warehouse.connection.register("checked", checked)
    warehouse.connection.execute("UPDATE events SET _crc32 = crc FROM checked WHERE p = _partition AND o = _offset")
    warehouse.connection.unregister("checked")
    if not start:
        warehouse.rows("INSERT INTO schema_versions VALUES (1, ?, 1, ?, now(), 'avro')", [f"{TOPIC}-value", SCHEMA])
        lay_out(warehouse.connection)


def _sums(warehouse: Warehouse, window: int, start: str = "") -> dict[tuple[int, int], int]:
    """Return the sums of checksums of a run, by shard and window."""
    query = (
        f"SELECT event_shard(event_id), event_sequence(event_id) // {window}, sum(crc) "
        f"FROM (SELECT event_id, min(_crc32) AS crc FROM events WHERE starts_with(event_id, '{start}') GROUP BY 1) "
        "GROUP BY ALL"
    )
    return {(shard, number): int(total) for shard, number, total in warehouse.rows(query)}


def _places(warehouse: Warehouse, start: str = "", where: str = "TRUE") -> dict[int, PlaceWindows]:
    """Return what the reports of each shard would say of the places of its records."""
    sums: dict[int, PlaceSums] = defaultdict(PlaceSums)
    query = f"""
        SELECT event_shard(event_id), _partition, _offset, epoch_ms(_timestamp), crc, key FROM (
            SELECT event_id, _partition, _offset, _timestamp, _crc32 AS crc, _key AS key FROM events
            UNION ALL
            SELECT coalesce(decode(headers[1].value), decode(value[7:42])), _partition, _offset, _timestamp, crc32, key
            FROM quarantine
            UNION ALL
            SELECT event_id, _partition, _offset, _timestamp, 0, key FROM tombstones
        )
        WHERE starts_with(event_id, '{start}') AND {where} AND event_shard(event_id) IS NOT NULL
    """
    for shard, *numbers, key in warehouse.rows(query):
        sums[shard].add(*(np.array([number]) for number in (*numbers, zlib.crc32(key or b""))))
    return {shard: found.windows() for shard, found in sums.items()}


Delivery = tuple[bytes, dict[int, tuple[int, int]], dict[tuple[str, int], Manifest]]
_MADE: dict[tuple[Any, ...], Delivery] = {}  # a run is made once, and copied


@dataclass(frozen=True)
class State:
    """What a lab was when it was kept: a copy of its folder, and what its double of a broker said."""

    folder: Path
    control: ControlTopic
    ends: dict[int, tuple[int, int]]


_KEPT: dict[str, State] = {}  # a state is built once in a process, and copied


class Lab:
    """The warehouse of one run, and the broker's part of an audit, played by a double.

    It is in the same folder for all tests of a process: a publication notes where it is, so a copy of a warehouse and
    its publications is a true one only where they were.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.path = folder / "warehouse.duckdb"
        self.publications = folder / "publications"
        self.control = ControlTopic()
        self.ends: dict[int, tuple[int, int]] = {}
        self.topic_id = "topic-id"
        self.after: dict[int, int | None] = {}
        monkeypatch.setattr(audit_module, "read_control_topic", lambda *_: self.control)
        monkeypatch.setattr(audit_module, "look_at_topic", lambda *_: (self.info, self.marks()))
        monkeypatch.setattr(bounds_module, "offsets_after", lambda *_: self.after)

    @property
    def info(self) -> TopicInfo:
        return TopicInfo(TOPIC, self.topic_id, "cluster", len(self.ends), 1)

    def marks(self) -> dict[int, Watermarks]:
        return {partition: Watermarks(low, high) for partition, (low, high) in self.ends.items()}

    def bring_to(self, name: str, build: Callable[[], object]) -> None:
        """Bring the lab into a state of a name: by building it the first time, and by copying it from then on."""
        if name in _KEPT:
            kept = _KEPT[name]
            shutil.rmtree(self.folder)
            shutil.copytree(kept.folder, self.folder, symlinks=True)
            self.control, self.ends = copy.deepcopy(kept.control), dict(kept.ends)
            return
        build()
        folder = self.folder.with_name(f"{self.folder.name}-{len(_KEPT)}")
        shutil.copytree(self.folder, folder, symlinks=True)
        _KEPT[name] = State(folder, copy.deepcopy(self.control), dict(self.ends))

    def open(self) -> Warehouse:
        """Open the file as it is: all that a command looks at when it opens one would take three times as long."""
        connection = duckdb.connect(str(self.path))
        connection.execute("SET TimeZone = 'UTC'")
        return Warehouse(self.path, connection)

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in a session of their own and return the last one's rows."""
        rows: list[tuple[Any, ...]] = []
        with self.open() as warehouse:
            for statement in statements:
                rows = warehouse.rows(statement)
        return rows

    def store(self, *statements: str) -> None:
        """Run statements as if that had been sent and loaded: ledger and reports say the same."""
        self.sql(*statements, *_SETTLE.format(ended=ENDED).split(";"))
        with self.open() as warehouse:
            for (run_id, shard), claimed in self.control.manifests.items():
                if claimed.placed is not None:
                    placed = _places(warehouse, event_id(run_id, 0, 0)[:15]).get(
                        shard, PlaceWindows(size=256, windows=[])
                    )
                    self.claim(claimed.model_copy(update={"placed": placed}))

    def reshape(self, *statements: str, without: str = "", more: dict[str, Any] | None = None) -> None:
        """Run statements as if the events had been sent with another schema: a field less, or one more."""
        fields = [field for field in _SCHEMA["fields"] if field["name"] != without] + ([more] if more else [])
        schema = json.dumps(_SCHEMA | {"fields": fields})
        self.sql(f"DELETE FROM event_columns WHERE field = '{without}'")
        if more:
            self.sql(f"INSERT INTO event_columns VALUES ('{more['name']}', '{more['name']}')")
        with self.open() as warehouse:
            warehouse.rows("UPDATE schema_versions SET schema = ?", [schema])
            warehouse.rows("DELETE FROM event_layout; DELETE FROM schema_places")
        for shard in (0, 1):
            used = self.control.manifests[RUN, shard].schema_used
            self.amend(shard, schema_used=used.model_copy(update={"fingerprint": fingerprint(schema)}))
        self.send(*statements, schema=schema)

    def send(self, *statements: str, schema: str = SCHEMA) -> None:
        """Run statements as if the events had been sent so: checksums, ledger and manifests are of what is there."""
        self.sql(*statements)
        with self.open() as warehouse:
            if warehouse.rows("SELECT count(*) FROM event_layout") == [(0,)]:
                lay_out(warehouse.connection)
            _encode(warehouse, event_id(RUN, 0, 0)[:15], schema)
            for shard in (0, 1):
                claimed = self.control.manifests.get((RUN, shard))
                if claimed is not None and claimed.crc is not None:
                    sums, size = _sums(warehouse, claimed.crc.size, event_id(RUN, shard, 0)[:18]), claimed.crc.size
                    windows = [sums.get((shard, number), 0) for number in range(len(claimed.crc.sums))]
                    self.claim(claimed.model_copy(update={"crc": CrcWindows(size=size, sums=windows)}))
        self.store()

    def hold(self, shard: int, sequence: int, value: bytes, *, phase: str, kind: str) -> None:
        """Put an event into quarantine that was sent with these bytes, which name no schema."""
        named = f"event_shard(event_id) = {shard} AND event_sequence(event_id) = {sequence}"
        ((crc,),) = self.sql(f"SELECT _crc32 FROM events WHERE {named}")
        claimed = self.control.manifests[RUN, shard]
        assert claimed.crc is not None
        sums = list(claimed.crc.sums)
        sums[(sequence - claimed.first_sequence) // claimed.crc.size] += zlib.crc32(value) - crc
        self.amend(shard, crc=claimed.crc.model_copy(update={"sums": sums}))
        self.store(
            f"""INSERT INTO quarantine
                SELECT _partition, _offset, _timestamp, _key, from_hex('{value.hex()}'),
                       [{{'name': '{IDENTITY_HEADER}', 'value': encode(event_id)}}], NULL, '{phase}', '{kind}', 'x',
                       {zlib.crc32(value)}, 1, NULL
                FROM events WHERE {named}""",
            f"DELETE FROM events WHERE {named}",
        )

    def deliver(self, *, run_id: str = RUN, shards: int = 2, events: int = 300, window: int = 16) -> None:
        """Fill the warehouse with one run, and the control topic with its manifests."""
        facts = (run_id, shards, events, window)
        if facts not in _MADE:
            _MADE[facts] = self._deliver(*facts)
        content, ends, manifests = _MADE[facts]
        self.path.write_bytes(content)
        self.ends = dict(ends)
        self.control.manifests.update(manifests)

    def _deliver(self, run_id: str, shards: int, events: int, window: int) -> Delivery:
        prefix = run_prefix(run_id)
        facts = {
            "shards": shards,
            "events": events,
            "p1": prefix[:8],
            "p2": prefix[8:],
            "started": STARTED,
            "ended": ENDED,
            "topic": TOPIC,
        }
        self.path.unlink(missing_ok=True)  # of a run that the lab had before
        open_warehouse(self.path, topic=TOPIC).close()
        with self.open() as warehouse:
            warehouse.rows(_EVENTS.format(**facts))
            warehouse.rows(
                "INSERT INTO event_columns SELECT name, name FROM pragma_table_info('events') WHERE name[1] <> '_'"
            )
            _encode(warehouse)
            for statement in (_LEDGER, _OFFSETS):
                warehouse.rows(statement.format(**facts))
            places = _places(warehouse)
            sums = _sums(warehouse, window)
            ends = {
                partition: (0, end)
                for partition, end in warehouse.rows("SELECT partition, next_offset FROM load_offsets")
            }
            warehouse.checkpoint()
        for shard in range(shards):
            windows = [sums[shard, number] for number in range((events + window - 1) // window)]
            self.claim(
                manifest(run_id, shard, shards, next_sequence=events, acknowledged=events).model_copy(
                    update={"crc": CrcWindows(size=window, sums=windows), "placed": places[shard]}
                )
            )
        return self.path.read_bytes(), ends, dict(self.control.manifests)

    def claim(self, claimed: Manifest) -> None:
        """Put a manifest on the control topic."""
        self.control.manifests[claimed.run_id, claimed.shard] = claimed

    def amend(self, shard: int, **changes: Any) -> None:
        """Change what a shard's manifest says."""
        self.claim(self.control.manifests[RUN, shard].model_copy(update=changes))

    def place(self, shard: int, where: str) -> None:
        """Let a shard's manifest have the places of those of its events for which a condition holds."""
        with self.open() as warehouse:
            self.amend(shard, placed=_places(warehouse, where=where)[shard])

    def withdraw(self, shard: int) -> None:
        """Take the manifest of a shard away."""
        del self.control.manifests[RUN, shard]

    def add_run(self, run_id: str) -> None:
        """Add a copy of the run under another id, audited and checked."""
        old, new = event_id(RUN, 0, 0)[:15], event_id(run_id, 0, 0)[:15]
        self.sql(
            f"""
            INSERT INTO events
            SELECT * REPLACE (
                replace(event_id, '{old}', '{new}') AS event_id,
                _offset + (SELECT next_offset FROM load_offsets WHERE partition = _partition) AS _offset,
                2 AS _batch
            ) FROM events
            """,
            """
            INSERT INTO load_batches
            SELECT * REPLACE (2 AS batch, end_offset AS start_offset, 2 * end_offset AS end_offset) FROM load_batches
            """,
            "UPDATE load_offsets SET next_offset = 2 * next_offset",
        )
        self.reseal(run_id)
        self.ends = {partition: (0, 2 * end) for partition, (_, end) in self.ends.items()}
        assert self.audit(run_id).verdict == "PASSED"
        run_checks(self.path, run_id)

    def reseal(self, run_id: str) -> None:
        """Make a copied run one of its own: checksums, ledger and manifests are those of its events."""
        start = event_id(run_id, 0, 0)[:15]
        with self.open() as warehouse:
            _encode(warehouse, start)
            warehouse.rows(
                """
                UPDATE load_batches SET crc_sum = (
                    SELECT sum(_crc32) FROM events WHERE _batch = batch AND _partition = load_batches.partition
                )
                """
            )
            places, sums = _places(warehouse, start), _sums(warehouse, 16, start)
        for shard in (0, 1):
            claim = self.control.manifests[RUN, shard]
            windows = CrcWindows(size=16, sums=[sums[shard, number] for number in range(len(sums) // 2)])
            self.claim(claim.model_copy(update={"run_id": run_id, "crc": windows, "placed": places[shard]}))

    def audit(self, run_id: str | None = RUN, connection: Connection = NOWHERE) -> AuditResult:
        result: AuditResult = audit_module.audit(connection, self.path, TOPIC, run_id)
        return result


def manifest(run_id: str, shard: int, shards: int, **changes: Any) -> Manifest:
    """Return a finished manifest."""
    return Manifest.model_validate(
        {
            "status": "finished",
            "run_id": run_id,
            "shard": shard,
            "shards": shards,
            "topic": TOPIC,
            "scenario": "customer_events",
            "scenario_version": 1,
            "seed": 7,
            "settings": {"rate": 30.0},
            "fault_targets": TARGETS,
            "schema_used": SchemaUsed(subject=f"{TOPIC}-value", version=1, id=1, fingerprint=fingerprint(SCHEMA)),
            "topic_id": "topic-id",
            "started_at": STARTED,
            "ended_at": ENDED,
            "rate_windows": [RateWindow(second=second, intended=30, achieved=30 - second % 2) for second in range(10)],
            "publish_delay_ms": {"p50": 3.2, "p90": 6.0, "p99": 11.5, "p99.9": 20.0, "max": 31.0},
            **changes,
        }
    )


@pytest.fixture
def new_lab(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """Return a function that makes a lab with one delivered run."""
    folder = tmp_path_factory.getbasetemp() / "lab"
    shutil.rmtree(folder, ignore_errors=True)  # of the test before
    folder.mkdir()

    def make(**facts: Any) -> Lab:
        lab = Lab(folder, monkeypatch)
        lab.deliver(**facts)
        return lab

    return make


@pytest.fixture
def lab(new_lab: Callable[..., Lab]) -> Lab:
    return new_lab()


@pytest.fixture
def audited(lab: Lab) -> Lab:
    """A run that passed its audit."""
    lab.bring_to("audited", lab.audit)
    return lab


@pytest.fixture
def proved(lab: Lab) -> Lab:
    """A run that passed its audit and its checks."""

    def build() -> None:
        lab.bring_to("audited", lab.audit)
        run_checks(lab.path, RUN)

    lab.bring_to("proved", build)
    return lab


@pytest.fixture
def published(proved: Lab) -> Lab:
    """A run that passed its audit and its checks, and that readers see."""
    proved.bring_to("published", lambda: publish(proved.path, TOPIC, RUN, proved.publications))
    return proved


@pytest.fixture
def joined(published: Lab) -> Lab:
    """A run that readers see, and another one that passed its audit and its checks."""
    published.bring_to("joined", lambda: published.add_run(OTHER))
    return published

"""The proofs of a warehouse against Kafka and the registry: ids and ends, schema texts, and records read again."""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cluster.connection import Connection
from cluster.errors import TopicMissing
from cluster.reading import TopicReader, Watermarks, look_at_topic
from cluster.records import Message
from cluster.topics import TopicInfo
from consumer.sinks.batch import ID_COLUMN
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.proof import Proof
from schemas.columns.column_type import quote
from schemas.control_topic import ControlTopic, read_control_topic
from schemas.fingerprint import fingerprint, number_of
from schemas.formats import FRAMED, ValueDecoder, WrittenSchema, named_schema
from schemas.formats.frame import Frames
from schemas.formats.headers import VALUE_SCHEMA, said_in
from schemas.identity import IDENTITY_HEADER
from schemas.places import NO_TIME
from schemas.registry.gate import Registry
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema

DEFAULT_SAMPLE = 200

_POSITIONS = "SELECT partition, next_offset, cluster_id, topic_id FROM load_offsets ORDER BY ALL"
_BEYOND = """
    SELECT _partition, count(*), min(_offset)
    FROM events JOIN ends ON events._partition = ends.partition WHERE events._offset >= ends."end"
    GROUP BY 1 ORDER BY 1
"""
_TEXTS = "SELECT schema_id, min(schema), arg_min(format, schema) FROM schema_versions GROUP BY 1 ORDER BY 1"
# As many of each partition, drawn by a hash of the place: the same seed draws the same records.
_DRAWN = """
    SELECT _partition, _offset FROM {table} AS held JOIN ends ON held._partition = ends.partition
    WHERE held._offset >= ends."start" AND held._offset < ends."end"
    QUALIFY row_number() OVER (PARTITION BY _partition ORDER BY hash(_partition, _offset, $seed), _offset) <= $each
    ORDER BY _partition, _offset
"""
_GONE = """
    SELECT count(*) FROM {table} AS held JOIN ends ON held._partition = ends.partition WHERE held._offset < ends."start"
"""
_TABLES = {"events": "events", "quarantine": "quarantined records", "tombstones": "tombstones"}
# Of the columns of events, those that somebody wants. A field may be called as a column of theirs, so no other is seen.
_WANTED = "events SEMI JOIN wanted ON events._partition = wanted.p AND events._offset = wanted.o"
_MS = "time in ms"  # no field has a blank in its name
_TIME = "coalesce(_timestamp_ms, epoch_ms(_timestamp))"
_HELD = f"SELECT {_TIME}, key, value, headers FROM quarantine WHERE _partition = ? AND _offset = ?"  # noqa: S608 - a constant
_VOID = f"SELECT {_TIME}, key, event_id FROM tombstones WHERE _partition = ? AND _offset = ?"  # noqa: S608 - a constant

Place = tuple[int, int]
# What the columns of an event say of its fields, and whether they hold more than its schema has.
_Value = tuple[dict[str, Any], bool]
# What reads the values of a schema, and how many bytes stand before what it takes.
_Reading = tuple[ValueDecoder, int]


@dataclass(frozen=True, slots=True)
class Outside:
    """What Kafka says now. ``control`` is ``None`` where there is no control topic."""

    connection: Connection
    topic: str
    info: TopicInfo
    marks: dict[int, Watermarks]
    control: ControlTopic | None


def look_outside(connection: Connection, topic: str) -> Outside:
    """Ask Kafka for the topic's ids and ends, and read its control topic.

    :raises TopicMissing: there is no such topic.
    :raises DependencyDown: Kafka does not answer.
    """
    try:
        control: ControlTopic | None = read_control_topic(connection.kafka, topic)
    except TopicMissing:
        control = None
    info, marks = look_at_topic(connection.kafka, topic)
    return Outside(connection, topic, info, marks, control)


def prove_topic(warehouse: Warehouse, outside: Outside) -> Proof:
    """Prove that the positions are of this topic of this cluster, and that nothing lies behind its ends."""
    _register_marks(warehouse, outside)
    faults, notes = [], []
    for partition, at, cluster_id, topic_id in warehouse.rows(_POSITIONS):
        mark = outside.marks.get(partition)
        if cluster_id != outside.info.cluster_id:
            faults.append(
                f"partition {partition} is of cluster {cluster_id}, this is cluster {outside.info.cluster_id}"
            )
        if topic_id != outside.info.topic_id:
            faults.append(
                f"partition {partition} is of the topic with id {topic_id}, this one has {outside.info.topic_id}"
            )
        if mark is None:
            faults.append(f"the topic has no partition {partition}")
        elif at > mark.high:
            faults.append(f"partition {partition} goes on at offset {at}, the topic ends at {mark.high}")
        elif at < mark.high:
            notes.append(f"partition {partition} is loaded up to offset {at} of {mark.high}")
    faults += [
        f"partition {partition} has {count:,} events behind the end of the topic, the first at offset {offset}"
        for partition, count, offset in warehouse.rows(_BEYOND)
    ]
    return Proof.of(
        "topic", "the file is of this very topic, and holds nothing that it does not",
        f"{len(outside.marks)} partitions", faults, notes=notes,
    )  # fmt: skip


def prove_registry(warehouse: Warehouse, registry: Registry) -> Proof:
    """Prove that each kept schema text is the one that the registry gives for its id."""
    texts = warehouse.rows(_TEXTS)
    faults = []
    for schema_id, text, written in texts:
        if written not in FRAMED:
            if int(schema_id) != _number(str(text)):
                faults.append(f"schema id {schema_id} is not the number of its text, as of values without a frame")
            continue
        try:
            theirs = registry.schema(int(schema_id))
        except UnsupportedSchema as error:
            faults.append(f"schema id {schema_id}: {error.message}")
            continue
        if _mark(theirs.text) != _mark(str(text)):
            faults.append(f"schema id {schema_id} has another text in the registry")
        if theirs.format != written:
            faults.append(f"schema id {schema_id} is of format {written}, and of {theirs.format} in the registry")
    return Proof.of(
        "registry", "each schema text is what the registry gives for its id", f"{len(texts)} schemas", faults
    )


def _number(text: str) -> int | None:
    try:
        return number_of(text)
    except ValueError:
        return None


def _mark(text: str) -> str:
    try:
        return fingerprint(text)
    except ValueError:
        return text


@dataclass(slots=True)
class _Compared:
    """What reading again has found so far."""

    counts: dict[str, int] = field(default_factory=dict)
    leaves: int = 0
    gone: int = 0
    faults: list[str] = field(default_factory=list)


def prove_sample(warehouse: Warehouse, outside: Outside, *, sample: int, seed: int) -> Proof:
    """Read records again from Kafka and compare them with the file: key, time, headers, bytes, every leaf of the value.

    :param sample: about how many records of each table; spread over the partitions.
    :param seed: draws which.
    """
    _register_marks(warehouse, outside)
    found = _Compared()
    notes = []
    each = max(1, -(-sample // max(1, len(outside.marks))))
    with TopicReader(outside.connection.kafka, outside.topic) as source:
        for table, what in _TABLES.items():
            places = _drawn(warehouse, table, each, seed)
            records = _read(source, places)
            found.counts[what] = len(records)
            found.gone += len(places) - len(records)
            _COMPARE[table](warehouse, records, found)
            ((below,),) = warehouse.rows(_GONE.format(table=table))
            if below:
                notes.append(
                    f"{below:,} {what} lie below the first offset of the topic: retention removed their records"
                )
    if found.gone:
        notes.append(f"{found.gone:,} of the drawn records are not in the topic any more: it is compacted")
    looked = ", ".join(f"{count:,} {what}" for what, count in found.counts.items())
    nothing = ["no record of the file is in the topic any more"] if not sum(found.counts.values()) and notes else []
    return Proof.of(
        "sample", "records that are read again are as they are stored: key, time, headers, bytes and every value",
        f"{looked}; {found.leaves:,} values", found.faults, unknown=nothing, notes=notes,
    )  # fmt: skip


def _register_marks(warehouse: Warehouse, outside: Outside) -> None:
    rows = [(partition, mark.low, mark.high) for partition, mark in sorted(outside.marks.items())]
    partitions, starts, ends = zip(*rows, strict=True)
    table = pa.table({"partition": pa.array(partitions, pa.int32()), "start": starts, "end": ends})
    warehouse.connection.register("ends", table)


def _drawn(warehouse: Warehouse, table: str, each: int, seed: int) -> list[Place]:
    with warehouse.errors():
        rows = warehouse.connection.execute(_DRAWN.format(table=table), {"seed": seed, "each": each}).fetchall()
    return [(int(partition), int(offset)) for partition, offset in rows]


def _read(source: TopicReader, places: Iterable[Place]) -> dict[Place, Message]:
    """Return the records at these places, as far as the topic has them; one of each partition at a time."""
    waiting: dict[int, list[int]] = defaultdict(list)
    for partition, offset in dict.fromkeys(places):
        waiting[partition].append(offset)
    found: dict[Place, Message] = {}
    while any(waiting.values()):
        at = {partition: offsets.pop(0) for partition, offsets in waiting.items() if offsets}
        source.assign(at, {partition: offset + 1 for partition, offset in at.items()})
        found |= {(message.partition(), message.offset()): message for message in source.messages()}
    return found


def _compare_events(warehouse: Warehouse, records: dict[Place, Message], found: _Compared) -> None:
    columns = EventColumns(warehouse)
    rows = _rows_at(warehouse, records) if records else {}
    by_schema: dict[int, dict[Place, Message]] = defaultdict(dict)
    for place, message in records.items():
        by_schema[_named(message, rows[place]["_schema_id"])][place] = message
    kept = {int(schema_id): WrittenSchema(str(text), str(name)) for schema_id, text, name in warehouse.rows(_TEXTS)}
    for schema_id, messages in sorted(by_schema.items()):
        reading = _reading(kept.get(schema_id))
        values = {} if reading is None else _values_at(warehouse, columns, schema_id, kept[schema_id], messages)
        for place, message in messages.items():
            where = f"partition {place[0]} offset {place[1]}"
            faults = list(_of_record(rows[place], message))
            if reading is None:
                faults.append(f"its schema id is {schema_id}, of which the file has no text that can be used")
            else:
                faults += _of_value(values.get(place), message, reading, found)
            found.faults += [f"{where}: {fault}" for fault in faults]


def _named(message: Message, stored: int | None) -> int:
    """Return the schema that a record names; 0, which nothing has, where it names none.

    :param stored: the schema that its row is of. Below zero it is one of values without a frame. Which schema a GUID is
        of is believed.
    """
    frames = Frames(stored if stored is not None and stored < 0 else None, of_guid=stored)
    return named_schema(frames, message.value() or b"", message.headers()) or 0


def _reading(schema: WrittenSchema | None) -> _Reading | None:
    try:
        return None if schema is None else (schema.written.decoder(schema.text), schema.written.head_bytes)
    except UnsupportedSchema:
        return None


def _rows_at(warehouse: Warehouse, places: Iterable[Place]) -> dict[Place, dict[str, Any]]:
    partitions, offsets = zip(*places, strict=True)
    wanted = pa.table({"p": pa.array(partitions, pa.int32()), "o": pa.array(offsets, pa.int64())})
    warehouse.connection.register("wanted", wanted)
    with warehouse.errors():
        query = f"SELECT *, {_TIME} AS {quote(_MS)} FROM {_WANTED}"  # noqa: S608 - constants
        rows: list[dict[str, Any]] = warehouse.connection.sql(query).to_arrow_table().to_pylist()
    warehouse.connection.unregister("wanted")
    return {(row["_partition"], row["_offset"]): row for row in rows}


def _of_record(row: dict[str, Any], message: Message) -> Iterator[str]:
    """Yield what of a record is not as its row says, the value aside."""
    value = message.value() or b""
    if row["_key"] != message.key():
        yield "its key is another"
    if row[_MS] != _time(message):
        yield "its time is another"
    if _pairs(row["_headers"]) != _pairs(message.headers()):
        yield "its headers are others"
    if row["_crc32"] != zlib.crc32(value):
        yield "its bytes are not those of the checksum"
    if row["_schema_id"] != _named(message, row["_schema_id"]):
        yield "its schema id is another"
    if row.get(ID_COLUMN) is not None and row[ID_COLUMN] != _identity(message):
        yield "the identity in its header is another"


def _values_at(
    warehouse: Warehouse, columns: EventColumns, schema_id: int, schema: WrittenSchema, places: Iterable[Place]
) -> dict[Place, _Value]:
    """Return what the columns of events of one schema say, in its own fields; nothing where nobody knows which."""
    root = parse(schema.text)
    try:
        fields, odd = columns.values_of(schema_id, root), columns.odd_values(schema_id, root)
    except LookupError:
        return {}
    partitions, offsets = zip(*places, strict=True)
    wanted = pa.table({"p": pa.array(partitions, pa.int32()), "o": pa.array(offsets, pa.int64())})
    warehouse.connection.register("wanted", wanted)
    selected = [f"{value} AS {quote(f'f{number}')}" for number, value in enumerate(fields.values())]
    with warehouse.errors():
        said = ", ".join([*selected, "_partition", "_offset", f"{odd} AS odd"])
        query = f"SELECT {said} FROM {_WANTED}"  # noqa: S608 - quoted
        rows = warehouse.connection.sql(query).to_arrow_table().to_pylist()
    warehouse.connection.unregister("wanted")
    found = {}
    for row in rows:
        said_of = {name: row[f"f{number}"] for number, name in enumerate(fields)}
        found[row["_partition"], row["_offset"]] = said_of, row["odd"]
    return found


def _of_value(value_there: _Value | None, message: Message, reading: _Reading, found: _Compared) -> list[str]:
    """Return the leaves of a value that are not as the columns say."""
    if value_there is None:
        return ["the file does not say in which columns its fields are"]
    there, odd = value_there
    decoder, head_bytes = reading
    try:
        in_header = said_in(message.headers(), VALUE_SCHEMA) is not None
        value = decoder.decode_one((message.value() or b"")[0 if in_header else head_bytes :])
    except UndecodableValue as error:
        return [f"its bytes cannot be decoded: {error}"]
    faults = []
    for name, said in value.items():
        paths, leaves = differing_leaves(said, there[name], name)
        found.leaves += leaves
        faults += [f"{path} is another value" for path in paths]
    return faults + (["a column holds what its schema has no place for"] if odd else [])


def differing_leaves(said: Any, stored: Any, path: str) -> tuple[list[str], int]:
    """Return the paths of the leaves in which two values differ, and how many leaves were compared.

    A stored record may have members that the other lacks, as tables grow with their schemas: those must be empty.
    """
    if isinstance(said, dict) and isinstance(stored, dict):
        parts = [differing_leaves(value, stored.get(name), f"{path}.{name}") for name, value in said.items()]
        parts += [([f"{path}.{name}"] if stored[name] is not None else [], 0) for name in stored.keys() - said.keys()]
    elif isinstance(said, list) and isinstance(stored, list) and len(said) == len(stored):
        parts = [
            differing_leaves(*pair, f"{path}[{place}]") for place, pair in enumerate(zip(said, stored, strict=True))
        ]
    else:
        both_nan = isinstance(said, float) and isinstance(stored, float) and math.isnan(said) and math.isnan(stored)
        return ([] if both_nan or said == stored else [path]), 1
    return [name for names, _ in parts for name in names], sum(leaves for _, leaves in parts)


def _compare_held(warehouse: Warehouse, records: dict[Place, Message], found: _Compared) -> None:
    for place, message in records.items():
        at_ms, key, value, headers = warehouse.rows(_HELD, list(place))[0]
        for what, before, now in (
            ("time", at_ms, _time(message)),
            ("key", key, message.key()),
            ("bytes", value, message.value()),
            ("headers", _pairs(headers), _pairs(message.headers())),
        ):
            if before != now:
                found.faults.append(
                    f"quarantine: partition {place[0]} offset {place[1]}: the {what} of the record is another"
                )


def _compare_void(warehouse: Warehouse, records: dict[Place, Message], found: _Compared) -> None:
    for place, message in records.items():
        at_ms, key, event_id = warehouse.rows(_VOID, list(place))[0]
        for what, before, now in (
            ("time", at_ms, _time(message)),
            ("key", key, message.key()),
            ("identity", event_id, _identity(message)),
            ("value", None, message.value()),
        ):
            if before != now:
                found.faults.append(
                    f"tombstones: partition {place[0]} offset {place[1]}: the {what} of the record is another"
                )


_COMPARE = {"events": _compare_events, "quarantine": _compare_held, "tombstones": _compare_void}


def _time(message: Message) -> int | None:
    at_ms = int(message.timestamp()[1])
    return None if at_ms == NO_TIME else at_ms


def _pairs(headers: Iterable[Any] | None) -> list[tuple[str, bytes | None]]:
    """Return headers, of a message or as they are stored, in one form."""
    return [(one["name"], one["value"]) if isinstance(one, dict) else tuple(one) for one in headers or ()]


def _identity(message: Message) -> str | None:
    for name, value in message.headers() or ():
        if name == IDENTITY_HEADER and value is not None:
            return bytes(value).decode(errors="replace")
    return None

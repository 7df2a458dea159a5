"""The proofs of a warehouse from the file alone: names, origin, ledger, places, schemas, columns, quarantine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from consumer.proof.inside.column_proof import prove_columns
from consumer.proof.inside.quarantine_proof import KeptReaders, prove_quarantine, rejects_of
from consumer.proof.run_scope import enter_run
from consumer.sinks.duckdb import ledger
from consumer.sinks.duckdb.catalogue import read_catalogue, strangers
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.held import pages
from consumer.sinks.duckdb.identity_columns import identity_expression
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.proof import Proof
from schemas.fingerprint import fingerprint
from schemas.formats import WrittenSchema
from schemas.manifest import Manifest, SchemaUsed
from schemas.registry.client import UNKNOWN_SCHEMA, unknown_in_words
from schemas.types.node import Node
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema

# Subject, version and schema of each row that is kept of an id.
_Kept = dict[int, list[tuple[str | None, int | None, WrittenSchema]]]

_BATCHES = Path(__file__).with_name("ledger.sql")
_DOUBLED = """
    SELECT format('partition {} offset {} holds {} records: {}', partition, "offset", count(*),
                  string_agg(place, ', ' ORDER BY place))
    FROM (
        SELECT 'events' AS place, _partition AS partition, _offset AS "offset" FROM events
        UNION ALL SELECT 'quarantine', _partition, _offset FROM quarantine
        UNION ALL SELECT 'tombstones', _partition, _offset FROM tombstones
    )
    GROUP BY partition, "offset" HAVING count(*) > 1 ORDER BY partition, "offset"
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM quarantine), (SELECT count(*) FROM tombstones),
           (SELECT count(*) FROM load_batches), (SELECT count(*) FROM load_offsets)
"""
_ORIGINS = "SELECT partition, cluster_id, topic, topic_id FROM load_offsets ORDER BY ALL"
_USED_IDS = "SELECT _schema_id, count(*), min(_partition), min(_offset) FROM events GROUP BY 1 ORDER BY 1"
_KEPT_TEXTS = "SELECT schema_id, subject, version, schema, format FROM schema_versions ORDER BY schema_id, schema"
# Every event, whoever wrote it, under the name that the column proof reads; a foreign one has no shard.
_ALL_EVENTS = """
    CREATE OR REPLACE TEMP VIEW run_events AS
    SELECT *, event_shard({event_id}) AS _shard, event_sequence({event_id}) AS _sequence FROM events
"""
_DIFFERING = """
    SELECT shard, partition, "offset" FROM columns_differ ORDER BY partition, "offset"
"""
_ERRORS = "SELECT _partition, _offset, phase, error_class, error FROM quarantine"


def prove_names(warehouse: Warehouse) -> Proof:
    """Prove that the file holds our tables, columns and macros, and nothing else."""
    catalogue = read_catalogue(warehouse.connection)
    looked = f"{len(catalogue.tables)} tables, {len(catalogue.macros)} macros, {len(catalogue.views)} views"
    return Proof.of("names", "nothing foreign is in the file, and nothing is missing", looked, strangers(catalogue))


def prove_origin(warehouse: Warehouse) -> Proof:
    """Prove that the file is of one format and holds one topic of one cluster."""
    facts = warehouse.rows("SELECT key, value FROM meta ORDER BY key, value")
    origins = warehouse.rows(_ORIGINS)
    return Proof.of(
        "origin", "every position is of one topic of one cluster", f"{len(origins)} partitions", _origin(facts, origins)
    )


def _origin(facts: list[tuple[Any, ...]], origins: list[tuple[Any, ...]]) -> Iterator[str]:
    said = Counter(str(key) for key, _ in facts)
    meta = {str(key): str(value) for key, value in facts}
    yield from (f"meta says {key} {count} times" for key, count in said.items() if count > 1)
    yield from (f"meta does not say {key}" for key in ("format", "created_at", "duckdb", "topic") if key not in said)
    yield from (f"meta says {key}, which is not ours" for key in said if key not in _META)
    try:
        datetime.fromisoformat(meta.get("created_at", "2000-01-01"))
    except ValueError:
        yield f"meta: created_at is {meta['created_at']!r}, not a time"
    for place, name in ((1, "cluster_id"), (2, "topic"), (3, "topic_id")):
        values = {row[place] for row in origins}
        if len(values) > 1:
            yield f"load_offsets: {name} is {' and '.join(sorted(map(str, values)))}"
    topics = {row[2] for row in origins}
    if "topic" in meta and topics - {meta["topic"]}:
        yield f"meta says topic {meta['topic']}, load_offsets {', '.join(sorted(map(str, topics)))}"
    partitions = Counter(row[0] for row in origins)
    yield from (f"load_offsets: partition {p} has {n} positions" for p, n in sorted(partitions.items()) if n > 1)


_META = ("format", "created_at", "duckdb", "topic")


def prove_ledger(warehouse: Warehouse) -> Proof:
    """Prove that offsets are covered without gap or overlap, and that counts and checksums equal the rows."""
    events, quarantined, tombstones, batches, partitions = warehouse.rows(_COUNTS)[0]
    faults = [*ledger.contradictions(warehouse), *(fault for (fault,) in warehouse.rows(_BATCHES.read_text()))]
    return Proof.of(
        "ledger",
        "offsets are covered without gap or overlap; counts and checksums equal the rows",
        f"{batches:,} batches of {partitions} partitions, {events + quarantined + tombstones:,} rows",
        faults,
    )


def prove_places(warehouse: Warehouse) -> Proof:
    """Prove that no position holds two records."""
    events, quarantined, tombstones, *_ = warehouse.rows(_COUNTS)[0]
    return Proof.of(
        "places",
        "each partition and offset holds one record",
        f"{events + quarantined + tombstones:,} rows",
        (fault for (fault,) in warehouse.rows(_DOUBLED)),
    )


def prove_schemas(warehouse: Warehouse, manifests: Iterable[Manifest]) -> Proof:
    """Prove that each schema id has one text, the one that the runs were written with, and each field its column."""
    kept: _Kept = defaultdict(list)
    for schema_id, subject, version, text, written in warehouse.rows(_KEPT_TEXTS):
        kept[int(schema_id)].append((subject, version, WrittenSchema(str(text), str(written))))
    used = warehouse.rows(_USED_IDS)
    said = list(_schemas_said(manifests))
    faults = [*_texts(kept, used, said), *_columns(warehouse, kept)]
    compared = {schema.id for schema, _ in said if schema.fingerprint is not None}
    notes = [f"no manifest says which text schema id {id_} had" for id_ in sorted(kept) if id_ not in compared]
    return Proof.of(
        "schemas",
        "each schema id has one text, the one that was written with; each field has its column",
        f"{len(kept)} schemas, {len(compared & set(kept))} of them as manifests say",
        faults,
        notes=notes,
    )


def _schemas_said(manifests: Iterable[Manifest]) -> Iterator[tuple[SchemaUsed, str]]:
    """Yield each schema that a manifest names, with the format of its values."""
    for manifest in manifests:
        yield manifest.schema_used, manifest.value_format
        yield from ((row.schema_used, manifest.value_format) for row in manifest.versions)


def _texts(kept: _Kept, used: list[tuple[Any, ...]], said: list[tuple[SchemaUsed, str]]) -> Iterator[str]:
    for schema_id, events, partition, offset in used:
        if schema_id not in kept:
            yield f"schema id {schema_id} of {events:,} events (partition {partition}, offset {offset}) has no text"
    for schema_id, rows in kept.items():
        if len(rows) > 1:
            yield f"schema id {schema_id} has {len(rows)} texts"
        try:
            rows[0][2].written.decoder(rows[0][2].text)
        except (UndecodableValue, ValueError) as error:
            yield f"the text of schema id {schema_id} cannot be used: {error}"
    # Each once, in the order of the manifests: a set's order would change from process to process.
    named = dict.fromkeys(
        (each.id, each.subject, each.version, each.fingerprint, written) for each, written in said if each.id in kept
    )
    for schema_id, subject, version, mark, written in named:
        subject_there, version_there, there = kept[schema_id][0]
        if (subject_there, version_there) not in ((subject, version), (None, None)):
            yield (
                f"schema id {schema_id} is {subject_there} version {version_there} in the file, "
                f"and {subject} version {version} in a manifest"
            )
        if there.format != written:
            yield f"schema id {schema_id} is of format {there.format} in the file, and of {written} in a manifest"
        if mark is not None and _mark(there.text) != mark:
            yield f"the text of schema id {schema_id} is not the one that a run was written with"


def _mark(text: str) -> str | None:
    try:
        return fingerprint(text)
    except ValueError:
        return None


def _columns(warehouse: Warehouse, kept: _Kept) -> Iterator[str]:
    """Yield what is wrong between the fields of the schemas, what the file says of them, and ``events``."""
    roots: dict[int, Node] = {}
    for schema_id, rows in kept.items():
        try:
            roots[schema_id] = parse(rows[0][2].text)
        except UnsupportedSchema:
            return  # said already
    columns = EventColumns(warehouse)
    yield from columns.strangers(roots)
    for schema_id, root in roots.items():
        yield from columns.misfits(schema_id, root).values()


def see_all_events(warehouse: Warehouse) -> None:
    """Let ``run_events`` be every event of the file; one of another program has no ``_shard``."""
    enter_run(warehouse, None)
    with warehouse.errors():
        warehouse.connection.execute(_ALL_EVENTS.format(event_id=identity_expression(warehouse)))


def prove_bytes(warehouse: Warehouse) -> Proof:
    """Prove that the columns of every event give its bytes again, by the CRC-32 that the row keeps of them."""
    see_all_events(warehouse)
    unproved = prove_columns(warehouse)
    differing = warehouse.rows(_DIFFERING)
    ours = [
        f"partition {p} offset {o}: its columns are not what its bytes said"
        for shard, p, o in differing
        if shard is not None
    ]
    foreign = [f"partition {p} offset {o}" for shard, p, o in differing if shard is None]
    unknown = [f"{each.events:,} events of schema id {each.schema_id}: {each.why}" for each in unproved]
    if foreign:
        unknown.append(
            f"{len(foreign):,} events of other programs, the first at {foreign[0]}, give other bytes when they are "
            "encoded again: another encoder may have written them so"
        )
    events = warehouse.rows(_COUNTS)[0][0]
    compared = events - sum(each.events for each in unproved)
    return Proof.of(
        "columns", "every column says what the bytes of its record said", f"{compared:,} of {events:,} events", ours,
        unknown=unknown,
    )  # fmt: skip


def prove_held(warehouse: Warehouse) -> Proof:
    """Prove that quarantined bytes are those that came, and are in quarantine for what is wrong with them."""
    enter_run(warehouse, None)
    found = prove_quarantine(warehouse)
    ((records,),) = warehouse.rows("SELECT count(*) FROM quarantine")
    return Proof.of(
        "quarantine",
        "quarantined bytes are those that came, and fail for the reason that is given",
        f"{records:,} records",
        [f"quarantine: {example}" for example in found.examples],
        unknown=[*found.doubts, *_other_errors(warehouse)],
    )


def _other_errors(warehouse: Warehouse) -> Iterator[str]:
    """Yield the records whose message is not what today's decoder says of their bytes; the class is proved apart."""
    reader_of, said = KeptReaders(warehouse), warehouse.rows(_ERRORS)
    messages = {(partition, offset): (phase, kind, error) for partition, offset, phase, kind, error in said}
    for page in pages(warehouse):
        rejects = rejects_of(page, reader_of)
        for row, record in enumerate(page):
            place, reject = (record.held_partition, record.held_offset), rejects.get(row)
            phase, kind, error = messages[place]
            wanted = None
            if kind == UNKNOWN_SCHEMA:
                wanted = unknown_in_words(record.held_schema_id or 0)
            elif reject is not None and phase != "schema" and (phase, kind) == (reject.phase, reject.kind):
                wanted = reject.message
            if wanted is not None and error != wanted:
                yield f"quarantine: partition {place[0]} offset {place[1]} has the error {error!r}, not {wanted!r}"

"""What cannot be true at once: the file's schemas, columns and topic against each other, and against the manifests.

Such a contradiction is damage, whatever the rows say: nobody who reads the file can know which of its sides is right.
What the ledger says is ``consumer/sinks/duckdb/ledger.py``'s to judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from cluster.connection import RegistrySettings
from cluster.errors import StreamproofError
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.record_columns import has_record_names, kept_record_names
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.fingerprint import fingerprint
from schemas.manifest import Manifest, SchemaUsed
from schemas.places import FIRST_TIMESTAMP_MS, LAST_TIMESTAMP_MS
from schemas.registry.gate import Registry
from schemas.types.node import Node
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

NEXT_SCHEMA = "next schema id"  # the setting of a run that mixes two versions

_USED = """
    SELECT _schema_id, count(*), arg_min(_partition, (_partition, _offset)), arg_min(_offset, (_partition, _offset))
    FROM run_events GROUP BY 1 ORDER BY 1
"""
_KEPT = "SELECT schema_id, schema, format FROM schema_versions ORDER BY ALL"
_NAMED = "SELECT _schema_id, _record_name, count(*) FROM run_events GROUP BY 1, 2 ORDER BY 1, 2"
_MISPLACED_TIMES = f"""
    SELECT _partition, _offset FROM run_events
    WHERE _timestamp_ms IS NOT NULL
      AND (_timestamp IS NOT NULL OR _timestamp_ms BETWEEN {FIRST_TIMESTAMP_MS} AND {LAST_TIMESTAMP_MS})
    ORDER BY ALL LIMIT 3
"""  # noqa: S608 - numbers
_TOPIC_IDS = "SELECT DISTINCT topic_id FROM load_offsets ORDER BY 1"


def contradictions(warehouse: Warehouse, manifests: list[Manifest]) -> list[str]:
    """Return what contradicts itself, a sentence each, for the run that the warehouse has entered."""
    kept: dict[int, list[str]] = {}
    for schema_id, text, _ in warehouse.rows(_KEPT):
        kept.setdefault(int(schema_id), []).append(str(text))
    return [
        *_of_topic(warehouse, manifests),
        *_of_schemas(warehouse, manifests, kept),
        *_of_formats(warehouse, manifests),
        *_of_record_names(warehouse),
        *_of_times(warehouse),
        *EventColumns(warehouse).strangers(_roots(kept)),
    ]


def schemas_named(manifests: list[Manifest]) -> dict[int, set[str]]:
    """Return every schema id that the manifests name, with the fingerprints that they give it."""
    named: dict[int, set[str]] = {}

    def note(used: SchemaUsed) -> None:
        named.setdefault(used.id, set()).update([used.fingerprint] if used.fingerprint else [])

    for manifest in manifests:
        note(manifest.schema_used)
        for written in manifest.versions:
            note(written.schema_used)
        following = manifest.settings.get(NEXT_SCHEMA)
        if isinstance(following, int):
            named.setdefault(following, set())
    return named


def unwitnessed(warehouse: Warehouse, manifests: list[Manifest]) -> list[int]:
    """Return the schemas of the run's events for which no manifest gives a fingerprint, as older ones do not."""
    silent = {schema_id for schema_id, prints in schemas_named(manifests).items() if not prints}
    return [int(row[0]) for row in warehouse.rows(_USED) if row[0] in silent] if silent else []


def against_registry(
    warehouse: Warehouse, settings: RegistrySettings, schema_ids: list[int]
) -> tuple[list[str], list[int]]:
    """Compare kept texts with the registry's: return contradictions, and the ids of which it did not answer."""
    kept = {int(schema_id): (str(text), str(written)) for schema_id, text, written in warehouse.rows(_KEPT)}
    wrong: list[str] = []
    silent: list[int] = []
    with Registry(settings) as registry:
        for schema_id in schema_ids:
            try:
                said = registry.schema(schema_id)
            except StreamproofError:
                return wrong, [*silent, *(left for left in schema_ids if left >= schema_id)]
            except UnsupportedSchema:
                silent.append(schema_id)
                continue
            if schema_id in kept and _print(kept[schema_id][0]) != fingerprint(said.text):
                wrong.append(f"the kept text of schema id {schema_id} is not the registry's")
            elif schema_id in kept and kept[schema_id][1] != said.format:
                wrong.append(f"the kept format of schema id {schema_id} is not that of the registry's schema")
    return wrong, silent


def _of_topic(warehouse: Warehouse, manifests: list[Manifest]) -> Iterator[str]:
    loaded = [str(topic_id) for (topic_id,) in warehouse.rows(_TOPIC_IDS)]
    for manifest in manifests:
        strange = [one for one in loaded if manifest.topic_id is not None and one != manifest.topic_id]
        if strange:
            yield (
                f"shard {manifest.shard} wrote to the topic with id {manifest.topic_id}, and the warehouse was loaded "
                f"from the one with id {strange[0]}"
            )


def _of_schemas(warehouse: Warehouse, manifests: list[Manifest], kept: dict[int, list[str]]) -> Iterator[str]:
    named = schemas_named(manifests)
    for schema_id, events, partition, offset in warehouse.rows(_USED):
        where = f"{events:,} events, the first in partition {partition} at offset {offset}"
        if schema_id is None:
            yield f"{where}, name no schema"
            continue
        if named and schema_id not in named:
            yield f"schema id {schema_id}, of {where}, is named by no manifest of the run"
        texts = kept.get(schema_id, [])
        if len(texts) != 1:
            many = "is not kept" if not texts else f"is kept {len(texts)} times"
            yield f"the text of schema id {schema_id}, of {where}, {many}"
        if texts:
            yield from _of_text(warehouse, schema_id, texts[0], named.get(schema_id, set()))


def _of_record_names(warehouse: Warehouse) -> Iterator[str]:
    """Yield the events that are said to be of another record type than their schema's."""
    if not has_record_names(warehouse):
        return
    names = kept_record_names(warehouse)
    for schema_id, said, events in warehouse.rows(_NAMED):
        if said != names.get(schema_id):
            yield (
                f"{events:,} events of schema id {schema_id} are said to be of record type {said}, and its text says "
                f"{names.get(schema_id)}"
            )


def _of_times(warehouse: Warehouse) -> Iterator[str]:
    """Yield the first events with a time in ``_timestamp_ms`` that belongs into ``_timestamp``, or is beside one."""
    for partition, offset in warehouse.rows(_MISPLACED_TIMES):
        yield f"the event of partition {partition} offset {offset} has a time in _timestamp_ms that no record gives it"


def _of_formats(warehouse: Warehouse, manifests: list[Manifest]) -> Iterator[str]:
    """Yield the schemas that the file keeps another format of than the manifests say."""
    said = {
        used.id: manifest.value_format
        for manifest in manifests
        for used in (manifest.schema_used, *(row.schema_used for row in manifest.versions))
    }
    for schema_id, _, written in warehouse.rows(_KEPT):
        if said.get(schema_id, written) != written:
            yield (
                f"the values of schema id {schema_id} are kept as {written or 'of no format'}, and the manifests say "
                f"{said[schema_id]}"
            )


def _of_text(warehouse: Warehouse, schema_id: int, text: str, prints: set[str]) -> Iterator[str]:
    if len(prints) > 1 or (prints and _print(text) not in prints):
        yield f"the kept text of schema id {schema_id} is not the one that the manifests name"
    try:
        root = parse(text)
    except UnsupportedSchema as fault:
        yield f"the kept text of schema id {schema_id} is not a schema that events can be loaded with: {fault.message}"
        return
    yield from EventColumns(warehouse).misfits(schema_id, root).values()


def _print(text: str) -> str:
    """Return the fingerprint of a kept text, or what is none for a text that is not JSON."""
    try:
        return fingerprint(text)
    except ValueError:
        return ""


def _roots(kept: dict[int, list[str]]) -> dict[int, Node]:
    """Return the schemas that are kept; a text that is none has no fields."""
    roots = {}
    for schema_id, texts in kept.items():
        with suppress(UnsupportedSchema):
            roots[schema_id] = parse(texts[0])
    return roots

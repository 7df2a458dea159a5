"""Whether the quarantine still holds what came: its bytes are hashed, and decoded again, at every look.

The table is small, so that nothing in it needs to be believed. A checksum is what the ledger and the manifests sum; the
bytes must have it. Phase, class and schema id must be what today's decoder says of the bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from cluster.records import Records
from consumer.load.decode import Reader, decode
from consumer.proof.found import Example
from consumer.sinks.batch import Reject
from consumer.sinks.duckdb.held import pages
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.held import HeldRecord
from schemas.formats import FRAMED, Naming, WrittenSchema, named_schema
from schemas.formats.frame import Frames
from schemas.formats.headers import UNKNOWN_GUID
from schemas.registry.client import UNKNOWN_SCHEMA
from schemas.undecodable import UndecodableValue

MAX_EXAMPLES = 10
_SHOWN = 3
# Why a schema could not be read when its values came. What a library raised has the name of its class.
_OF_SCHEMAS = frozenset({UNKNOWN_SCHEMA, "unsupported_schema", "invalid_schema", "schema_conflict", UNKNOWN_GUID})

_TEXTS = "SELECT schema_id, min(schema), arg_min(format, schema) FROM schema_versions GROUP BY schema_id"
_IDENTITIES = """
    SELECT event_id FROM quarantine_identities WHERE _partition = ? AND _offset = ?
"""


@dataclass(slots=True)
class HeldFindings:
    """What is wrong with the quarantine. ``altered`` counts records whose bytes are not those that came."""

    altered: int = 0
    examples: list[Example] = field(default_factory=list)
    misnamed: int = 0
    misnamed_examples: list[str] = field(default_factory=list)

    @property
    def doubts(self) -> list[str]:
        """What keeps a verdict from being PASSED, in words."""
        if not self.misnamed:
            return []
        shown = "; ".join(self.misnamed_examples)
        return [f"{self.misnamed:,} records in quarantine are not what the file says of them: {shown}"]


def prove_quarantine(warehouse: Warehouse) -> HeldFindings:
    """Look at every quarantined record of the file; whose it is may be in the bytes that were changed."""
    found = HeldFindings()
    reader_of = KeptReaders(warehouse)
    for page in pages(warehouse):
        for record in page:
            if zlib.crc32(record.held_value) != record.held_crc32:
                found.altered += 1
                if len(found.examples) < MAX_EXAMPLES:
                    found.examples.append(_example(warehouse, record))
        for sentence in _misnamed(page, reader_of):
            found.misnamed += 1
            if len(found.misnamed_examples) < _SHOWN:
                found.misnamed_examples.append(sentence)
    return found


def _example(warehouse: Warehouse, record: HeldRecord) -> Example:
    rows = warehouse.rows(_IDENTITIES, [record.held_partition, record.held_offset])
    known = str(rows[0][0]) if rows and rows[0][0] else ""
    note = "its bytes in quarantine are not those that came"
    return Example(known, partition=record.held_partition, offset=record.held_offset, note=note)


def _misnamed(page: list[HeldRecord], reader_of: KeptReaders) -> Iterator[str]:
    """Yield the records whose bytes do not fail as the row says."""
    rejects = rejects_of(page, reader_of)
    for row, record in enumerate(page):
        reject = rejects.get(row)
        phase, kind = ("", "") if reject is None else (reject.phase, reject.kind)
        if _may_be_held(record, phase, kind, reader_of.naming(record)):
            continue
        yield (
            f"partition {record.held_partition} offset {record.held_offset} is held as {record.held_phase}/"
            f"{record.held_class} of schema id {record.held_schema_id}, and "
            + (f"fails as {phase}/{kind}" if reject is not None else "can be decoded")
        )


def _may_be_held(record: HeldRecord, phase: str, kind: str, naming: Naming) -> bool:
    """Return whether a record that fails like this today, or not at all, may be held as it is.

    What the registry did not know then, and what the table refused, cannot be asked again here: of such a record the
    class is one of those that there are.
    """
    if phase == "frame" or record.held_phase == "frame":
        return (record.held_phase, record.held_class, record.held_schema_id) == (phase, kind, None)
    if record.held_schema_id != named_schema(naming, record.held_value, record.headers()):
        return False
    if record.held_phase == "decode":
        # Of a schema of which nothing could be read no text is kept.
        return (phase, kind) in {("decode", record.held_class), ("schema", UNKNOWN_SCHEMA)}
    if record.held_phase == "schema":
        return record.held_class in _OF_SCHEMAS or record.held_class[:1].isupper()
    return phase == ""


class KeptReaders:
    """The reader of each schema whose text the file keeps; others are unknown to it."""

    def __init__(self, warehouse: Warehouse) -> None:
        rows = warehouse.rows(_TEXTS)
        self._kept = {int(schema_id): WrittenSchema(str(text), str(name)) for schema_id, text, name in rows}
        self._made: dict[int, Reader] = {}

    def __call__(self, schema_id: int) -> Reader:
        """Return a reader.

        :raises UndecodableValue: the file does not keep the schema, or no table can hold it.
        """
        if schema_id not in self._kept:
            raise UndecodableValue(UNKNOWN_SCHEMA, "the file keeps no text of it", phase="schema")
        if schema_id not in self._made:
            written = self._kept[schema_id].written
            decoder = written.decoder(self._kept[schema_id].text)
            self._made[schema_id] = Reader(schema_id, decoder, list(decoder.arrow_schema.names), written)
        return self._made[schema_id]

    def naming(self, record: HeldRecord) -> Frames:
        """Return how a record names its schema: without a frame, or by a GUID, it is the one that it is held with."""
        held = record.held_schema_id
        known = self._kept.get(held) if held is not None else None
        return Frames(held if known is not None and known.format not in FRAMED else None, of_guid=held)


def rejects_of(page: list[HeldRecord], reader_of: KeptReaders) -> dict[int, Reject]:
    """Return how the records of a page fail today, by their place in it; those that can be decoded are left out."""
    together: dict[Frames, list[int]] = {}
    for row, record in enumerate(page):
        together.setdefault(reader_of.naming(record), []).append(row)
    found: dict[int, Reject] = {}
    for naming, rows in together.items():
        chunk = decode(Records.of([page[row] for row in rows]), [], reader_of, naming)
        found |= {rows[reject.row]: reject for reject in chunk.rejects}
    return found

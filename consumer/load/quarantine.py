"""The quarantine: what could not be decoded or stored, and trying again with today's code and registry."""

from __future__ import annotations

import threading
import uuid
import zlib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured, WarehouseDamaged
from cluster.records import Records, Span
from consumer.load.decode import decode
from consumer.load.positions import stored_positions
from consumer.load.readers import Readers, SchemaShelf
from consumer.sinks.batch import Chunk, Tally
from consumer.sinks.duckdb import ledger
from consumer.sinks.duckdb.held import HeldRecord, pages
from consumer.sinks.duckdb.store import INSERT_EVENTS, insert_rows, without_refused
from consumer.sinks.duckdb.warehouse import DEFAULT_WAIT_S, Warehouse, open_warehouse
from schemas.formats import value_format
from schemas.registry.gate import Registry

EXAMPLES = 3

_SUMMARY = f"""
    SELECT phase, error_class, count(*)::BIGINT AS records, any_value(error ORDER BY _partition, _offset) AS error,
           list_sort(list_distinct(list(schema_id))) AS schema_ids,
           list({{'partition': _partition, 'offset': _offset}} ORDER BY _partition, _offset)[:{EXAMPLES}] AS examples
    FROM quarantine GROUP BY phase, error_class ORDER BY records DESC, phase, error_class
"""  # noqa: S608 - a constant
_LEAVE = "DELETE FROM quarantine USING moved WHERE quarantine._partition = moved.p AND quarantine._offset = moved.o"


@dataclass(frozen=True, slots=True)
class QuarantineClass:
    """Records that failed in the same way. ``error`` is one of their messages; it holds no payload."""

    phase: str
    error_class: str
    records: int
    error: str
    schema_ids: list[int | None]  # None: the frame names no schema
    examples: list[dict[str, int]]


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did."""

    topic: str
    warehouse: Path
    replayed: int
    remaining: int

    def document(self) -> dict[str, Any]:
        """Return the result as ``quarantine replay --json`` prints it."""
        return asdict(self) | {"warehouse": str(self.warehouse)}


def list_quarantine(warehouse: Path, *, wait_s: float = DEFAULT_WAIT_S) -> list[QuarantineClass]:
    """Return what the quarantine holds, by phase and class, most frequent first."""
    with open_warehouse(warehouse, wait_s=wait_s, create=False) as file:
        return [QuarantineClass(*row) for row in file.rows(_SUMMARY)]


def replay(
    connection: Connection, warehouse: Path, *, stop: threading.Event, wait_s: float = DEFAULT_WAIT_S
) -> ReplayResult:
    """Decode quarantined records again and move those that succeed to the events.

    A page of records moves in one transaction, ledger included, so a record is in exactly one place at any moment.

    :raises RegistryUnreachable: a schema is needed and the registry does not answer; nothing moves for it.
    :raises Interrupted: ``stop`` was set; what was moved stays moved.
    :raises WarehouseDamaged: the ledger is contradicted, or the bytes of a record are not those that came.
    """
    load_id = uuid.uuid4().hex
    with (
        open_warehouse(warehouse, wait_s=wait_s, create=False, stop=stop) as file,
        Registry(connection.registry) as registry,
    ):
        topic = file.meta().get("topic")
        if topic is None:
            raise Misconfigured("the warehouse names no topic", where=str(file.path))
        ledger.verify(file)
        shelf = SchemaShelf(file, topic, registry)
        readers = Readers(value_format(), registry, shelf.texts, shelf.adopt)
        replayed = 0
        for page in pages(file):
            if stop.is_set():
                raise Interrupted(f"stopped; {replayed:,} records were moved", where=str(file.path))
            _check_bytes(file, page)
            chunk = without_refused(file, decode(Records.of(page), [], readers, readers.written))
            replayed += _move(file, load_id, chunk)
        file.checkpoint()
        ((remaining,),) = file.rows("SELECT count(*) FROM quarantine")
    return ReplayResult(topic, file.path, replayed, remaining)


def _check_bytes(file: Warehouse, page: list[HeldRecord]) -> None:
    """Look whether the bytes are those that came, before they become events.

    :raises WarehouseDamaged: somebody changed them.
    """
    changed = [record for record in page if zlib.crc32(record.held_value) != record.held_crc32]
    if changed:
        first = f"partition {changed[0].held_partition}, offset {changed[0].held_offset}"
        raise WarehouseDamaged(
            f"{len(changed):,} records in quarantine have other bytes than came from Kafka, the first at {first}",
            where=str(file.path),
            hint="Nothing of this page was moved. Load the topic into a new file, or restore a copy of this one",
        )


def _move(file: Warehouse, load_id: str, chunk: Chunk) -> int:
    """Move the decoded records of a page, in one transaction, and return how many."""
    if not chunk.groups:
        return 0
    positions = stored_positions(file)
    rows = np.concatenate([group.rows for group in chunk.groups])
    partitions, offsets = chunk.records.partitions[rows], chunk.records.offsets[rows]
    schema_ids = sorted({group.schema_id for group in chunk.groups})
    with file.transaction() as connection:
        number = ledger.next_batch(connection)
        for group in chunk.groups:
            insert_rows(connection, INSERT_EVENTS, group.table, number)
        connection.register("moved", pa.table({"p": partitions, "o": offsets}))
        ((left,),) = connection.execute(_LEAVE).fetchall()
        connection.unregister("moved")
        if left != len(rows):
            raise RuntimeError(f"{len(rows)} records were decoded, {left} left the quarantine")
        for partition, count in Counter(partitions.tolist()).items():
            nowhere = Span(partition, positions[partition], positions[partition])
            moved = Tally(nowhere, events=count, quarantined=-count, schema_ids=schema_ids)
            ledger.record(connection, number, load_id, moved)
    return len(rows)

"""The quarantine: what could not be decoded or stored, and trying again with today's code and registry."""

from __future__ import annotations

import threading
import uuid
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured, WarehouseDamaged
from cluster.records import Records
from consumer.load.decode import decode
from consumer.load.naming import TopicNaming, any_plain, finder
from consumer.load.readers import SchemaShelf, source_of_schemas
from consumer.sinks import DEFAULT_WAIT_S, Place, Sink, place_of
from consumer.sinks.held import HeldRecord, QuarantineClass
from schemas.formats import WrittenSchema
from schemas.registry.gate import Registry


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did."""

    topic: str
    warehouse: str
    replayed: int
    remaining: int

    def document(self) -> dict[str, Any]:
        """Return the result as ``quarantine replay --json`` prints it."""
        return asdict(self)


def list_quarantine(warehouse: Path | Place, *, wait_s: float = DEFAULT_WAIT_S) -> list[QuarantineClass]:
    """Return what the quarantine holds, by phase and class, most frequent first."""
    with place_of(warehouse).open(wait_s=wait_s, create=False) as sink:
        return sink.quarantined()


def replay(
    connection: Connection,
    warehouse: Path | Place,
    *,
    stop: threading.Event,
    wait_s: float = DEFAULT_WAIT_S,
    plain: WrittenSchema | None = None,
) -> ReplayResult:
    """Decode quarantined records again and move those that succeed to the events.

    A page of records moves in one transaction, ledger included, so a record is in exactly one place at any moment.

    :param plain: the schema of values that name none; the one that the warehouse keeps unless given.
    :raises RegistryUnreachable: a schema is needed and the registry does not answer; nothing moves for it.
    :raises Interrupted: ``stop`` was set; what was moved stays moved.
    :raises WarehouseDamaged: the ledger is contradicted, or the bytes of a record are not those that came.
    """
    load_id = uuid.uuid4().hex
    with (
        place_of(warehouse).open(wait_s=wait_s, create=False, stop=stop) as sink,
        source_of_schemas(connection, needed=False) as registry,
    ):
        topic = sink.topic
        if topic is None:
            raise Misconfigured("the warehouse names no topic", where=sink.where)
        sink.verify()
        shelf = SchemaShelf(sink, topic, registry)
        if connection.known_registry is None and plain is None and not any_plain(shelf.kept.values()):
            Registry(connection.registry).close()  # says whose address is missing
        naming = TopicNaming(finder(plain, None, None, topic, list(shelf.kept.values())), registry.id_of)
        readers, keys = shelf.readers(shelf.adopt, naming), shelf.keys(shelf.keep_key)
        replayed = 0
        for page in sink.held():
            if stop.is_set():
                raise Interrupted(f"stopped; {replayed:,} records were moved", where=sink.where)
            _check_bytes(sink, page)
            replayed += sink.readmit(load_id, decode(Records.of(page), [], readers, naming, keys))
        sink.checkpoint()
        remaining = sink.totals().quarantined
    return ReplayResult(topic, sink.where, replayed, remaining)


def _check_bytes(sink: Sink, page: list[HeldRecord]) -> None:
    """Look whether the bytes are those that came, before they become events.

    :raises WarehouseDamaged: somebody changed them.
    """
    changed = [record for record in page if zlib.crc32(record.held_value) != record.held_crc32]
    if changed:
        first = f"partition {changed[0].held_partition}, offset {changed[0].held_offset}"
        raise WarehouseDamaged(
            f"{len(changed):,} records in quarantine have other bytes than came from Kafka, the first at {first}",
            where=sink.where,
            hint="Nothing of this page was moved. Load the topic into a new file, or restore a copy of this one",
        )

"""Manifests: read from the control topic up to its end, and kept in the warehouse."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import ValidationError

from cluster.connection import Connection
from consumer.batch import Message
from consumer.source import Source
from consumer.warehouse import Warehouse
from schemas.manifest import Manifest, control_topic

_FETCH_ROWS = 1000
_NEVER = threading.Event()

_FORGET = "DELETE FROM manifests WHERE run_id = ? AND shard = ?"
_KEEP = "INSERT INTO manifests VALUES (?, ?, ?, ?, ?)"
_KEPT = "SELECT run_id, shard, document FROM manifests"
_STORED = "SELECT document FROM manifests WHERE run_id = ? ORDER BY shard"


@dataclass(slots=True)
class ControlTopic:
    """What the control topic holds: the last manifest of each run and shard, and what was taken back."""

    manifests: dict[tuple[str, int], Manifest] = field(default_factory=dict)
    deleted: set[tuple[str, int]] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)

    def take(self, message: Message) -> None:
        """Apply one record. One that is no manifest is noted with its position, without its content."""
        position = f"{message.topic()} partition {message.partition()} offset {message.offset()}"
        try:
            run_id, shard = (message.key() or b"").decode().rsplit("/", 1)
            key = (run_id, int(shard))
            # A manifest that cannot be read stands for none: what an earlier one says is out of date.
            self.manifests.pop(key, None)
            self.deleted.add(key)
            value = message.value()
            if value is None:
                return
            manifest = Manifest.model_validate_json(value)
            if (manifest.run_id, manifest.shard) != key:
                raise ValueError("key and value name different shards")  # noqa: TRY301 - one handler for one fate
        except (ValueError, ValidationError):
            self.unreadable.append(position)
            return
        self.manifests[key] = manifest
        self.deleted.discard(key)


def read_control_topic(connection: Connection, topic: str) -> ControlTopic:
    """Read the control topic of ``topic`` from its first record to its end, as the watermarks give it.

    :raises TopicMissing: there is no control topic.
    :raises BrokerUnreachable: no broker answered within the deadline.
    :raises BrokerSilent: the end was not reached: the broker stopped delivering.
    """
    found = ControlTopic()
    with Source(connection.kafka, control_topic(topic)) as source:
        marks = source.watermarks(range(source.identify().partitions))
        source.assign({p: mark.low for p, mark in marks.items()}, {p: mark.high for p, mark in marks.items()})
        while not source.finished:
            records, _ = source.fetch(_FETCH_ROWS, _NEVER)
            for message in records.messages:
                found.take(message)
    return found


def store_manifests(warehouse: Warehouse, found: ControlTopic) -> None:
    """Keep what the control topic says, replacing what was kept before; all or nothing."""
    kept = {(run_id, shard): document for run_id, shard, document in warehouse.rows(_KEPT)}
    said = {key: manifest.model_dump_json() for key, manifest in found.manifests.items()}
    # A topic that is used for long has many runs, and one audit sees few new ones.
    changed = {key: document for key, document in said.items() if kept.get(key) != document}
    gone = found.deleted & set(kept)
    read_at = datetime.now(UTC)
    with warehouse.transaction() as connection:
        for run_id, shard in [*gone, *changed]:
            connection.execute(_FORGET, [run_id, shard])
        for (run_id, shard), document in changed.items():
            connection.execute(_KEEP, [run_id, shard, found.manifests[run_id, shard].status, document, read_at])


def stored_manifests(warehouse: Warehouse, run_id: str) -> list[Manifest]:
    """Return the kept manifests of a run, by shard."""
    return [Manifest.model_validate(json.loads(document)) for (document,) in warehouse.rows(_STORED, [run_id])]

"""Records with all that Kafka carries beside a value, put into a sink without a broker; the registry is a dict."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import fastavro

from cluster.records import Records, Span
from consumer.load.decode import decode
from consumer.load.naming import TopicNaming
from consumer.load.readers import SchemaShelf
from consumer.sinks import Sink
from consumer.sinks.batch import Chunk
from consumer.sinks.limit import NO_LIMIT
from schemas.formats import WrittenSchema
from schemas.formats.headers import guid_of_nobody
from schemas.manifest import SchemaUsed
from schemas.registry.client import UnknownSchema, unknown_in_words


@dataclass(frozen=True)
class Carried:
    """What the loader asks of Kafka's message. The offset is given by who loads it."""

    body: bytes | None
    said: list[tuple[str, bytes | None]] | None = None
    by: bytes | None = None
    time_ms: int = 1_700_000_000_000
    at: int = 0

    def value(self) -> bytes | None:
        """Return the value."""
        return self.body

    def key(self) -> bytes | None:
        """Return the key."""
        return self.by

    def partition(self) -> int:
        """Return the only partition."""
        return 0

    def offset(self) -> int:
        """Return the offset."""
        return self.at

    def timestamp(self) -> tuple[int, int]:
        """Return kind and milliseconds."""
        return (1, self.time_ms)

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Return the headers."""
        return self.said


@dataclass
class KnownSchemas:
    """A registry that knows schemas by id, and ids by GUID."""

    schemas: Mapping[int, Any]
    guids: Mapping[UUID, int] = field(default_factory=dict)
    subjects: Mapping[int, list[str]] = field(default_factory=dict)
    url: str = "http://registry"

    def schema(self, schema_id: int) -> WrittenSchema:
        """Return a schema."""
        if schema_id not in self.schemas:
            raise UnknownSchema(unknown_in_words(schema_id))
        return WrittenSchema(json.dumps(self.schemas[schema_id]))

    def id_of(self, guid: UUID) -> int:
        """Return an id."""
        return self.guids[guid] if guid in self.guids else guid_of_nobody(guid)

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        """Return the subjects that have a schema."""
        return [(subject, 1) for subject in self.subjects.get(schema_id, ())]

    def lookup(self, subject: str, text: str, written: str) -> SchemaUsed | None:
        """Return nothing."""
        return None


def payload(schema: Any, value: Any) -> bytes:
    """Return the bytes of one value, encoded by a library that is not ours."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return buffer.getvalue()


class ByHand:
    """Loads records of partition 0 of topic ``t``, one chunk after the other, as one process of the loader does."""

    def __init__(self, sink: Sink, registry: KnownSchemas) -> None:
        self.sink = sink
        self.naming = TopicNaming(lambda: None, registry.id_of)
        shelf = SchemaShelf(sink, "t", registry)
        self.readers, self.keys = shelf.readers(shelf.adopt, self.naming), shelf.keys(shelf.keep_key)
        self._at = sink.positions()[0]

    def load(self, *records: Carried) -> Chunk:
        """Store records as one batch."""
        messages = [replace(each, at=self._at + n) for n, each in enumerate(records)]
        span = Span(0, self._at, self._at + len(records))
        chunk = decode(Records.of(messages), [span], self.readers, self.naming, self.keys)
        batches = self.sink.batches("load", limit=NO_LIMIT, batch_rows=10_000)
        batches.add(chunk)
        batches.commit()
        self._at = span.end
        return chunk

    def replay(self) -> int:
        """Try what is held again, and return how many records moved."""
        return sum(
            self.sink.readmit("replay", decode(Records.of(page), [], self.readers, self.naming, self.keys))
            for page in self.sink.held()
        )

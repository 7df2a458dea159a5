"""A schema changes no table before a value of it was decoded: anybody may write an id in front of anything."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import pytest

from cluster.records import Records, Span
from consumer.load.decode import decode
from consumer.load.naming import TopicNaming
from consumer.load.readers import SchemaShelf
from consumer.proof.inside.quarantine_proof import prove_quarantine
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from consumer.sinks.limit import NO_LIMIT
from schemas.formats import WrittenSchema
from schemas.formats.frame import frame_header
from schemas.manifest import SchemaUsed

OURS, FOREIGN = 1, 77
SCHEMAS: dict[int, Any] = {
    OURS: {"type": "record", "name": "Ours", "fields": [{"name": "n", "type": "long"}]},
    FOREIGN: {
        "type": "record",
        "name": "Foreign",
        "fields": [{"name": "n", "type": "long"}, {"name": "their_text", "type": "string"}],
    },
}
JUNK = b"\x02\xff\xff"


@dataclass(frozen=True)
class FakeMessage:
    """What the loader asks of Kafka's message."""

    at: int
    body: bytes

    def value(self) -> bytes:
        return self.body

    def key(self) -> bytes:
        return b"k"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return (1, 1_700_000_000_000)

    def headers(self) -> None:
        return None


class TwoSchemas:
    """A registry that knows both."""

    url = "http://registry"

    def schema(self, schema_id: int) -> WrittenSchema:
        return WrittenSchema(json.dumps(SCHEMAS[schema_id]))

    def lookup(self, *_: str) -> SchemaUsed | None:
        return None


def value(schema_id: int, record: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, SCHEMAS[schema_id], record)
    return frame_header(schema_id) + buffer.getvalue()


class Loader:
    """Loads values one chunk after the other."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.sink = DuckDBSink(warehouse)
        registry: Any = TwoSchemas()
        shelf, self.naming = SchemaShelf(self.sink, "t", registry), TopicNaming(lambda: None)
        self.readers = shelf.readers(shelf.adopt, self.naming)
        self.at = 0

    def load(self, *bodies: bytes) -> None:
        records = Records.of([FakeMessage(self.at + place, body) for place, body in enumerate(bodies)])
        span = Span(0, self.at, self.at + len(bodies))
        chunk = decode(records, [span], self.readers, self.naming)
        batches = self.sink.batches("load", limit=NO_LIMIT, batch_rows=1_000)
        batches.add(chunk)
        batches.commit()
        self.at = span.end


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        yield warehouse


def columns(warehouse: Warehouse) -> set[str]:
    return {str(name) for (name,) in warehouse.rows("SELECT name FROM pragma_table_info('events')")}


@pytest.mark.parametrize("junk", [b"", JUNK, b"\x02\x06ab"], ids=["nothing", "a bad number", "cut"])
def test_a_foreign_id_before_bytes_that_are_not_of_its_schema_changes_no_table(
    warehouse: Warehouse, junk: bytes
) -> None:
    loader = Loader(warehouse)
    loader.load(frame_header(FOREIGN) + junk, value(OURS, {"n": 1}), frame_header(FOREIGN) + junk)
    assert "their_text" not in columns(warehouse)
    assert warehouse.rows("SELECT schema_id FROM schema_versions") == [(OURS,)]
    assert warehouse.rows("SELECT field FROM event_columns") == [("n",)]
    held = warehouse.rows("SELECT DISTINCT schema_id, phase FROM quarantine")
    assert held == [(FOREIGN, "decode")]
    assert prove_quarantine(warehouse).doubts == []


def test_its_first_value_that_decodes_makes_the_room(warehouse: Warehouse) -> None:
    loader = Loader(warehouse)
    loader.load(frame_header(FOREIGN) + JUNK, value(OURS, {"n": 1}))
    loader.load(value(OURS, {"n": 2}), frame_header(FOREIGN) + JUNK, value(FOREIGN, {"n": 3, "their_text": "a"}))
    assert warehouse.rows("SELECT n, their_text FROM events ORDER BY n") == [(1, None), (2, None), (3, "a")]
    assert warehouse.rows("SELECT DISTINCT phase FROM quarantine") == [("decode",)]
    assert prove_quarantine(warehouse).doubts == []

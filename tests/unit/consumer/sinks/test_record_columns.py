"""What a record carries beside its value is stored as it came: headers, and times that are in no calendar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.records import Records, Span
from consumer.load.decode import Reader, decode
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from consumer.sinks.limit import NO_LIMIT
from schemas.formats import value_format
from schemas.formats.avro.codec import Decoder
from schemas.formats.frame import Frames, frame_header
from schemas.places import FIRST_TIMESTAMP_MS, LAST_TIMESTAMP_MS
from schemas.types.tree import parse
from tests.kit.carried import Carried
from tests.kit.depth import examples

SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "n", "type": "boolean"}]}'
GOOD, BAD = frame_header(1) + b"\x01", frame_header(1) + b"\x07"
HEADERS = st.one_of(
    st.none(), st.lists(st.tuples(st.text(max_size=5), st.one_of(st.none(), st.binary(max_size=5))), max_size=3)
)
TIMES = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from([-1, 0, -2, FIRST_TIMESTAMP_MS - 1, FIRST_TIMESTAMP_MS, LAST_TIMESTAMP_MS, LAST_TIMESTAMP_MS + 1]),
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        yield warehouse


def reader_of(sink: DuckDBSink) -> Any:
    decoder = Decoder(SCHEMA)
    reader = Reader(1, decoder, sink.adopt(1, parse(SCHEMA)), value_format())
    return lambda _: reader


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), TIMES, HEADERS), min_size=1, max_size=8))
def test_headers_and_times_of_any_record_are_stored_as_they_came_and_survive_the_quarantine(
    warehouse: Warehouse, said: list[tuple[bool, int, Any]]
) -> None:
    for table in ("events", "quarantine", "load_batches"):
        warehouse.rows(f"DELETE FROM {table}")
    warehouse.rows("UPDATE load_offsets SET next_offset = 0")
    sink = DuckDBSink(warehouse)
    messages = [
        Carried(GOOD if good else BAD, headers, time_ms=time_ms, at=at)
        for at, (good, time_ms, headers) in enumerate(said)
    ]
    batches = sink.batches("load", limit=NO_LIMIT, batch_rows=100)
    batches.add(decode(Records.of(messages), [Span(0, 0, len(messages))], reader_of(sink), Frames()))
    batches.commit()
    # What is held comes back with all that its record carried.
    for page in sink.held():
        for held in page:
            assert (held.timestamp()[1], held.headers()) == (said[held.offset()][1], said[held.offset()][2] or [])
    warehouse.rows("UPDATE quarantine SET value = '\\x00\\x00\\x00\\x00\\x01\\x01'::BLOB")
    for page in sink.held():
        sink.readmit("replay", decode(Records.of(page), [], reader_of(sink), Frames()))
    stored = warehouse.rows(
        "SELECT CAST(epoch_ms(_timestamp) AS BIGINT), _timestamp_ms, _headers FROM events ORDER BY _offset"
    )
    for (moment, strange, headers), (_, time_ms, carried) in zip(stored, said, strict=True):
        assert headers == ([{"name": name, "value": value} for name, value in carried] if carried else None)
        in_calendar = FIRST_TIMESTAMP_MS <= time_ms <= LAST_TIMESTAMP_MS
        assert moment == (time_ms if in_calendar and time_ms != -1 else None)
        assert strange == (None if in_calendar else time_ms)

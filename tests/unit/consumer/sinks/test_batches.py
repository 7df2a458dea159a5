"""Storing a batch: all of it or nothing, with positions compared before they are set."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import fastavro
import pytest

from cluster.errors import Misconfigured, StoreFailed, WarehouseLocked
from cluster.records import Records, Span
from consumer.load.decode import Reader, decode
from consumer.load.writer import Writer
from consumer.sinks import Stored
from consumer.sinks.batch import Chunk
from consumer.sinks.duckdb.batches import DuckDBBatches
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.ledger import verify
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from consumer.sinks.limit import Limit, LimitBroken
from schemas.formats import value_format
from schemas.formats.avro.codec import Decoder
from schemas.formats.frame import Frames
from schemas.types.tree import parse

SCHEMA = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}
TEXT = json.dumps(SCHEMA)
LOAD = "load"
_COLUMNS: WeakKeyDictionary[Warehouse, EventColumns] = WeakKeyDictionary()


def columns_of(warehouse: Warehouse) -> EventColumns:
    """Return the columns of an open warehouse: one object, as a sink has."""
    return _COLUMNS.setdefault(warehouse, EventColumns(warehouse))


@dataclass(frozen=True)
class FakeMessage:
    """What the loader asks of Kafka's message."""

    at: int
    body: bytes | None
    place: int = 0

    def value(self) -> bytes | None:
        return self.body

    def key(self) -> bytes | None:
        return None

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return (1, 1_700_000_000_000)

    def headers(self) -> None:
        return None


def value(n: int) -> bytes:
    import io

    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, SCHEMA, {"n": n})
    return b"\x00\x00\x00\x00\x01" + buffer.getvalue()


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        yield warehouse


def chunk(warehouse: Warehouse, start: int, bodies: list[bytes | None], end: int | None = None) -> Chunk:
    decoder = Decoder(json.dumps(SCHEMA))
    reader = Reader(1, decoder, columns_of(warehouse).adopt(1, parse(TEXT)), value_format())
    records = Records.of([FakeMessage(start + at, body) for at, body in enumerate(bodies)])
    return decode(records, [Span(0, start, end or start + len(bodies))], lambda _: reader, Frames())


def counts(warehouse: Warehouse) -> tuple[int, int, int]:
    ((events, quarantined, position),) = warehouse.rows(
        "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM quarantine), next_offset FROM load_offsets"
    )
    return events, quarantined, position


def test_rows_rejects_ledger_and_position_are_one_commit(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD)
    assert batches.add(chunk(warehouse, 0, [value(1), None, b"junk"], end=5)) is None
    assert batches.add(chunk(warehouse, 5, [value(2)])) is None
    assert batches.commit() == Stored(events=2, quarantined=1, tombstones=1, absent=2)
    assert counts(warehouse) == (2, 1, 6)
    assert warehouse.rows(
        "SELECT events, quarantined, tombstones, absent, start_offset, end_offset FROM load_batches"
    ) == [(2, 1, 1, 2, 0, 6)]
    verify(warehouse)


def test_nothing_is_stored_before_the_commit(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD)
    batches.add(chunk(warehouse, 0, [value(1)]))
    batches.rollback()
    assert counts(warehouse) == (0, 0, 0)
    assert batches.commit() is None
    batches.add(chunk(warehouse, 0, [value(1)]))
    assert batches.commit() is not None
    assert counts(warehouse) == (1, 0, 1)


def test_a_full_batch_commits_itself(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD, batch_rows=3)
    assert batches.add(chunk(warehouse, 0, [value(1), value(2)])) is None
    assert batches.add(chunk(warehouse, 2, [value(3)])) == Stored(events=3, quarantined=0, tombstones=0, absent=0)
    assert counts(warehouse) == (3, 0, 3)


def test_a_tail_smaller_than_a_batch_joins_the_last_one(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD, batch_rows=3)
    parts: list[list[bytes | None]] = [[value(1), value(2), value(3)], [value(4), value(5), value(6)], [value(7)]]
    stored = []
    for at, (part, left) in enumerate(zip(parts, (4, 1, 0), strict=True)):
        stored.append(batches.add(replace(chunk(warehouse, 3 * at, part), left=left)))
    assert [batch and batch.events for batch in stored] == [3, None, None]
    last = batches.commit()
    assert last is not None
    assert last.events == 4
    assert warehouse.rows("SELECT end_offset FROM load_batches ORDER BY batch") == [(3,), (7,)]
    verify(warehouse)


def test_a_large_batch_is_committed_whatever_is_left(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.sinks.open_batch.MAX_BATCH_BYTES", 6)
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD, batch_rows=3)
    assert batches.add(replace(chunk(warehouse, 0, [value(1)]), left=1)) is not None
    assert counts(warehouse) == (1, 0, 1)


def test_a_batch_of_large_values_is_small_and_followed_by_a_checkpoint(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.sinks.open_batch.LARGE_VALUE_BYTES", 6)
    monkeypatch.setattr("consumer.sinks.open_batch.MAX_LARGE_BATCH_BYTES", 12)
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD)
    assert batches.add(chunk(warehouse, 0, [value(1)])) is None
    assert batches.add(chunk(warehouse, 1, [value(2)])) is not None
    assert not warehouse.path.with_name(f"{warehouse.path.name}.wal").exists()
    assert warehouse.rows("SELECT current_setting('max_vacuum_tasks')") == [(0,)]
    verify(warehouse)


def test_a_chunk_of_events_alone_lets_go_of_the_messages(warehouse: Warehouse) -> None:
    whole = chunk(warehouse, 0, [value(1), value(2)])
    lean = whole.lean()
    assert (len(lean.records), lean.records.messages, lean.records.values) == (2, (), ())
    assert list(lean.tallies()) == list(whole.tallies())
    DuckDBBatches(warehouse, columns_of(warehouse), LOAD, batch_rows=2).add(lean)
    assert counts(warehouse) == (2, 0, 2)
    verify(warehouse)


@pytest.mark.parametrize("other", [None, b"junk"])
def test_a_chunk_with_a_tombstone_or_a_reject_keeps_the_messages(warehouse: Warehouse, other: bytes | None) -> None:
    mixed = chunk(warehouse, 0, [value(1), other])
    assert mixed.lean() is mixed


def test_a_span_that_somebody_else_loaded_is_rolled_back(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD)
    warehouse.rows("UPDATE load_offsets SET next_offset = 1")
    batches.add(chunk(warehouse, 0, [value(1)]))
    with pytest.raises(WarehouseLocked, match="another loader moved the position of partition 0"):
        batches.commit()
    assert counts(warehouse) == (0, 0, 1)


def test_a_chunk_that_does_not_follow_the_last_one_is_never_stored(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD)
    batches.add(chunk(warehouse, 0, [value(1)]))
    with pytest.raises(ValueError, match="does not follow"):
        batches.add(chunk(warehouse, 2, [value(3)]))
    assert counts(warehouse) == (0, 0, 0)


def test_a_record_that_carries_no_time_or_an_impossible_one_is_stored_without(warehouse: Warehouse) -> None:
    class Timeless(FakeMessage):
        def timestamp(self) -> tuple[int, int]:
            return (0, -1) if self.at == 0 else (1, 2**62)

    decoder = Decoder(json.dumps(SCHEMA))
    reader = Reader(1, decoder, columns_of(warehouse).adopt(1, parse(TEXT)), value_format())
    records = Records.of([Timeless(0, value(1)), Timeless(1, value(2)), Timeless(2, b"junk")])
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD)
    batches.add(decode(records, [Span(0, 0, 3)], lambda _: reader, Frames()))
    batches.commit()
    assert warehouse.rows(
        "SELECT DISTINCT _timestamp IS NULL FROM (FROM events UNION ALL BY NAME FROM quarantine)"
    ) == [(True,)]


def test_the_limit_counts_what_the_warehouse_holds_in_all(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD, limit=Limit(records=1))
    batches.add(chunk(warehouse, 0, [b"junk", value(1)]))
    batches.commit()
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD, limit=Limit(records=1))
    batches.add(chunk(warehouse, 2, [value(2), b"junk"]))
    with pytest.raises(LimitBroken, match="would hold 2 records, the limit is 1"):
        batches.commit()
    assert counts(warehouse) == (1, 1, 2)


@pytest.mark.parametrize(
    ("text", "limit"), [("0", Limit(records=0)), ("12", Limit(records=12)), ("5%", Limit(share=0.05))]
)
def test_a_limit_reads_numbers_and_shares(text: str, limit: Limit) -> None:
    assert Limit.parse(text) == limit


@pytest.mark.parametrize("text", ["", "-1", "x", "101%", "-1%", "nan%", "%"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="is not a limit"):
        Limit.parse(text)


def test_an_error_of_the_writer_is_raised_to_the_reader_and_nothing_later_is_stored(warehouse: Warehouse) -> None:
    batches = DuckDBBatches(warehouse, columns_of(warehouse), LOAD, batch_rows=1)
    good = [chunk(warehouse, at, [value(at)]) for at in range(12)]
    warehouse.rows("ALTER TABLE load_batches DROP COLUMN insert_s")

    def hand_over() -> None:
        with Writer(batches, threading.Event(), lambda _: None) as writer:
            for one in good:
                writer.submit(one)

    with pytest.raises(StoreFailed):
        hand_over()
    assert counts(warehouse) == (0, 0, 0)


def test_after_an_error_of_the_writer_not_even_another_partition_is_stored(warehouse: Warehouse) -> None:
    warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 1, 0)")
    handed_over = threading.Event()

    class Failing(DuckDBBatches):
        def add(self, chunk: Chunk) -> Stored | None:
            if chunk.spans[0].partition == 0:
                handed_over.wait(10)
                raise StoreFailed("the disk went away")
            return super().add(chunk)

    good = chunk(warehouse, 0, [value(1)])
    other = replace(good, spans=[Span(1, 0, 1)], records=replace(good.records, partitions=good.records.partitions + 1))

    def hand_over() -> None:
        with Writer(
            Failing(warehouse, columns_of(warehouse), LOAD, batch_rows=1), threading.Event(), lambda _: None
        ) as writer:
            writer.submit(good)
            writer.submit(other)
            handed_over.set()

    with pytest.raises(StoreFailed):
        hand_over()
    assert warehouse.rows("SELECT count(*) FROM events") == [(0,)]


def test_what_waits_is_bounded_by_its_bytes(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [chunk(warehouse, at, [value(at)]) for at in range(4)]
    size_bytes = int(chunks[0].records.sizes.sum())
    monkeypatch.setattr("consumer.load.writer.MAX_PENDING_BYTES", 2 * size_bytes)
    go_on, most, pending = threading.Semaphore(0), 0, 0

    class Counting(DuckDBBatches):
        def add(self, chunk: Chunk) -> Stored | None:
            nonlocal pending
            go_on.acquire(timeout=10)
            stored = super().add(chunk)
            pending -= 1
            return stored

    with Writer(Counting(warehouse, columns_of(warehouse), LOAD), threading.Event(), lambda _: None) as writer:
        for number, one in enumerate(chunks):
            if number >= 2:
                threading.Timer(0.2, go_on.release).start()
            writer.submit(one)
            pending += 1
            most = max(most, pending)
        go_on.release(2)
    assert most == 2
    assert counts(warehouse) == (4, 0, 4)


def test_an_error_of_the_reader_rolls_the_open_batch_back(warehouse: Warehouse) -> None:
    stored: list[Stored] = []

    def hand_over() -> None:
        with Writer(DuckDBBatches(warehouse, columns_of(warehouse), LOAD), threading.Event(), stored.append) as writer:
            writer.submit(chunk(warehouse, 0, [value(1)]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hand_over()
    assert (counts(warehouse), stored) == ((0, 0, 0), [])


def test_a_stop_commits_what_was_added_and_drops_what_waits(warehouse: Warehouse) -> None:
    stop = threading.Event()
    stored: list[Stored] = []
    chunks = [chunk(warehouse, at, [value(at)]) for at in range(6)]
    began: Future[None] = Future()
    go_on = threading.Event()

    class Slow(DuckDBBatches):
        def add(self, chunk: Any) -> Stored | None:
            result = super().add(chunk)
            if not began.done():
                began.set_result(None)
                go_on.wait(10)
            return result

    with Writer(Slow(warehouse, columns_of(warehouse), LOAD), stop, stored.append) as writer:
        for one in chunks:
            writer.submit(one)
        began.result(10)
        stop.set()
        threading.Timer(0.2, go_on.set).start()
    assert [batch.events for batch in stored] == [1]
    assert counts(warehouse) == (1, 0, 1)
    verify(warehouse)

"""What the batches of a lake hold against what their list says of them."""

from __future__ import annotations

import os
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import duckdb
import pyarrow as pa

from cluster.errors import StoreFailed
from consumer.lake.published import Batch, PartitionRange, Published, uncovered
from consumer.pipeline.stored import WHERE
from consumer.pipeline.stored.tabled import TABLE_ROWS

_EVENTS, _QUARANTINE = "events", "quarantine"
_BATCH = "batch_id="
_READ = "read_parquet([{paths}], filename = true, union_by_name = true, hive_partitioning = false)"
_EVENT_SUMS = """
    SELECT filename, kafka_partition, count(*), min(kafka_offset), max(kafka_offset), sum(CAST(value_crc AS HUGEINT))
    FROM {files} GROUP BY ALL
"""
_HELD_BYTES = "SELECT filename, kafka_partition, kafka_offset, value, value_crc FROM {files}"
_HELD_CLASSES = "SELECT kafka_partition, kafka_offset, phase || ' ' || error_class FROM {files}"
_HELD_WHOSE = (
    "SELECT CAST(event_id AS VARCHAR) AS event_id, filename, error_class, kafka_partition, kafka_offset FROM {files}"
)


@dataclass(slots=True)
class _Sums:
    """What is there of one partition in one batch."""

    rows: int = 0
    quarantined: int = 0
    crc_sum: int = 0
    least: int | None = None
    most: int | None = None
    changed: int = 0

    def has(self, first: int, last: int) -> None:
        """Take offsets into account."""
        self.least = first if self.least is None else min(self.least, first)
        self.most = last if self.most is None else max(self.most, last)


@dataclass(slots=True)
class _Found:
    sums: dict[tuple[int, int], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    gone: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    shared: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))


def contradictions(session: duckdb.DuckDBPyConnection, folder: Path, published: Published) -> list[str]:
    """Return what the batches hold otherwise than they say, a sentence for each; and offsets that none has, or two.

    :raises StoreFailed: a file cannot be read.
    """
    found = _Found()
    _sum_events(session, folder, published, found)
    _sum_quarantine(session, folder, published, found)
    strays = _strays(folder, published)
    told = []
    for batch in published.batches:
        parts = [f"{name} is gone" for name in found.gone[batch.batch_id]]
        if found.shared[batch.batch_id]:  # the rows are counted where they were listed first
            told.append(f"batch {batch.batch_id}: {'; '.join(found.shared[batch.batch_id])}")
            continue
        parts += [part for each in batch.partitions for part in _odd(each, found.sums[batch.batch_id, each.partition])]
        listed = {each.partition for each in batch.partitions}
        others = [partition for (number, partition) in found.sums if number == batch.batch_id]
        parts += [f"it has rows of partition {each}, of which it says nothing" for each in others if each not in listed]
        parts += [f"{name} lies in its folder, and is not listed" for name in strays[batch.batch_id]]
        if parts:
            told.append(f"batch {batch.batch_id}: {'; '.join(parts)}")
    return [*told, *uncovered(published)]


def _odd(said: PartitionRange, there: _Sums) -> Iterator[str]:
    """Yield what is not as it is said of a partition of a batch."""
    name = f"partition {said.partition}"
    if there.rows != said.rows:
        yield f"{name} has {there.rows:,} of {said.rows:,} events"
    if there.quarantined != said.quarantined:
        yield f"{name} has {there.quarantined:,} of {said.quarantined:,} quarantined records"
    if there.least is not None and there.most is not None and not said.start <= there.least <= there.most < said.end:
        yield f"{name} has offsets outside of {said.start:,} to {said.end - 1:,}"
    same = (there.rows, there.quarantined) == (said.rows, said.quarantined)
    if same and there.crc_sum != said.crc_sum:
        yield f"the checksums of {name} do not add up to what is listed"
    if there.changed:
        yield f"{there.changed:,} quarantined records of {name} have other bytes than came from Kafka"


def _sum_events(session: duckdb.DuckDBPyConnection, folder: Path, published: Published, found: _Found) -> None:
    files = _there(folder, published, _EVENTS, found)
    for name, partition, rows, first, last, crc_sum in _asked(session, _EVENT_SUMS, list(files)):
        sums = found.sums[files[name], partition]
        sums.rows += rows
        sums.crc_sum += int(crc_sum or 0)
        sums.has(first, last)


def _sum_quarantine(session: duckdb.DuckDBPyConnection, folder: Path, published: Published, found: _Found) -> None:
    files = _there(folder, published, _QUARANTINE, found)
    for name, partition, offset, value, crc in _asked(session, _HELD_BYTES, list(files)):
        sums = found.sums[files[name], partition]
        sums.quarantined += 1
        sums.crc_sum += int(crc or 0)
        sums.changed += zlib.crc32(value or b"") != crc
        sums.has(offset, offset)


def _there(folder: Path, published: Published, kind: str, found: _Found) -> dict[str, int]:
    """Return the files of a kind that are there, each with its batch; those that are gone are noted."""
    files: dict[str, int] = {}
    for batch in published.batches:
        for name in batch.events if kind == _EVENTS else batch.quarantine:
            path = folder / name
            if str(path) in files:
                found.shared[batch.batch_id].append(f"{name} is listed by batch {files[str(path)]} as well")
            elif path.is_file():
                files[str(path)] = batch.batch_id
            else:
                found.gone[batch.batch_id].append(name)
    return files


def _asked(session: duckdb.DuckDBPyConnection, query: str, paths: Sequence[str]) -> Iterator[tuple]:  # type: ignore[type-arg]
    """Yield the rows of a query over files, a few thousand at a time."""
    if not paths:
        return
    try:
        answer = session.execute(query.format(files=_READ.format(paths=", ".join(map(_literal, paths)))))
        while rows := answer.fetchmany(TABLE_ROWS // 8):
            yield from rows
    except duckdb.Error as error:
        said = str(error).split("\n", 1)[0][:200]
        raise StoreFailed("the files that the list names cannot be read", where=said) from error


def _literal(path: str) -> str:
    """Return a path as text of SQL; what DuckDB would take for a pattern stands for itself."""
    plain = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)
    return "'" + plain.replace("'", "''") + "'"


def set_aside(session: duckdb.DuckDBPyConnection, folder: Path, published: Published) -> Iterator[pa.Table]:
    """Yield the quarantined records: ``event_id`` (NULL where nobody knows it), ``why`` and ``_where``."""
    files = _there(folder, published, _QUARANTINE, _Found())
    held: list[tuple[str | None, str, str]] = []
    for event_id, name, why, partition, offset in _asked(session, _HELD_WHOSE, list(files)):
        held.append((event_id, why, f"{Path(name).relative_to(folder)}, partition {partition} offset {offset}"))
        if len(held) == TABLE_ROWS:
            yield _table(held)
            held = []
    if held:
        yield _table(held)


def held_classes(
    session: duckdb.DuckDBPyConnection, folder: Path, published: Published
) -> Iterator[tuple[int, int, str]]:
    """Yield partition, offset, and phase and class in one text of each quarantined record."""
    files = _there(folder, published, _QUARANTINE, _Found())
    yield from _asked(session, _HELD_CLASSES, list(files))


def _table(rows: Sequence[tuple[str | None, str, str]]) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(("event_id", "why", WHERE), columns, strict=True)}
    )


def unlisted(folder: Path, published: Published) -> list[str]:
    """Return the files that are of no batch in the list: of one that is being written, or was never finished."""
    if published.table_format == "delta":
        return []
    return [
        name for name, batch_id in _lying(folder) if batch_id not in {batch.batch_id for batch in published.batches}
    ]


def _strays(folder: Path, published: Published) -> dict[int, list[str]]:
    """Return files that lie in the folder of a listed batch and are not listed, by its number."""
    found: dict[int, list[str]] = defaultdict(list)
    if published.table_format == "delta":  # a table of Delta leaves files that are not in it any more
        return found
    listed: dict[int, Batch] = {batch.batch_id: batch for batch in published.batches}
    for name, batch_id in _lying(folder):
        batch = listed.get(batch_id) if batch_id is not None else None
        if batch is not None and name not in batch.events and name not in batch.quarantine:
            found[batch.batch_id].append(name)
    return found


def _lying(folder: Path) -> Iterator[tuple[str, int | None]]:
    """Yield every Parquet file below events and quarantine with the batch that its folder names, sorted."""
    for kind in (_EVENTS, _QUARANTINE):
        found = []
        for root, folders, names in os.walk(folder / kind):
            folders[:] = [name for name in folders if not name.startswith((".", "_"))]
            found += [
                Path(root, name) for name in names if name.endswith(".parquet") and not name.startswith((".", "_"))
            ]
        for path in sorted(found):
            inside = PurePosixPath(path.relative_to(folder))
            numbers = [part.removeprefix(_BATCH) for part in inside.parts if part.startswith(_BATCH)]
            yield str(inside), int(numbers[-1]) if numbers and numbers[-1].isdigit() else None

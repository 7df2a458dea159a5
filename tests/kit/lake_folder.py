"""A lake as the job leaves it, written without Spark: batches of events and of quarantined records, and their list."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cluster.errors import PlaceMissing
from consumer.lake.published import Batch, PartitionRange, Published, read_published

_HOURS = 3


@dataclass(frozen=True)
class SetAside:
    """One record for the quarantine."""

    event_id: str | None
    value: bytes = b"no value"
    error_class: str = "truncated"


@dataclass
class LakeFolder:
    """The folder of a topic in a lake."""

    folder: Path

    @property
    def published(self) -> Published:
        """What its list says."""
        return read_published(self.folder)

    def file(self, batch: int, number: int = 0) -> Path:
        """Return a file of events of a batch."""
        return self.folder / self.published.batches[batch].events[number]

    def rewrite(self, path: Path, table: pa.Table) -> None:
        """Put other rows into a file."""
        pq.write_table(table, path)

    def relist(self, batches: Sequence[Batch], next_offsets: dict[int, int] | None = None) -> None:
        """Write the list with other batches."""
        listed = self.published
        ends = listed.next_offsets if next_offsets is None else next_offsets
        replace(listed, batches=list(batches), next_offsets=ends).write(self.folder)


def lay_lake(
    lake: Path,
    topic: str,
    rows: pa.Table,
    *,
    batches: int = 3,
    partitions: int = 2,
    aside: Sequence[SetAside] = (),
) -> LakeFolder:
    """Write rows as the events of so many batches; every batch has a file for each partition and of three hours one.

    :param aside: records of partition 0 that the last batch has in its quarantine.
    """
    folder = lake / topic
    ends = dict.fromkeys(range(partitions), 0)
    listed = []
    parts = np.array_split(np.arange(len(rows)), batches)
    for number, part in enumerate(parts):
        batch = Batch(number, [], hours=[])
        for partition, chosen in enumerate(np.array_split(part, partitions)):
            start = ends[partition]
            held = list(aside) if number == batches - 1 and partition == 0 else []
            ends[partition] = start + len(chosen) + len(held)
            crcs = [zlib.crc32(b"value %d" % row) for row in chosen]
            table = _placed(rows.take(pa.array(chosen)), partition, start, crcs)
            day, hour = "2026-11-27", f"{number % _HOURS:02d}"
            name = f"events/date={day}/hour={hour}/batch_id={number}/part-{partition}.parquet"
            _write(folder / name, table)
            batch.events.append(name)
            batch.hours[:] = [f"{day}/{hour}"]
            if held:
                name = f"quarantine/batch_id={number}/part-0.parquet"
                _write(folder / name, _quarantine(held, partition, start + len(chosen)))
                batch.quarantine.append(name)
            crc_sum = sum(crcs) + sum(zlib.crc32(each.value) for each in held)
            batch.partitions.append(
                PartitionRange(partition, start, ends[partition], len(chosen), len(held), 0, crc_sum)
            )
        listed.append(batch)
    Published(
        topic, "cluster", "topic-id", first_offsets=dict.fromkeys(ends, 0), next_offsets=ends, batches=listed
    ).write(folder)
    return LakeFolder(folder)


def _placed(rows: pa.Table, partition: int, start: int, crcs: Sequence[int]) -> pa.Table:
    offsets = pa.array(range(start, start + len(rows)), pa.int64())
    return (
        rows.append_column("kafka_partition", pa.array([partition] * len(rows), pa.int32()))
        .append_column("kafka_offset", offsets)
        .append_column("value_crc", pa.array(crcs, pa.int64()))
    )


def _quarantine(held: Sequence[SetAside], partition: int, start: int) -> pa.Table:
    return pa.table(
        {
            "kafka_partition": pa.array([partition] * len(held), pa.int32()),
            "kafka_offset": pa.array(range(start, start + len(held)), pa.int64()),
            "value": pa.array([each.value for each in held], pa.binary()),
            "phase": ["decode"] * len(held),
            "error_class": [each.error_class for each in held],
            "value_crc": pa.array([zlib.crc32(each.value) for each in held], pa.int64()),
            "event_id": pa.array([each.event_id for each in held], pa.string()),
        }
    )


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def append_batch(lake: Path, topic: str, rows: pa.Table, hours: Sequence[str]) -> LakeFolder:
    """Publish rows as one more batch of partition 0, a file for each hour.

    :param hours: of each row, as ``2026-11-27/07``.
    """
    folder = lake / topic
    try:
        listed = read_published(folder)
    except PlaceMissing:
        listed = Published(topic, "cluster", f"id of {topic}", first_offsets={0: 0}, next_offsets={0: 0})
    number, start = len(listed.batches), listed.next_offsets[0]
    crcs = [zlib.crc32(b"value %d" % (start + row)) for row in range(len(rows))]
    placed = _placed(rows, 0, start, crcs)
    names = []
    for hour in sorted(set(hours)):
        day, _, clock = hour.partition("/")
        name = f"events/date={day}/hour={clock}/batch_id={number}/part-0.parquet"
        _write(folder / name, placed.take(pa.array([at for at, each in enumerate(hours) if each == hour])))
        names.append(name)
    end = start + len(rows)
    batch = Batch(number, [PartitionRange(0, start, end, len(rows), 0, 0, sum(crcs))], names, [], sorted(set(hours)))
    replace(listed, next_offsets={0: end}, batches=[*listed.batches, batch]).write(folder)
    return LakeFolder(folder)

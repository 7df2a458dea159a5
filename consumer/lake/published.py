"""The published list of a lake: which batches of a topic are committed, with their files and what is in them.

It lies as ``committed.json`` in the folder of the topic, and is swapped by one rename. What it does not name is not
there for readers: the files of a batch that is being written, and what a killed job left. Standard library alone, so
that a job inside Spark reads and writes it with the same code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from cluster.errors import Misconfigured, PlaceMissing, StoreFailed, StoreFull, WarehouseDamaged
from cluster.machine.disk import is_full

COMMITTED = "committed.json"
FORMAT = 1
TableFormat = Literal["parquet", "delta"]


@dataclass(frozen=True, slots=True, order=True)
class PartitionRange:
    """Offsets ``[start, end)`` of one partition in a batch, and what became of their records.

    :ivar crc_sum: of CRC-32 (zlib) over the values of events and quarantined records, as our own ledger has it.
    :ivar expired: offsets that retention deleted before they were read; accepted by hand.
    """

    partition: int
    start: int
    end: int
    rows: int
    quarantined: int
    tombstones: int
    crc_sum: int
    expired: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed batch.

    :ivar events: its files of events, relative to the folder of the topic; ``quarantine`` those of what was set aside.
    :ivar hours: the hours that its events are in: ``2026-11-27/07``.
    :ivar version: the version of the Delta table that has its events; ``None`` where they are files of Parquet.
    """

    batch_id: int
    partitions: list[PartitionRange]
    events: list[str] = field(default_factory=list)
    quarantine: list[str] = field(default_factory=list)
    hours: list[str] = field(default_factory=list)
    version: int | None = None

    @property
    def rows(self) -> int:
        """Events in it."""
        return sum(each.rows for each in self.partitions)

    @property
    def quarantined(self) -> int:
        """Records that were set aside."""
        return sum(each.quarantined for each in self.partitions)


@dataclass(frozen=True, slots=True)
class Published:
    """What is committed of one topic.

    :ivar event_time: the field whose hour the folders name; empty where it is the time of the Kafka record.
    :ivar first_offsets: where reading began, by partition; ``next_offsets`` where to read on: the one truth about
        positions.
    """

    topic: str
    cluster_id: str
    topic_id: str
    table_format: TableFormat = "parquet"
    event_time: str = ""
    first_offsets: dict[int, int] = field(default_factory=dict)
    next_offsets: dict[int, int] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it as it is written."""
        said = {"format": FORMAT, **asdict(self)}
        for name, offsets in (("first_offsets", self.first_offsets), ("next_offsets", self.next_offsets)):
            said[name] = {str(partition): offset for partition, offset in sorted(offsets.items())}
        return said

    def write(self, folder: Path) -> None:
        """Swap the list of the topic's folder for this one; whoever reads sees the old one or the new one.

        :raises StoreFull: there is no room; the old one stands.
        :raises StoreFailed: it cannot be written; the old one stands.
        """
        path = folder / COMMITTED
        draft = path.with_name(f".{COMMITTED}.draft")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump(self.document(), file, separators=(",", ":"))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _keep_names(folder)
        except OSError as error:
            kind = StoreFull if is_full(error) else StoreFailed
            raise kind(f"the published list cannot be written: {error.strerror}", where=str(path)) from error


def _keep_names(folder: Path) -> None:
    """Have the system keep a rename through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_published(folder: Path) -> Published:
    """Read the list of a topic's folder.

    :param folder: ``LAKE/<topic>``.
    :raises PlaceMissing: there is none.
    :raises WarehouseDamaged: it is not one of ours, or says what cannot be.
    :raises Misconfigured: a later version wrote it.
    """
    path = folder / COMMITTED
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlaceMissing(
            "there is no published list, so nothing is committed", where=str(path), hint="`streamproof lake` writes it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StoreFailed(f"the published list cannot be read: {why}", where=str(path)) from error
    try:
        return _read(json.loads(text), path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WarehouseDamaged(
            f"the published list is not one of ours: {type(error).__name__} {str(error)[:80]}", where=str(path)
        ) from None


def _read(said: dict[str, Any], path: Path) -> Published:
    if said["format"] != FORMAT:
        raise Misconfigured(
            f"the published list has format {said['format']!r}, and this version reads {FORMAT}", where=str(path)
        )
    if said["table_format"] not in {"parquet", "delta"}:
        raise ValueError(f"table_format {said['table_format']!r}")
    batches = [
        Batch(
            int(each["batch_id"]),
            [PartitionRange(**{name: int(value) for name, value in one.items()}) for one in each["partitions"]],
            [_inside(name) for name in each["events"]],
            [_inside(name) for name in each["quarantine"]],
            [str(hour) for hour in each["hours"]],
            None if each.get("version") is None else int(each["version"]),
        )
        for each in said["batches"]
    ]
    ids = [batch.batch_id for batch in batches]
    if len(set(ids)) != len(ids):
        raise ValueError("a batch is listed twice")
    return Published(
        str(said["topic"]),
        str(said["cluster_id"]),
        str(said["topic_id"]),
        cast("TableFormat", said["table_format"]),
        str(said["event_time"]),
        _offsets(said["first_offsets"]),
        _offsets(said["next_offsets"]),
        batches,
    )


def _offsets(said: dict[str, Any]) -> dict[int, int]:
    return {int(partition): int(offset) for partition, offset in said.items()}


def _inside(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError("a file outside of the folder")
    return name


def uncovered(published: Published) -> Iterator[str]:
    """Yield where the batches do not cover each offset once, from the first one on to the next one, a sentence each."""
    ranges: dict[int, list[tuple[PartitionRange, int]]] = {}
    for batch in published.batches:
        for each in batch.partitions:
            ranges.setdefault(each.partition, []).append((each, batch.batch_id))
    first, ends = published.first_offsets, published.next_offsets
    for partition in sorted({*ranges, *first, *ends}):
        if partition not in first or partition not in ends:
            yield f"partition {partition}: nobody says where reading began, or where it goes on"
            continue
        at = first[partition]
        for each, batch_id in sorted(ranges.get(partition, []), key=lambda one: (one[0].start, one[0].end)):
            if each.start > at:
                yield f"partition {partition}: offsets {at:,} to {each.start - 1:,} are in no batch"
            elif each.start < at:
                yield f"partition {partition}: batch {batch_id} has offsets from {each.start:,}, which another one has"
            at = max(at, each.end)
        if at < ends[partition]:
            yield f"partition {partition}: offsets {at:,} to {ends[partition] - 1:,} are in no batch"
        elif at > ends[partition]:
            yield f"partition {partition}: the batches go to offset {at:,}, and the next one is {ends[partition]:,}"


def event_files(folder: Path) -> list[Path]:
    """Return the files that have the committed events of a topic, as of one moment.

    :param folder: ``LAKE/<topic>``.
    :raises StreamproofError: as :func:`read_published`.
    """
    return [folder / name for batch in read_published(folder).batches for name in batch.events]


def quarantine_files(folder: Path) -> list[Path]:
    """Return the files of what was set aside, as of one moment; parameters and errors as above."""
    return [folder / name for batch in read_published(folder).batches for name in batch.quarantine]


def last_batch(published: Published) -> int:
    """Return the number of the last batch; -1 before the first."""
    return max((batch.batch_id for batch in published.batches), default=-1)

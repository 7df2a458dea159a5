"""Proving a topic of a lake from itself and, beside a warehouse of the same topic, range by range of offsets."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer.lake.published import COMMITTED, Published, read_published
from consumer.pipeline.stored.lake.place import LakePlace, LakeRows
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.proof import NOTHING, Proof, Verification

_LIST = "each batch has the files, rows and checksums that the list says, and each offset is in one batch"
_PARITY = "each range of offsets has the same events, tombstones, checksums and quarantined records by class in both"
_LEDGER = """
    SELECT partition, start_offset, end_offset, events, tombstones, crc_sum
    FROM load_batches ORDER BY partition, start_offset, end_offset
"""
_HELD = "SELECT _partition, _offset, phase || ' ' || error_class FROM quarantine"
_ORIGIN = "SELECT DISTINCT topic, topic_id, cluster_id FROM load_offsets"


@dataclass(slots=True)
class _Side:
    """What one side has of a partition: its batches, and what it set aside."""

    batches: list[tuple[int, int, int, int, int]] = field(default_factory=list)  # start, end, events, tombstones, sum
    held: list[tuple[int, str]] = field(default_factory=list)  # offset, class

    @property
    def edges(self) -> set[int]:
        """Offsets at which a batch begins or ends."""
        return {edge for start, end, *_ in self.batches for edge in (start, end)}

    def sums(self, first: int, end: int) -> dict[str, int]:
        """Return what lies in ``[first, end)``, which begins and ends with batches."""
        inside = [each for each in self.batches if first <= each[0] < end]
        found = Counter(f"quarantined as {kind}" for offset, kind in self.held if first <= offset < end)
        totals = [sum(each[at] for each in inside) for at in (2, 3, 4)]
        return dict(zip(("events", "tombstones", "sum of checksums"), totals, strict=True)) | dict(found)


def is_lake(folder: Path) -> bool:
    """Tell whether a folder is that of a topic in a lake."""
    return (folder / COMMITTED).is_file()


def verify_lake(folder: Path, place: Path | Place | None = None, *, wait_s: float = DEFAULT_WAIT_S) -> Verification:
    """Prove a topic of a lake: its batches against its list and, with a warehouse of the topic, both beside each other.

    Nothing is written. Where the batches of the two begin and end differs; compared is what lies between offsets at
    which batches of both do.

    :param folder: ``LAKE/<topic>``.
    :param place: the warehouse; ``None`` leaves it out.
    :raises StreamproofError: list, files or warehouse cannot be read.
    """
    began = time.monotonic()
    published = read_published(folder)
    with LakePlace(folder, published.topic).open() as rows:
        proofs = [_list(rows, published)]
        against = "itself alone"
        if place is not None:
            with place_of(place).to_look(topic=published.topic, wait_s=wait_s) as warehouse:
                against = f"the warehouse {warehouse.shown}"
                proofs.append(_parity(rows, published, warehouse))
    return Verification(str(folder), "lake", against, proofs, round(time.monotonic() - began, 3))


def _list(rows: LakeRows, published: Published) -> Proof:
    events = sum(batch.rows for batch in published.batches)
    aside = sum(batch.quarantined for batch in published.batches)
    number = len(published.batches)
    looked = f"{number:,} batch{'' if number == 1 else 'es'}, {events:,} events, {aside:,} set aside"
    return Proof.of("list", _LIST, looked, rows.contradictions(), notes=rows.notes())


def _parity(rows: LakeRows, published: Published, warehouse: Warehouse) -> Proof:
    origin = _asked(warehouse, _ORIGIN)
    ours = (published.topic, published.topic_id, published.cluster_id)
    if origin != [ours]:
        return Proof.of("parity", _PARITY, NOTHING, [f"the warehouse is of {origin}, and the lake of {ours}"])
    lake, loaded = _of_lake(rows, published), _of_warehouse(warehouse)
    faults: list[str] = []
    notes: list[str] = []
    ranges = compared = 0
    for partition in sorted({*lake, *loaded}):
        here, there = lake.get(partition, _Side()), loaded.get(partition, _Side())
        edges = sorted(here.edges & there.edges)
        notes += _only_one(partition, here, there, edges)
        for first, end in itertools.pairwise(edges):
            ranges, compared = ranges + 1, compared + end - first
            faults += _differences(
                f"partition {partition}, offsets {first:,} to {end - 1:,}",
                here.sums(first, end),
                there.sums(first, end),
            )
    looked = f"{ranges:,} ranges, {compared:,} offsets"
    unknown = [] if compared else ["no offset at which batches of both begin or end: load both to the same end"]
    return Proof.of("parity", _PARITY, looked, faults, unknown=unknown, notes=notes)


def _differences(name: str, here: Mapping[str, int], there: Mapping[str, int]) -> Iterator[str]:
    for what in sorted({*here, *there}):
        if here.get(what, 0) != there.get(what, 0):
            yield f"{name}: {what}: {here.get(what, 0):,} in the lake, {there.get(what, 0):,} in the warehouse"


def _only_one(partition: int, here: _Side, there: _Side, edges: list[int]) -> Iterator[str]:
    """Yield what was not compared of a partition, as only one side has it or their batches end elsewhere."""
    for name, side in (("the lake", here), ("the warehouse", there)):
        for first, end in (
            (min(side.edges, default=0), edges[0] if edges else None),
            (edges[-1] if edges else None, max(side.edges, default=0)),
        ):
            if first is not None and end is not None and first < end:
                yield f"partition {partition}: offsets {first:,} to {end - 1:,} of {name} were not compared"


def _of_lake(rows: LakeRows, published: Published) -> dict[int, _Side]:
    found: dict[int, _Side] = {}
    for batch in published.batches:
        for each in batch.partitions:
            side = found.setdefault(each.partition, _Side())
            side.batches.append((each.start, each.end, each.rows, each.tombstones, each.crc_sum))
    for partition, offset, kind in rows.held_classes():
        found.setdefault(partition, _Side()).held.append((offset, kind))
    return found


def _of_warehouse(warehouse: Warehouse) -> dict[int, _Side]:
    found: dict[int, _Side] = {}
    for partition, *numbers in _asked(warehouse, _LEDGER):
        start, end, events, tombstones, crc_sum = map(int, numbers)
        found.setdefault(partition, _Side()).batches.append((start, end, events, tombstones, crc_sum))
    for partition, offset, kind in _asked(warehouse, _HELD):
        found.setdefault(partition, _Side()).held.append((offset, kind))
    return found


def _asked(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.errors():
        return warehouse.connection.execute(query).fetchall()

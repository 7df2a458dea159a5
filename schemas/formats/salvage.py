"""Reading a group of values of which some cannot be read: halved until the faulty ones stand alone."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from schemas.formats import Salvaged
from schemas.undecodable import UndecodableValue

STRICT_GROUP = 32  # below this, halving on costs more than reading one by one


def salvage(values: list[bytes], read_group: Callable[[list[bytes]], pa.RecordBatch], schema: pa.Schema) -> Salvaged:
    """Decode what can be decoded: the good rows as one batch, and the fault of every other value.

    :param read_group: reads all values of a group, also an empty one, or raises :class:`UndecodableValue`; of a single
        value it says what is wrong.
    :param schema: of its batches.
    """
    batches: list[pa.RecordBatch] = []
    kept: list[int] = []
    faults: dict[int, UndecodableValue] = {}
    groups = [(0, len(values))]  # a stack: the leftmost group is on top
    while groups:
        start, end = groups.pop()
        group = values[start:end]
        try:
            batch = read_group(group)
        except UndecodableValue as fault:
            if len(group) == 1:
                faults[start] = fault
            else:
                step = 1 if len(group) <= STRICT_GROUP else -(-len(group) // 2)
                groups.extend((at, min(at + step, end)) for at in reversed(range(start, end, step)))
            continue
        batches.append(batch)
        kept.extend(range(start, end))
    if len(batches) == 1:
        return Salvaged(batches[0], kept, faults)
    table = pa.Table.from_batches(batches, schema=schema).combine_chunks()
    return Salvaged(table.to_batches()[0] if len(table) else read_group([]), kept, faults)

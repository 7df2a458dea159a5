"""The events of one shard, made again as they were sent, in any order and from any place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from producer.faults import Injected
from producer.plan.injection import make_injector
from producer.plan.mixing import MixedEncoder
from producer.plan.plan import Plan
from producer.scenarios import Scenario
from producer.scenarios.foreign import blaming
from producer.send.supply import identified, with_later_columns
from producer.toolkit.arrays import taken
from schemas.faults import DROPPED
from schemas.formats import RowEncoder, value_format
from schemas.formats.conform import conform
from schemas.manifest import Manifest
from schemas.registry.contract import ContractVersion
from schemas.types.tree import Node, parse

Ints = NDArray[np.int64]


class ShardAgain:
    """One shard. Holds one block of its stream: who asks for neighbours has the block made once.

    :param schemas: contracts by id: the one that the shard wrote with, and the next one if it mixed two.
    :param schema: the columns of an event.
    :ivar end: the sequence after the last event that there is.
    """

    def __init__(
        self,
        manifest: Manifest,
        plan: Plan,
        scenario: Scenario,
        schemas: Mapping[int, ContractVersion],
        schema: pa.Schema,
    ) -> None:
        self._manifest = manifest
        self._scenario = scenario
        written = value_format(scenario.format)
        encoders = [written.encoder(version.text, number) for number, version in schemas.items()]
        roots = [parse(version.text) for version in schemas.values()]
        self._writers: list[tuple[RowEncoder, Node]] = list(zip(encoders, roots, strict=True))
        self._mixing = plan.mixing if len(encoders) > 1 else None
        newer = encoders[1] if self._mixing is not None else None
        self._encoder = MixedEncoder(encoders[0], newer, self._mixing, self._identified)
        self._schema = schema
        self._stream = scenario.open(manifest.seed, manifest.shard, manifest.settings)
        self._injector = make_injector(plan, scenario, targets=manifest.fault_targets, schemas=schemas)
        self.end = self._stream.limit if plan.target is None else min(self._stream.limit, plan.target)
        self._made: tuple[int, pa.RecordBatch, Injected | None] | None = None

    @property
    def block_events(self) -> int:
        """How many events are made at once."""
        return self._stream.block_events

    @property
    def faulty(self) -> bool:
        """Whether faults were injected on purpose."""
        return self._injector is not None

    def cut_at(self, end: int) -> None:
        """Let the shard end at a sequence: which event of the last block gets a fault depends on where that ends."""
        self.end = min(end, self._stream.limit)
        self._made = None

    def forget(self) -> None:
        """Let go of the block."""
        self._made = None

    def batch(self, first: int, end: int) -> pa.RecordBatch:
        """Return the events ``[first, end)`` of one block, with the columns of the schema."""
        sequences = np.arange(first, end, dtype=np.int64)
        with blaming(self._stream):
            rows = self._rows(sequences)
            if self._mixing is None:
                return self._written(rows, *self._writers[0], sequences)
            newer = self._mixing.newer(sequences)
            places = [np.flatnonzero(~newer), np.flatnonzero(newer)]
            parts = [
                self._written(taken(rows, where), *writer, sequences[where])
                for writer, where in zip(self._writers, places, strict=True)
            ]
        order = np.argsort(np.concatenate(places), kind="stable")
        columns = [pa.concat_arrays([part.column(name) for part in parts]) for name in self._schema.names]
        joined = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        found: pa.RecordBatch = taken(joined, order)
        return found

    def values(self, first: int, end: int) -> tuple[Ints, list[bytes]]:
        """Return what was sent of the events ``[first, end)`` of one block: sequences, and values; b"" for a tombstone.

        What was left out on purpose is left out.
        """
        sequences = np.arange(first, end, dtype=np.int64)
        with blaming(self._stream):
            injected = self._block(first)[1]
            if injected is not None:
                sequences = np.setdiff1d(sequences, injected.truth.get(DROPPED, sequences[:0]))
            values = self._encoder.encode(self._rows(sequences), sequences) if len(sequences) else []
        if injected is not None and self._injector is not None:
            base = first - first % self.block_events
            for place, sequence in enumerate(sequences.tolist()):
                kind = injected.broken.get(sequence - base)
                if kind is not None:
                    values[place] = self._injector.broken_value(kind, values[place], sequence) or b""
        return sequences, values

    def _rows(self, sequences: Ints) -> pa.RecordBatch:
        """Return rows of a block, copied: a slice of nested columns is not safe in every reader of Arrow."""
        block, _ = self._block(int(sequences[0]))
        found: pa.RecordBatch = taken(block, sequences % self.block_events)
        return found

    def _block(self, sequence: int) -> tuple[pa.RecordBatch, Injected | None]:
        number = sequence // self.block_events
        if self._made is None or self._made[0] != number:
            self._made = None  # while the next one is made there is no room for two
            block, injected = with_later_columns(self._stream, number, self._encoder.fields), None
            if self._injector is not None:
                first = number * self.block_events
                injected = self._injector.inject(block, first, min(self.block_events, self.end - first))
                block = injected.block
            self._made = number, block, injected
        return self._made[1], self._made[2]

    def _identified(self, batch: pa.RecordBatch, encoder: RowEncoder, sequences: Ints) -> pa.RecordBatch:
        manifest = self._manifest
        return identified(batch, encoder, manifest.run_id, manifest.shard, sequences, identity=self._scenario.identity)

    def _written(self, rows: pa.RecordBatch, encoder: RowEncoder, root: Node, sequences: Ints) -> pa.RecordBatch:
        """Return rows as values of one schema hold them, with null in the columns of the other."""
        own = conform(self._identified(rows, encoder, sequences), root, encoder.arrow_schema)
        columns: list[Any] = []
        for field in self._schema:
            if field.name not in own.schema.names:
                columns.append(pa.nulls(len(own), field.type))
                continue
            values = own.column(field.name)
            columns.append(values if values.type == field.type else values.cast(field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def joined_schema(schemas: list[pa.Schema]) -> pa.Schema:
    """Return the columns of all schemas: the type of the last that has one, null where not all of them have it."""
    fields: dict[str, pa.Field[Any]] = {}
    for schema in schemas:
        for field in schema:
            everywhere = all(field.name in other.names and not other.field(field.name).nullable for other in schemas)
            fields[field.name] = field.with_nullable(not everywhere)
    return pa.schema(list(fields.values()))

"""The scenario that a file declares. A block is drawn field by field from the rules."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured
from producer.scenarios import DECLARATION, NOTHING_MORE, Asked, BaseScenario, BaseStream, Identity, Settings
from producer.scenarios.declared.columns import Block, Frame
from producer.scenarios.declared.document import Declaration, read_declaration
from producer.scenarios.declared.field_paths import places
from producer.scenarios.declared.vocabulary import fill, vocabularies
from schemas.identity import IDENTITY_FIELD
from schemas.registry.contract import Contract

BLOCK_EVENTS = 16_384
_BLOCK_BYTES = 64 * 1024 * 1024  # blocks are smaller where events are large on purpose
_HORIZON_MS = 10 * 365 * 86_400_000
# A run that nobody knows the length of begins this long ago.
_ENDLESS_MS = 365 * 86_400_000


def declared_scenario(path: Path, *, registry: RegistrySettings | None = None) -> DeclaredScenario:
    """Return the scenario of a file.

    :param registry: where the schema is, when the file names a subject.
    :raises Misconfigured: every fault of the file at once.
    """
    return DeclaredScenario(read_declaration(path, registry=registry))


class DeclaredScenario(BaseScenario):
    """Events as a file declares them."""

    version = 2
    identity: Identity = "header"

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self.name = declaration.name
        self.contract: Contract = declaration.contract
        self.format = declaration.format
        self.key = declaration.key
        self.mix = declaration.mix
        self.event_time = declaration.event_time
        self.fault_targets = declaration.fault_targets
        self.remarks = declaration.remarks
        self.most = int(_HORIZON_MS / declaration.spacing_ms)

    def settings(
        self, planned: int | None, started_at_ms: int, asked: Asked = NOTHING_MORE
    ) -> dict[str, int | float | str | None]:
        """Return number of shards, start of event time, which ends when the run starts, and the events of a block.

        :raises Misconfigured: more events than ten years of event time hold.
        """
        if planned is not None and planned > self.most:
            raise Misconfigured(
                f"a shard of {self.name} holds at most {self.most:,} events, {planned:,} were asked for",
                hint="Make spacing_ms smaller",
            )
        back_ms = _ENDLESS_MS if planned is None else int(planned * self.declaration.spacing_ms)
        return {
            "shards": asked.shards,
            "event_time_start_ms": started_at_ms - min(back_ms, _HORIZON_MS),
            "block_events": _block_events(self.declaration, planned),
            **self.libraries(),
        }

    def libraries(self) -> dict[str, str]:
        """Return the versions that values depend on, and a digest of the file and its schema."""
        return {"numpy": version("numpy"), "faker": version("faker"), DECLARATION: self.declaration.digest}

    def open(self, seed: int, shard: int, settings: Settings) -> DeclaredStream:
        """Fill the pools."""
        names = ("event_time_start_ms", "shards", "block_events")
        numbers = [number for name in names if isinstance(number := settings.get(name), int)]
        if len(numbers) < len(names):
            raise Misconfigured(f"the settings of {self.name} lack one of {', '.join(names)}")
        start_ms, shards, block_events = numbers
        return DeclaredStream(
            self.declaration, seed, shard, shards, start_ms, block_events=block_events, limit=self.most
        )


class DeclaredStream(BaseStream):
    """The events of one shard. Blocks may be asked for in any order and by any thread."""

    def __init__(
        self,
        declaration: Declaration,
        seed: int,
        shard: int,
        shards: int,
        start_ms: int,
        *,
        block_events: int,
        limit: int,
    ) -> None:
        self.limit = limit
        self.block_events = block_events
        self._declaration = declaration
        self._seed = seed
        self._shard = shard
        self._shards = shards
        self._start_ms = start_ms
        faked = [rule.faker for rule in declaration.rules.values() if rule.faker is not None]
        self._vocabularies = vocabularies(faked, seed=seed)
        self._nodes = {place.path: place.node for place in places(declaration.root)}
        self._pools = {name: fill(name, pool, seed=seed) for name, pool in declaration.pools.items()}
        # A field of this name and type holds the identity; whoever writes the run fills it in.
        self._left_out = frozenset(
            name
            for name, node in declaration.root.fields
            if name == IDENTITY_FIELD and node.kind == "string" and not node.nullable
        )

    def block(self, number: int) -> pa.RecordBatch:
        """Return block ``number``, in order of event time."""
        size = self.block_events
        place = np.arange(number * size, (number + 1) * size, dtype=np.int64)
        counted = place * self._shards + self._shard
        spacing_us = self._declaration.spacing_ms * 1000 / self._shards
        event_us = self._start_ms * 1000 + np.floor(counted * spacing_us).astype(np.int64)
        frame = Frame("", size, counted, event_us)
        seeds = (self._seed, self._shard, number)
        block = Block(self._nodes, self._declaration.rules, self._vocabularies, self._pools, seeds)
        return block.columns(self._declaration.root, frame, without=self._left_out)


def _block_events(declaration: Declaration, planned: int | None) -> int:
    """Return how many events a block has: no more than are planned, and about as many in each."""
    most = min(BLOCK_EVENTS, max(16, _BLOCK_BYTES // _most_bytes(declaration)))
    if planned is None:
        return most
    blocks = max(1, -(-planned // most))
    return max(1, -(-planned // blocks))


def _most_bytes(declaration: Declaration) -> int:
    """Return how large the bytes of one event may be, about; what is not bytes is small."""
    sizes = [rule.bytes for rule in declaration.rules.values() if rule.bytes is not None]
    return 1024 + sum(int(size.max or size.high or 4 * (size.value or size.mean or size.median or 0)) for size in sizes)

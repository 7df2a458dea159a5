"""Two versions of a schema in one run: which event is written with which, and both encoders behind one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from producer.toolkit.arrays import plain, taken
from producer.toolkit.chance import chances
from schemas.formats import RowEncoder
from schemas.manifest import SchemaUsed, VersionWritten

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_COUNTED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which events are written with the next version: a function of seed, shard and number.

    Either ``share`` of them, or, on a ramp, none at first and all at last: event ``n`` of ``ramp_over`` with chance
    ``n / ramp_over``.
    """

    seed: int
    shard: int
    share: float = 0.0
    ramp_over: int | None = None

    def newer(self, sequences: Ints) -> Bools:
        """Return which events are written with the next version."""
        chance = chances(self.seed, self.shard, "next version", sequences)
        limit: Any = self.share if self.ramp_over is None else (sequences + 0.5) / max(1, self.ramp_over)
        newer: Bools = chance < limit
        return newer

    def written(self, schemas: tuple[SchemaUsed, SchemaUsed], end: int, without: Ints) -> list[VersionWritten]:
        """Count the events of ``[0, end)`` by version.

        :param without: sequences that do not count, in any order.
        """
        newer = sum(
            int(self.newer(np.arange(first, min(end, first + _COUNTED_AT_ONCE), dtype=np.int64)).sum())
            for first in range(0, end, _COUNTED_AT_ONCE)
        )
        away = np.unique(without[without < end])
        newer_away = int(self.newer(away).sum())
        return [
            VersionWritten(schema_used=schemas[0], events=end - newer - (len(away) - newer_away)),
            VersionWritten(schema_used=schemas[1], events=newer - newer_away),
        ]


class MixedEncoder:
    """Encodes rows with one schema or the next. With one schema only, it is the encoder that it wraps.

    :param prepare: returns the rows with all columns that an encoder's schema has.
    """

    def __init__(
        self,
        encoder: RowEncoder,
        newer: RowEncoder | None,
        mixing: Mixing | None,
        prepare: Callable[[pa.RecordBatch, RowEncoder, Ints], pa.RecordBatch],
    ) -> None:
        self._encoder = encoder
        self._newer = newer
        self._mixing = mixing
        self._prepare = prepare

    @property
    def fields(self) -> set[str]:
        """Names of all fields that any of the schemas has."""
        newer = set() if self._newer is None else set(self._newer.arrow_schema.names)
        return set(self._encoder.arrow_schema.names) | newer

    def verify(self, batch: pa.RecordBatch, sequences: Ints) -> None:
        """Compare a sample of every encoder's bytes with those of another library."""
        for encoder in (self._encoder, self._newer):
            if encoder is not None:
                encoder.verify(self._prepare(batch, encoder, sequences))

    def encode(self, batch: pa.RecordBatch, sequences: Ints) -> list[bytes]:
        """Return the framed value of each row."""
        if self._newer is None or self._mixing is None:
            return plain(self._encoder.encode(self._prepare(batch, self._encoder, sequences)))
        newer = self._mixing.newer(sequences)
        values = np.empty(len(sequences), dtype=object)
        for encoder, rows in ((self._encoder, np.flatnonzero(~newer)), (self._newer, np.flatnonzero(newer))):
            if len(rows):
                part = self._prepare(taken(batch, rows), encoder, sequences[rows])
                values[rows] = plain(encoder.encode(part))
        framed: list[bytes] = values.tolist()
        return framed

"""A batch while its transaction is open: what it holds so far, and whether that is enough."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from consumer.sinks import Stored, Totals
from consumer.sinks.batch import Chunk, Tally
from consumer.sinks.limit import Limit, LimitBroken

# Measured (docs/consumer.md). From 131,072 nested rows in one Arrow table on, DuckDB has read wrong inner values.
CHUNK_ROWS = 20_480
# A batch is committed at the first of these, or when it has its rows.
MAX_BATCH_BYTES = 128 * 1024 * 1024
MAX_LARGE_BATCH_BYTES = 48 * 1024 * 1024  # where values are large
MAX_BATCH_S = 10.0
# A value of this size on average, and a vector of DuckDB (2,048 rows, which are read and written as one) is 32 MB.
LARGE_VALUE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Seconds:
    """Where the time of a batch went."""

    fetch: float = 0.0
    decode: float = 0.0
    insert: float = 0.0

    def plus(self, fetch: float, decode: float, insert: float) -> Seconds:
        """Return the time of one more chunk added."""
        return Seconds(self.fetch + fetch, self.decode + decode, self.insert + insert)


@dataclass(slots=True)
class OpenBatch:
    """What the open transaction holds so far."""

    number: int
    began: float = field(default_factory=time.monotonic)
    tallies: dict[int, Tally] = field(default_factory=dict)
    seconds: Seconds = field(default_factory=Seconds)
    rejects: int = 0
    first_reject: str = ""
    left: int | None = None

    def note(self, chunk: Chunk, insert_s: float) -> None:
        """Add a chunk that was put in."""
        for tally in chunk.tallies():
            before = self.tallies.get(tally.span.partition)
            self.tallies[tally.span.partition] = before.plus(tally) if before else tally
        self.seconds = self.seconds.plus(chunk.records.fetch_s, chunk.decode_s, insert_s)
        if chunk.rejects and not self.rejects:
            first = chunk.rejects[0]
            records = chunk.records
            self.first_reject = (
                f"partition {records.partitions[first.row]}, offset {records.offsets[first.row]}, "
                f"{first.phase}/{first.kind}"
            )
        self.rejects += len(chunk.rejects)
        self.left = chunk.left

    def is_full(self, batch_rows: int) -> bool:
        """Tell whether it is to be committed now."""
        most_bytes = MAX_LARGE_BATCH_BYTES if self.has_large_values else MAX_BATCH_BYTES
        if self.value_bytes >= most_bytes or time.monotonic() - self.began >= MAX_BATCH_S:
            return True
        # What would be less than a row group joins the last one: alone it would go through the log.
        last = self.left is not None and self.left < batch_rows
        return not last and sum(tally.span.end - tally.span.start for tally in self.tallies.values()) >= batch_rows

    @property
    def value_bytes(self) -> int:
        """Return the bytes of all values."""
        return sum(tally.value_bytes for tally in self.tallies.values())

    @property
    def has_large_values(self) -> bool:
        """Tell whether the average value is large."""
        records = sum(tally.events + tally.quarantined for tally in self.tallies.values())
        return self.value_bytes >= LARGE_VALUE_BYTES * max(1, records)

    def stored(self) -> Stored:
        """Return what it holds, for the caller of a commit."""
        tallies = self.tallies.values()
        return Stored(
            events=sum(tally.events for tally in tallies),
            quarantined=sum(tally.quarantined for tally in tallies),
            tombstones=sum(tally.tombstones for tally in tallies),
            absent=sum(tally.absent for tally in tallies),
            positions={partition: tally.span.end for partition, tally in self.tallies.items()},
            first_reject=self.first_reject,
        )

    def hold(self, limit: Limit, held: Totals, where: str) -> None:
        """Check what the warehouse would hold with it.

        :raises LimitBroken: the quarantine would hold too much.
        """
        if not limit.broken_by(held.events, held.quarantined):
            return
        stored = ", ".join(f"partition {p} up to offset {tally.span.start}" for p, tally in self.tallies.items())
        raise LimitBroken(
            f"the quarantine would hold {held.quarantined} records, the limit is {limit}; the batch with "
            f"{self.rejects} of them was rolled back, stored is {stored}",
            where=f"{where}, first: {self.first_reject}",
            hint="Mend the producer and replay the quarantine, or raise --max-quarantined",
        )

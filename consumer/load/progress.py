"""What a load says about itself: while it runs, and at its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from consumer.sinks import Stored
from consumer.sinks.limit import quarantined_share


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load is. Offsets count everything that was read, rows only events."""

    rows: int = 0
    quarantined: int = 0
    tombstones: int = 0
    absent: int = 0
    offsets_total: int = 0
    seconds: float = 0.0

    def plus(self, stored: Stored, seconds: float) -> Self:
        """Return the progress after one more batch."""
        return replace(
            self,
            rows=self.rows + stored.events,
            quarantined=self.quarantined + stored.quarantined,
            tombstones=self.tombstones + stored.tombstones,
            absent=self.absent + stored.absent,
            seconds=seconds,
        )

    @property
    def offsets_done(self) -> int:
        """Offsets that are behind the stored positions."""
        return self.rows + self.quarantined + self.tombstones + self.absent

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the bound at the rate so far."""
        done = self.offsets_done
        return (self.offsets_total - done) * self.seconds / done if done else None


class Meter:
    """Adds up what is stored, and tells whoever wants to know."""

    def __init__(self, offsets_total: int, told: Callable[[LoadProgress], None] | None) -> None:
        self.progress = LoadProgress(offsets_total=offsets_total)
        self._told = told
        self._began = time.monotonic()
        if told is not None:
            told(self.progress)  # how much there is, before the first batch is stored

    def add(self, stored: Stored) -> None:
        """Take one committed batch."""
        self.progress = self.progress.plus(stored, time.monotonic() - self._began)
        if self._told is not None:
            self._told(self.progress)


class LoadLines:
    """Lines about a load, one after the other; the rate of a line is that since the line before."""

    def __init__(self) -> None:
        self._before = LoadProgress()

    def rate(self, progress: LoadProgress) -> float:
        """Return rows a second since the line before, and begin the next one here."""
        rows, seconds = progress.rows - self._before.rows, progress.seconds - self._before.seconds
        self._before = progress
        return rows / seconds if seconds > 0 else 0.0

    def words(self, progress: LoadProgress) -> str:
        """Return the line."""
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:,.0f} s left"
        held = f", {progress.quarantined:,} quarantined" if progress.quarantined else ""
        rate = f"{self.rate(progress):,.0f} rows/s"
        return f"{progress.offsets_done:,} of {progress.offsets_total:,} records stored, {rate}{held}{left}"


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What one run did to one partition: ``[start, end)`` was there to load, ``next_offset`` is stored."""

    partition: int
    start: int
    end: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one run loaded.

    :param warehouse: what the sink is called, such as the path of its file.
    :param seconds: of loading, from the first fetch to the last commit.
    :param not_compared: why the kept text of a schema was not compared with the registry's, by id.
    :param startup_seconds: the rest: reaching Kafka, opening and verifying the warehouse, the checkpoint.
    """

    topic: str
    warehouse: str
    rows: int
    quarantined: int
    tombstones: int
    absent: int
    partitions: list[PartitionResult]
    seconds: float
    startup_seconds: float
    load_id: str
    set_aside: str | None = None
    not_compared: dict[int, str] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Rows a second, while there was something to load."""
        return self.rows / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        """Return the result as ``load --json`` prints it."""
        document = asdict(self) | {"seconds": round(self.seconds, 3)}
        document["not_compared"] = [{"schema_id": number, "why": why} for number, why in self.not_compared.items()]
        document["quarantined_share"] = round(quarantined_share(self.rows, self.quarantined), 6)
        document |= {"startup_seconds": round(self.startup_seconds, 3), "rows_per_second": round(self.rate, 1)}
        return document

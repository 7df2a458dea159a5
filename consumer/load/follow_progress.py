"""What a loader that follows a topic says about itself: while it runs, and at its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consumer.load.progress import LoadProgress
from consumer.sinks import Stored
from consumer.sinks.batch import Chunk
from consumer.sinks.limit import quarantined_share

RATE_OVER_S = 5.0
CAUGHT_UP_S = 2.0
# Delays are counted by the millisecond up to here; longer ones count as this long.
_LONGEST_MS = 600_000


@dataclass(frozen=True, slots=True)
class Delays:
    """From a record's own timestamp to its commit, in milliseconds.

    Two clocks are compared, that of whoever sent the record and this machine's.
    """

    p50: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True)
class FollowProgress:
    """How far it is.

    :ivar stored: what is durable, since it began to follow.
    :ivar rate: rows a second over the last seconds.
    :ivar lag: offsets that are in the topic and not stored yet; ``None`` where the broker did not say.
    :ivar delays: of the records that came while it followed; those that were there before are not among them.
    :ivar published: runs that were published meanwhile.
    """

    stored: LoadProgress = field(default_factory=LoadProgress)
    batches: int = 0
    rate: float = 0.0
    lag: int | None = None
    delays: Delays | None = None
    published: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FollowResult:
    """What was loaded, from the beginning to the end of following.

    :param positions: the next offset of each partition, as stored.
    """

    topic: str
    warehouse: str
    progress: FollowProgress
    positions: Mapping[int, int]
    load_id: str
    not_compared: Mapping[int, str]

    def document(self) -> dict[str, Any]:
        """Return the result as ``load --follow --json`` prints it."""
        done = self.progress.stored
        return {
            "topic": self.topic,
            "warehouse": self.warehouse,
            "rows": done.rows,
            "quarantined": done.quarantined,
            "quarantined_share": round(quarantined_share(done.rows, done.quarantined), 6),
            "tombstones": done.tombstones,
            "absent": done.absent,
            "batches": self.progress.batches,
            "partitions": [{"partition": p, "next_offset": at} for p, at in sorted(self.positions.items())],
            "seconds": round(done.seconds, 3),
            "lag": self.progress.lag,
            "delay_ms": None if self.progress.delays is None else asdict(self.progress.delays),
            "published": list(self.progress.published),
            "load_id": self.load_id,
            "not_compared": [{"schema_id": number, "why": why} for number, why in self.not_compared.items()],
        }


class FollowMeter:
    """Adds up what is stored, and tells whoever wants to know. Called by one thread."""

    def __init__(self, told: Callable[[FollowProgress], None] | None) -> None:
        self.progress = FollowProgress()
        self._told = told
        self._began = time.monotonic()
        self._recent: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._waiting: deque[tuple[int, NDArray[np.int64]]] = deque()
        self._counts = np.zeros(_LONGEST_MS + 1, np.int64)

    def handed_over(self, chunk: Chunk) -> None:
        """Note a chunk that came while the topic was followed, and is to be committed."""
        offsets = sum(span.end - span.start for span in chunk.spans)
        times = [group.table["_timestamp"].cast(pa.int64()).drop_null().to_numpy() for group in chunk.groups]
        self._waiting.append((offsets, np.concatenate(times) if times else np.zeros(0, np.int64)))

    def dropped(self) -> None:
        """Forget what was handed over and is not stored: it will be read again."""
        self._waiting.clear()

    def add(self, stored: Stored) -> None:
        """Take one committed batch: the oldest chunks that were handed over, if it was one of those."""
        now_ms = time.time_ns() // 1_000_000
        left = stored.events + stored.quarantined + stored.tombstones + stored.absent
        while self._waiting and left > 0:
            offsets, times_ms = self._waiting.popleft()
            left -= offsets
            delays = np.clip(now_ms - times_ms, 0, _LONGEST_MS)
            np.add.at(self._counts, delays, 1)
        now = time.monotonic()
        self.progress = replace(
            self.progress,
            stored=self.progress.stored.plus(stored, now - self._began),
            batches=self.progress.batches + 1,
            delays=self._delays(),
        )

    def look(self, unread: int | None) -> None:
        """Take how many offsets are not read yet, ``None`` where that is not known, and tell."""
        now, rows = time.monotonic(), self.progress.stored.rows
        self._recent.append((now, rows))
        while len(self._recent) > 2 and now - self._recent[1][0] >= RATE_OVER_S:
            self._recent.popleft()
        since, before = self._recent[0]
        rate = (rows - before) / (now - since) if now > since else 0.0
        stored = replace(self.progress.stored, seconds=now - self._began)
        lag = None if unread is None else unread + sum(offsets for offsets, _ in self._waiting)
        self.progress = replace(self.progress, stored=stored, rate=rate, lag=lag)
        if self._told is not None:
            self._told(self.progress)

    @property
    def has_caught_up(self) -> bool:
        """Tell whether no more is behind than comes in a moment."""
        lag = self.progress.lag
        return lag is not None and lag <= CAUGHT_UP_S * self.progress.rate

    def published(self, run_id: str) -> None:
        """Take a run that readers see now."""
        self.progress = replace(self.progress, published=(*self.progress.published, run_id))

    def _delays(self) -> Delays | None:
        below = np.cumsum(self._counts)
        total = int(below[-1])
        if not total:
            return None
        at = [int(np.searchsorted(below, share * total)) for share in (0.5, 0.99)]
        return Delays(at[0], at[1], int(np.flatnonzero(self._counts)[-1]))

"""Whether the events that are made now are those that were sent: a sample, against the checksums of the manifest."""

from __future__ import annotations

import numpy as np

from cluster.errors import DataRejected
from producer.regenerate.shard import ShardAgain
from producer.send.checksums import crc32s
from schemas.manifest import CrcWindows, Manifest
from schemas.ranges import Ranges

MOST_WINDOWS = 4
MOST_EVENTS = 50_000
_AT_ONCE = 4_096


def prove(again: ShardAgain, manifest: Manifest) -> str:
    """Encode some windows of a shard again, and compare their sums with those of what Kafka acknowledged.

    The first window and the last are among them, and others between, up to 50,000 events; two windows may have more.
    What was not acknowledged, or left out on purpose, is in no sum.

    :return: why nothing could be compared, as words; empty where something was, and was the same.
    :raises DataRejected: what is made now is not what was sent.
    """
    crc = manifest.crc
    if crc is None or not crc.sums or not manifest.acknowledged:
        return f"the manifest of shard {manifest.shard} has no checksums of what was acknowledged"
    windows = chosen(crc, manifest)
    differing: list[int] = []
    for end in _ends(again, manifest):
        again.cut_at(end)
        differing = [window for window in windows if _sum(again, manifest, crc, window) != crc.sums[window]]
        if not differing:
            return ""
    first = manifest.first_sequence + differing[0] * crc.size
    raise DataRejected(
        f"the events of run {manifest.run_id} that are made now are not those that were sent",
        where=f"shard {manifest.shard}, sequences {first} to {min(first + crc.size, manifest.next_sequence)}, "
        f"topic {manifest.topic}",
        hint="The scenario's code, its data or a library changed since; use what the run was sent with",
    )


def chosen(crc: CrcWindows, manifest: Manifest) -> list[int]:
    """Return the windows to compare: of those that hold something acknowledged the first, the last, and some between.

    :return: two to four, in their order; fewer where there are fewer.
    """
    first = manifest.first_sequence
    bounds = np.minimum(first + crc.size * np.arange(len(crc.sums) + 1), manifest.next_sequence)
    open_events = np.diff(bounds) - np.diff(Ranges.not_acknowledged(manifest).before(bounds))
    used: list[int] = np.flatnonzero(open_events > 0).tolist()
    most = max(2, min(MOST_WINDOWS, MOST_EVENTS // crc.size))
    if len(used) <= most:
        return used
    return sorted({used[place * (len(used) - 1) // (most - 1)] for place in range(most)})


def _ends(again: ShardAgain, manifest: Manifest) -> list[int]:
    """Return where the shard may have been made to end, the likeliest first.

    An attempt that repairs another ends where that one did, and one that goes on leaves out what was skipped: with
    faults, the last block may be another one.
    """
    ends = [again.end]
    if again.faulty:
        ends += [again.end - manifest.skipped, manifest.next_sequence]
    return list(dict.fromkeys(max(end, manifest.next_sequence) for end in ends))


def _sum(again: ShardAgain, manifest: Manifest, crc: CrcWindows, window: int) -> int:
    first = manifest.first_sequence + window * crc.size
    end, away = min(first + crc.size, manifest.next_sequence), Ranges.not_acknowledged(manifest)
    total = 0
    while first < end:
        block_end = first - first % again.block_events + again.block_events
        until = min(end, block_end, first + _AT_ONCE)
        sequences, values = again.values(first, until)
        total += int(crc32s(values)[~away.has(sequences)].sum())
        first = until
    return total

"""Claims of manifests, held against what the topic can hold before anything is made of them.

A manifest is a record that anybody with Kafka access can write. An audit gives every sequence that it claims a row; a
claim of 10^15 events would fill the disk. What a topic has never had room for is said, and not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from schemas.identity import MAX_SEQUENCE
from schemas.manifest import FaultTruth, Manifest, count

# A loss of so many events is still looked at, number by number: a topic that was emptied, or made anew.
LOOKED_AT = 5_000_000
# Events that leave no trace in a topic: refused, never answered, or left out on purpose.
MOST_WITHOUT_TRACE = 100_000_000
_LONGEST_S = 10**8
_LARGEST_SUM = 1 << 96
_LAST_PARTITION, _LAST_OFFSET, _LARGEST_PLACE_SUM = (1 << 31) - 1, (1 << 63) - 1, (1 << 64) - 1


def impossible_claims(
    manifests: Mapping[tuple[str, int], Manifest],
    truths: Mapping[tuple[str, int], list[FaultTruth] | None],
    ends: Mapping[int, int],
) -> dict[tuple[str, int], str]:
    """Return the manifests that cannot be true, each with what it claims, in words.

    :param truths: what each shard says was injected.
    :param ends: the end of each partition of the topic, taken after the manifests were read.
    """
    found = {
        key: reason
        for key, manifest in manifests.items()
        if (reason := _impossible(manifest, truths.get(key) or [], ends))
    }
    runs: dict[str, list[Manifest]] = {}
    for key, manifest in manifests.items():
        if key not in found:
            runs.setdefault(key[0], []).append(manifest)
    for run_id, shards in runs.items():
        claimed, room = sum(shard.acknowledged for shard in shards), _room(shards, ends)
        if claimed > room + LOOKED_AT:
            said = (
                f"its {len(shards)} shards claim {claimed:,} acknowledged events, and the topic took {room:,} records"
            )
            found |= {(run_id, shard.shard): said for shard in shards}
    return found


def impossible_ledgers(
    ledgers: Mapping[tuple[str, int], Manifest], ends: Mapping[int, int]
) -> dict[tuple[str, int], str]:
    """Return the manifests of ledgers that cannot be true, as :func:`impossible_claims` does those of runs.

    Their sequences are offsets: what was compacted away leaves any number of them without a record.
    """
    found = {}
    for key, manifest in ledgers.items():
        first, end, high = manifest.first_sequence, manifest.next_sequence, ends.get(manifest.shard, 0)
        sums = manifest.crc.sums if manifest.crc is not None else []
        if not 0 <= first <= end <= high + LOOKED_AT:
            found[key] = f"it claims the offsets {first:,} to {end:,}, and its partition ends at {high:,}"
        elif any(not 0 <= total < _LARGEST_SUM for total in sums):
            found[key] = "it claims a checksum that no records have"
        elif said := _undated(manifest):
            found[key] = said
    return found


def _impossible(manifest: Manifest, truth: list[FaultTruth], ends: Mapping[int, int]) -> str:
    """Return what is impossible in a manifest, empty if nothing is."""
    first, end = manifest.first_sequence, manifest.next_sequence
    room = _room([manifest], ends)
    claimed, silent = manifest.acknowledged, count(manifest.failed) + count(manifest.unknown) + manifest.dropped
    last = end if manifest.status == "finished" else MAX_SEQUENCE + 1
    sums = manifest.crc.sums if manifest.crc is not None else []
    rules = (
        (
            not 0 <= first <= end <= MAX_SEQUENCE + 1 or claimed < 0,
            f"it claims sequences {first:,} to {end:,}, and {claimed:,} of them acknowledged",
        ),
        (
            claimed > room + LOOKED_AT,
            f"it claims {claimed:,} acknowledged events, and the topic took {room:,} records since it began",
        ),
        (
            silent > MOST_WITHOUT_TRACE,
            f"it claims {silent:,} events that left no trace, more than are looked at",
        ),
        (
            any(not 0 <= start < stop <= last for start, stop in _ranges(truth)),
            "it claims faults of sequences that it did not generate",
        ),
        (
            _faulty(truth) > room + silent + LOOKED_AT,
            f"it claims {_faulty(truth):,} faults, and the topic took {room:,} records since it began",
        ),
        (any(not 0 <= total < _LARGEST_SUM for total in sums), "it claims a checksum that no events have"),
        (not _places_can_be(manifest), "it claims places that no record can have"),
        (sum(window.seconds for window in manifest.rate_windows) > _LONGEST_S, "it claims to have run for years"),
    )
    return next((said for applies, said in rules if applies), "") or _undated(manifest)


def _places_can_be(manifest: Manifest) -> bool:
    placed = manifest.placed
    return placed is None or (
        placed.size <= _LAST_OFFSET
        and all(
            0 <= partition <= _LAST_PARTITION
            and 0 <= number <= _LAST_OFFSET // placed.size
            and 0 <= records <= _LAST_OFFSET
            and 0 <= total <= _LARGEST_PLACE_SUM
            for partition, number, records, total in placed.windows
        )
    )


def _room(shards: Iterable[Manifest], ends: Mapping[int, int]) -> int:
    """Return how many records the topic took since the first of these shards began."""
    begins = [shard.start_offsets for shard in shards]
    return sum(
        max(0, end - min((begin.get(partition, 0) for begin in begins), default=0)) for partition, end in ends.items()
    )


def _faulty(truth: list[FaultTruth]) -> int:
    """Return the events of the kind of fault that has most of them."""
    return max((count(said.sequences) + count(said.unsure) for said in truth), default=0)


def _ranges(truth: list[FaultTruth]) -> Iterable[tuple[int, int]]:
    return (span for said in truth for span in [*said.sequences, *said.unsure])


def _undated(manifest: Manifest) -> str:
    for moment in (manifest.started_at, manifest.ended_at):
        try:
            if moment is not None and datetime.fromisoformat(moment).tzinfo is None:
                return f"it names no time: {moment[:40]!r} has no zone"
        except ValueError:
            return f"it names no time: {moment[:40]!r}" if moment else "it names no time"
    return ""

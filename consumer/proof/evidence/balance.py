"""The balance of a run: plain counts of what was promised and of what is there, beside the findings and not from them.

Findings come out of queries with many parts. The balance holds what no mistake in them may contradict: a run has passed
only if as many of its events are there as Kafka acknowledged, less what was injected so that it cannot be there.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumer.proof.evidence.relations import Evidence
from consumer.proof.found import Balance
from schemas.faults import TOMBSTONE, UNDECODABLE
from schemas.manifest import FaultTruth, Manifest, count

# An identity is 128 bits to this query, and nothing else: no shard, no sequence, no window.
_ARRIVED = """
    SELECT count(*) FILTER (decoded), count(*) FILTER (NOT decoded)
    FROM (
        SELECT TRY_CAST(event_id AS UUID) AS id, bool_or(place = 'events') AS decoded
        FROM run_records GROUP BY 1
    )
    WHERE id IS NOT NULL
"""


def take_balance(evidence: Evidence, manifests: Sequence[Manifest]) -> Balance:
    """Count, for the run at hand (``run_scope.sql``).

    :param manifests: those of the run.
    """
    ((decoded, undecoded),) = evidence.rows(_ARRIVED)
    finished = [manifest for manifest in manifests if manifest.status == "finished"]
    designs = [_by_design(manifest) for manifest in finished]
    return Balance(
        acknowledged=sum(manifest.acknowledged for manifest in finished),
        unknown=sum(count(manifest.unknown) for manifest in finished),
        decoded=int(decoded),
        undecoded=int(undecoded),
        by_design=None if None in designs else sum(design for design in designs if design is not None),
    )


def _by_design(manifest: Manifest) -> int | None:
    """Return how many events of a shard were meant to be undecodable or without a value, at most."""
    if manifest.injected or manifest.injected_unsure:
        return sum(n for kind, n in manifest.injected.items() if _goes_elsewhere(kind)) + manifest.injected_unsure
    if manifest.fault_pages:  # an earlier version: its sums are on pages that are not here
        return None
    return sum(_all(said) for said in manifest.faults if _goes_elsewhere(said.kind))


def _goes_elsewhere(kind: str) -> bool:
    return kind == TOMBSTONE or kind.split(".", maxsplit=1)[0] == UNDECODABLE


def _all(said: FaultTruth) -> int:
    return count(said.sequences) + count(said.unsure)

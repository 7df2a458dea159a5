"""What the manifests of a run claim against its records, wherever those are: SQL over the evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from consumer.proof.evidence.balance import take_balance
from consumer.proof.evidence.place_proof import prove_places
from consumer.proof.evidence.relations import Evidence
from consumer.proof.found import Example, Findings, ShardAudit
from schemas.identity import event_id
from schemas.manifest import Manifest, count, disagreements

_HERE = Path(__file__).parent
IDENTITIES, CHECKSUMS, ORDER = (_HERE / f"{name}.sql" for name in ("identities", "checksums", "order"))
MAX_EXAMPLES = 10

_TOTALS = """
    SELECT
        (SELECT count(*) FROM run_records WHERE place = 'events'),
        (SELECT count(*) FROM missing),
        (SELECT coalesce(sum(copies - 1), 0) FROM stored),
        (SELECT count(*) FROM stored WHERE standing = 'phantom'),
        (SELECT count(*) FROM stored WHERE standing = 'acknowledged' AND copies_differ),
        (SELECT count(*) FROM compared WHERE NOT incomparable AND claimed <> found),
        (SELECT count(*) FROM edited),
        (SELECT count(*) FROM run_records WHERE quarantined),
        (SELECT count(*) FROM reordered),
        (SELECT count(*) FROM stored WHERE standing = 'acknowledged')
            - (SELECT coalesce(sum(present), 0) FROM compared WHERE NOT incomparable),
        (SELECT count(*) FROM quarantine_identities WHERE event_id IS NULL OR NOT is_event_id(event_id))
"""
# An event counts in one class: not again where its window differs anyway, its copies do, or the run has no such event.
_EDITED = """
    CREATE OR REPLACE TEMP TABLE edited AS
    FROM columns_differ AS odd
    ANTI JOIN (FROM compared WHERE NOT incomparable AND claimed <> found) AS altered
        ON altered.shard = odd.shard AND odd.sequence >= altered.first AND odd.sequence < altered.next
    ANTI JOIN (FROM stored WHERE standing = 'phantom' OR copies_differ) AS other
        ON other.shard IS NOT DISTINCT FROM odd.shard AND other.sequence IS NOT DISTINCT FROM odd.sequence
"""
_STORED_PER_SHARD = """
    SELECT shard, count(*), count(*) FILTER (standing = 'unknown')
    FROM stored WHERE shard IS NOT NULL GROUP BY shard
"""
# Gaps and islands: neighbours share the difference between their number and their rank.
_LOST_RANGES = """
    SELECT shard, min(sequence), max(sequence) + 1
    FROM (SELECT shard, sequence, sequence - row_number() OVER (PARTITION BY shard ORDER BY sequence) AS island
          FROM missing)
    GROUP BY shard, island ORDER BY 1, 2 LIMIT 10000
"""
_LOST_PER_SHARD = "SELECT shard, count(*) FROM missing GROUP BY shard"

# Each selects shard, sequence, partition, offset, a note, and the id itself where it is not made of the others.
_EXAMPLES = {
    "lost": "SELECT shard, sequence, NULL, NULL, '', NULL FROM missing ORDER BY 1, 2",
    "duplicated": """
        SELECT record.shard, record.sequence, record.partition, record."offset",
               CASE WHEN record.quarantined THEN 'in quarantine' ELSE '' END, record.event_id
        FROM run_records AS record
        JOIN (SELECT shard, sequence FROM stored WHERE copies > 1 AND shard IS NOT NULL ORDER BY 1, 2 LIMIT 10)
            USING (shard, sequence)
        ORDER BY 1, 2, 3, 4
    """,
    "phantom": """
        SELECT shard, sequence, position >> 48, position & 281474976710655,
               CASE WHEN shard IS NULL THEN 'not a valid identity' ELSE '' END, malformed
        FROM stored WHERE standing = 'phantom' ORDER BY 1, 2, 3, 4
    """,
    "altered": """
        SELECT shard, sequence, position >> 48, position & 281474976710655, 'its copies differ', NULL
        FROM stored WHERE standing = 'acknowledged' AND copies_differ
        UNION ALL
        SELECT shard, first, NULL, NULL,
               CASE WHEN next = first + 1 THEN ''
                    ELSE 'at least one of sequences ' || first || ' to ' || (next - 1) END, NULL
        FROM compared WHERE NOT incomparable AND claimed <> found
        UNION ALL
        SELECT shard, sequence, partition, "offset", 'its columns are not what its record says', NULL
        FROM edited
        ORDER BY 1, 2, 3, 4, 5
    """,
    "undecodable": """
        SELECT event_shard(event_id), event_sequence(event_id), _partition, _offset, error_class, event_id
        FROM quarantine_identities WHERE starts_with(event_id, getvariable('id_start'))
        ORDER BY 3, 4
    """,
    "reordered": """
        SELECT shard, sequence, position >> 48, position & 281474976710655, '', NULL FROM reordered ORDER BY 3, 4
    """,
}


def lay_out(evidence: Evidence, manifests: Sequence[Manifest]) -> None:
    """Make the tables of ``identities.sql``, ``checksums.sql`` and ``order.sql`` from the evidence.

    :param manifests: those of the run; the evidence holds them as well.
    """
    lay_identities(evidence, manifests)
    with evidence.errors():
        for part in (CHECKSUMS, ORDER):
            evidence.connection.execute(part.read_text())


def lay_identities(evidence: Evidence, manifests: Sequence[Manifest]) -> None:
    """Make the tables ``stored`` and ``missing`` alone: they ask for no checksum and no place."""
    with evidence.errors():
        evidence.connection.execute("SET VARIABLE expected_shards = ?", [_expected_shards(manifests)])
        evidence.connection.execute(IDENTITIES.read_text())


def compare(evidence: Evidence, run_id: str, manifests: list[Manifest]) -> Findings:
    """Compare records with claims, after :func:`lay_out`.

    What only some evidence can be asked is not in it: columns against bytes (``columns_differ`` is empty unless
    somebody filled it), the quarantine's bytes, the score of injected faults.
    """
    evidence.rows(_EDITED)
    places = prove_places(evidence, manifests)
    totals = [int(value) for value in evidence.rows(_TOTALS)[0]]
    loaded, missing, duplicated, phantom, differing, windows, edited, *others = totals
    undecodable, reordered, uncompared, unattributed = others
    counted = {
        "lost": missing,
        "duplicated": duplicated,
        "phantom": phantom,
        "altered": differing + windows + edited,
        "undecodable": undecodable,
        "reordered": reordered,
    }
    # Some of these go through all records again: only where there is something to show.
    examples = {name: examples_of(evidence, run_id, name) if counted[name] else [] for name in _EXAMPLES}
    return Findings(
        balance=take_balance(evidence, manifests),
        expected=sum(manifest.acknowledged for manifest in manifests if manifest.status == "finished"),
        loaded=loaded,
        missing=missing,
        duplicated=duplicated,
        phantom=phantom,
        altered=differing + windows + edited,
        undecodable=undecodable,
        reordered=reordered,
        uncompared=max(0, uncompared),
        unattributed=unattributed,
        shards=shards_of(evidence, manifests, missing),
        examples=examples | {"misplaced": places.examples},
        truth_complete=all(manifest.truth_complete for manifest in manifests),
        disagreements=[str(each) for each in disagreements(manifests)],
        misplaced=places.misplaced,
        unplaced=places.uncompared,
        silent=places.silent,
    )


def _expected_shards(manifests: Sequence[Manifest]) -> int:
    return max((manifest.shards for manifest in manifests), default=0)


def shards_of(evidence: Evidence, manifests: list[Manifest], missing: int) -> list[ShardAudit]:
    """Return one row for every shard that there must be, and for those that there should not be."""
    stored = {shard: (n, unknown) for shard, n, unknown in evidence.rows(_STORED_PER_SHARD)}
    lost = dict(evidence.rows(_LOST_PER_SHARD)) if missing else {}
    ranges: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for shard, first, end in evidence.rows(_LOST_RANGES) if missing else []:
        ranges[shard].append((first, end))
    audits = []
    for claimed in claimed_shards(manifests):
        n, unknown_stored = stored.get(claimed.shard, (0, 0))
        found = {"stored": n}
        if claimed.status != "missing":
            found |= {"unknown_stored": unknown_stored, "lost": lost.get(claimed.shard, 0)}
        audits.append(replace(claimed, **found, lost_ranges=ranges[claimed.shard]))
    return audits


def claimed_shards(manifests: Sequence[Manifest]) -> list[ShardAudit]:
    """Return one row for every shard that there must be, and for those that there should not be, as they say."""
    claims = {manifest.shard: manifest for manifest in manifests}
    return [
        ShardAudit(shard, "missing")
        if (claim := claims.get(shard)) is None
        else ShardAudit(
            shard,
            claim.status,
            generated=claim.next_sequence - claim.first_sequence,
            acknowledged=claim.acknowledged,
            failed=count(claim.failed),
            unknown=count(claim.unknown),
        )
        for shard in sorted({*range(_expected_shards(manifests)), *claims})
    ]


def examples_of(evidence: Evidence, run_id: str, name: str) -> list[Example]:
    """Return the first few of a class of damage, in a stable order."""
    return [
        Example(identity or event_id(run_id, shard, sequence), shard, sequence, partition, offset, note)
        for shard, sequence, partition, offset, note, identity in evidence.rows(
            f"{_EXAMPLES[name]} LIMIT {MAX_EXAMPLES}"
        )
    ]

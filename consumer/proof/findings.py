"""What is wrong with a run in a warehouse: its records compared, and what only the file itself can be asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from consumer.proof.evidence.comparison import MAX_EXAMPLES, compare, lay_out
from consumer.proof.found import Findings, VersionAudit
from consumer.proof.inside.column_proof import prove_columns
from consumer.proof.inside.contradictions import contradictions, unwitnessed
from consumer.proof.inside.quarantine_proof import prove_quarantine
from consumer.proof.inside.scoring import has_faults, score
from consumer.proof.run_scope import enter_run
from consumer.sinks.duckdb import ledger
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.manifest import Manifest

# Copies of an event count once.
_LOADED_PER_SCHEMA = """
    SELECT _schema_id, count(*) FROM (SELECT DISTINCT _schema_id, _shard, _sequence FROM run_events) GROUP BY 1
"""


def find(warehouse: Warehouse, run_id: str, manifests: list[Manifest], *, entered: bool = False) -> Findings:
    """Compare what the manifests of a run claim with what is stored.

    :param manifests: those of the run; they must be stored in the warehouse.
    :param entered: the caller entered the run with these manifests, and nothing is left out of it.
    """
    if not entered:
        enter_run(warehouse, run_id)
    lay_out(warehouse, manifests)
    unproved = prove_columns(warehouse)
    held = prove_quarantine(warehouse)
    scores, explained, scored = score(warehouse, run_id, manifests) if has_faults(manifests) else ([], {}, {})
    found = compare(warehouse, run_id, manifests)
    misplaced = found.examples.pop("misplaced")
    altered = [*held.examples, *found.examples["altered"]][:MAX_EXAMPLES]
    return replace(
        found,
        altered=found.altered + held.altered,
        examples=found.examples | scored | {"misplaced": misplaced, "altered": altered},
        faults=scores,
        explained=explained,
        versions=_versions(warehouse, manifests),
        unproved=unproved,
        doubts=[*held.doubts, *(f"in the file, {fault}" for fault in ledger.contradictions(warehouse))],
        unwitnessed=unwitnessed(warehouse, manifests),
        contradictions=contradictions(warehouse, manifests),
    )


def _versions(warehouse: Warehouse, manifests: list[Manifest]) -> list[VersionAudit]:
    """Return events by schema version, for a run that mixes them; empty for others."""
    written: dict[tuple[int, int], int] = defaultdict(int)
    for manifest in manifests:
        for row in manifest.versions:
            written[row.schema_used.version, row.schema_used.id] += row.events
    loaded = dict(warehouse.rows(_LOADED_PER_SCHEMA)) if written else {}
    return [
        VersionAudit(version, schema_id, events, loaded.get(schema_id, 0))
        for (version, schema_id), events in sorted(written.items())
    ]

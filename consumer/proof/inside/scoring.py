"""Scoring what was found against what was injected: by findings of the audit, and by detectors.

A run without injected faults is not scored: everything that is wrong with it is damage.
"""

from __future__ import annotations

from pathlib import Path

from consumer.proof.detectors import load_detectors
from consumer.proof.found import Example, FaultScore
from consumer.proof.inside.detector_fields import enter_signals
from consumer.proof.sql_files import lacking
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.faults import KINDS
from schemas.identity import event_id
from schemas.manifest import Manifest

_SCORING = Path(__file__).with_name("scoring.sql")
_NOTHING = "SELECT '' AS kind, 0 AS shard, 0::BIGINT AS sequence WHERE FALSE"
MAX_EXAMPLES = 10

_SCORES = """
    SELECT kind, count(*) FILTER (injected), count(*) FILTER (injected AND found), count(*) FILTER (NOT injected)
    FROM scored_faults GROUP BY kind
"""
# How much of each class of damage was injected and is therefore none.
_EXPLAINED = """
    SELECT
        (SELECT count(*) FROM scored_faults WHERE kind = 'dropped' AND injected AND found),
        (SELECT count(*) FROM scored_faults WHERE kind = 'duplicate' AND injected AND found),
        (SELECT count(*) FROM scored_faults WHERE starts_with(kind, 'undecodable.') AND injected AND found),
        (SELECT count(*) FROM scored_faults WHERE kind = 'out_of_order' AND injected AND found)
"""
_MISSED = """
    SELECT kind, shard, sequence, injected FROM scored_faults WHERE injected <> found
    QUALIFY row_number() OVER (PARTITION BY kind, injected ORDER BY shard, sequence) <= {limit}
    ORDER BY ALL
"""


def has_faults(manifests: list[Manifest]) -> bool:
    """Tell whether a run was asked to inject faults, or did."""
    return any(manifest.settings.get("faults") or manifest.faults or manifest.fault_pages for manifest in manifests)


def score(
    warehouse: Warehouse, run_id: str, manifests: list[Manifest]
) -> tuple[list[FaultScore], dict[str, int], dict[str, list[Example]]]:
    """Score the run at hand, after its findings were made.

    :param manifests: those of the run: they say in which fields faults show.
    :return: a row for each kind that was injected or found; how much of each class of damage was injected; examples
        of what was missed, and of false alarms.
    """
    enter_signals(warehouse, manifests)
    detectors = [
        f"SELECT kind, shard, sequence FROM (\n{detector.query}\n)"  # noqa: S608 - files of this package
        for detector in load_detectors()
        if not lacking(warehouse.connection, detector, has_run=True)
    ]
    union = "\nUNION ALL\n".join(detectors) or _NOTHING
    with warehouse.errors():
        warehouse.connection.execute(_SCORING.read_text().replace("{detectors}", union))
    order = list(KINDS)
    scores = sorted(
        (FaultScore(*row) for row in warehouse.rows(_SCORES)),
        key=lambda row: (order.index(row.kind) if row.kind in order else len(order), row.kind),
    )
    dropped, copies, undecodable, reordered = (int(value) for value in warehouse.rows(_EXPLAINED)[0])
    explained = {"lost": dropped, "duplicated": copies, "undecodable": undecodable, "reordered": reordered}
    examples: dict[str, list[Example]] = {}
    for kind, shard, sequence, injected in warehouse.rows(_MISSED.format(limit=MAX_EXAMPLES)):
        where = examples.setdefault("missed" if injected else "false_alarm", [])
        where.append(Example(event_id(run_id, shard, sequence), shard, sequence, note=kind))
    return scores, explained, examples

"""The proof of the audits that a file keeps: each run is judged again, as it is found now."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from consumer.proof.audit import ONLY_HERE, UNREAD
from consumer.proof.findings import find
from consumer.proof.found import CLASSES, Findings, PartitionPosition
from consumer.proof.kept_audits import latest_audit
from consumer.proof.verdict import Judgement, judge
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.manifests import read_manifests
from consumer.verify.newest import unordered
from consumer.verify.proof import Proof

AUDITS = "SELECT audit_id, run_id, verdict, document, CAST(epoch_us(audited_at) AS BIGINT) FROM audits ORDER BY number"
_POSITIONS = "SELECT partition, next_offset FROM load_offsets"
# What an audit counts, as its document and the findings of today name it.
_FIGURES = ("expected", "loaded", *(name for name in CLASSES if name != "lost"), "uncompared", "unattributed")


def prove_verdicts(warehouse: Warehouse) -> Proof:
    """Prove that each run's latest audit says what is found again now, and that every audit is whole."""
    rows = warehouse.rows(AUDITS)
    faults = [*_document_faults(rows), *unordered(warehouse, "verdicts")]
    notes: list[str] = []
    manifests = read_manifests(warehouse)
    runs = sorted({run_id for run_id, _ in manifests})
    verdicts = {run_id: verdict for _, run_id, verdict, *_ in rows}  # the latest of each
    for run_id in sorted(verdicts.keys() - set(runs)):
        # Its manifests were taken back, or claimed what cannot be: the audit did not let it pass for that.
        told = notes if verdicts[run_id] == "UNKNOWN" else faults
        told.append(f"audits: run {run_id} has no manifest")
    for run_id in runs:
        said = latest_audit(warehouse, run_id)
        if said is None:
            if run_id in verdicts:
                faults.append(f"run {run_id}: the document of its latest audit cannot be read whole")
            else:
                notes.append(f"run {run_id} was not audited")
            continue
        findings = find(
            warehouse, run_id, [manifest for (run, _), manifest in sorted(manifests.items()) if run == run_id]
        )
        findings = _with_outside(findings, said)
        differing = _differing(said, findings, judge(findings, _bounds(warehouse, said)))
        if differing:
            faults.append(f"run {run_id}: the audit is not what is found now: {differing}")
        elif said["verdict"] != "PASSED":
            notes.append(f"run {run_id} is {said['verdict']}, as its audit says")
    looked = f"{len(runs)} runs, {len(rows)} audits"
    return Proof.of("verdicts", "each run is judged as it is found now", looked, faults, notes=notes)


def _with_outside(findings: Findings, said: Mapping[str, Any]) -> Findings:
    """Return findings with what only the outside could tell the audit: what cannot be found again in the file.

    A doubt can only lower a verdict. A text that the registry vouched for is compared with it by its own proof.
    """
    doubts = [each for each in map(str, said.get("doubts", [])) if each == ONLY_HERE or each.startswith(UNREAD)]
    asked = replace(findings, unwitnessed=[])
    vouched = said.get("not_compared") == asked.not_compared
    return replace(asked if vouched else findings, doubts=[*findings.doubts, *doubts])


def _document_faults(rows: list[tuple[Any, ...]]) -> Iterator[str]:
    for audit_id, count in Counter(row[0] for row in rows).items():
        if count > 1:
            yield f"audit {audit_id} is there {count} times"
    for audit_id, run_id, verdict, document, at_us in rows:
        try:
            said = dict(json.loads(document))
        except ValueError:
            yield f"the document of audit {audit_id} cannot be read"
            continue
        for name, value in (("audit_id", audit_id), ("run_id", run_id), ("verdict", verdict)):
            if said.get(name) != value:
                yield f"audit {audit_id}: its document says {name} {said.get(name)}, its row {value}"
        if _microseconds(said.get("audited_at")) != at_us:
            yield f"audit {audit_id}: its document says another time than its row"


def _microseconds(said: object) -> int | None:
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _bounds(warehouse: Warehouse, said: Mapping[str, Any]) -> list[PartitionPosition]:
    """Return how far each partition is loaded now, held to the bounds of the audit."""
    at = dict(warehouse.rows(_POSITIONS))
    return [
        PartitionPosition(row["partition"], at.get(row["partition"], 0), row["bound"], row["end"])
        for row in said.get("partitions", [])
    ]


def _differing(said: Mapping[str, Any], findings: Findings, judgement: Judgement) -> str:
    """Return what an audit says otherwise than it is found now, with the first event of each kind."""
    now: dict[str, Any] = {name: getattr(findings, name) for name in _FIGURES}
    now |= {"lost": judgement.lost, "awaited": judgement.awaited, "verdict": judgement.verdict}
    parts = []
    for name, value in now.items():
        if said.get(name) != value:
            examples = findings.examples.get("lost" if name == "awaited" else name, [])
            first = f" ({examples[0].event_id})" if examples else ""
            parts.append(f"{name} was {said.get(name)}, is {value}{first}")
    if not parts and said.get("reason") != judgement.reason:
        parts.append("its sentence is another")
    return "; ".join(parts)

"""The audit: is everything that Kafka acknowledged in the warehouse, once, unaltered?

Open :func:`audit` first: it is the protocol. ``findings.py`` finds what is wrong, ``verdict.py`` judges it.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.connection import Connection
from cluster.reading import look_at_topic
from consumer.load.positions import check_identity
from consumer.proof.bounds import bounded_by_time, positions_of
from consumer.proof.findings import find
from consumer.proof.found import Findings, PartitionPosition
from consumer.proof.inside.contradictions import against_registry
from consumer.proof.kept_audits import latest_audit
from consumer.proof.kept_manifests import hold_against, store_manifests, stored_manifests
from consumer.proof.notes import notes_on
from consumer.proof.result import AuditResult
from consumer.proof.run_scope import chosen_run, known_runs, unknown_run
from consumer.proof.verdict import judge
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.control_topic import ControlTopic, read_control_topic
from schemas.ledgers import is_ledger_id
from schemas.manifest import Manifest

_KEEP = """
    INSERT INTO audits (number, batch, audit_id, run_id, audited_at, verdict, document)
    SELECT (SELECT coalesce(max(number), 0) + 1 FROM audits), (SELECT coalesce(max(batch), 0) FROM load_batches),
           ?, ?, ?, ?, ?
"""
ONLY_HERE = "the control topic has no manifest of the run any more, and the file cannot be its own witness"
UNREAD = "a shard that no manifest speaks of has one that cannot be read"


def audit(
    connection: Connection,
    place: Path | Place,
    topic: str,
    run_id: str | None = None,
    *,
    wait_s: float = DEFAULT_WAIT_S,
) -> AuditResult:
    """Compare what a run's manifests claim with what the warehouse holds, and keep the result there.

    1. read the control topic to its end, then take the ends of the topic: a finished run lies below them
    2. set aside claims that the topic cannot hold, and keep the others in the warehouse, so that the claim can be
       checked from the file alone
    3. find what is wrong, by SQL over the records of the run
    4. bound: how far the load must have come for the findings to be final
    5. judge, and keep the result

    :param run_id: the run; the latest one that a manifest names when ``None``.
    :param wait_s: how long to wait for another process that has the warehouse open, seconds.
    :raises Misconfigured: there is no warehouse, or no manifest names the run.
    :raises WarehouseLocked: another process holds the warehouse.
    :raises TopicRecreated: the warehouse was loaded from another topic of this name.
    :raises DependencyDown: Kafka does not answer.
    """
    began = time.monotonic()
    control = read_control_topic(connection.kafka, topic)
    info, marks = look_at_topic(connection.kafka, topic)
    with place_of(place).to_prove(topic=topic, wait_s=wait_s) as warehouse:
        check_identity(DuckDBSink(warehouse), info)
        hold_against(control, {partition: mark.high for partition, mark in marks.items()})
        store_manifests(warehouse, control)
        run = _run_of(warehouse, control, run_id, topic)
        manifests = stored_manifests(warehouse, run)
        findings = _witnessed(connection, warehouse, find(warehouse, run, manifests))
        findings = replace(findings, impossible=_impossible(control, run))
        if run not in control.runs():
            findings = replace(findings, doubts=[*findings.doubts, ONLY_HERE])
        findings = replace(findings, doubts=[*findings.doubts, *_unread(control, run, findings)])
        claims = fingerprint(manifests) if _finished(manifests) else ""
        partitions = positions_of(warehouse, run, marks, claims)
        if claims and findings.settled:
            partitions = bounded_by_time(connection, topic, partitions, manifests)
        result = _result(topic, run, findings, partitions, notes_on(findings, manifests, control), claims, began)
        result = replace(result, incidents=_incidents(control, run))
        with warehouse.transaction() as db:
            row = [result.audit_id, run, datetime.fromisoformat(result.audited_at), result.verdict]
            db.execute(_KEEP, [*row, json.dumps(result.document())])
        warehouse.checkpoint()
    return result


def _run_of(warehouse: Warehouse, control: ControlTopic, run_id: str | None, topic: str) -> str:
    """Return the run to audit, looking in what the control topic and the warehouse know."""
    if run_id is None or any(run == run_id for run, _ in control.manifests):
        return chosen_run(warehouse, run_id)
    if any(run == run_id for run, _ in control.impossible) and not is_ledger_id(run_id):
        return run_id
    known = [run.run_id for run in known_runs(warehouse)]
    if run_id in known:
        return run_id
    raise unknown_run(run_id, known, f"control topic of {topic}")


def _impossible(control: ControlTopic, run_id: str) -> list[str]:
    """Return what manifests of the run claim that cannot be, a sentence each."""
    return [f"shard {shard}: {claim}" for (run, shard), claim in sorted(control.impossible.items()) if run == run_id]


def _incidents(control: ControlTopic, run_id: str) -> list[dict[str, Any]]:
    """Return what was done to the local stack while the run went: told, and judged by nobody."""
    recorded = control.incidents.get(run_id)
    return [] if recorded is None else [incident.model_dump() for incident in recorded.incidents]


def _unread(control: ControlTopic, run_id: str, findings: Findings) -> list[str]:
    """Return a doubt for each unreadable manifest of a shard that the others do not count: it may be of this run."""
    counted = {shard.shard for shard in findings.shards}
    unread = control.unread_of(run_id)
    return [f"{UNREAD}: shard {number}, {unread[number]}" for number in sorted(unread.keys() - counted)]


def _witnessed(connection: Connection, warehouse: Warehouse, findings: Findings) -> Findings:
    """Ask the registry for the texts that no manifest vouches for; where it does not answer, that stays unsaid."""
    if not findings.unwitnessed:
        return findings
    wrong, silent = against_registry(warehouse, connection.registry, findings.unwitnessed)
    return replace(findings, unwitnessed=silent, contradictions=[*findings.contradictions, *wrong])


def _finished(manifests: list[Manifest]) -> bool:
    shards = {manifest.shard for manifest in manifests if manifest.status == "finished"}
    return bool(manifests) and shards >= set(range(max(manifest.shards for manifest in manifests)))


def went_on(connection: Connection, place: Path | Place, topic: str, run_id: str) -> bool:
    """Tell whether the shards of a run claim something else now than when it was audited last, or it never was.

    A run of which no manifest is known did not go on: there is nothing to audit.

    :raises Misconfigured: there is no warehouse.
    :raises DependencyDown: Kafka does not answer.
    """
    control = read_control_topic(connection.kafka, topic)
    if not any(run == run_id for run, _ in control.manifests):
        return False
    with place_of(place).to_prove(topic=topic) as warehouse:
        audited = latest_audit(warehouse, run_id)
        store_manifests(warehouse, control)
        manifests = stored_manifests(warehouse, run_id)
    return audited is None or audited["claims"] != (fingerprint(manifests) if _finished(manifests) else "")


def fingerprint(manifests: list[Manifest]) -> str:
    """Return a digest of what the manifests claim: a run that is continued later claims something else."""
    texts = [manifest.model_dump_json(exclude=_unsaid(manifest)) for manifest in manifests]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _unsaid(manifest: Manifest) -> dict[str, Any]:
    """Return what manifests of earlier versions did not say: no part of their claims, which were audited without."""
    unsaid: dict[str, Any] = {} if manifest.pack else {"pack": True}
    if all(window.delay_ms is None for window in manifest.rate_windows):
        unsaid["rate_windows"] = {"__all__": {"delay_ms"}}
    return unsaid


def _result(  # noqa: PLR0917 - the parts of one document
    topic: str,
    run_id: str,
    findings: Findings,
    partitions: list[PartitionPosition],
    notes: list[str],
    claims: str,
    began: float,
) -> AuditResult:
    judgement = judge(findings, partitions)
    examples = {
        name: rows for name, rows in findings.examples.items() if rows and not (name == "lost" and judgement.awaited)
    }
    if judgement.awaited:
        # Not loaded yet is not lost.
        examples["awaited"] = findings.examples["lost"]
        examples.pop("missed", None)
    return AuditResult(
        audit_id=str(uuid.uuid4()),
        run_id=run_id,
        topic=topic,
        audited_at=datetime.now(UTC).isoformat(),
        verdict=judgement.verdict,
        reason=judgement.reason,
        expected=findings.expected,
        loaded=findings.loaded,
        lost=judgement.lost,
        duplicated=findings.duplicated,
        phantom=findings.phantom,
        altered=findings.altered,
        reordered=findings.reordered,
        undecodable=findings.undecodable,
        awaited=judgement.awaited,
        failed=sum(shard.failed for shard in findings.shards),
        unknown=sum(shard.unknown for shard in findings.shards),
        unknown_stored=sum(shard.unknown_stored for shard in findings.shards),
        uncompared=findings.uncompared,
        unattributed=findings.unattributed,
        claims=claims,
        examples={name: [row.event_id for row in rows] for name, rows in examples.items()},
        located=examples,
        shards=findings.shards,
        partitions=partitions,
        notes=notes,
        seconds=round(time.monotonic() - began, 3),
        faults=findings.faults,
        versions=findings.versions,
        disagreements=findings.disagreements,
        unproved=findings.unproved,
        doubts=findings.doubts,
        balance=findings.balance,
        damaged=judgement.damaged,
        misplaced=findings.misplaced,
        not_compared=findings.not_compared,
        contradictions=findings.contradictions,
    )

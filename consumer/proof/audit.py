"""The audit: is everything that Kafka acknowledged in the warehouse, once, unaltered?

Open :func:`audit` first: it is the protocol. ``findings.py`` finds what is wrong, ``verdict.py`` judges it.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # there, only without a stub

from cluster.connection import Connection
from cluster.leaders import list_offsets
from cluster.reading import Watermarks, look_at_topic
from cluster.topics import admin_client
from consumer.load.positions import check_identity
from consumer.proof.findings import find
from consumer.proof.found import CLASSES, Findings, PartitionPosition
from consumer.proof.inside.contradictions import against_registry
from consumer.proof.kept_manifests import hold_against, store_manifests, stored_manifests
from consumer.proof.result import AuditResult
from consumer.proof.run_scope import chosen_run, known_runs, unknown_run
from consumer.proof.verdict import judge
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.control_topic import ControlTopic, read_control_topic
from schemas.manifest import Manifest, RateGap

_KEEP = """
    INSERT INTO audits (number, batch, audit_id, run_id, audited_at, verdict, document)
    SELECT (SELECT coalesce(max(number), 0) + 1 FROM audits), (SELECT coalesce(max(batch), 0) FROM load_batches),
           ?, ?, ?, ?, ?
"""
_LATEST = "SELECT arg_max(document, number) FROM audits WHERE run_id = ?"
ONLY_HERE = "the control topic has no manifest of the run any more, and the file cannot be its own witness"
UNREAD = "a shard that no manifest speaks of has one that cannot be read"
# What later steps read in the document of an audit, and of each of its partitions.
_READ_AGAIN: dict[str, type] = {
    **dict.fromkeys(("audit_id", "verdict", "reason", "claims"), str),
    **dict.fromkeys(("loaded", "uncompared", *CLASSES), int),
    "partitions": list,
}
_READ_OF_PARTITIONS: dict[str, type] = dict.fromkeys(("partition", "bound", "end"), int)
# Batches are numbered in the order of loading; their times are only shown.
_LOADED_SINCE = """
    WITH audited AS (SELECT max(batch) AS batch FROM audits WHERE audit_id = ?),
    own AS (
        SELECT _batch AS batch FROM run_events
        UNION ALL
        SELECT batch FROM quarantine_identities WHERE starts_with(event_id, getvariable('id_start'))
        UNION ALL
        SELECT batch FROM tombstones WHERE starts_with(event_id, getvariable('id_start'))
    )
    SELECT (SELECT max(batch) FROM own) > (SELECT batch FROM audited),
           (SELECT max(batch) FROM load_batches) > (SELECT batch FROM audited)
"""
_POSITIONS = "SELECT partition, next_offset FROM load_offsets"
# Record times and the end of a run come from the same clock; the manifest rounds.
_CLOCK_MARGIN = timedelta(seconds=1)
_SHOWN_CONTRADICTIONS = 20


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
        partitions = _positions(warehouse, run, marks, claims)
        if claims and findings.settled:
            partitions = _bounded_by_time(connection, topic, partitions, manifests)
        result = _result(topic, run, findings, partitions, _notes(findings, manifests, control), claims, began)
        with warehouse.transaction() as db:
            row = [result.audit_id, run, datetime.fromisoformat(result.audited_at), result.verdict]
            db.execute(_KEEP, [*row, json.dumps(result.document())])
        warehouse.checkpoint()
    return result


def latest_audit(warehouse: Warehouse, run_id: str) -> dict[str, Any] | None:
    """Return the document of the run's latest audit, or ``None`` when it was never audited.

    One that somebody made unreadable is none: another audit writes a new one.
    """
    ((document,),) = warehouse.rows(_LATEST, [run_id])
    try:
        found = json.loads(document or "null")
    except ValueError:
        return None
    whole = _holds(found, _READ_AGAIN) and all(_holds(row, _READ_OF_PARTITIONS) for row in found["partitions"])
    return found if whole else None


def _holds(document: object, wanted: dict[str, type]) -> bool:
    """Tell whether a part of a document has these members, each of its type."""
    return isinstance(document, dict) and all(isinstance(document.get(name), kind) for name, kind in wanted.items())


def audit_as_of_now(warehouse: Warehouse, run_id: str) -> dict[str, Any] | None:
    """Return the run's latest audit as a reader must see it: one that is older than the last load says so.

    A run that passed and of which more was loaded since is unknown. Needs the views of ``run_scope.sql``.
    """
    found = latest_audit(warehouse, run_id)
    if found is None:
        return None
    own, any_batch = loaded_since(warehouse, found["audit_id"])
    if found["verdict"] == "PASSED" and own:
        reason = (
            "The audit said PASSED, and is older than the last load of the run's events: run `streamproof audit` again."
        )
        return found | {"verdict": "UNKNOWN", "reason": reason}
    if found["verdict"] != "PASSED" and any_batch:
        return found | {
            "reason": f"{found['reason']} That audit is older than the last load: run `streamproof audit` again."
        }
    return found


def loaded_since(warehouse: Warehouse, audit_id: str) -> tuple[bool, bool]:
    """Return whether records of the run at hand, and whether anything at all, were loaded after an audit."""
    ((own, any_batch),) = warehouse.rows(_LOADED_SINCE, [audit_id])
    return bool(own), bool(any_batch)


def _run_of(warehouse: Warehouse, control: ControlTopic, run_id: str | None, topic: str) -> str:
    """Return the run to audit, looking in what the control topic and the warehouse know."""
    if run_id is None or any(run == run_id for run, _ in control.manifests):
        return chosen_run(warehouse, run_id)
    if any(run == run_id for run, _ in control.impossible):
        return run_id
    known = [run.run_id for run in known_runs(warehouse)]
    if run_id in known:
        return run_id
    raise unknown_run(run_id, known, f"control topic of {topic}")


def _impossible(control: ControlTopic, run_id: str) -> list[str]:
    """Return what manifests of the run claim that cannot be, a sentence each."""
    return [f"shard {shard}: {claim}" for (run, shard), claim in sorted(control.impossible.items()) if run == run_id]


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
    # What earlier versions did not say is not part of it: their audits are of the same claims.
    texts = [manifest.model_dump_json(exclude=None if manifest.pack else {"pack"}) for manifest in manifests]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _positions(warehouse: Warehouse, run_id: str, marks: dict[int, Watermarks], claims: str) -> list[PartitionPosition]:
    """Return how far each partition is loaded, and the end that it must reach.

    The end is taken after the manifests were read, so a run whose manifests have all finished lies below it. The
    first such end is kept: on a topic that others go on writing to, the load reaches it, whatever comes after.

    :param claims: fingerprint of the manifests when all have finished, else empty.
    """
    loaded = dict(warehouse.rows(_POSITIONS))
    earlier = latest_audit(warehouse, run_id) or {}
    same = claims != "" and earlier.get("claims") == claims
    first = {row["partition"]: row["bound"] for row in earlier["partitions"]} if same else {}
    return [
        PartitionPosition(
            partition,
            next_offset=loaded.get(partition, mark.low),
            bound=min(mark.high, first.get(partition, mark.high)),
            end=mark.high,
        )
        for partition, mark in sorted(marks.items())
    ]


def offsets_after(connection: Connection, topic: str, moment: datetime, partitions: list[int]) -> dict[int, int | None]:
    """Return for every partition the first offset with a record of ``moment`` or later, ``None`` if there is none."""
    since = OffsetSpec.for_timestamp(int(moment.timestamp() * 1000))
    # The client must outlive its answers: one that is collected before they came never gives them.
    admin = admin_client(connection.kafka)
    offsets = list_offsets(admin, topic, dict.fromkeys(partitions, since), "reading offsets by time")
    return {partition: offset if offset >= 0 else None for partition, offset in offsets.items()}


def _bounded_by_time(
    connection: Connection, topic: str, partitions: list[PartitionPosition], manifests: list[Manifest]
) -> list[PartitionPosition]:
    """Lower the bounds to the end of the run, as record times tell it.

    Used only when every acknowledged event is stored: then the load need not chase what others write. It is not
    sound enough to call something lost, as another producer's clock may be ahead.
    """
    if not any(position.behind for position in partitions):
        return partitions
    ended = max(datetime.fromisoformat(manifest.ended_at) for manifest in manifests if manifest.ended_at)
    after = offsets_after(connection, topic, ended + _CLOCK_MARGIN, [position.partition for position in partitions])
    return [
        PartitionPosition(
            position.partition,
            position.next_offset,
            min(position.bound, end if (end := after.get(position.partition)) is not None else position.bound),
            position.end,
        )
        for position in partitions
    ]


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


def _notes(findings: Findings, manifests: list[Manifest], control: ControlTopic) -> list[str]:
    """Return what a reader must know beside the figures."""
    notes = []
    failed = sum(shard.failed for shard in findings.shards)
    unknown = sum(shard.unknown for shard in findings.shards)
    arrived = sum(shard.unknown_stored for shard in findings.shards)
    if failed:
        notes.append(f"{failed:,} events were refused by Kafka and never written; the producer reported them.")
    if unknown:
        notes.append(
            f"{unknown:,} events were sent and neither acknowledged nor refused; {arrived:,} of them arrived. "
            "Either is right, so they do not count."
        )
    short = ", ".join(str(manifest.shard) for manifest in manifests if manifest.interrupted)
    if short:
        notes.append(f"Shard {short} was cut short; the verdict is about what was sent. `produce` continues it.")
    notes += [
        f"Shard {manifest.shard}: the rates {_when(gap)} are not known ({gap.events:,} events). "
        "An attempt was killed, and its figures with it."
        for manifest in manifests
        for gap in manifest.rate_gaps
    ]
    if any(score.injected for score in findings.faults):
        notes.append("Faults were injected on purpose; they count as what they are, and are scored as found or not.")
    if findings.uncompared:
        notes.append(
            f"The bytes of {findings.uncompared:,} stored events could not be compared: their checksum is missing, "
            "or covers a window of sequences from which events are missing or stored twice with different bytes."
        )
    if findings.unattributed:
        notes.append(
            f"{findings.unattributed:,} records in quarantine carry no readable identity; "
            "a lost event may be among them."
        )
    notes += [f"Not compared: {each}." for each in findings.not_compared]
    notes += [f"The warehouse contradicts itself: {each}." for each in findings.contradictions[:_SHOWN_CONTRADICTIONS]]
    notes += [f"A manifest cannot be read: {position}." for position in control.unreadable[:5]]
    notes += [
        f"A manifest of run {run_id}, shard {shard}, cannot be true and is not looked at: {claim}."
        for (run_id, shard), claim in list(control.impossible.items())[:5]
    ]
    return notes


def _when(gap: RateGap) -> str:
    return f"of seconds {gap.second} to {gap.second + gap.seconds - 1}" if gap.seconds else f"after second {gap.second}"

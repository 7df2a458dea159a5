"""Whether a run may be shown to readers: proved now, whatever the file says of its own proofs.

Open :func:`permit` first: it is the protocol.
"""

from __future__ import annotations

from typing import Any

from cluster.errors import VerdictFailed, VerdictUnknown, WarehouseDamaged
from consumer.proof.audit import fingerprint
from consumer.proof.checks import checked_after, evaluate
from consumer.proof.findings import find
from consumer.proof.found import CLASSES, Example, Findings, PartitionPosition
from consumer.proof.kept_audits import latest_audit, loaded_since
from consumer.proof.kept_manifests import stored_manifests
from consumer.proof.run_scope import enter_run, leave_nothing_out
from consumer.proof.verdict import Judgement, judge
from consumer.sinks.duckdb.warehouse import Warehouse

_DETAILS = "`streamproof report` shows the details; what was published before stays"
_LOADED_TO = "SELECT partition, next_offset FROM load_offsets"


def permit(warehouse: Warehouse, run_id: str) -> str:
    """Refuse to publish what is not proved now, and return the id of the audit that permits it. The run stays entered.

    What the file says of its own proofs only says what to look for.

    1. the latest audit says PASSED, of manifests that are still those it read, and nothing came after it
    2. its checks ran after it
    3. the findings, made again, are those of the audit, and the judge says PASSED: the ledger of the whole file is held
       against its rows with them
    4. no blocking check fails, run again
    """
    enter_run(warehouse, run_id)
    found = latest_audit(warehouse, run_id)
    if found is None:
        raise VerdictUnknown("the run has not been audited", where=run_id, hint="Run `streamproof audit` first")
    _check_audit(warehouse, run_id, found)
    followed = checked_after(warehouse, run_id, found["audit_id"])
    if followed is None:
        raise VerdictUnknown("the run has not been checked", where=run_id, hint="Run `streamproof check` first")
    if not followed:
        raise VerdictUnknown(
            "the checks are older than the audit", where=run_id, hint="Run `streamproof check` again, then publish"
        )
    _look_again(warehouse, run_id, found)
    failed = [
        result
        for result in evaluate(warehouse, run_id, entered=True)
        if result.severity == "blocking" and result.passed is False
    ]
    if failed:
        raise VerdictFailed(
            "blocking checks failed: " + "; ".join(f"{result.check} ({result.detail})" for result in failed[:3]),
            where=run_id,
            hint=_DETAILS,
        )
    leave_nothing_out(warehouse)  # the checks left out what was injected
    return str(found["audit_id"])


def _check_audit(warehouse: Warehouse, run_id: str, found: dict[str, Any]) -> None:
    """Refuse a run whose latest audit did not pass, or is of something else than what is there now."""
    own, any_batch = loaded_since(warehouse, found["audit_id"])
    if found["verdict"] != "PASSED":
        if any_batch:
            raise VerdictUnknown(
                f"the audit said {found['verdict']}, and is older than the last load",
                where=run_id,
                hint="Run `streamproof audit` again",
            )
        kind = VerdictUnknown if found["verdict"] == "UNKNOWN" else VerdictFailed
        raise kind(f"the audit says {found['verdict']}: {found['reason'].rstrip('.')}", where=run_id, hint=_DETAILS)
    if own:
        raise VerdictUnknown("events of the run were loaded after its audit", where=run_id, hint="Audit the run again")
    if fingerprint(stored_manifests(warehouse, run_id)) != found["claims"]:
        raise VerdictUnknown("the run was continued after its audit", where=run_id, hint="Audit the run again")


def _look_again(warehouse: Warehouse, run_id: str, audited: dict[str, Any]) -> None:
    """Refuse what is not as the audit saw it, or is not what the judge lets pass, whatever the audit's record says."""
    findings = find(warehouse, run_id, stored_manifests(warehouse, run_id), entered=True)
    now = {"loaded": findings.loaded, "uncompared": findings.uncompared, "lost": findings.missing}
    now |= {name: getattr(findings, name) for name in CLASSES if name not in now}
    differing = [
        f"{name} was {audited.get(name, 0):,}, is now {value:,}{_first(findings.examples.get(name, []))}"
        for name, value in now.items()
        if audited.get(name, 0) != value
    ]
    if differing:
        raise VerdictFailed(
            "the warehouse is not as the audit saw it: " + "; ".join(differing),
            where=run_id,
            hint="Somebody changed it since. `streamproof audit` names every event; what was published before stays",
        )
    judgement = _judged(warehouse, findings, audited)
    if judgement.verdict != "PASSED":
        kind = VerdictUnknown if judgement.verdict == "UNKNOWN" else VerdictFailed
        raise kind(
            f"the audit's record says PASSED, and the warehouse does not: {judgement.reason.rstrip('.')}",
            where=run_id,
            hint="Somebody changed it since. `streamproof audit` says what it is now; what was published before stays",
        )


def proved_now(warehouse: Warehouse, run_id: str) -> str:
    """Return why a run that was published before is not proved any more, empty if it is."""
    audited = latest_audit(warehouse, run_id)
    try:
        manifests = stored_manifests(warehouse, run_id)
    except WarehouseDamaged as damage:  # of this run alone: it must not keep another one from its readers
        return damage.message
    if audited is None or fingerprint(manifests) != audited["claims"]:
        return "its manifests are not those of its audit"
    judgement = _judged(warehouse, find(warehouse, run_id, manifests), audited)
    return "" if judgement.verdict == "PASSED" else judgement.reason.rstrip(".")


def _judged(warehouse: Warehouse, findings: Findings, audited: dict[str, Any]) -> Judgement:
    return judge(findings, _positions(warehouse, audited))


def _positions(warehouse: Warehouse, audited: dict[str, Any]) -> list[PartitionPosition]:
    """Return how far each partition is loaded now, against the bounds of the audit."""
    loaded = dict(warehouse.rows(_LOADED_TO))
    return [
        PartitionPosition(row["partition"], loaded.get(row["partition"], 0), row["bound"], row["end"])
        for row in audited["partitions"]
    ]


def _first(examples: list[Example]) -> str:
    return f" ({examples[0].event_id})" if examples else ""

"""Audits kept in the warehouse: the latest of a run, and whether it is older than the last load."""

from __future__ import annotations

import json
from typing import Any

from consumer.proof.found import CLASSES
from consumer.sinks.duckdb.warehouse import Warehouse

_LATEST = "SELECT arg_max(document, number) FROM audits WHERE run_id = ?"
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


def latest_audit(warehouse: Warehouse, run_id: str) -> dict[str, Any] | None:
    """Return the document of the run's latest audit, or ``None`` when it was never audited.

    One that somebody made unreadable does not count: another audit writes a new one.
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

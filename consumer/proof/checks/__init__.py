"""Aggregate checks: one ``.sql`` file each, with a header. Adding a check is adding a file.

Those of this folder are of every run; those of a scenario are in its pack (``schemas/packs.py``). Where the pack of a
run is not on this machine, each of its checks has a result all the same: it was not run, so it has not passed.

A check selects what offends: rows of ``offending`` (a count) and ``detail`` (text). No row means that it passed.
Its header says how bad a failure is, what is promised, and what the check needs to make sense::

    -- severity: blocking            (a failure stops the publication) or warning
    -- description: what is promised, one sentence
    -- needs: run, events.content.duration      columns of the events, with struct fields, and whether it is about a run

Events that a rehearsal made faulty on purpose are left out: the audit scores those, the checks judge the rest.
A check whose needs are not there is reported as not applicable, never as passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from cluster.errors import Misconfigured
from consumer.proof.kept_audits import latest_audit
from consumer.proof.packs import RunPack, pack_of_run
from consumer.proof.run_scope import chosen_run, enter_run, known_runs
from consumer.proof.sql_files import SqlFile, lacking, read_folder
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.duckdb.errors import as_store_errors
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.packs import CHECKS as CHECKS_OF_A_PACK

CHECKS = Path(__file__).parent
SEVERITIES = ("blocking", "warning")
MAX_DETAILS = 5
NOT_RUN = "not run: "

_SCOPE = CHECKS.parent / "checks_scope.sql"
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM check_results"
_KEEP = "INSERT INTO check_results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LATEST_AUDIT = """
    SELECT DISTINCT audit_id FROM check_results
    WHERE run_id = ? AND number = (SELECT max(number) FROM check_results WHERE run_id = ?)
"""
_LATEST = """
    SELECT check_name, severity, passed, offending, detail
    FROM check_results
    WHERE run_id = ? AND number = (SELECT max(number) FROM check_results WHERE run_id = ?)
    ORDER BY severity, check_name
"""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. ``passed`` is ``None`` where the check does not apply."""

    check: str
    severity: str
    description: str
    passed: bool | None
    offending: int
    detail: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The results of all checks on one run, or on the whole topic where no run is known."""

    run_id: str | None
    checked_at: str
    results: list[CheckResult]

    @property
    def blocked_by(self) -> list[CheckResult]:
        """Blocking checks that failed."""
        return [result for result in self.results if result.severity == "blocking" and result.passed is False]

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)


def load_checks(folder: Path = CHECKS) -> list[SqlFile]:
    """Return the checks of a folder, blocking ones first, then by name.

    :raises Misconfigured: a header is not complete; every fault is named at once.
    """
    return read_folder(folder, severities=SEVERITIES)


def run_checks(
    place: Path | Place,
    run_id: str | None = None,
    *,
    topic: str | None = None,
    checks: Sequence[SqlFile] | None = None,
    wait_s: float = DEFAULT_WAIT_S,
) -> CheckReport:
    """Run every check on a run and keep the results in the warehouse. Failures are results, not errors.

    :param run_id: the run; the latest one when ``None``, and the topic as a whole when no run is known.
    :param checks: those to run; all of this folder and of the pack of the run's scenario when ``None``.
    :raises Misconfigured: there is no warehouse, no such run, or a header is wrong.
    """
    with place_of(place).to_prove(topic=topic, wait_s=wait_s) as warehouse:
        run = chosen_run(warehouse, run_id) if run_id is not None or known_runs(warehouse) else None
        results = evaluate(warehouse, run, checks)
        now = datetime.now(UTC)
        audited = latest_audit(warehouse, run) if run is not None else None
        with warehouse.transaction() as db:
            ((number,),) = db.execute(_NEXT).fetchall()
            for result in results:
                row = [result.check, result.severity, result.passed, result.offending, result.detail, now]
                db.execute(_KEEP, [number, audited and audited["audit_id"], run or "", *row])
        warehouse.checkpoint()
    return CheckReport(run, now.isoformat(), results)


def evaluate(
    warehouse: Warehouse, run_id: str | None, checks: Sequence[SqlFile] | None = None, *, entered: bool = False
) -> list[CheckResult]:
    """Run checks on a run of an open warehouse, and keep nothing. What was injected is left out of the run at hand.

    :param checks: those to run; all of this folder and of the pack of the run's scenario when ``None``.
    :param entered: the caller entered the run, and nothing is left out of it yet.
    """
    pack = pack_of_run(warehouse, run_id)
    wanted = checks_of(pack) if checks is None else checks
    if not entered:
        enter_run(warehouse, run_id)
    with as_store_errors(warehouse.path):
        warehouse.connection.execute(_SCOPE.read_text())
    results = [_run(warehouse, check, run_id) for check in wanted]
    return results + ([] if checks is not None else _not_run(pack))


def checks_of(pack: RunPack) -> list[SqlFile]:
    """Return the checks of every run and those of a pack, blocking ones first, then by name.

    :raises Misconfigured: a header is not complete, or a check of the pack has the name of another.
    """
    ours = load_checks()
    own = pack.queries(CHECKS_OF_A_PACK, severities=SEVERITIES, taken=frozenset(check.name for check in ours))
    return sorted([*ours, *own], key=lambda check: (check.severity, check.name))


def _not_run(pack: RunPack) -> list[CheckResult]:
    """Return a result for each check of a pack that is not here. A promise that nobody looked at is not kept."""
    return [
        # What says nothing known of its severity is taken for the worse.
        CheckResult(name, severity if severity in SEVERITIES else SEVERITIES[0], "", False, 0, f"{NOT_RUN}{pack.why}")
        for name, severity in pack.absent(CHECKS_OF_A_PACK).items()
    ]


def checked_after(warehouse: Warehouse, run_id: str, audit_id: str) -> bool | None:
    """Return whether the run's latest round of checks followed this audit; ``None`` when there was none."""
    rows = warehouse.rows(_LATEST_AUDIT, [run_id, run_id])
    return all(found == audit_id for (found,) in rows) if rows else None


def latest_results(warehouse: Warehouse, run_id: str | None) -> list[CheckResult]:
    """Return the results of the run's latest round of checks; empty when there was none."""
    try:
        known = checks_of(pack_of_run(warehouse, run_id))
    except Misconfigured:  # a fault in the pack does not hide what was found before
        known = load_checks()
    descriptions = {check.name: check.description for check in known}
    run = run_id or ""
    return [
        CheckResult(name, severity, descriptions.get(name, ""), passed, offending, detail or "")
        for name, severity, passed, offending, detail in warehouse.rows(_LATEST, [run, run])
    ]


def _run(warehouse: Warehouse, check: SqlFile, run_id: str | None) -> CheckResult:
    missing = lacking(warehouse.connection, check, has_run=run_id is not None)
    if missing:
        what = ", ".join("no run is known" if need == "run" else f"no column {need}" for need in missing)
        return _result(check, None, 0, f"not applicable: {what}")
    # The file is ours, or of whoever owns the installation; values come as variables (run_scope.sql).
    query = f"""
        SELECT coalesce(sum(offending) OVER (), 0), detail
        FROM (\n{check.query}\n)
        ORDER BY offending DESC, detail LIMIT {MAX_DETAILS + 1}
    """  # noqa: S608
    try:
        rows = warehouse.connection.execute(query).fetchall()
    except duckdb.Error as error:
        return _result(check, False, 0, f"cannot be evaluated: {str(error).splitlines()[0]}")
    details = [str(detail) for _, detail in rows[:MAX_DETAILS]]
    more = ["and more"] if len(rows) > MAX_DETAILS else []
    return _result(check, not rows, int(rows[0][0]) if rows else 0, "; ".join(details + more))


def _result(check: SqlFile, passed: bool | None, offending: int, detail: str) -> CheckResult:
    return CheckResult(check.name, check.severity, check.description, passed, offending, detail)

"""The proof of the checks that a file keeps: each is made again."""

from __future__ import annotations

from consumer.proof.checks import NOT_RUN, CheckResult, checks_of, evaluate, latest_results
from consumer.proof.packs import pack_of_run
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.manifests import read_manifests
from consumer.verify.newest import unordered
from consumer.verify.proof import Proof
from consumer.verify.verdicts import AUDITS
from schemas.packs import CHECKS as CHECKS_OF_A_PACK

_CHECKED = "SELECT DISTINCT audit_id, run_id FROM check_results ORDER BY ALL"
_EXAMINED = "SELECT DISTINCT run_id FROM realism ORDER BY 1"


def prove_checks(warehouse: Warehouse) -> Proof:
    """Prove that the latest results of the checks are what the checks find now."""
    audits = {row[0] for row in warehouse.rows(AUDITS)}
    checked = warehouse.rows(_CHECKED)
    runs = sorted({run_id for run_id, _ in read_manifests(warehouse)})
    faults = [
        f"check_results: run {r} is of audit {a}, which is not there" for a, r in checked if a and a not in audits
    ]
    faults += [f"check_results: run {r} has no manifest" for r in sorted({r for _, r in checked if r} - set(runs))]
    faults += [f"realism: run {r} has no manifest" for (r,) in warehouse.rows(_EXAMINED) if r not in runs]
    faults += unordered(warehouse, "checks")
    looked, notes, unknown = 0, [], []
    for run_id in runs:
        stored = {each.check: each for each in latest_results(warehouse, run_id)}
        if not stored:
            notes.append(f"run {run_id} was not checked")
            continue
        pack = pack_of_run(warehouse, run_id)
        here, away = checks_of(pack), pack.absent(CHECKS_OF_A_PACK)
        unrun = {name for name, each in stored.items() if each.detail.startswith(NOT_RUN) and each.passed is False}
        known = [check for check in here if check.name in stored.keys() - unrun]
        looked += len(known)
        notes += [
            f"run {run_id}: {name} is not a check of this installation"
            for name in sorted(stored.keys() - unrun - away.keys())
            if name not in {c.name for c in known}
        ]
        notes += [f"run {run_id}: {name} was not run, as its pack was not there" for name in sorted(unrun)]
        unknown += [f"run {run_id}: {name} was not run again: {pack.why}" for name in sorted(away.keys() - unrun)]
        missing = sorted({check.name for check in here} - stored.keys())
        if missing:
            faults.append(f"run {run_id}: {', '.join(missing)} has no result")
        for result in evaluate(warehouse, run_id, known):
            if difference := _other_result(stored[result.check], result):
                faults.append(f"run {run_id}: {result.check} {difference}")
    return Proof.of(
        "checks",
        "each check finds what its kept result says",
        f"{looked} results of {len(runs)} runs",
        faults,
        unknown=unknown,
        notes=notes,
    )


def _other_result(kept: CheckResult, now: CheckResult) -> str:
    for name in ("severity", "passed", "offending", "detail"):
        before, after = getattr(kept, name), getattr(now, name)
        if before != after:
            return f"has the result {name} {before}, and is {after} now"
    return ""

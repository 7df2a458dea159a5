"""The report of a run: one self-contained HTML page, and the same figures as ``summary.json``.

Open ``page.py`` first: the page of a run that is in a warehouse of ours; ``audits.py`` is of one that pipelines of
others stored. ``facts.py`` holds the queries, ``figures.py`` and ``svg.py`` the drawings.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.errors import StoreFailed, StoreFull
from cluster.machine.disk import is_full
from consumer.proof.run_scope import chosen_run, known_runs, unknown_run
from consumer.publish.paths import run_slug
from consumer.report.facts import Facts, as_json, gather, has_records
from consumer.report.newest import left_behind, outdated, page_kept
from consumer.report.place import PAGE, SUMMARY, report_folder
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.duckdb.warehouse import Warehouse

if TYPE_CHECKING:  # who reads reports loads no templates
    from consumer.report.audits import AuditedRun

__all__ = [
    "ReportEntry",
    "ReportResult",
    "find_report",
    "latest_reports",
    "list_reports",
    "outdated",
    "page_kept",
    "write_audits",
    "write_report",
]


@dataclass(frozen=True, slots=True)
class ReportResult:
    """A report that was written. ``url`` opens it in a browser on this machine.

    :param shortfall: what is missing of what was asked for, one sentence; empty when nothing is.
    :param publication: whether readers have the run, one sentence.
    :param published: whether they have what was audited last.
    """

    path: Path
    url: str
    run_id: str
    verdict: str
    shortfall: str = ""
    publication: str = ""
    published: bool = False

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self) | {"path": str(self.path)}


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """A report that is there. ``written_at`` is ISO 8601, UTC.

    :param events: events of the run that are loaded, or that arrived where a pipeline stores.
    :param outcome: what became of the run beside its verdict, as ``Outcome.document`` has it; empty in reports of
        earlier versions.
    :param outdated: whether more is known of the run, or is being found out, than the report tells.
    """

    topic: str
    run_id: str
    verdict: str
    reason: str
    written_at: str
    events: int
    path: Path
    outcome: dict[str, Any]
    outdated: bool = False


def write_report(
    place: Path | Place,
    topic: str,
    run_id: str | None,
    publications: Path,
    *,
    even_if_unknown: bool = False,
    wait_s: float = DEFAULT_WAIT_S,
) -> ReportResult:
    """Write the page and the summary of a run, whatever its verdict; the ones before are replaced at once.

    :param run_id: the run; the latest one when ``None``.
    :param even_if_unknown: the caller knows that there was such a run: say that nothing is proved, even where
        there is no warehouse yet or nothing of the run in it. A failed rehearsal needs its page most.
    :raises Misconfigured: there is no warehouse, or nothing is known about the run.
    :raises StoreFailed: the page cannot be written.
    """
    if even_if_unknown and run_id is not None and not place_of(place).exists():
        return _write(Facts(run_id, topic, audit=None, manifests=[], checks=[]), publications, [])
    with place_of(place).to_prove(topic=topic, wait_s=wait_s) as warehouse:
        run = run_id if even_if_unknown and run_id is not None else _run_of(warehouse, run_id)
        # While nobody else has the warehouse: so the page that is written last is the newest.
        outdated_by = left_behind(report_folder(publications, topic, run))
        return _write(gather(warehouse, topic, run), publications, outdated_by)


def write_audits(audited: AuditedRun, publications: Path) -> ReportResult:
    """Write the page and the summary of a run that audits of pipelines judged; the ones before are replaced at once.

    :raises StoreFailed: the page cannot be written.
    """
    written_at, facts = datetime.now(UTC), audited.facts
    folder = report_folder(publications, facts.topic, facts.run_id)
    _put(folder, audited.page(written_at), audited.summary(written_at))
    path = folder / PAGE
    return ReportResult(path, path.as_uri(), facts.run_id, audited.verdict, audited.outcome.shortfall())


def _write(facts: Facts, publications: Path, outdated_by: list[Path]) -> ReportResult:
    from consumer.report.page import render  # deferred: reading reports needs no templates

    written_at = datetime.now(UTC)
    folder = report_folder(publications, facts.topic, facts.run_id)
    summary = _summary(facts, written_at)
    _put(folder, render(facts, written_at=written_at), summary)
    for mark in outdated_by:
        mark.unlink(missing_ok=True)
    path = folder / PAGE
    ended = facts.outcome
    told = (ended.shortfall(), ended.publication(), ended.published)
    return ReportResult(path, path.as_uri(), facts.run_id, summary["verdict"], *told)


def _put(folder: Path, page: str, summary: dict[str, Any]) -> None:
    """Put a page and its summary in the place of those before.

    :raises StoreFailed: they cannot be written.
    """
    try:
        _replace(folder, {PAGE: page, SUMMARY: as_json(summary)})
    except OSError as error:
        full = is_full(error)
        kind, hint = (StoreFull, "Free some space") if full else (StoreFailed, "Check the folder, and who owns it")
        raise kind(
            f"the report cannot be written: {error.strerror}", where=str(folder), hint=f"{hint}, and try again"
        ) from error


def find_report(publications: Path, run_id: str) -> Path | None:
    """Return the page of a run, of whatever topic, the latest one if there are several, or ``None``."""
    pages = [path for path in publications.glob(f"*/reports/{run_slug(run_id)}/{PAGE}") if path.is_file()]
    return max(pages, key=lambda path: path.stat().st_mtime, default=None)


def list_reports(publications: Path) -> list[ReportEntry]:
    """Return the reports that are there, the latest first. A summary that cannot be read is left out."""
    return sorted(latest_reports(publications), key=lambda entry: entry.written_at, reverse=True)


def latest_reports(publications: Path) -> Iterator[ReportEntry]:
    """Yield the reports that are there, the file that was written last first; each is opened when it is asked for.

    One that was opened before is not opened again while its file stays as it is.
    """
    summaries = []
    for path in publications.glob(f"*/reports/*/{SUMMARY}"):
        with suppress(OSError):
            summaries.append((path.stat().st_mtime_ns, path))
    for written_ns, path in sorted(summaries, reverse=True):
        entry = _entry(path, written_ns)
        if entry is not None:
            yield replace(entry, outdated=outdated(path.parent))


@lru_cache(maxsize=10_000)
def _entry(path: Path, written_ns: int) -> ReportEntry | None:  # noqa: ARG001 - it tells what is kept from what is new
    """Read one summary, as it was written at that moment."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        audit = said["audit"] or {}
        return ReportEntry(
            str(said["topic"]),
            str(said["run_id"]),
            str(said["verdict"]),
            str(said["reason"]),
            str(said["written_at"]),
            int(said.get("events", audit.get("loaded", 0))),
            path.with_name(PAGE),
            dict(said.get("outcome") or {}),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _run_of(warehouse: Warehouse, run_id: str | None) -> str:
    """Return the run; one that left no manifest counts when something of it is stored."""
    if run_id is None:
        return chosen_run(warehouse, None)
    known = [run.run_id for run in known_runs(warehouse)]
    if run_id in known or has_records(warehouse, run_id):
        return run_id
    raise unknown_run(run_id, known, warehouse.shown)


def _summary(facts: Facts, written_at: datetime) -> dict[str, Any]:
    audit = facts.audit
    return {
        "run_id": facts.run_id,
        "topic": facts.topic,
        "verdict": audit["verdict"] if audit else "UNKNOWN",
        "reason": audit["reason"] if audit else "No audit of this run is recorded.",
        "written_at": written_at.isoformat(),
        "outcome": facts.outcome.document(),
        "audit": audit,
        "checks": [asdict(check) for check in facts.checks],
        "figures": {drawing.query.name: [list(row) for row in drawing.rows] for drawing in facts.content},
        "undrawn": facts.undrawn,
        "partitions": [list(row) for row in facts.partitions],
        "rate": None if facts.rate is None else facts.rate.document(),
        "rates": [list(row) for row in facts.rates],
        "delays_ms": {str(second): delay_ms for second, delay_ms in sorted(facts.delays.items())},
        "incidents": [effect.document() for effect in facts.effects],
        "realism": facts.realism,
        "quarantine": [list(row) for row in facts.quarantine],
        "manifests": [manifest.model_dump(exclude={"crc", "rate_windows", "faults"}) for manifest in facts.manifests],
    }


def _replace(folder: Path, files: dict[str, str]) -> None:
    """Write files so that a reader sees the old page or the new one, never half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        for name, content in files.items():
            staged = staging / name
            with staged.open("w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name in files:
            (staging / name).replace(folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)

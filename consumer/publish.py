"""Publication: what readers see, and only after it was proved.

Open :func:`publish` first: it is the protocol. ``snapshot.py`` says what a snapshot holds. The folder of a topic::

    <publications>/<topic>/current -> snapshots/<UTC time>-<run>     moved by one rename
    <publications>/<topic>/snapshots/<UTC time>-<run>/snapshot.duckdb, events/*.parquet
    <publications>/<topic>/reports/<run>/index.html, summary.json

A snapshot never changes once it has its name. A reader who has one open keeps it; the last three are kept.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from cluster.errors import Busy, StoreFailed, StoreFull, VerdictFailed, VerdictUnknown
from consumer.audit import fingerprint, latest_audit
from consumer.checks import checked_after, evaluate
from consumer.findings import find
from consumer.manifests import stored_manifests
from consumer.places import run_slug, topic_folder
from consumer.run_scope import chosen_run, enter_run
from consumer.snapshot import write_snapshot
from consumer.verdict import CLASSES, Example, PartitionPosition, judge
from consumer.warehouse import DEFAULT_WAIT_S, Warehouse, open_warehouse

__all__ = ["Publication", "publish", "run_slug"]

KEPT_SNAPSHOTS = 3
_BUILDING = ".building-"
_NEW_LINK = ".current-"
_LOCK_RETRY_S = 0.1
_DETAILS = "`streamproof report` shows the details; what was published before stays"

_LOADED_TO = "SELECT partition, next_offset FROM load_offsets"
_ANYTHING_SINCE = "SELECT count(*) FROM load_batches WHERE batch > (SELECT batch FROM audits WHERE audit_id = ?)"
_LOADED_SINCE = "SELECT count(*) FROM run_events WHERE _batch > (SELECT batch FROM audits WHERE audit_id = ?)"
_RECORD = "INSERT INTO publications SELECT (SELECT coalesce(max(number), 0) + 1 FROM publications), ?, ?, ?, ?"
_PUBLISHED = "SELECT path FROM publications ORDER BY number"


@dataclass(frozen=True, slots=True)
class Publication:
    """A snapshot that readers see now. ``rows`` counts the events of every run in it."""

    path: Path
    rows: int
    runs: int
    run_id: str
    published_at: str
    database: Path

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self) | {"path": str(self.path), "database": str(self.database)}


def publish(
    warehouse: Path,
    topic: str,
    run_id: str | None,
    publications: Path,
    *,
    wait_s: float = DEFAULT_WAIT_S,
) -> Publication:
    """Give readers a snapshot with this run in it, all at once.

    1. permit: the run's latest audit passed, its checks ran after that, and all of it still holds: ledger, blocking
       checks and findings are made again, and judged again
    2. build: beside the others, under a name that no reader looks at
    3. settle: everything is on the disk before it gets its name
    4. swap: one rename moves ``current``
    5. record it in the warehouse, and remove what is old or was left behind

    :param run_id: the run; the latest one when ``None``.
    :raises VerdictFailed: the audit or a blocking check failed, or the warehouse is not as the audit saw it.
    :raises VerdictUnknown: the run was not audited, or not checked since, or events were loaded since.
    :raises StoreFull: the disk is full; what was published before stays.
    """
    folder = topic_folder(publications, topic)
    with open_warehouse(warehouse, wait_s=wait_s, create=False, topic=topic) as store:
        run = chosen_run(store, run_id)
        enter_run(store, run)
        _permit(store, run)
        enter_run(store, run)  # the checks left out what was injected
        with _as_publication_errors(folder), _alone(folder, wait_s):
            now = datetime.now(UTC)
            name = f"{now:%Y%m%dT%H%M%S.%fZ}-{run_slug(run)}"
            building, final = folder / "snapshots" / f"{_BUILDING}{name}", folder / "snapshots" / name
            _remove_leftovers(folder)
            building.mkdir(parents=True)
            try:
                rows, runs = write_snapshot(store, run, building, final, folder / "current", topic=topic, now=now)
                _settle(building)
                building.rename(final)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
            _swap(folder, final)
            with store.transaction() as db:
                db.execute(_RECORD, [now, run, str(final), rows])
            _prune(folder, [Path(path).name for (path,) in store.rows(_PUBLISHED)])
        store.checkpoint()
    return Publication(final, rows, runs, run, now.isoformat(), folder / "current" / "snapshot.duckdb")


def _permit(store: Warehouse, run_id: str) -> None:
    """Refuse to publish what is not proved now. What the file says of its own proofs only says what to look for.

    1. the latest audit says PASSED, of manifests that are still those it read, and nothing came after it
    2. its checks ran after it
    3. the findings, made again, are those of the audit, and the judge says PASSED: the ledger of the whole file is held
       against its rows with them
    4. no blocking check fails, run again
    """
    found = latest_audit(store, run_id)
    if found is None:
        raise VerdictUnknown("the run has not been audited", where=run_id, hint="Run `streamproof audit` first")
    _check_audit(store, run_id, found)
    followed = checked_after(store, run_id, found["audit_id"])
    if followed is None:
        raise VerdictUnknown("the run has not been checked", where=run_id, hint="Run `streamproof check` first")
    if not followed:
        raise VerdictUnknown(
            "the checks are older than the audit", where=run_id, hint="Run `streamproof check` again, then publish"
        )
    _look_again(store, run_id, found)
    failed = [result for result in evaluate(store, run_id) if result.severity == "blocking" and result.passed is False]
    if failed:
        raise VerdictFailed(
            "blocking checks failed: " + "; ".join(f"{result.check} ({result.detail})" for result in failed[:3]),
            where=run_id,
            hint=_DETAILS,
        )


def _check_audit(store: Warehouse, run_id: str, found: dict[str, Any]) -> None:
    """Refuse a run whose latest audit did not pass, or is of something else than what is there now."""
    if found["verdict"] != "PASSED":
        if store.rows(_ANYTHING_SINCE, [found["audit_id"]]) != [(0,)]:
            raise VerdictUnknown(
                f"the audit said {found['verdict']}, and is older than the last load",
                where=run_id,
                hint="Run `streamproof audit` again",
            )
        kind = VerdictUnknown if found["verdict"] == "UNKNOWN" else VerdictFailed
        raise kind(f"the audit says {found['verdict']}: {found['reason'].rstrip('.')}", where=run_id, hint=_DETAILS)
    if store.rows(_LOADED_SINCE, [found["audit_id"]]) != [(0,)]:
        raise VerdictUnknown("events of the run were loaded after its audit", where=run_id, hint="Audit the run again")
    if fingerprint(stored_manifests(store, run_id)) != found["claims"]:
        raise VerdictUnknown("the run was continued after its audit", where=run_id, hint="Audit the run again")


def _look_again(store: Warehouse, run_id: str, audited: dict[str, Any]) -> None:
    """Refuse what is not as the audit saw it, or is not what the judge lets pass, whatever the audit's record says."""
    findings = find(store, run_id, stored_manifests(store, run_id))
    now = {"loaded": findings.loaded, "uncompared": findings.uncompared, "lost": findings.missing}
    now |= {name: getattr(findings, name) for name in CLASSES if name not in now}
    differing = [
        f"{name} was {audited[name]:,}, is now {value:,}{_first(findings.examples.get(name, []))}"
        for name, value in now.items()
        if audited[name] != value
    ]
    if differing:
        raise VerdictFailed(
            "the warehouse is not as the audit saw it: " + "; ".join(differing),
            where=run_id,
            hint="Somebody changed it since. `streamproof audit` names every event; what was published before stays",
        )
    judgement = judge(findings, _positions(store, audited))
    if judgement.verdict != "PASSED":
        kind = VerdictUnknown if judgement.verdict == "UNKNOWN" else VerdictFailed
        raise kind(
            f"the audit's record says PASSED, and the warehouse does not: {judgement.reason.rstrip('.')}",
            where=run_id,
            hint="Somebody changed it since. `streamproof audit` says what it is now; what was published before stays",
        )


def _positions(store: Warehouse, audited: dict[str, Any]) -> list[PartitionPosition]:
    """Return how far each partition is loaded now, against the bounds of the audit."""
    loaded = dict(store.rows(_LOADED_TO))
    return [
        PartitionPosition(row["partition"], loaded.get(row["partition"], 0), row["bound"], row["end"])
        for row in audited["partitions"]
    ]


def _first(examples: list[Example]) -> str:
    return f" ({examples[0].event_id})" if examples else ""


@contextmanager
def _alone(folder: Path, wait_s: float) -> Iterator[None]:
    """Keep two publications of a topic apart; the lock ends with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with (folder / ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(
                        "another process publishes this topic", where=str(folder), hint="Run the command again later"
                    ) from None
                time.sleep(_LOCK_RETRY_S)
        yield


def _settle(building: Path) -> None:
    """Wait until everything in the folder, and the folder itself, is on the disk."""
    for path in [*building.rglob("*"), building, building.parent]:
        _sync(path)


def _swap(folder: Path, final: Path) -> None:
    """Let ``current`` point to ``final``: one rename, so that a reader sees the old one or the new one."""
    _sync(final.parent)
    link = folder / f"{_NEW_LINK}{os.getpid()}"
    link.symlink_to(final.relative_to(folder))
    link.replace(folder / "current")
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a publication that was killed left behind; called under the lock."""
    for path in (folder / "snapshots").glob(f"{_BUILDING}*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f"{_NEW_LINK}*"):
        path.unlink(missing_ok=True)


def _prune(folder: Path, published: list[str]) -> None:
    """Keep the last snapshots. The current one stays in any case.

    :param published: names of the snapshots that the warehouse knows of, in their order; others are taken for older.
    """
    current = (folder / "current").resolve()
    order = {name: place for place, name in enumerate(published)}
    there = [path for path in (folder / "snapshots").iterdir() if not path.name.startswith(".")]
    snapshots = sorted(there, key=lambda path: (order.get(path.name, -1), path.name))
    for path in snapshots[:-KEPT_SNAPSHOTS]:
        if path != current:
            with suppress(OSError):
                shutil.rmtree(path)


@contextmanager
def _as_publication_errors(folder: Path) -> Iterator[None]:
    """Raise what the disk or DuckDB says while publishing as errors of the tree."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        text = str(error).splitlines()[0]
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text
        kind = StoreFull if full else StoreFailed
        raise kind(
            "no space left for the publication" if full else f"the publication cannot be written: {text}",
            where=str(folder),
            hint="What was published before stays. Free some space and publish again"
            if full
            else "What was published before stays. Check the folder and publish again",
        ) from error

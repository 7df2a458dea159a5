"""Publication: what readers see, and only after it was proved.

Open :func:`publish` first: it is the protocol. ``snapshot.py`` says what a snapshot holds. The folder of a topic::

    <publications>/<topic>/current -> snapshots/<UTC time>-<run>     moved by one rename
    <publications>/<topic>/snapshots/<UTC time>-<run>/snapshot.duckdb, events/*.parquet
    <publications>/<topic>/reports/<run>/index.html, summary.json

A snapshot never changes once it has its name. The last three are kept, and those that a reader has open.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from cluster.errors import Busy, StoreFailed, StoreFull
from cluster.machine.disk import is_full
from cluster.machine.turns import take_turn
from consumer.proof.run_scope import chosen_run
from consumer.publish.files import keep
from consumer.publish.lease import is_read
from consumer.publish.paths import run_slug, topic_folder
from consumer.publish.permit import permit
from consumer.publish.snapshot import write_snapshot
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of

__all__ = ["Publication", "publish", "run_slug"]

KEPT_SNAPSHOTS = 3
_BUILDING = ".building-"
_NEW_LINK = ".current-"

_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM publications"
_RECORD = "INSERT INTO publications VALUES (?, ?, ?, ?, ?, ?)"
_PUBLISHED = "SELECT path FROM publications ORDER BY number"


@dataclass(frozen=True, slots=True)
class Publication:
    """A snapshot that readers see now. ``rows`` counts the events of every run in it.

    ``renewed`` says which files of earlier runs were not as they were published, and what became of them; ``absent``
    which marts could not be made here, and why.
    """

    path: Path
    rows: int
    runs: int
    run_id: str
    published_at: str
    database: Path
    renewed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self) | {"path": str(self.path), "database": str(self.database)}


def publish(
    place: Path | Place,
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
    with place_of(place).to_prove(topic=topic, wait_s=wait_s) as warehouse:
        run = chosen_run(warehouse, run_id)
        audit_id = permit(warehouse, run)
        with _as_publication_errors(folder), _alone(folder, wait_s):
            now = datetime.now(UTC)
            name = f"{now:%Y%m%dT%H%M%S.%fZ}-{run_slug(run)}"
            building, final = folder / "snapshots" / f"{_BUILDING}{name}", folder / "snapshots" / name
            _remove_leftovers(folder)
            building.mkdir(parents=True)
            try:
                written = write_snapshot(warehouse, run, building, final, folder / "current", topic=topic, now=now)
                _settle(building)
                building.rename(final)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
            _swap(folder, final)
            with warehouse.transaction() as db:
                ((number,),) = db.execute(_NEXT).fetchall()
                db.execute(_RECORD, [number, now, run, str(final), written.rows, audit_id])
                keep(db, number, written.files)
            _prune(folder, [Path(path).name for (path,) in warehouse.rows(_PUBLISHED)])
        warehouse.checkpoint()
    database = folder / "current" / "snapshot.duckdb"
    return Publication(
        final, written.rows, len(written.files), run, now.isoformat(), database, written.renewed, written.absent
    )


@contextmanager
def _alone(folder: Path, wait_s: float) -> Iterator[None]:
    """Keep two publications of a topic apart; the lock ends with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    busy = Busy("another process publishes this topic", where=str(folder), hint="Run the command again later")
    with (folder / ".lock").open("w") as lock:
        take_turn(lock, wait_s=wait_s, busy=busy)
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
    """Keep the last snapshots. The current one stays in any case, and so does one that somebody reads.

    :param published: names of the snapshots that the warehouse knows of, in their order; others are taken for older.
    """
    current = (folder / "current").resolve()
    order = {name: place for place, name in enumerate(published)}
    there = [path for path in (folder / "snapshots").iterdir() if not path.name.startswith(".")]
    snapshots = sorted(there, key=lambda path: (order.get(path.name, -1), path.name))
    for path in snapshots[:-KEPT_SNAPSHOTS]:
        if path != current and not is_read(path):
            with suppress(OSError):
                shutil.rmtree(path)


@contextmanager
def _as_publication_errors(folder: Path) -> Iterator[None]:
    """Raise what the disk or DuckDB says while publishing as errors of the tree."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        text = str(error).splitlines()[0]
        full = is_full(error)
        kind = StoreFull if full else StoreFailed
        raise kind(
            "no space left for the publication" if full else f"the publication cannot be written: {text}",
            where=str(folder),
            hint="What was published before stays. Free some space and publish again"
            if full
            else "What was published before stays. Check the folder and publish again",
        ) from error

"""The proofs of a publication by itself: nothing foreign is in it, and its files are what was published."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import duckdb

from consumer.publish.files import sha256_of
from consumer.publish.paths import run_slug, snapshot_name
from consumer.publish.snapshot import EVENTS_VARIABLE, TABLES
from consumer.sinks.duckdb.catalogue import Catalogue, other_columns, read_catalogue
from consumer.verify.proof import Proof
from consumer.verify.published_marts import SnapshotMarts
from consumer.verify.snapshot import DATABASE, EVENTS, FACTS, RUNS, Snapshot

_TABLES = {"runs", "publication"}
_YOUNGER = {"files", "marts"}  # not in snapshots of earlier versions
# As DuckDB spells the view that a snapshot is made with.
_VIEW = re.compile(
    rf"CREATE VIEW events AS SELECT \* FROM read_parquet\(COALESCE\(getvariable\('{EVENTS_VARIABLE}'\), "  # noqa: S608 - a pattern
    r"'([^']|'')*/events/\*\.parquet'\), \(union_by_name = true\)\);?"
)
_ROWS = "SELECT count(*), count(DISTINCT (_partition, _offset)), min(_run_id), max(_run_id) FROM read_parquet(?)"


def prove_snapshot_names(snapshot: Snapshot, marts: SnapshotMarts) -> Proof:
    """Prove that the snapshot holds its view, its marts and its run ledger, and nothing else."""
    catalogue = read_catalogue(snapshot.connection)
    wanted = _TABLES | marts.names
    faults = [f"the macro {name} is not ours" for name in sorted(catalogue.macros)]
    faults += [f"the table {name} is missing" for name in sorted(wanted - catalogue.tables.keys())]
    faults += [f"the table {name} is not ours" for name in sorted(catalogue.tables.keys() - wanted - _YOUNGER)]
    faults += [f"the view {name} is not ours" for name in catalogue.views if name != EVENTS]
    faults += [f"the {what} is not ours" for what in catalogue.others]
    for table, ours in _our_catalogue().tables.items():
        faults += other_columns(table, catalogue.tables.get(table, ours), ours)
    faults += marts.misnamed()
    said = snapshot.rows("SELECT sql FROM system.main.duckdb_views() WHERE internal IS FALSE AND view_name = 'events'")
    if not said:
        faults.append("the view events is missing")
    elif _VIEW.fullmatch(said[0][0]) is None:
        faults.append("the view events does not read the files of a snapshot, and those alone")
    looked = f"{len(catalogue.tables)} tables, {len(catalogue.views)} views"
    return Proof.of("names", "nothing foreign is in the snapshot, and nothing is missing", looked, faults)


@cache
def _our_catalogue() -> Catalogue:
    """Return the tables of a new snapshot, its marts aside."""
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        return read_catalogue(connection)


def prove_files(snapshot: Snapshot) -> Proof:
    """Prove that each published run has its file, readable and with as many rows as its audit counted."""
    runs = snapshot.rows(RUNS)
    of_slug = {
        run_slug(str(run_id)): (str(run_id), verdict, published, loaded) for run_id, verdict, published, loaded in runs
    }
    hashes = _hashes(snapshot)
    faults, total = [], 0
    for path in snapshot.parquet:
        known = of_slug.get(path.stem)
        if known is None:
            faults.append(f"events/{path.name} is of no run of the snapshot")
            continue
        run_id, verdict, published, loaded = known
        try:
            rows, places, first, last = snapshot.rows(_ROWS, [str(path)])[0]
        except duckdb.Error as error:
            faults.append(f"events/{path.name} cannot be read: {str(error).splitlines()[0]}")
            continue
        total += rows
        if hashes is not None and hashes.get(path.name) != (sha256_of(path), rows):
            faults.append(f"events/{path.name} has not the SHA-256 and rows that it was published with")
        if not published or verdict != "PASSED":
            faults.append(f"events/{path.name} is there, and run {run_id} is {verdict} and not published")
        if {first, last} != {run_id}:
            faults.append(f"events/{path.name} holds events of run {first} to {last}")
        if rows != loaded:
            faults.append(f"events/{path.name} has {rows:,} rows, the audit of run {run_id} counted {loaded:,}")
        if places != rows:
            faults.append(f"events/{path.name} has {rows - places:,} rows at a place that another row has")
    there = {path.stem for path in snapshot.parquet}
    faults += [
        f"run {said[0]} is published and has no file" for slug, said in of_slug.items() if said[2] and slug not in there
    ]
    names = {DATABASE, EVENTS, *(f"{EVENTS}/{path.name}" for path in snapshot.parquet)}
    others = sorted(str(path.relative_to(snapshot.folder)) for path in snapshot.folder.rglob("*"))
    faults += [f"{name} is not ours" for name in others if name not in names]
    faults += list(_facts(snapshot, total, len(there)))
    counts = Counter(row[0] for row in runs)
    faults += [f"run {run_id} is in the run ledger {count} times" for run_id, count in counts.items() if count > 1]
    return Proof.of(
        "files", "each published run has its file, with as many events as its audit counted",
        f"{len(snapshot.parquet)} files, {total:,} events", faults,
    )  # fmt: skip


def _hashes(snapshot: Snapshot) -> dict[str, tuple[str, int]] | None:
    """Return SHA-256 and rows of each file as it was published; ``None`` for a snapshot of an earlier version."""
    if "files" not in read_catalogue(snapshot.connection).tables:
        return None
    said = snapshot.rows("SELECT file, sha256, rows FROM files ORDER BY file")
    return {str(name): (str(digest), int(rows)) for name, digest, rows in said}


def _facts(snapshot: Snapshot, rows: int, runs: int) -> Iterator[str]:
    facts = snapshot.rows(FACTS)
    if len(facts) != 1:
        yield f"the table publication has {len(facts)} rows, not one"
        return
    run_id, said_rows, said_runs, at_us, _ = facts[0]
    if said_rows != rows:
        yield f"the table publication says {said_rows:,} rows, the files have {rows:,}"
    if said_runs != runs:
        yield f"the table publication says {said_runs} runs, there are {runs} files"
    if snapshot.folder.name != snapshot_name(at_us, str(run_id)):
        yield f"the table publication says run {run_id} and another time than the folder {snapshot.folder.name}"

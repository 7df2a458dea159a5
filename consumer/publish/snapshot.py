"""What a snapshot holds: the events as Parquet, one file per run, and a small DuckDB file with marts and run ledger.

A run's file is written once. Later snapshots link to it as long as the run's latest audit passes, the file is what it
was, and no column of it has another name or type since: publishing writes what the new run costs, and only reads the
history.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from consumer.proof.run_scope import known_runs
from consumer.proof.sql_files import lacking
from consumer.publish.files import PublishedFile, changed_columns, describe, fault_of, files_of, known_files, protect
from consumer.publish.marts import marts_of_runs
from consumer.publish.paths import run_slug
from consumer.publish.permit import proved_now
from consumer.sinks.duckdb.settings import PUBLISH
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import quote

_EVENTS = "events"
# Set this variable before the first query to read a snapshot that was moved or is mounted elsewhere.
EVENTS_VARIABLE = "streamproof_events"

# A document that somebody made unreadable says nothing.
_LEDGER = """
    SELECT run_id, arg_max(verdict, number), arg_max(CASE WHEN json_valid(document) THEN document ELSE '{}' END, number)
    FROM audits GROUP BY run_id ORDER BY run_id
"""
_UNREADABLE = {"reason": "The record of its audit cannot be read: audit it again."}
_EXPORT = "SELECT getvariable('run_id') AS _run_id, * FROM run_events"
_LARGEST_AVERAGE = """
    SELECT coalesce(max(value_bytes // (events + quarantined)), 0) FROM load_batches WHERE events + quarantined > 0
"""
_GROUP_ROWS = 122_880
_GROUP_BYTES = 64 * 1024 * 1024
TABLES = """
    CREATE TABLE runs (
        run_id VARCHAR, verdict VARCHAR, reason VARCHAR, published BOOLEAN, audited_at TIMESTAMPTZ,
        expected BIGINT, loaded BIGINT, lost BIGINT, duplicated BIGINT, phantom BIGINT, altered BIGINT,
        reordered BIGINT, undecodable BIGINT, failed BIGINT, unknown BIGINT
    );
    CREATE TABLE files (run_id VARCHAR, file VARCHAR, sha256 VARCHAR, rows BIGINT);
    CREATE TABLE marts (mart VARCHAR, scenario VARCHAR);
    CREATE TABLE publication (topic VARCHAR, run_id VARCHAR, published_at TIMESTAMPTZ, rows BIGINT, runs BIGINT);
"""
RUN_COLUMNS = (
    "reason", "published", "audited_at", "expected", "loaded", "lost", "duplicated", "phantom", "altered", "reordered",
    "undecodable", "failed", "unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """What a snapshot holds.

    ``renewed`` says which files of earlier runs were not as they were published, and ``absent`` which marts could not
    be made, as the pack of their scenario is not on this machine.
    """

    rows: int
    files: list[PublishedFile]
    renewed: list[str]
    absent: list[str]


def write_snapshot(
    warehouse: Warehouse, run_id: str, building: Path, final: Path, previous: Path, *, topic: str, now: datetime
) -> Written:
    """Write a snapshot into ``building``, to be read at ``final``.

    1. the run's own file, from the warehouse
    2. those of earlier runs whose latest audit passed: linked where they are what they were when they were published;
       and have the columns of today; else written anew if the run is proved again, and left out if it is not
    3. the database: marts, run ledger, and what the files are

    :param warehouse: the warehouse, with the run entered.
    :param previous: the snapshot to take earlier runs from; may be missing.
    """
    (building / _EVENTS).mkdir()
    files = [_export(warehouse, run_id, building)]
    renewed: list[str] = []
    doubted: dict[str, str] = {}
    before = previous.resolve()
    known = known_files(warehouse)
    slugs = {run_slug(run.run_id): run.run_id for run in known_runs(warehouse)}
    passed = {run for run, verdict, document in warehouse.rows(_LEDGER) if verdict == "PASSED" and document != "{}"}
    there = {path.name for path in (before / _EVENTS).glob("*.parquet")} | files_of(warehouse, before)
    for name in sorted(there - {files[0].file}):
        run = slugs.get(Path(name).stem)
        if run is None or run not in passed:
            continue
        earlier = before / _EVENTS / name
        fault = fault_of(earlier, known.get(name)) or changed_columns(earlier, building / _EVENTS / files[0].file)
        if not fault:
            _link(earlier, building / _EVENTS / name)
            files.append(known[name])
        elif reason := proved_now(warehouse, run):
            doubted[run] = f"{name}: {fault}, and the run is not proved any more: {reason}"
        else:
            files.append(_export(warehouse, run, building))
            renewed.append(f"{earlier}: {fault}; it was written anew from the warehouse")
    rows, absent = _write_database(warehouse, building, final, files, doubted, facts=(topic, run_id, now))
    renewed += [f"{reason}; it is left out" for reason in doubted.values()]
    return Written(rows, files, renewed, absent)


def _export(warehouse: Warehouse, run_id: str, building: Path) -> PublishedFile:
    """Write the file of a run, which must have been entered, and return what it is."""
    path = building / _EVENTS / f"{run_slug(run_id)}.parquet"
    # In the order of the table, so that the same run gives the same file; a group of rows is in memory as one.
    warehouse.connection.execute("SET preserve_insertion_order = true")
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_group_rows(warehouse)}"
    warehouse.connection.execute(f"COPY ({_EXPORT}) TO {_text(path)} ({options})")
    warehouse.connection.execute("SET preserve_insertion_order = false")
    protect(path)
    return describe(path, run_id)


def _group_rows(warehouse: Warehouse) -> int:
    """Return how many rows a group of a Parquet file may have: all of DuckDB's, or fewer where values are large."""
    value_bytes = int(warehouse.rows(_LARGEST_AVERAGE)[0][0])
    return max(1, min(_GROUP_ROWS, _GROUP_BYTES // max(1, value_bytes)))


def _write_database(
    warehouse: Warehouse,
    building: Path,
    final: Path,
    files: list[PublishedFile],
    doubted: dict[str, str],
    *,
    facts: tuple[str, str, datetime],
) -> tuple[int, list[str]]:
    """Write the database of a snapshot; return its number of events, and what was not made."""
    topic, run_id, now = facts
    published = {file.run_id for file in files}
    path = building / "snapshot.duckdb"
    with duckdb.connect(str(path)) as database:
        PUBLISH.apply(database, path)
        # While it is built, the files are not yet where readers will find them.
        database.execute(f"SET VARIABLE {EVENTS_VARIABLE} = ?", [_pattern(building)])
        place = f"coalesce(getvariable('{EVENTS_VARIABLE}'), {_text(_pattern(final))})"
        database.execute(f"CREATE VIEW events AS FROM read_parquet({place}, union_by_name = true)")
        database.execute(TABLES)
        marts = marts_of_runs(warehouse, sorted(published))
        for scenario, mart in marts.queries:
            if not lacking(database, mart, has_run=True):
                database.execute(f"CREATE TABLE {quote(mart.name)} AS\n{mart.query}")
                database.execute(f"COMMENT ON TABLE {quote(mart.name)} IS {_text(mart.description)}")
                database.execute("INSERT INTO marts VALUES (?, nullif(?, ''))", [mart.name, scenario])
        for run, verdict, document in warehouse.rows(_LEDGER):
            said = json.loads(document)
            if not said:
                verdict, said = "UNKNOWN", _UNREADABLE  # noqa: PLW2901 - what is shown, not what is kept
            said |= {"published": run in published}
            if run in doubted:
                verdict, said["reason"] = "UNKNOWN", doubted[run]  # noqa: PLW2901 - what is shown, not what is kept
            row = [run, verdict, *(said.get(column) for column in RUN_COLUMNS)]
            places = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO runs VALUES ({places})", row)  # noqa: S608 - only question marks
        rows = int(database.execute("SELECT count(*) FROM events").fetchall()[0][0])
        database.execute("INSERT INTO publication VALUES (?, ?, ?, ?, ?)", [topic, run_id, now, rows, len(published)])
        for file in files:
            database.execute("INSERT INTO files VALUES (?, ?, ?, ?)", [file.run_id, file.file, file.sha256, file.rows])
    protect(building / "snapshot.duckdb")
    return rows, marts.absent


# Those whose names need no quotes: the query stands in quotes itself.
_OF_SCENARIOS = """
    SELECT mart FROM marts WHERE scenario IS NOT NULL AND regexp_full_match(mart, '[a-z][a-z0-9_]*')
    ORDER BY mart LIMIT 1
"""


def first_query(database: Path) -> str:
    """Return a query that a reader of this snapshot may begin with: a mart of a scenario if it has one."""
    with duckdb.connect(str(database), read_only=True) as reader:
        marts = reader.execute(_OF_SCENARIOS).fetchall()
    return f"FROM {marts[0][0]}" if marts else "FROM events LIMIT 10"


def _pattern(folder: Path) -> str:
    """Return the pattern of a snapshot's Parquet files; the folder's own name is not a pattern."""
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(folder / "events"))
    return f"{escaped}/*.parquet"


def _text(value: object) -> str:
    """Return an SQL string literal, for the places where DuckDB takes no bound value."""
    return "'" + str(value).replace("'", "''") + "'"


def _link(earlier: Path, new: Path) -> None:
    """Link a file that never changes, or copy it where the file system has no links."""
    try:
        os.link(earlier.resolve(), new)
    except OSError:
        shutil.copyfile(earlier, new)
        protect(new)

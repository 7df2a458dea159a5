"""The proofs of a publication: names, files, marts and figures, and, beside its warehouse, every row."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import duckdb

from cluster.errors import Misconfigured, StoreFailed
from consumer.proof.packs import RunPack
from consumer.proof.run_scope import enter_run
from consumer.proof.sql_files import SqlFile, lacking
from consumer.publish.files import sha256_of
from consumer.publish.marts import marts_of_packs
from consumer.publish.paths import run_slug, snapshot_name
from consumer.publish.snapshot import EVENTS_VARIABLE, RUN_COLUMNS, TABLES
from consumer.sinks.column_types import quote
from consumer.sinks.duckdb.catalogue import Catalogue, other_columns, read_catalogue
from consumer.sinks.duckdb.errors import store_error
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.proof import Proof
from schemas.packs import MARTS as MARTS_OF_A_PACK
from schemas.packs import find_pack

DATABASE = "snapshot.duckdb"
_EVENTS = "events"
# Rounded figures of floating point: another order of summing may turn the last digit.
_ROUNDING = 0.0011

_TABLES = {"runs", "publication"}
_YOUNGER = {"files", "marts"}  # not in snapshots of earlier versions
# What had marts before packs were known.
_FIRST = "customer_events"
# As DuckDB spells the view that a snapshot is made with.
_VIEW = re.compile(
    rf"CREATE VIEW events AS SELECT \* FROM read_parquet\(COALESCE\(getvariable\('{EVENTS_VARIABLE}'\), "  # noqa: S608 - a pattern
    r"'([^']|'')*/events/\*\.parquet'\), \(union_by_name = true\)\);?"
)
_RUNS = "SELECT run_id, verdict, published, loaded FROM runs ORDER BY ALL"
_MARTS = "SELECT mart, coalesce(scenario, '') FROM marts ORDER BY ALL"
_FACTS = "SELECT run_id, rows, runs, CAST(epoch_us(published_at) AS BIGINT), topic FROM publication"
_ROWS = "SELECT count(*), count(DISTINCT (_partition, _offset)), min(_run_id), max(_run_id) FROM read_parquet(?)"
_SAID = "SELECT arg_max(verdict, number) FROM audits WHERE run_id = ?"
# The audit that the snapshot shows, by its time.
_SHOWN = """
    SELECT document FROM audits WHERE run_id = $run AND epoch_us(audited_at) = $at_us ORDER BY number DESC LIMIT 1
"""
_FIGURES = "SELECT {columns}, verdict, CAST(epoch_us(audited_at) AS BIGINT) FROM runs WHERE run_id = ?"
_NEWEST = "SELECT arg_max(path, number) FROM publications"
# The events that are in one and not in the other, as often as they are.
_OTHER_ROWS = """
    WITH stored AS (SELECT {columns} FROM run_events), published AS (SELECT {columns} FROM read_parquet($path)),
    lacking AS (FROM stored EXCEPT ALL FROM published),
    extra AS (FROM published EXCEPT ALL FROM stored)
    SELECT (SELECT count(*) FROM stored), (SELECT count(*) FROM lacking), (SELECT count(*) FROM extra),
           (SELECT format('partition {{}} offset {{}}', _partition, _offset)
            FROM (FROM lacking UNION ALL FROM extra) ORDER BY _partition, _offset LIMIT 1)
"""
_FILLED = "SELECT count({column}) FROM run_events"


class Snapshot:
    """A snapshot that is open for reading, where it lies now. Use it as a context manager.

    :param folder: the snapshot's, or that of a topic, whose current one is meant.
    :raises Misconfigured: the folder holds no snapshot.
    :raises WarehouseDamaged: its database cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = _snapshot_of(folder)
        self.current = (folder / "current").exists()
        self.parquet = sorted((self.folder / _EVENTS).glob("*.parquet"))
        database = self.folder / DATABASE
        try:
            self.connection = duckdb.connect(str(database), read_only=True)
        except duckdb.Error as error:
            raise store_error(error, database) from error
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"SET VARIABLE {EVENTS_VARIABLE} = ?", [[str(path) for path in self.parquet]])

    def rows(self, query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        return self.connection.execute(query, parameters or []).fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(duckdb.Error):
            self.connection.close()


def _snapshot_of(folder: Path) -> Path:
    for place in (folder / "current", folder):
        if (place / DATABASE).is_file():
            return place.resolve()
    raise Misconfigured(
        "the folder holds no snapshot",
        where=str(folder),
        hint="Name the folder of a topic in the publications, or one of its snapshots",
    )


@dataclass(frozen=True, slots=True)
class SnapshotMarts:
    """The marts that a snapshot must have.

    :param here: those that can be made again here, with the scenario whose they are; empty for those of every run.
    :param elsewhere: by name, why others cannot be made again here.
    :param said: what the snapshot itself says: mart and scenario; ``None`` in snapshots of earlier versions.
    """

    here: list[tuple[str, SqlFile]]
    elsewhere: dict[str, str]
    said: list[tuple[str, str]] | None

    @property
    def names(self) -> set[str]:
        """The names of all of them."""
        return {mart.name for _, mart in self.here} | self.elsewhere.keys()

    def misnamed(self) -> Iterator[str]:
        """Yield how what the snapshot says differs from what is here."""
        counts = Counter(self.said or [])
        for scenario, mart in self.here if self.said is not None else ():
            if counts[mart.name, scenario] != 1:
                whose = f"of the scenario {scenario}" if scenario else "of every run"
                yield f"the table marts does not name {mart.name}, {whose}, once"


def prove_snapshot_names(snapshot: Snapshot, marts: SnapshotMarts) -> Proof:
    """Prove that the snapshot holds its view, its marts and its run ledger, and nothing else."""
    catalogue = read_catalogue(snapshot.connection)
    wanted = _TABLES | marts.names
    faults = [f"the macro {name} is not ours" for name in sorted(catalogue.macros)]
    faults += [f"the table {name} is missing" for name in sorted(wanted - catalogue.tables.keys())]
    faults += [f"the table {name} is not ours" for name in sorted(catalogue.tables.keys() - wanted - _YOUNGER)]
    faults += [f"the view {name} is not ours" for name in catalogue.views if name != _EVENTS]
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


def applicable(snapshot: Snapshot) -> SnapshotMarts:
    """Return the marts that a snapshot of these events has; those that it holds, where the events cannot be read.

    :raises Misconfigured: a pack of one of its scenarios has a fault.
    """
    there = read_catalogue(snapshot.connection).tables
    said = _said_marts(snapshot) if "marts" in there else None
    of: dict[str, dict[str, str]] = {_FIRST: {}} if said is None else {}
    for mart, scenario in said or []:
        of.setdefault(scenario, {})[f"{MARTS_OF_A_PACK}/{mart}"] = ""
    packs = [RunPack(scenario, find_pack(scenario), told) for scenario, told in of.items() if scenario]
    known = marts_of_packs(packs).queries
    try:
        here = [(scenario, mart) for scenario, mart in known if not lacking(snapshot.connection, mart, has_run=True)]
    except duckdb.Error:
        here = [(scenario, mart) for scenario, mart in known if mart.name in there]
    elsewhere = {name: pack.why for pack in packs for name in pack.absent(MARTS_OF_A_PACK)}
    names = {mart.name for _, mart in known} | elsewhere.keys()
    elsewhere |= {mart: "it is no mart of this installation" for mart, _ in said or [] if mart not in names}
    return SnapshotMarts(here, elsewhere, said)


def _said_marts(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return what the snapshot says of its marts; nothing where that cannot be read: then its names are not right."""
    try:
        return [(str(mart), str(scenario)) for mart, scenario in snapshot.rows(_MARTS)]
    except duckdb.Error:
        return []


def prove_files(snapshot: Snapshot) -> Proof:
    """Prove that each published run has its file, readable and with as many rows as its audit counted."""
    runs = snapshot.rows(_RUNS)
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
    names = {DATABASE, _EVENTS, *(f"{_EVENTS}/{path.name}" for path in snapshot.parquet)}
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
    facts = snapshot.rows(_FACTS)
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


def prove_marts(snapshot: Snapshot, marts: SnapshotMarts) -> Proof:
    """Prove that each mart is what its query gives for the files."""
    faults = []
    for _, mart in marts.here:
        try:
            stored = snapshot.rows(f"FROM {quote(mart.name)}")
            now = snapshot.rows(f"FROM (\n{mart.query}\n)")
        except duckdb.Error as error:
            faults.append(f"{mart.name} cannot be made again: {str(error).splitlines()[0]}")
            continue
        odd = _first_difference(stored, now)
        if odd:
            faults.append(f"{mart.name} is not what its query gives: {odd}")
    unknown = [f"{name} was not made again: {why}" for name, why in sorted(marts.elsewhere.items())]
    looked = f"{len(marts.here)} marts"
    return Proof.of("marts", "each mart is what its query gives for the files", looked, faults, unknown=unknown)


def _first_difference(stored: list[tuple[Any, ...]], now: list[tuple[Any, ...]]) -> str:
    if len(stored) != len(now):
        return f"it has {len(stored)} rows, not {len(now)}"
    for before, after in zip(sorted(stored, key=_in_order), sorted(now, key=_in_order), strict=True):
        if not all(_same(*pair) for pair in zip(before, after, strict=True)):
            return f"{_spelt(before)}, not {_spelt(after)}"
    return ""


def _in_order(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in row if not isinstance(value, float))


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=1e-9, abs_tol=_ROUNDING)
    return bool(before == after)


def _spelt(row: tuple[Any, ...]) -> str:
    return "(" + ", ".join(map(str, row)) + ")"


def prove_rows(snapshot: Snapshot, warehouse: Warehouse) -> Proof:
    """Prove that the files hold the very events of the warehouse, and the run ledger its latest verdicts."""
    faults, events, notes = list(_other_origin(snapshot, warehouse)), 0, []
    for run_id, verdict, published, _ in snapshot.rows(_RUNS):
        ((said,),) = warehouse.rows(_SAID, [run_id])
        if said is None:
            faults.append(f"run {run_id} was never audited in the warehouse")
        elif said != verdict:
            notes.append(f"run {run_id} is {verdict} in the snapshot, and {said} by its latest audit")
        faults += _other_figures(snapshot, warehouse, str(run_id))
        path = snapshot.folder / _EVENTS / f"{run_slug(str(run_id))}.parquet"
        if published and path.is_file():
            enter_run(warehouse, str(run_id))
            with suppress(StoreFailed):  # a file that cannot be read is named by its own proof
                rows, found = _other_rows(warehouse, path)
                events += rows
                faults += found
    return Proof.of(
        "rows", "the files hold the very events of the warehouse", f"{events:,} events", faults, notes=notes
    )


def _other_origin(snapshot: Snapshot, warehouse: Warehouse) -> Iterator[str]:
    """Yield where a snapshot is not the warehouse's: its topic, or, as the current one, its name."""
    topic = warehouse.meta().get("topic")
    for *_, said in snapshot.rows(_FACTS):
        if said != topic:
            yield f"the table publication says topic {said}, the warehouse {topic}"
    ((newest,),) = warehouse.rows(_NEWEST)
    if snapshot.current and newest is not None and Path(newest).name != snapshot.folder.name:
        yield f"the current snapshot is {snapshot.folder.name}, the one that was published last {Path(newest).name}"


def _other_figures(snapshot: Snapshot, warehouse: Warehouse, run_id: str) -> Iterator[str]:
    """Yield the figures of a run that are not those of the audit that they were taken from."""
    columns = [name for name in RUN_COLUMNS if name not in {"published", "audited_at"}]
    for *figures, verdict, at_us in snapshot.rows(_FIGURES.format(columns=", ".join(map(quote, columns))), [run_id]):
        documents = warehouse.connection.execute(_SHOWN, {"run": run_id, "at_us": at_us}).fetchall()
        if not documents:
            yield f"run {run_id}: the warehouse has no audit of the time that the snapshot shows"
            continue
        said = dict(json.loads(documents[0][0]))
        if said.get("verdict") != verdict:
            continue  # the run was doubted when it was published: its sentence says why
        for name, figure in zip(columns, figures, strict=True):
            if said.get(name) != figure:
                yield f"run {run_id}: {name} is {figure} in the snapshot, {said.get(name)} in its audit"


def _other_rows(warehouse: Warehouse, path: Path) -> tuple[int, list[str]]:
    """Return how many events the run at hand has, and in what its file differs from them."""
    names = [str(name) for (name,) in warehouse.rows("SELECT name FROM pragma_table_info('events')")]
    there = {str(name) for name, *_ in warehouse.rows("DESCRIBE FROM read_parquet(?)", [str(path)])}
    faults = [
        f"events/{path.name} lacks the column {name}"
        for name in names
        if name not in there and warehouse.rows(_FILLED.format(column=quote(name))) != [(0,)]
    ]
    columns = ", ".join(quote(name) for name in names if name in there)
    with warehouse.errors():
        query = _OTHER_ROWS.format(columns=columns)
        ((rows, lacks, extra, first),) = warehouse.connection.execute(query, {"path": str(path)}).fetchall()
    if lacks or extra:
        faults.append(
            f"events/{path.name}: {lacks:,} events of the warehouse are missing or differ, "
            f"{extra:,} are not of the warehouse; the first at {first}"
        )
    return int(rows), faults

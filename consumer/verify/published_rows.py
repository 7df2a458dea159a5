"""The proof of a publication beside its warehouse: every row, and the figures of every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cluster.errors import StoreFailed
from consumer.proof.run_scope import enter_run
from consumer.publish.paths import run_slug
from consumer.publish.snapshot import RUN_COLUMNS
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.proof import Proof
from consumer.verify.snapshot import EVENTS, FACTS, RUNS, Snapshot
from schemas.columns.column_type import quote

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


def prove_rows(snapshot: Snapshot, warehouse: Warehouse) -> Proof:
    """Prove that the files hold the very events of the warehouse, and the run ledger its latest verdicts."""
    faults, events, notes = list(_other_origin(snapshot, warehouse)), 0, []
    for run_id, verdict, published, _ in snapshot.rows(RUNS):
        ((said,),) = warehouse.rows(_SAID, [run_id])
        if said is None:
            faults.append(f"run {run_id} was never audited in the warehouse")
        elif said != verdict:
            notes.append(f"run {run_id} is {verdict} in the snapshot, and {said} by its latest audit")
        faults += _other_figures(snapshot, warehouse, str(run_id))
        path = snapshot.folder / EVENTS / f"{run_slug(str(run_id))}.parquet"
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
    for *_, said in snapshot.rows(FACTS):
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

"""Manifests kept in the warehouse, so that what a run claims can be checked from the file alone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from pydantic import ValidationError

from cluster.connection import Connection
from cluster.errors import WarehouseDamaged
from consumer.proof.claims import impossible_claims, impossible_ledgers
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.control_topic import ControlTopic, read_control_topic
from schemas.manifest import FaultTruth, Manifest

_LOOK_AGAIN_S = 1.0

_FORGET = "DELETE FROM manifests WHERE run_id = ? AND shard = ?"
_KEEP = "INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?)"
_KEPT = "SELECT run_id, shard, status, document FROM manifests"
# The truth of a run that Kafka has forgotten stays, as long as its manifest does.
_FORGET_FAULTS = """
    DELETE FROM manifest_faults
    WHERE (run_id, shard) IN (SELECT (run_id, shard) FROM told)
       OR (run_id, shard) NOT IN (SELECT (run_id, shard) FROM manifests)
"""
_KEEP_FAULTS = "INSERT INTO manifest_faults BY NAME FROM truth"
_RUN_NUMBERS = "SELECT run_id, max(run_number) FROM manifests GROUP BY run_id"
_STORED = "SELECT document FROM manifests WHERE run_id = ? ORDER BY shard"


def hold_against(control: ControlTopic, ends: Mapping[int, int]) -> None:
    """Set aside the manifests whose claims the topic cannot hold: they stand for none.

    :param ends: the end of each partition of the topic, taken after the manifests were read.
    """
    truths = {key: control.truth(manifest) for key, manifest in control.manifests.items()}
    control.set_aside(impossible_claims(control.manifests, truths, ends) | impossible_ledgers(control.ledgers, ends))


def shards_at_work(
    connection: Connection,
    topic: str,
    run_id: str,
    *,
    wait_s: float,
    stop: threading.Event,
    waiting: Callable[[list[int]], None],
) -> list[int]:
    """Wait until every shard of a run that began says that it ended; return those that do not within ``wait_s``.

    :param waiting: told once, with the shards, when there is something to wait for.
    """
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        manifests = read_control_topic(connection.kafka, topic).manifests
        going = sorted(
            shard for (run, shard), manifest in manifests.items() if run == run_id and manifest.status == "running"
        )
        if not going or time.monotonic() >= deadline:
            return going
        if not told:
            waiting(going)
            told = True
        if stop.wait(_LOOK_AGAIN_S):
            return going


def store_manifests(warehouse: Warehouse, found: ControlTopic) -> None:
    """Make the file say what the control topic says, whatever it said before; all or nothing.

    Runs that the control topic does not name stay: it may have been made anew. The truth about injected faults is
    written again each time, so that what somebody changed in it heals.
    """
    truths = {key: found.truth(manifest) for key, manifest in found.manifests.items()}
    # An incomplete truth is noted in the manifest, so that nothing that reads the file takes the truth for whole.
    manifests = {
        key: manifest if truths[key] is not None else manifest.model_copy(update={"truth_complete": False})
        for key, manifest in found.manifests.items()
    }
    said = {key: (manifest.status, manifest.model_dump_json()) for key, manifest in manifests.items()}
    read_at = datetime.now(UTC)
    with warehouse.transaction() as connection:
        numbers = _run_numbers(connection, found)
        rows = connection.execute(_KEPT).fetchall()
        kept = {(run_id, shard): rest for run_id, shard, *rest in rows}
        times = Counter((run_id, shard) for run_id, shard, *_ in rows)  # somebody may have taken the key away
        # A topic that is used for long has many runs, and one audit sees few new ones.
        changed = [key for key, row in said.items() if kept.get(key) != list(row) or times[key] > 1]
        gone = [key for key, (_, document) in kept.items() if key not in said and _is_void(key, document, found)]
        for run_id, shard in [*gone, *changed]:
            connection.execute(_FORGET, [run_id, shard])
        for run_id, shard in changed:
            connection.execute(_KEEP, [run_id, shard, *said[run_id, shard], read_at, numbers[run_id]])
        told, truth = _tables(truths)
        for name, table in (("told", told), ("truth", truth)):
            connection.register(name, table)
        connection.execute(_FORGET_FAULTS)
        connection.execute(_KEEP_FAULTS)
        for name in ("told", "truth"):
            connection.unregister(name)


def _is_void(key: tuple[str, int], document: str, found: ControlTopic) -> bool:
    """Return whether a kept row that the control topic does not have stands for no manifest.

    It was taken back there, or is of a run that is told of there, or is not what its key says.
    """
    if key in found.deleted or key in found.impossible or any(run_id == key[0] for run_id, _ in found.manifests):
        return True
    try:
        manifest = Manifest.model_validate_json(document)
    except ValidationError:
        return True
    return (manifest.run_id, manifest.shard) != key


def _run_numbers(connection: duckdb.DuckDBPyConnection, found: ControlTopic) -> dict[str, int]:
    """Return the number of each run: the one that it has, or the next, in the order of the control topic."""
    numbers = {str(run_id): int(number) for run_id, number in connection.execute(_RUN_NUMBERS).fetchall()}
    for run_id in found.runs():
        numbers.setdefault(run_id, max(numbers.values(), default=0) + 1)
    return numbers


def fault_rows(truth: list[FaultTruth]) -> list[tuple[str, bool, int, int]]:
    """Return the ranges of a shard's truth: kind, unsure, first, next."""
    return [
        (said.kind, unsure, first, end)
        for said in truth
        for unsure, ranges in ((False, said.sequences), (True, said.unsure))
        for first, end in ranges
    ]


def _tables(truths: dict[tuple[str, int], list[FaultTruth] | None]) -> tuple[pa.Table, pa.Table]:
    """Return which shards are told of, and the rows of ``manifest_faults`` for them."""
    told = pa.table(
        {
            "run_id": pa.array([run_id for run_id, _ in truths], pa.string()),
            "shard": pa.array([shard for _, shard in truths], pa.int32()),
        }
    )
    rows = [(*key, *row) for key, truth in truths.items() for row in fault_rows(truth or [])]
    runs, shards, kinds, unsure, firsts, ends = zip(*rows, strict=True) if rows else ((),) * 6
    return told, pa.table(
        {
            "run_id": pa.array(runs, pa.string()),
            "shard": pa.array(shards, pa.int32()),
            "kind": pa.array(kinds, pa.string()),
            "unsure": pa.array(unsure, pa.bool_()),
            "first": pa.array(firsts, pa.int64()),
            "next": pa.array(ends, pa.int64()),
        }
    )


def stored_manifests(warehouse: Warehouse, run_id: str) -> list[Manifest]:
    """Return the kept manifests of a run, by shard.

    :raises WarehouseDamaged: somebody changed one so that it cannot be read.
    """
    try:
        return [Manifest.model_validate_json(document) for (document,) in warehouse.rows(_STORED, [run_id])]
    except ValidationError:
        raise WarehouseDamaged(
            f"a manifest of run {run_id} that the warehouse keeps cannot be read",
            where=warehouse.shown,
            hint="Somebody changed it. `streamproof audit` reads it from the control topic again",
        ) from None

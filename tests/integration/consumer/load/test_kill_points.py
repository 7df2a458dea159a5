"""One kill, and one lost connection, at each step of the protocol: the next load goes on, and nothing is lost or twice.

A step is a function of the sink; the test's own process, or a loader's, ends when it gets there the n-th time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.connection import Connection
from cluster.errors import WarehouseUnreachable
from tests.kit.depth import DEEP
from tests.kit.stepping import at_step

pytestmark = pytest.mark.faults

DUCKDB, POSTGRES = "consumer.sinks.duckdb.", "consumer.sinks.postgres."
# Where, and at which call: some are called once for a load, some once for a batch.
STEPS = {
    "duckdb": {
        "making the file": (DUCKDB + "warehouse:_build", 1),
        "making columns": (DUCKDB + "columns:EventColumns._grow", 1),
        "inserting rows": (DUCKDB + "batches:insert_rows", 2),
        "writing the ledger": (DUCKDB + "ledger:record", 2),
        "moving a position": (DUCKDB + "ledger:advance", 2),
        "the commit": (DUCKDB + "warehouse:Warehouse.commit", 4),
        "the checkpoint": (DUCKDB + "warehouse:Warehouse.checkpoint", 2),
    },
    "postgres": {
        "making the schema": (POSTGRES + "warehouse:upgrade", 1),
        "noting positions": (POSTGRES + "sink:PostgresSink.begin", 1),
        "making columns": (POSTGRES + "columns:EventColumns._add", 1),
        "keeping a schema": (POSTGRES + "sink:PostgresSink.keep_schema", 1),
        "claiming a position": (POSTGRES + "ledger:claim", 2),
        "copying rows": (POSTGRES + "batches:copy_in", 2),
        "taking the order": (POSTGRES + "ledger:order", 2),
        "writing the ledger": (POSTGRES + "ledger:record", 2),
        "moving a position": (POSTGRES + "ledger:advance", 2),
        "the commit": (POSTGRES + "batches:PostgresBatches.commit", 2),
    },
}
# Each step once, and at depth on both sides of it.
POINTS = [
    pytest.param(store, step, when, id=f"{store}: {when} {step}")
    for store, steps in STEPS.items()
    for number, step in enumerate(steps)
    for when in (("before", "after") if DEEP else (("before", "after")[number % 2],))
]
LOADER = """
import os, signal, sys
from streamproof.cli import run
from tests.kit.depth import DEEP
from tests.kit.stepping import at_step
with at_step(sys.argv[1], int(sys.argv[2]), sys.argv[3], lambda: os.kill(os.getpid(), signal.SIGKILL)):
    sys.exit(run(sys.argv[4:]))
"""


@pytest.mark.parametrize(("store", "step", "when"), POINTS)
def test_a_kill_at_each_step_loses_nothing_and_doubles_nothing(
    store: str, step: str, when: str, request: pytest.FixtureRequest, connection: Connection
) -> None:
    rig: Any = request.getfixturevalue("rig" if store == "duckdb" else "postgres_rig")
    rig.create(partitions=2)
    values = rig.values(range(1_200))
    for partition in range(2):
        rig.produce(values[partition::2], partition=partition)
    place, nth = STEPS[store][step]
    words = rig.command("--batch-rows", "200")[3:]  # without python -m streamproof
    killed = subprocess.run(
        [sys.executable, "-c", LOADER, place, str(nth), when, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    rig.load()
    rig.prove()
    assert rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(1_200, 1_200)]


@pytest.mark.parametrize("when", ["before", "after"] if DEEP else ["after"])
@pytest.mark.parametrize("step", STEPS["postgres"])
def test_a_connection_that_is_lost_at_each_step_ends_the_load_and_the_next_one_goes_on(
    step: str, when: str, postgres_rig: Any
) -> None:
    postgres_rig.create(partitions=2)
    values = postgres_rig.values(range(1_200))
    for partition in range(2):
        postgres_rig.produce(values[partition::2], partition=partition)
    place, nth = STEPS["postgres"][step]
    with at_step(place, nth, when, postgres_rig.end_sessions), pytest.raises(WarehouseUnreachable) as lost:
        postgres_rig.load(batch_rows=200)
    assert lost.value.exit_code == 69
    assert postgres_rig.url.split(":")[2].split("@")[0] not in str(lost.value)
    postgres_rig.load()
    postgres_rig.prove()
    assert postgres_rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(1_200, 1_200)]

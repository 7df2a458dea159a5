"""Run the benchmarks on a stack of their own, print one table, and keep the figures as JSON with the machine's facts.

``make bench``. ``BENCH_EVENTS=200000`` sets the size, ``BENCH_ONLY=start,memory`` chooses parts,
``BENCH_MEMORY_SECONDS=600`` how long memory is watched.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import rate
from bench.broker import private_stack
from bench.machine import facts
from cluster.connection import Connection

EVENTS = int(os.environ.get("BENCH_EVENTS", "300000"))
ONLY = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]

Rows = list[dict[str, Any]]


def _produce(connection: Connection, _: Path) -> Rows:
    from bench import produce

    return produce.run(connection, EVENTS)


def _naive(connection: Connection, _: Path) -> Rows:
    from bench import naive

    return naive.run(connection, EVENTS)


def _start(connection: Connection, _: Path) -> Rows:
    from bench import start

    return start.run(connection)


def _memory(connection: Connection, _: Path) -> Rows:
    from bench import memory

    return memory.run(connection)


def _load(connection: Connection, folder: Path) -> Rows:
    from bench import load

    return load.run(connection, EVENTS, folder)


PARTS: dict[str, Callable[[Connection, Path], Rows]] = {
    "start": _start,
    "produce": _produce,
    "naive": _naive,
    "memory": _memory,
    "load": _load,
}
# Its rows are no ratios: each second of a load shape against what was due.
CONTRACT = "rate"


def main() -> int:
    """Measure, print, keep. Returns 1 when a goal is missed, 2 when a part is asked for that does not exist."""
    names = ONLY or [*PARTS, CONTRACT]
    strange = [name for name in names if name not in {*PARTS, CONTRACT}]
    if strange:
        sys.stderr.write(f"BENCH_ONLY names {', '.join(strange)}; there are {', '.join(PARTS)}, {CONTRACT}\n")
        return 2
    machine = facts()
    results: Rows = []
    contract: Rows = []
    with tempfile.TemporaryDirectory(prefix="streamproof-bench-") as folder, private_stack(Path(folder)) as connection:
        for name in names:
            sys.stdout.write(f"measuring {name}\n")
            sys.stdout.flush()
            if name == CONTRACT:
                contract = rate.run(connection)
            else:
                results += PARTS[name](connection, Path(folder))
    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in ([_table(results)] if results else []) + ([rate.table(contract)] if contract else []):
        console.print(table)
    sys.stdout.write(f"kept in {_keep(results, contract, machine)}\n")
    met = [_met(result) is not False for result in results] + [row["met"] for row in contract]
    return 0 if all(met) else 1


def _met(result: dict[str, Any]) -> bool | None:
    return None if result["goal"] is None else result["ratio"] >= result["goal"]


def _table(results: Rows) -> Table:
    table = Table("path", "ours", "reference", "ratio", "goal", title=f"{EVENTS:,} events, one run, one broker")
    colours = {True: "green", False: "red", None: "default"}
    for result in results:
        ours, reference = result.get("ours"), result.get("limit")
        table.add_row(
            result["path"],
            ours or _rate(result, "ours"),
            f"{result['reference']}: {reference or _rate(result, 'reference')}",
            f"[{colours[_met(result)]}]{result['ratio']:.2f}x[/]",
            "" if result["goal"] is None else f"{result['goal']:.2f}x",
        )
    return table


def _rate(result: dict[str, Any], whose: str) -> str:
    megabytes = result.get(f"{whose}_mb_per_s")
    return f"{result[f'{whose}_per_s']:,.0f} /s" + (
        f", {megabytes:,.{0 if megabytes > 10 else 1}f} MB/s" if megabytes else ""
    )


def _keep(results: Rows, contract: Rows, machine: dict[str, Any]) -> Path:
    folder = Path(__file__).parents[1] / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    kept = {"at": now.isoformat(), "events": EVENTS, "machine": machine, "results": results, "rate_contract": contract}
    path.write_text(json.dumps(kept, indent=2))
    return path


if __name__ == "__main__":
    sys.exit(main())

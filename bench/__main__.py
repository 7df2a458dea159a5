"""Run every benchmark on a stack of its own, print one table, and keep the figures as JSON with the machine's facts.

``make bench``; ``BENCH_EVENTS=200000`` sets the size.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench import load, produce
from bench.broker import private_stack

EVENTS = int(os.environ.get("BENCH_EVENTS", "300000"))


def main() -> int:
    """Measure, print, keep. Returns 1 when a goal of this release is missed."""
    with tempfile.TemporaryDirectory(prefix="streamproof-bench-") as folder, private_stack(Path(folder)) as connection:
        results = [*produce.run(connection, EVENTS), *load.run(connection, EVENTS, Path(folder))]
    table = Table("path", "ours", "reference", "ratio", "goal", title=f"{EVENTS:,} events, one run, one broker")
    for result in results:
        met = result["ratio"] >= result["goal"]
        table.add_row(
            result["path"],
            f"{result['ours_per_s']:,.0f} /s",
            f"{result['reference']}: {result['reference_per_s']:,.0f} /s",
            f"[{'green' if met else 'red'}]{result['ratio']:.2f}x[/]",
            f"{result['goal']:.2f}x",
        )
    Console().print(table)
    path = _keep(results)
    sys.stdout.write(f"kept in {path}\n")
    return 0 if all(result["ratio"] >= result["goal"] for result in results) else 1


def _keep(results: list[dict[str, object]]) -> Path:
    folder = Path(__file__).parents[1] / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    machine = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }
    path.write_text(
        json.dumps({"at": now.isoformat(), "events": EVENTS, "machine": machine, "results": results}, indent=2)
    )
    return path


if __name__ == "__main__":
    sys.exit(main())

"""What injected faults cost at full speed: the same run with them and without, taken in turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.cases import CASES
from bench.produce import ROUNDS, delivered
from bench.rows import compared
from cluster.connection import Connection

# One that sends records of its own, one that changes events.
FAULTS = ("duplicate=1%", "late=1%")


def run(connection: Connection, events: int) -> list[dict[str, Any]]:
    """Deliver each case by one process, with :data:`FAULTS` and without."""
    rows = []
    for case in CASES:
        faulty = replace(case, arguments=case.arguments | {"faults": FAULTS})
        without, with_faults = [], []
        for _ in range(ROUNDS):
            without.append(delivered(connection, case, events))
            with_faults.append(delivered(connection, faulty, events))
        path = f"{case.name}: delivered with {' and '.join(FAULTS)}"
        rows.append(compared(path, with_faults, "without faults", without, goal=None))
        rows.append(_processor_time(path, with_faults, without))
    return rows


def _processor_time(path: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a row of what an event costs this process: steadier than a rate where the machine is not quiet."""
    cost, without = (min(measured["cpu_us_per_event"] for measured in rounds) for rounds in (ours, theirs))
    return {
        "path": path,
        "ours": f"{cost:.2f} us of processor time an event",
        "reference": "without faults",
        "limit": f"{without:.2f} us",
        "ratio": without / cost,
        "goal": None,
        "details": [*ours, *theirs],
    }

"""Where this checkout keeps its state, and the record that a running local stack leaves there.

``stack`` writes the record; every command that is told no address reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
RECORD_NAME = "stack.json"


def state_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds everything a run leaves behind: ``STREAMPROOF_STATE_DIR``, or ``var/``."""
    return Path(env.get("STREAMPROOF_STATE_DIR") or PROJECT_ROOT / "var").resolve()


def warehouse_path(topic: str, env: Mapping[str, str] = os.environ) -> Path:
    """Return the default DuckDB file of a topic: ``STREAMPROOF_WAREHOUSE_DIR/<topic>.duckdb``."""
    folder = env.get("STREAMPROOF_WAREHOUSE_DIR")
    return (Path(folder) if folder else state_dir(env) / "warehouse") / f"{topic}.duckdb"


def publications_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return where snapshots and reports go: ``STREAMPROOF_PUBLICATIONS_DIR``, or ``publications/`` in the state."""
    folder = env.get("STREAMPROOF_PUBLICATIONS_DIR")
    return Path(folder) if folder else state_dir(env) / "publications"


@dataclass(frozen=True, slots=True)
class LocalStack:
    """Addresses of a local stack, as its record gives them."""

    state_dir: Path
    bootstrap_servers: str
    registry_url: str
    airflow_url: str | None


def read_local_stack(folder: Path) -> LocalStack | None:
    """Return the local stack recorded in ``folder`` when its supervisor still runs, else ``None``."""
    try:
        record = json.loads((folder / RECORD_NAME).read_text())
        supervisor = record["supervisor"]
        alive = _started_at(int(supervisor["pid"])) == float(supervisor["started_at"])
        if not alive:
            return None
        return LocalStack(folder, record["bootstrap_servers"], record["registry_url"], record.get("airflow_url"))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _started_at(pid: int) -> float | None:
    """Return when ``pid`` started: a number alone would match a process that took the number after a reboot."""
    import psutil  # deferred: only commands that look for a local stack pay for it

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None

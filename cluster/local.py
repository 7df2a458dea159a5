"""Where this checkout keeps its state, and the record that a running local stack leaves there.

``stack`` writes the record; every command that is told no address reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.errors import StoreFailed
from cluster.text.names import check_topic_name

PROJECT_ROOT = Path(__file__).resolve().parents[1]
RECORD_NAME = "stack.json"
# A file's name has 255 bytes; the log, what is spilled, a folder to build in and a file set aside have longer ones.
_LONGEST_STEM = 200


def state_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds everything a run leaves behind: ``STREAMPROOF_STATE_DIR``, or ``var/``."""
    return Path(env.get("STREAMPROOF_STATE_DIR") or PROJECT_ROOT / "var").resolve()


def warehouse_path(topic: str, env: Mapping[str, str] = os.environ) -> Path:
    """Return the default DuckDB file of a topic: ``STREAMPROOF_WAREHOUSE_DIR/<topic>.duckdb``.

    A name that is too long for a file, and for what lies beside it, is cut and gets a digest.

    :raises Misconfigured: the name cannot be a topic's, so that no path leaves the folder.
    """
    check_topic_name(topic)
    folder = env.get("STREAMPROOF_WAREHOUSE_DIR")
    home = Path(folder) if folder else state_dir(env) / "warehouse"
    if len(topic) <= _LONGEST_STEM or os.path.exists(home / f"{topic}.duckdb"):  # noqa: PTH110 - too long is not an error
        return home / f"{topic}.duckdb"
    digest = hashlib.sha256(topic.encode()).hexdigest()[:12]
    return home / f"{topic[: _LONGEST_STEM - len(digest) - 1]}-{digest}.duckdb"


def publications_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return where snapshots and reports go: ``STREAMPROOF_PUBLICATIONS_DIR``, or ``publications/`` in the state."""
    folder = env.get("STREAMPROOF_PUBLICATIONS_DIR")
    return Path(folder) if folder else state_dir(env) / "publications"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service of the stack answers, what a person calls it, and what else it takes to reach it.

    ``settings`` are those of a client by their fields' names, with secrets as the paths of files.
    """

    address: str
    title: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def broker_service(number: int, brokers: int) -> str:
    """Return how the service of a broker is called, one of so many: the only one is ``kafka``."""
    return "kafka" if brokers == 1 else f"kafka-{number}"


@dataclass(frozen=True, slots=True)
class LocalStack:
    """The endpoints of a local stack, as its record gives them; ``kafka`` and ``registry`` are always among them."""

    state_dir: Path
    endpoints: Mapping[str, Endpoint]

    @property
    def brokers(self) -> int:
        """Return how many brokers Kafka has."""
        return self.bootstrap_servers.count(",") + 1

    @property
    def bootstrap_servers(self) -> str:
        """Return the address of Kafka; of all its brokers, with commas between them."""
        return self.endpoints["kafka"].address

    @property
    def registry_url(self) -> str:
        """Return the address of the registry."""
        return self.endpoints["registry"].address

    @property
    def airflow_url(self) -> str | None:
        """Return the address of Airflow, if it runs."""
        return self.endpoints["airflow"].address if "airflow" in self.endpoints else None


def read_local_stack(folder: Path) -> LocalStack | None:
    """Return the local stack recorded in ``folder`` when its supervisor still runs, else ``None``.

    :raises StoreFailed: there is a record, and the disk does not give it.
    """
    try:
        record = as_written_now(json.loads((folder / RECORD_NAME).read_text()))
        supervisor = record["supervisor"]
        started = process_started(int(supervisor["pid"]))
        if started is None or started != supervisor["started_at"]:
            return None
        endpoints = {str(name): Endpoint(**told) for name, told in record["endpoints"].items()}
        return LocalStack(folder, endpoints) if {"kafka", "registry"} <= endpoints.keys() else None
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None
    except OSError as error:
        raise StoreFailed(
            f"the record of the local stack cannot be read: {error.strerror}",
            where=str(folder / RECORD_NAME),
            hint="See that it may be read, or name another folder in STREAMPROOF_STATE_DIR",
        ) from None


def as_written_now(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as this version writes it: format 1 had three addresses by name in the place of the table."""
    if "endpoints" in record or "bootstrap_servers" not in record:
        return record
    told = (
        ("kafka", record["bootstrap_servers"], "Kafka", record.get("kafka")),
        ("registry", record["registry_url"], "the registry", record.get("registry")),
        ("airflow", record.get("airflow_url"), "Airflow", None),
    )
    gone = {"bootstrap_servers", "registry_url", "airflow_url", "kafka", "registry"}
    return {name: value for name, value in record.items() if name not in gone} | {
        "format": 1,
        "endpoints": {
            name: {"address": address, "title": title, "settings": settings or {}}
            for name, address, title, settings in told
            if address
        },
    }


def process_started(pid: int) -> str | None:
    """Return what tells the process with this number from any other that ever had it; ``None`` when it has ended.

    Linux gives clock ticks since boot, and a name for the boot: unlike a time of day, neither moves when the clock
    is set. A process that has ended and whose parent has not noticed (a zombie) has ended.
    """
    try:
        # The name of the program comes second, in parentheses, and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in {"Z", "X"}:
            return None
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{fields[19]}"
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    import psutil  # deferred: only where there is no /proc

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None

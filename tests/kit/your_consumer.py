"""The consumer of the example Dag, as a module: Airflow finds it beside its Dag, and nobody else looks there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from cluster.connection import Connection
from cluster.local import PROJECT_ROOT

_FILE = PROJECT_ROOT / "dags" / "your_consumer.py"


def consumer_module() -> ModuleType:
    """Return ``dags/your_consumer.py``."""
    spec = importlib.util.spec_from_file_location("your_consumer", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def consume(connection: Connection, topic: str, file: Path, fault: str = "none") -> int:
    """Store a topic as the example does."""
    registry = {"url": connection.registry.url}
    stored: int = consumer_module().consume(connection.kafka.as_librdkafka(), registry, topic, file, fault)
    return stored

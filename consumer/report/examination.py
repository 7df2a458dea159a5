"""What an examination of a run's events found, kept in the warehouse for the report. Who examines is not known here."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consumer.proof.kept_manifests import stored_manifests
from consumer.proof.run_scope import chosen_run, enter_run
from consumer.sinks import DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.manifest import Manifest

# Takes DuckDB's connection, the relation with the run's events, and the run's manifests; returns a JSON-ready mapping.
Examine = Callable[[Any, str, list[Manifest]], dict[str, Any]]

_KEEP = "INSERT INTO realism SELECT (SELECT coalesce(max(number), 0) + 1 FROM realism), ?, ?, ?"
_LATEST = "SELECT arg_max(document, number) FROM realism WHERE run_id = ?"


def examine_run(
    place: Path | Place, topic: str, run_id: str | None, examine: Examine, *, wait_s: float = DEFAULT_WAIT_S
) -> dict[str, Any]:
    """Let the events of a run be examined, keep what was found, and return it with ``run_id``.

    :param run_id: the run; the latest one when ``None``.
    :raises Misconfigured: there is no warehouse, or no manifest of the run.
    """
    with place_of(place).to_prove(topic=topic, wait_s=wait_s) as warehouse:
        run = chosen_run(warehouse, run_id)
        enter_run(warehouse, run)
        with warehouse.errors():
            found = {"run_id": run} | examine(warehouse.connection, "run_events", stored_manifests(warehouse, run))
        with warehouse.transaction() as connection:
            connection.execute(_KEEP, [run, datetime.now(UTC), json.dumps(found)])
        return found


def latest_realism(warehouse: Warehouse, run_id: str) -> dict[str, Any] | None:
    """Return what the latest examination of a run found, or ``None``."""
    ((document,),) = warehouse.rows(_LATEST, [run_id])
    found: dict[str, Any] | None = None if document is None else json.loads(document)
    return found

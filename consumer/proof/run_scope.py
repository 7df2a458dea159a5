"""The run at hand, as SQL sees it: the temporary tables and views that audits, checks, marts and reports share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.errors import Misconfigured
from consumer.proof.evidence.relations import CLAIMS
from consumer.sinks.duckdb.errors import as_store_errors
from consumer.sinks.duckdb.identity_columns import identity_expression
from consumer.sinks.duckdb.settings import PROVE
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.formats import identity_sql
from schemas.identity import IDENTITY_HEADER, event_ids_begin, run_prefix
from schemas.ledgers import is_ledger_id

_SCOPE = Path(__file__).with_name("run_scope.sql")

_KNOWN_RUNS = """
    SELECT run_id, coalesce(CAST(max(TRY_CAST(said ->> 'started_at' AS TIMESTAMPTZ)) AS VARCHAR), '') AS started_at
    FROM (SELECT *, CASE WHEN json_valid(document) THEN document END AS said FROM manifests)
    GROUP BY run_id
    ORDER BY max(run_number) DESC, run_id
"""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run that the stored manifests name. ``started_at`` is ISO 8601, UTC."""

    run_id: str
    started_at: str


def known_runs(warehouse: Warehouse) -> list[KnownRun]:
    """Return the runs that the stored manifests name, the latest first."""
    return [KnownRun(*row) for row in warehouse.rows(_KNOWN_RUNS)]


def chosen_run(warehouse: Warehouse, run_id: str | None) -> str:
    """Return ``run_id`` when its manifests are stored, or the latest run when it is ``None``.

    :raises Misconfigured: the run, or every run, is unknown; the last ones are listed.
    """
    runs = known_runs(warehouse)
    if run_id is None and runs:
        return runs[0].run_id
    if run_id is not None and any(run.run_id == run_id for run in runs):
        return run_id
    raise unknown_run(run_id, [run.run_id for run in runs], warehouse.shown)


def unknown_run(run_id: str | None, known: list[str], where: str) -> Misconfigured:
    """Return the error for a run that has no manifest, naming those that have."""
    if run_id is not None and is_ledger_id(run_id):
        return Misconfigured(
            f"{run_id} is a ledger of what others sent: no load of ours is proved by it",
            where=where,
            hint="Say where their pipeline stores: `streamproof audit TOPIC --at WHERE`",
        )
    if not known:
        return Misconfigured(
            "no run is known: there is no manifest", where=where, hint="Run `streamproof produce` on this topic first"
        )
    return Misconfigured(
        f"no manifest names the run {run_id}", where=where, hint=f"The last runs are: {', '.join(known[:5])}"
    )


def enter_run(warehouse: Warehouse, run_id: str | None) -> None:
    """Set the session's variables to a run and create its relations (``evidence/run_claims.sql``, ``run_scope.sql``).

    Without a run the views are there and empty.
    """
    prefix = run_prefix(run_id) if run_id is not None else ""
    id_start = event_ids_begin(run_id) if run_id is not None else "?"  # no id begins with a question mark
    event_id = identity_expression(warehouse)
    with as_store_errors(warehouse.path):
        connection = warehouse.connection
        PROVE.apply(connection, warehouse.path)
        for name, value in (("run_id", run_id), ("run_prefix", prefix), ("id_start", id_start)):
            connection.execute(f"SET VARIABLE {name} = ?", [value])
        text = _SCOPE.read_text().replace("{event_id}", event_id).replace("{header}", IDENTITY_HEADER)
        text = text.replace("{identity_in_value}", identity_sql("value"))
        connection.execute(CLAIMS.read_text())
        connection.execute(text)


def leave_nothing_out(warehouse: Warehouse) -> None:
    """Take back what checks left out of the run that was entered."""
    warehouse.rows("DELETE FROM left_out")

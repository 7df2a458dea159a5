"""What detectors look at: the fields of a run's events that its manifests name, whatever the scenario calls them.

``run_signals`` has for every stored event of the run ``shard``, ``sequence``, ``recorded_at`` and ``key``, and as the
manifest's targets say ``happened_at``, ``dated``, ``duration`` and ``choice``; what is not declared, or has no column,
is null. ``run_choices`` has the texts that ``choice`` may be, the variable ``key_limit`` how many events of one key are
too many.
"""

from __future__ import annotations

import duckdb

from consumer.sinks.duckdb.columns import columns_of_fields
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import quote
from schemas.fault_targets import FaultTargets
from schemas.manifest import Manifest

_SIGNALS = """
    CREATE OR REPLACE TEMP VIEW run_signals AS
    SELECT _shard AS shard, _sequence AS sequence, _timestamp AS recorded_at, _key AS key,
           {happened_at} AS happened_at, {dated} AS dated, {duration} AS duration, {choice} AS choice
    FROM run_events
"""
_EVENTS = "SELECT count(*) FROM (SELECT DISTINCT _shard, _sequence FROM run_events)"
# A moment, as a TIMESTAMPTZ. A number is milliseconds in a long, seconds in an int.
_MOMENTS = {
    "TIMESTAMP WITH TIME ZONE": "{}",
    "BIGINT": "TRY(make_timestamptz({} * 1000))",
    "INTEGER": "TRY(make_timestamptz(CAST({} AS BIGINT) * 1000000))",
    # Some programs write the zone's name behind the seconds: 2026-01-31T12:00:00UTC.
    "VARCHAR": "TRY_CAST(regexp_replace({}, 'UTC$', 'Z') AS TIMESTAMPTZ)",
}
_IN_UTC = "timezone('UTC', CAST({} AS TIMESTAMP))"  # dates, and timestamps without a zone
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL")


def enter_signals(warehouse: Warehouse, manifests: list[Manifest]) -> None:
    """Create what the detectors read, for the run at hand."""
    said = [manifest.fault_targets for manifest in manifests if manifest.fault_targets is not None]
    targets = said[0] if said else FaultTargets()
    sample = next((one.keys for one in said if one.keys is not None), None)
    columns = _Columns(warehouse)
    view = _SIGNALS.format(
        happened_at=columns.moment(targets.event_time),
        dated=columns.moment(targets.date),
        duration=columns.number(targets.duration),
        choice=columns.text(targets.choice),
    )
    with warehouse.errors():
        connection = warehouse.connection
        connection.execute(view)
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE run_choices AS SELECT unnest(?::VARCHAR[]) AS choice", [list(targets.choices)]
        )
        ((events,),) = warehouse.rows(_EVENTS) if sample else [(0,)]
        connection.execute("SET VARIABLE key_limit = ?", [sample.limit(events) if sample else None])


class _Columns:
    """Fields of the value as SQL, ``NULL`` where the table does not have them in a type that can be looked at."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._names = columns_of_fields(warehouse)

    def moment(self, path: str | None) -> str:
        found = self._found(path)
        if found is None:
            return "NULL::TIMESTAMPTZ"
        sql, kind = found
        if kind == "DATE" or (kind.startswith("TIMESTAMP") and kind not in _MOMENTS):
            return _IN_UTC.format(sql)
        return _MOMENTS.get(kind, "NULL::TIMESTAMPTZ").format(sql)

    def number(self, path: str | None) -> str:
        found = self._found(path)
        return found[0] if found is not None and found[1].startswith(_NUMBERS) else "NULL::DOUBLE"

    def text(self, path: str | None) -> str:
        found = self._found(path)
        return found[0] if found is not None and found[1] == "VARCHAR" else "NULL::VARCHAR"

    def _found(self, path: str | None) -> tuple[str, str] | None:
        """Return the expression of a path and its type."""
        if path is None:
            return None
        first, *inside = path.split(".")
        sql = ".".join(quote(name) for name in (self._names.get(first, first), *inside))
        try:
            relation = self._warehouse.connection.sql(f"SELECT {sql} FROM events LIMIT 0")  # noqa: S608 - quoted above
        except duckdb.BinderException:
            return None
        return sql, str(relation.types[0])

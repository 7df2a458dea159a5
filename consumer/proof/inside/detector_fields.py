"""What detectors look at: the fields of a run's events that its manifests name, whatever the scenario calls them.

``run_signals`` has for every stored event of the run ``shard``, ``sequence``, ``recorded_at`` and ``key``, and as the
manifest's targets say ``happened_at``, ``dated``, ``duration`` and ``choice``; what is not declared, or has no column,
is null. ``run_choices`` has the texts that ``choice`` may be, the variable ``key_limit`` how many events of one key are
too many.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import duckdb

from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import member
from schemas.fault_targets import FaultTargets
from schemas.manifest import Manifest
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

_SIGNALS = """
    CREATE OR REPLACE TEMP VIEW run_signals AS
    SELECT _shard AS shard, _sequence AS sequence, _timestamp AS recorded_at, _key AS key,
           {happened_at} AS happened_at, {dated} AS dated, {duration} AS duration, {choice} AS choice
    FROM run_events
"""
_SCHEMAS = """
    SELECT schema_id, min(schema) FROM schema_versions WHERE schema_id IN (SELECT DISTINCT _schema_id FROM run_events)
    GROUP BY 1 ORDER BY 1
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
    """Fields of the value as SQL, ``NULL`` where the table does not have them in a type that can be looked at.

    A field may be in another column, or in one of a wider type, for each schema of the run: it is looked at as the
    schema of the event has it.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._values: list[tuple[int, dict[str, str]]] = []
        columns = EventColumns(warehouse)
        for schema_id, text in warehouse.rows(_SCHEMAS):
            with suppress(UnsupportedSchema, LookupError):
                self._values.append((int(schema_id), columns.values_of(int(schema_id), parse(str(text)))))

    def moment(self, path: str | None) -> str:
        return self._each(path, _moment, "NULL::TIMESTAMPTZ")

    def number(self, path: str | None) -> str:
        return self._each(path, lambda sql, kind: sql if kind.startswith(_NUMBERS) else "", "NULL::DOUBLE")

    def text(self, path: str | None) -> str:
        return self._each(path, lambda sql, kind: sql if kind == "VARCHAR" else "", "NULL::VARCHAR")

    def _each(self, path: str | None, looked_at: Callable[[str, str], str], nothing: str) -> str:
        """Return the expression of a field, by the schemas of the events where they do not agree."""
        if path is None:
            return nothing
        found: dict[str, list[str]] = {}
        for schema_id, values in self._values:
            sql, kind = self._typed(path, values)
            found.setdefault(looked_at(sql, kind) or nothing, []).append(str(schema_id))
        if len(found) <= 1:
            return next(iter(found), nothing)
        cases = " ".join(f"WHEN _schema_id IN ({', '.join(ids)}) THEN {sql}" for sql, ids in found.items())
        return f"CASE {cases} ELSE {nothing} END"

    def _typed(self, path: str, values: dict[str, str]) -> tuple[str, str]:
        """Return the expression of a path and its type, both empty where there is no such value."""
        first, *inside = path.split(".")
        if first not in values:
            return "", ""
        sql = values[first]
        for name in inside:
            sql = member(sql, name)
        try:
            relation = self._warehouse.connection.sql(f"SELECT {sql} FROM events LIMIT 0")  # noqa: S608 - quoted above
        except duckdb.BinderException:
            return "", ""
        return sql, str(relation.types[0])


def _moment(sql: str, kind: str) -> str:
    if kind == "DATE" or (kind.startswith("TIMESTAMP") and kind not in _MOMENTS):
        return _IN_UTC.format(sql)
    return _MOMENTS.get(kind, "").format(sql)

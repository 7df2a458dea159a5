"""Which column holds which field, and how the table ``events`` grows with the schemas that it meets.

It grows as a DuckDB warehouse does (``consumer/sinks/duckdb/columns.py``), for loaders that may do so side by side:
everything is read again under the lock of the warehouse, and changed in the same transaction. A member that is new
inside a record changes nothing but what ``event_types`` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import psycopg
import pyarrow as pa

from cluster.errors import StreamproofError
from consumer.sinks.batch import ID_COLUMN, METADATA_COLUMNS, has_identity
from consumer.sinks.postgres.connecting import BoundedConnection
from consumer.sinks.postgres.migrations import lock_name
from consumer.sinks.postgres.values.copying import types_of
from consumer.sinks.postgres.values.types import cut_name, described, postgres_type
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from schemas.columns.column_type import NULL, ColumnType, SchemaConflict, quote
from schemas.columns.merging import merge

# Of every table, for the server itself.
_SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
# A column that becomes another type is written anew.
_CHANGE_S = 3600.0
# What PostgreSQL says of a column that it cannot make: too many, too long a row, a type that does not become another.
_REFUSED = ("54000", "54011", "42804", "42846", "42704", "42601", "22021")
_THERE = "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = 'events'::regclass AND NOT attisdropped"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field goes: its column, and what that is called where names are not cut."""

    column: str
    name: str


def places(fields: Iterable[str], known: Mapping[str, str], taken: Iterable[str]) -> dict[str, Place]:
    """Return the place of each field, in the order of the fields. A field keeps the column that it has.

    Names ignore case, as those of a DuckDB warehouse do: a field whose name is taken gets a number. A name of more than
    63 bytes is cut, and taken both ways.

    :param known: the columns of fields that have one.
    :param taken: names that are taken.
    """
    found: dict[str, Place] = {}
    used = {name.lower() for name in (*METADATA_COLUMNS, *_SYSTEM_COLUMNS, *known.values(), *taken)}
    for field in fields:
        if field in known:
            found[field] = Place(known[field], known[field])
            continue
        name, number = field, 2
        while {name.lower(), cut_name(name).lower()} & used:
            name, number = f"{field}_{number}", number + 1
        found[field] = Place(cut_name(name), name)
        used |= {name.lower(), cut_name(name).lower()}
    return found


class EventColumns:
    """The columns of ``events``, kept in step with the schemas that come in.

    :ivar stored: the type of every column, as far as this loader has seen.
    """

    def __init__(self, warehouse: PostgresWarehouse) -> None:
        self._warehouse = warehouse
        self.stored: dict[str, ColumnType] = {each.column: each.kind for each in warehouse.columns("events")}

    def fit(self, schema: pa.Schema) -> list[str]:
        """Make the table accept ``schema`` and return its columns' names, in the schema's order.

        :raises SchemaConflict: a type cannot be widened to hold both, or a nested record has one name twice.
        """
        if not schema.names:
            raise SchemaConflict("the record has no fields, so there is nothing to put into columns")
        if any("\0" in name for name in schema.names):
            raise SchemaConflict("a field has the character NUL in its name")
        try:
            kinds = types_of(self._warehouse.converts, schema)
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise SchemaConflict(f"there is no type for it: {type(error).__name__}") from error
        try:
            with self._warehouse.transaction() as connection, connection.patient(_CHANGE_S):
                return self._fit(connection, schema, kinds)
        except StreamproofError as error:
            cause = error.__cause__
            if isinstance(cause, psycopg.Error) and cause.sqlstate in _REFUSED:
                raise SchemaConflict(f"PostgreSQL has no column for it: {type(cause).__name__}") from error
            raise

    def _fit(self, connection: BoundedConnection, schema: pa.Schema, kinds: list[ColumnType]) -> list[str]:
        connection.execute(LOCK, [lock_name(self._warehouse.schema)])
        known = dict(self._warehouse.rows("SELECT field, column_name FROM event_columns"))
        there = {each.column: each for each in self._warehouse.columns("events")}
        taken = [name for (name,) in self._warehouse.rows(_THERE)]
        fields = places(schema.names, known, [*taken, *(each.name for each in there.values())])
        wanted = {place.column: kind for place, kind in zip(fields.values(), kinds, strict=True)}
        for field, place in fields.items():
            if place.column in there:
                before = there[place.column].kind
                self._change(connection, place.column, before, merge(before, wanted[place.column], place.column))
            else:
                wanted[place.column].refuse_twins()
                self._add(connection, place, wanted[place.column])
                connection.execute(
                    "INSERT INTO event_columns (field, column_name) VALUES (%s, %s)", [field, place.column]
                )
        if not has_identity(schema) and ID_COLUMN not in there:
            self._add(connection, Place(ID_COLUMN, ID_COLUMN), ColumnType("VARCHAR"))
        self.stored = {each.column: each.kind for each in self._warehouse.columns("events")}
        return [place.column for place in fields.values()]

    def _add(self, connection: BoundedConnection, place: Place, kind: ColumnType) -> None:
        connection.execute(f"ALTER TABLE events ADD COLUMN {quote(place.column)} {postgres_type(kind)}")
        connection.execute(
            "INSERT INTO event_types (column_name, name, type) VALUES (%s, %s, %s::jsonb)",
            [place.column, place.name, json.dumps(described(kind))],
        )

    def _change(self, connection: BoundedConnection, column: str, before: ColumnType, after: ColumnType) -> None:
        if after == before:
            return
        if (kind := postgres_type(after)) != postgres_type(before):
            value = f"NULL::{kind}" if before.name == NULL else f"{quote(column)}::{kind}"
            connection.execute(f"ALTER TABLE events ALTER COLUMN {quote(column)} TYPE {kind} USING {value}")
        connection.execute(
            "UPDATE event_types SET type = %s::jsonb WHERE column_name = %s", [json.dumps(described(after)), column]
        )

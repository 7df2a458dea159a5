"""Which column holds which Avro field, and how the ``events`` table grows with the schemas that it meets.

A table only ever grows: a new field is a new column, a new member of a nested record a new member of its STRUCT, a
type gives way to one that holds every value of both. What cannot grow so is a conflict, and its records go to the
quarantine. Every change is a transaction of its own, before the batch that needs it.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from cluster.errors import StoreFailed
from consumer.sinks.batch import ID_COLUMN, METADATA_COLUMNS, RECORD_COLUMNS, has_identity
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import ColumnType, SchemaConflict, quote
from schemas.columns.merging import column_names, merge

# What DuckDB raises about a type that it cannot make a column of; everything else is the store's failure.
_TYPE_REFUSED = (
    duckdb.BinderException,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
    duckdb.NotImplementedException,
    duckdb.ParserException,
)
_INCOMING = "incoming_schema"


def columns_of_fields(warehouse: Warehouse) -> dict[str, str]:
    """Return which column of ``events`` holds each field of the schemas that were loaded."""
    return {str(field): str(name) for field, name in warehouse.rows("SELECT field, column_name FROM event_columns")}


class EventColumns:
    """The columns of ``events``, kept in step with the schemas that come in."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._columns = columns_of_fields(warehouse)

    def fit(self, schema: pa.Schema) -> list[str]:
        """Make the table accept ``schema`` and return its columns' names, in the schema's order.

        :raises SchemaConflict: a type cannot be widened to hold both, or a nested record has one name twice.
        """
        if not schema.names:
            raise SchemaConflict("the record has no fields, so there is nothing to put into columns")
        names = column_names(schema.names, self._columns, METADATA_COLUMNS)
        incoming = dict(zip(names.values(), self._types_of(schema), strict=True))
        there = self._types_in_table()
        added: dict[str, str] = {}
        for name, kind in incoming.items():
            if name not in there:
                kind.refuse_twins()
                added[name] = str(kind)
        if not has_identity(schema) and ID_COLUMN not in there:
            added[ID_COLUMN] = "VARCHAR"
        changed = {
            name: str(merged)
            for name, kind in incoming.items()
            if name in there and (merged := merge(there[name], kind, name)) != there[name]
        }
        if added or changed:
            try:
                self._grow(added, changed, {field: name for field, name in names.items() if field not in self._columns})
            except StoreFailed as error:
                if not isinstance(error.__cause__, _TYPE_REFUSED):
                    raise
                raise SchemaConflict(f"DuckDB has no column for it: {type(error.__cause__).__name__}") from error
        self._columns |= names
        return list(names.values())

    def misfits(self, schema: pa.Schema) -> dict[str, str]:
        """Return fields of a loaded schema for which the table is not what :meth:`fit` made of it, each with why.

        A column may be wider than its field, as other schemas wanted it, and no other than that.
        """
        there = self._types_in_table()
        wrong: dict[str, str] = {}
        try:
            kinds = self._types_of(schema)
        except SchemaConflict:
            return {"": "its schema is not one that a table can hold"}
        for field, kind in zip(schema.names, kinds, strict=True):
            column = self._columns.get(field)
            if column is None or column not in there:
                wrong[field] = f"field {field} has no column"
                continue
            try:
                fits = merge(there[column], kind, column) == there[column]
            except SchemaConflict:
                fits = False
            if not fits:
                wrong[field] = f"column {column} is {there[column]}, which field {field} never was"
        return wrong

    def strangers(self, fields: set[str]) -> list[str]:
        """Return what no schema with one of ``fields`` put there: columns of ``events``, and places of fields."""
        there = self._types_in_table()
        named = {*METADATA_COLUMNS, *self._columns.values()}
        found = [f"column {name} of events belongs to no schema" for name in there if name not in named]
        found += [f"column {name} of events is missing" for name in RECORD_COLUMNS if name not in there]
        taken = [name.lower() for name in self._columns.values()]
        for field, column in self._columns.items():
            if field not in fields:
                found.append(f"field {field}, which has column {column}, is in no schema that is kept")
            numbered = column.startswith(f"{field}_") and column[len(field) + 1 :].isdigit()
            if column != field and not numbered:
                found.append(f"field {field} is said to be in column {column}")
            if taken.count(column.lower()) > 1:
                found.append(f"two fields are said to be in column {column}")
        return found

    def _types_of(self, schema: pa.Schema) -> list[ColumnType]:
        connection = self._warehouse.connection
        try:
            connection.register(_INCOMING, pa.Table.from_batches([], schema))
            types = connection.sql(f"SELECT * FROM {_INCOMING}").types  # noqa: S608 - a constant
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise SchemaConflict(f"DuckDB has no type for it: {error}") from error
        finally:
            connection.unregister(_INCOMING)
        return [column_type(kind) for kind in types]

    def _types_in_table(self) -> dict[str, ColumnType]:
        relation = self._warehouse.connection.sql("SELECT * FROM events LIMIT 0")
        return dict(zip(relation.columns, map(column_type, relation.types), strict=True))

    def _grow(self, added: dict[str, str], changed: dict[str, str], fields: dict[str, str]) -> None:
        with self._warehouse.transaction() as connection:
            if not self._columns:
                _put_in_front(connection, added)
            else:
                for name, kind in added.items():
                    connection.execute(f"ALTER TABLE events ADD COLUMN {quote(name)} {kind}")
            for name, kind in changed.items():
                connection.execute(f"ALTER TABLE events ALTER COLUMN {quote(name)} SET DATA TYPE {kind}")
            for pair in fields.items():
                connection.execute("INSERT INTO event_columns VALUES (?, ?)", list(pair))
        # A write-ahead log that changes tables is the one whose replay fails most often; keep it out of the batches.
        self._warehouse.checkpoint()


def _put_in_front(connection: duckdb.DuckDBPyConnection, added: dict[str, str]) -> None:
    """Create the still empty table anew, so that the event's own columns come first."""
    metadata = connection.sql("SELECT * FROM events LIMIT 0")
    columns = added | {name: str(kind) for name, kind in zip(metadata.columns, metadata.types, strict=True)}
    connection.execute("DROP TABLE events")
    connection.execute(f"CREATE TABLE events ({', '.join(f'{quote(name)} {kind}' for name, kind in columns.items())})")


def column_type(kind: DuckDBPyType) -> ColumnType:
    """Return one of DuckDB's types as a tree."""
    if kind.id not in ("struct", "union", "list", "map"):
        return ColumnType(str(kind))
    members = [(name, column_type(child)) for name, child in kind.children if isinstance(child, DuckDBPyType)]
    return ColumnType(
        kind.id.upper(), tuple(members[1:] if kind.id == "union" else members)
    )  # a union has its tag first

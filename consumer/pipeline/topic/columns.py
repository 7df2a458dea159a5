"""The columns that values of several schemas have in common, and values of each schema in them."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.sinks.batch import ID_COLUMN, METADATA_COLUMNS, has_identity
from consumer.sinks.duckdb.column_types import column_type
from schemas.columns.column_type import ColumnType, SchemaConflict, quote
from schemas.columns.merging import column_names, merge
from schemas.identity import IDENTITY_FIELD
from schemas.undecodable import UnsupportedSchema

_TEXT = ColumnType("VARCHAR")
_ROWS = "rows_of_a_schema"


class TopicColumns:
    """Grows with each schema that is met; once settled, it fits rows of every schema into the same columns.

    :param types: a session of its own.
    :ivar members: columns of the members of objects without a contract.
    :ivar headers_met: whether a record without an identity in its value carries one in a header.
    :ivar identity: the column of the identity; ``None`` where there is none, or before the columns are settled.
    """

    def __init__(self, types: duckdb.DuckDBPyConnection) -> None:
        self._types = types
        self._names: dict[str, str] = {}
        self._kinds: dict[str, ColumnType] = {}
        self._schemas: list[pa.Schema] = []
        self.members: dict[str, str] = {}
        self.headers_met = False
        self.identity: str | None = None
        self.schema = pa.schema([])

    def adopt(self, schema: pa.Schema) -> list[str]:
        """Take a schema, and return the columns of its fields.

        :raises UnsupportedSchema: no table can hold it.
        """
        names = column_names(schema.names, self._names, METADATA_COLUMNS)
        for name, kind in zip(names.values(), self._types_of(schema), strict=True):
            self._kinds[name] = self._merged(self._kinds.get(name, kind), kind, name)
        self._names |= names
        self._schemas.append(schema)
        return list(names.values())

    @property
    def met(self) -> bool:
        """Tell whether a schema was met."""
        return bool(self._schemas)

    @property
    def wants_headers(self) -> bool:
        """Tell whether it matters that a record carries an identity in a header, and nobody knows whether one does."""
        return not self.headers_met and not all(has_identity(schema) for schema in self._schemas or [pa.schema([])])

    def settle(self, members: Iterable[str]) -> None:
        """Fix the columns.

        :param members: those of the objects without a contract.
        """
        loose = pa.schema([pa.field(name, pa.string()) for name in members])
        contracts = list(self._schemas)
        if loose.names:
            self.members = dict(zip(loose.names, self.adopt(loose), strict=True))
        field = self._names.get(IDENTITY_FIELD)
        # A field of that name which is no identity of ours is a column as any other.
        strangers = [one for one in contracts if IDENTITY_FIELD in one.names and not has_identity(one)]
        if field is None or strangers:
            if self.headers_met or (strangers and any(map(has_identity, contracts))):
                taken = {name.lower() for name in self._kinds}  # names ignore case
                self.identity = ID_COLUMN if IDENTITY_FIELD in taken else IDENTITY_FIELD
        else:
            self.identity = field
        self.schema = self._settled_schema()

    def fitted(self, rows: pa.Table) -> pa.Table:
        """Return rows of one schema in the common columns; columns about the record stay as they are."""
        if self.identity is not None:
            rows = self._identified(rows, self.identity)
        wanted = [field for field in self.schema if field.name in rows.column_names]
        others = [field.name for field in wanted if rows.schema.field(field.name).type != field.type]
        if others:
            rows = self._cast(rows, others)
        for field in self.schema:
            if field.name not in rows.column_names:
                rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        return rows

    def _identified(self, rows: pa.Table, column: str) -> pa.Table:
        """Put identities where they belong: the value's own, where its schema has one, or else the header's."""
        there = rows.column_names
        header = rows.column(ID_COLUMN) if ID_COLUMN in there else None
        if column == ID_COLUMN:
            return rows if header is not None else rows.append_column(ID_COLUMN, rows.column(IDENTITY_FIELD))
        if header is None:
            return rows
        if column not in there:
            return rows.append_column(column, header)
        place = there.index(column)
        return rows.set_column(place, column, pc.coalesce(rows.column(column), header))

    def _cast(self, rows: pa.Table, ours: list[str]) -> pa.Table:
        """Return rows with the common types of some of their columns, as DuckDB casts them: without loss."""
        self._types.register(_ROWS, rows.select(ours))
        try:
            relation = self._types.sql(f"SELECT * FROM {_ROWS}")  # noqa: S608 - a constant
            kinds = [column_type(kind) for kind in relation.types]
            selected = ", ".join(
                f"{self._converted(quote(name), kind, self._kinds[name])} AS {quote(name)}"
                for name, kind in zip(ours, kinds, strict=True)
            )
            cast = self._types.sql(f"SELECT {selected} FROM {_ROWS}").to_arrow_table()  # noqa: S608 - quoted
        finally:
            self._types.unregister(_ROWS)
        for name in ours:
            rows = rows.set_column(rows.column_names.index(name), self.schema.field(name), cast.column(name))
        return rows

    @staticmethod
    def _converted(column: str, kind: ColumnType, target: ColumnType) -> str:
        if kind == target:
            return column
        if target == _TEXT and kind.members:
            return f"CAST(to_json({column}) AS VARCHAR)"
        return f"CAST({column} AS {target})"

    def _merged(self, old: ColumnType, new: ColumnType, name: str) -> ColumnType:
        """Return the type that holds the values of both; text where there is no other."""
        try:
            return merge(old, new, name)
        except SchemaConflict:
            return _TEXT

    def _types_of(self, schema: pa.Schema) -> list[ColumnType]:
        try:
            self._types.register(_ROWS, pa.Table.from_batches([], schema))
            kinds = [column_type(kind) for kind in self._types.sql(f"SELECT * FROM {_ROWS}").types]  # noqa: S608
            for name, kind in zip(schema.names, kinds, strict=True):
                kind.refuse_twins(name)
        except (duckdb.Error, pa.ArrowInvalid, SchemaConflict) as error:
            raise UnsupportedSchema(f"no table can hold it: {type(error).__name__}") from None
        finally:
            self._types.unregister(_ROWS)
        return kinds

    def _settled_schema(self) -> pa.Schema:
        """Return the columns: in Arrow types of the contract where all schemas agree, else in DuckDB's."""
        selected = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in self._kinds.items())
        common = self._types.sql(f"SELECT {selected} LIMIT 0").to_arrow_table().schema if selected else pa.schema([])
        agreed: dict[str, set[pa.DataType]] = {}
        for schema in self._schemas:
            for field in schema:
                agreed.setdefault(self._names[field.name], set()).add(field.type)
        fields = [
            pa.field(name, next(iter(agreed[name])) if len(agreed[name]) == 1 else common.field(name).type)
            for name in self._kinds
        ]
        if self.identity is not None and self.identity not in self._kinds:
            fields.append(pa.field(self.identity, pa.string()))
        return pa.schema(fields)

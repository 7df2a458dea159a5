"""The columns that values of several schemas have in common, and values of each schema in them.

Which fields are one column is for the judge to say (``schemas/columns/judge.py``), as in a warehouse of ours. Somebody
else's place may be laid out in another way. Where no type holds all values of a field, a warehouse has a column of its
own for the later ones; any other place has one for all, which is compared as text. And a field that an alias renamed
is one column, but for a place that has the older name too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.pipeline.topic.naming import WITHOUT_A_CONTRACT
from consumer.sinks.batch import ID_COLUMN, METADATA_COLUMNS, has_identity
from consumer.sinks.conversion import converted, is_kept
from consumer.sinks.duckdb.column_types import column_type
from schemas.columns.column_type import ColumnType, SchemaConflict, quote
from schemas.columns.held import Held
from schemas.columns.judge import Placed, StoreRules, judge, placed
from schemas.columns.of_nodes import columns_of
from schemas.identity import IDENTITY_FIELD
from schemas.types.arrow import arrow_schema
from schemas.types.node import Node
from schemas.undecodable import UnsupportedSchema

_TEXT = ColumnType("VARCHAR")
_RULES = StoreRules(reserved=METADATA_COLUMNS)
_ROWS = "rows_of_a_schema"


class TopicColumns:
    """Grows with each schema that is met; once settled, it fits rows of every schema into the same columns.

    :param types: a session of its own.
    :param stored: the columns of the place that the values are held against, with their types of DuckDB.
    :ivar members: columns of the members of objects without a contract.
    :ivar headers_met: whether a record without an identity in its value carries one in a header.
    :ivar identity: the column of the identity; ``None`` where there is none, or before the columns are settled.
    """

    def __init__(self, types: duckdb.DuckDBPyConnection, stored: Mapping[str, str] | None = None) -> None:
        self._types = types
        self._stored = {name.lower(): kind for name, kind in (stored or {}).items()}
        self._held = Held()
        self._places: dict[int, tuple[Placed, ...]] = {}
        self._roots: dict[int, Node] = {}
        self._columns: dict[int, str] = {}  # what each of the judge's columns is called, by its position
        self._kinds: dict[str, ColumnType] = {}
        self.members: dict[str, str] = {}
        self.headers_met = False
        self.identity: str | None = None
        self.schema = pa.schema([])

    def adopt(self, schema_id: int, root: Node) -> list[str]:
        """Take a schema, and return what the columns of its fields are called in rows of it: their numbers.

        :raises UnsupportedSchema: no table can hold it.
        """
        own = {name.lower() for name, _ in root.fields}
        aliases = {
            field: tuple(name for name in names if name.lower() not in self._stored or name.lower() in own)
            for field, names in root.field_aliases.items()
        }
        try:
            judgement = judge(self._held, replace(root, field_aliases=aliases), _RULES)
        except SchemaConflict as error:
            raise UnsupportedSchema(f"no table can hold it: {error.message}") from None
        self._held, self._places[schema_id], self._roots[schema_id] = judgement.held, judgement.columns, root
        return [str(number) for number, _ in enumerate(root.fields)]

    @property
    def met(self) -> bool:
        """Tell whether a schema was met."""
        return bool(self._roots)

    @property
    def wants_headers(self) -> bool:
        """Tell whether it matters that a record carries an identity in a header, and nobody knows whether one does."""
        return not self.headers_met and not (self._roots and all(map(has_identity, self._roots.values())))

    def settle(self, members: Iterable[str]) -> None:
        """Fix the columns.

        :param members: those of the objects without a contract.
        """
        contracts = list(self._roots.values())
        loose = tuple((name, Node("string", null_branch=0)) for name in members)
        if loose:
            self.adopt(WITHOUT_A_CONTRACT, Node("record", name="Members", fields=loose))
        self._name_columns()
        if loose:
            columns = (self._columns[each.place.at] for each in self._places[WITHOUT_A_CONTRACT])
            self.members = dict(zip((name for name, _ in loose), columns, strict=True))
        field = next((name for name in self._columns_with(IDENTITY_FIELD)), None)
        # A field of that name which is no identity of ours is a column as any other.
        strangers = [one for one in contracts if IDENTITY_FIELD in dict(one.fields) and not has_identity(one)]
        if field is None or strangers:
            if self.headers_met or (strangers and any(map(has_identity, contracts))):
                taken = {name.lower() for name in self._kinds}  # names ignore case
                self.identity = ID_COLUMN if IDENTITY_FIELD in taken else IDENTITY_FIELD
        else:
            self.identity = field
        self.schema = self._settled_schema()

    def fitted(self, rows: pa.Table, schema_id: int | None) -> pa.Table:
        """Return rows of one schema in the common columns; columns about the record stay as they are.

        :param schema_id: ``None`` where the rows have no values.
        """
        if schema_id is not None:
            rows = self._common(rows, schema_id)
        if self.identity is not None:
            rows = self._identified(rows, self.identity)
        for field in self.schema:
            if field.name not in rows.column_names:
                rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        return rows

    def _name_columns(self) -> None:
        """Give each of the judge's columns its name; those of one field are one, unless the place has each of them."""
        of_field: dict[str, list[int]] = defaultdict(list)
        for at, fields in enumerate(self._held.record.fields):
            of_field[fields[0]].append(at)
        members = self._held.record.members
        for first, *others in of_field.values():
            (name, kind), *apart = (members[at] for at in (first, *others))
            if all(other.lower() in self._stored for other, _ in apart):
                for at, (other, inner) in zip((first, *others), ((name, kind), *apart), strict=True):
                    self._columns[at], self._kinds[other] = other, self._whole(other, inner)
            else:
                self._columns |= dict.fromkeys((first, *others), name)
                self._kinds[name] = _TEXT
        order = {self._columns[at]: at for at in reversed(range(len(members)))}
        self._kinds = {name: self._kinds[name] for name in sorted(order, key=order.__getitem__)}

    def _whole(self, name: str, kind: ColumnType) -> ColumnType:
        """Return the type of a column: text where a field inside it has two members, and the place has not."""
        apart = {member.lower() for member in _numbered_members(kind)}
        there = self._stored.get(name.lower())
        if apart and (there is None or not apart <= set(_member_names(column_type(duckdb.dtype(there))))):
            return _TEXT
        return kind

    def _columns_with(self, field: str) -> Iterator[str]:
        for schema_id in self._places:
            for each in self._places[schema_id]:
                if each.field == field:
                    yield self._columns[each.place.at]

    def _common(self, rows: pa.Table, schema_id: int) -> pa.Table:
        """Return rows with the common columns in place of the schema's own, as DuckDB converts them: without loss."""
        values, others = [], [name for name in rows.column_names if not name.isdigit()]
        self._types.register(_ROWS, rows.select([name for name in rows.column_names if name.isdigit()]))
        fields = self._now(schema_id)
        names = [self._columns[each.place.at] for each in fields]
        kept = {number: rows.column(str(number)) for number, each in enumerate(fields) if self._is_kept(each)}
        try:
            for number, (each, name) in enumerate(zip(fields, names, strict=True)):
                if number not in kept:
                    values.append(f"{self._expression(quote(str(number)), each, self._kinds[name])} AS {quote(name)}")
            made = self._types.sql(f"SELECT {', '.join(values)} FROM {_ROWS}").to_arrow_table() if values else None  # noqa: S608
        finally:
            self._types.unregister(_ROWS)
        table = rows.select(others)
        for number, name in enumerate(names):
            column = kept[number] if made is None or number in kept else made.column(name)
            target = self.schema.field(name)
            table = table.append_column(target, column if column.type == target.type else column.cast(target.type))
        return table

    def _now(self, schema_id: int) -> tuple[Placed, ...]:
        """Return where the fields of a schema are in the columns of all."""
        places = [each.place for each in self._places[schema_id]]
        return placed(self._held, columns_of(self._roots[schema_id]), places)

    def _is_kept(self, each: Placed) -> bool:
        return self._kinds[self._columns[each.place.at]] == each.target and is_kept(
            each.source, each.place, each.target
        )

    @staticmethod
    def _expression(column: str, each: Placed, kind: ColumnType) -> str:
        if kind == each.target:
            return converted(column, each.source, each.place, each.target)
        return f"CAST(to_json({column}) AS VARCHAR)" if each.source.members else f"CAST({column} AS VARCHAR)"

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

    def _settled_schema(self) -> pa.Schema:
        """Return the columns: in Arrow types of the contract where all schemas agree, else in DuckDB's."""
        selected = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in self._kinds.items())
        common = self._types.sql(f"SELECT {selected} LIMIT 0").to_arrow_table().schema if selected else pa.schema([])
        agreed: dict[str, set[Any]] = defaultdict(set)
        for schema_id, root in self._roots.items():
            for each, field in zip(self._now(schema_id), arrow_schema(root), strict=True):
                agreed[self._columns[each.place.at]].add(field.type if self._is_kept(each) else None)
        fields = []
        for name in self._kinds:
            kinds = agreed[name]
            kind = next(iter(kinds)) if len(kinds) == 1 else None
            fields.append(pa.field(name, common.field(name).type if kind is None else kind))
        if self.identity is not None and self.identity not in self._kinds:
            fields.append(pa.field(self.identity, pa.string()))
        return pa.schema(fields)


def _numbered_members(kind: ColumnType) -> Iterator[str]:
    """Yield members that hold a field of which another member of their record holds values of another type."""
    if kind.name == "STRUCT":
        met: set[str] = set()
        for (name, _), fields in zip(kind.members, kind.fields, strict=True):
            if fields[0] in met:
                yield name
            met.add(fields[0])
    for _, child in kind.members:
        yield from _numbered_members(child)


def _member_names(kind: ColumnType) -> Iterator[str]:
    for name, child in kind.members:
        yield name.lower()
        yield from _member_names(child)

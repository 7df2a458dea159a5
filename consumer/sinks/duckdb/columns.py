"""Which column holds which field, and how the ``events`` table grows with the schemas that it meets.

What fits is for the judge to say (``schemas/columns/judge.py``): a table only ever grows, and where no type holds two
versions of a field, the later one gets a column of its own. Every change is a transaction of its own, before the batch
that needs it. Where the fields of a schema are is kept with its id and never decided again: a table that has grown
since could make another answer look right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from cluster.errors import StoreFailed, WarehouseDamaged
from consumer.sinks.batch import ID_COLUMN, METADATA_COLUMNS, NAME_COLUMN, RECORD_COLUMNS, has_identity
from consumer.sinks.conversion import converted, returned
from consumer.sinks.duckdb.at_hand import RULES
from consumer.sinks.duckdb.column_types import column_type
from consumer.sinks.duckdb.record_columns import RecordNames
from consumer.sinks.duckdb.settings import give_room_for
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import ColumnType, SchemaConflict, quote, text_literal
from schemas.columns.held import Held, NotAColumn, Place
from schemas.columns.judge import Judgement, Placed, identity, judge, placed
from schemas.columns.of_nodes import columns_of
from schemas.types.node import Node

# What DuckDB raises about a type that it cannot make a column of; everything else is the store's failure.
_TYPE_REFUSED = (
    duckdb.BinderException,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
    duckdb.NotImplementedException,
    duckdb.ParserException,
)
_LAYOUT = "SELECT document FROM event_layout"
_PLACES = "SELECT schema_id, document FROM schema_places ORDER BY ALL"
_PAIRS = "SELECT field, column_name FROM event_columns ORDER BY rowid"
_NOTE_FIELDS = "INSERT INTO event_columns SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])"
_IS_KEPT = "SELECT count(*) > 0 FROM schema_versions WHERE schema_id = ?"
_IS_EMPTY = "SELECT count(*) = 0 FROM (SELECT 1 FROM events LIMIT 1)"
# What the loader's table calls the columns of fields is their number in the schema.
_INSERT = "INSERT INTO events BY NAME SELECT {values}, ?::BIGINT AS _batch FROM {rows}"


def columns_of_fields(warehouse: Warehouse) -> dict[str, str]:
    """Return the first column of ``events`` that holds values of each field of the schemas that were loaded."""
    columns: dict[str, str] = {}
    for field, name in warehouse.rows(_PAIRS):
        columns.setdefault(str(field), str(name))
    return columns


class EventColumns:
    """The columns of ``events``, kept in step with the schemas that come in.

    :ivar held: what they hold.
    :raises WarehouseDamaged: what the file says of them cannot be read.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        try:
            self.held, self._places = _read(warehouse)
        except (NotAColumn, ValueError, TypeError) as error:
            raise WarehouseDamaged(
                f"what the warehouse says of its columns cannot be read: {error}",
                where=warehouse.shown,
                hint="Somebody changed it. Restore a copy of the file, or load the topic into a new one",
            ) from error
        self._sources: dict[int, ColumnType] = {}
        self._record_names = RecordNames(warehouse)
        self._statements: dict[tuple[int, tuple[str, ...]], str] = {}

    def adopt(self, schema_id: int, root: Node) -> list[str]:
        """Make the table accept records of a schema.

        :return: what the columns of its fields are called in the rows that :meth:`inserting` stores.
        :raises SchemaConflict: no table can hold it.
        """
        # Of a schema that was not kept nothing is stored: a loader ended before its first batch.
        if schema_id not in self._places or not self._warehouse.rows(_IS_KEPT, [schema_id])[0][0]:
            judgement = judge(self.held, root, RULES)
            places = [each.place for each in judgement.columns]
            known = self._places.get(schema_id) == places
            if not known or judgement.held.to_document() != self.held.to_document():
                self._grow(schema_id, judgement, wants_id=not has_identity(root))
        self._sources[schema_id] = columns_of(root)
        give_room_for(self._warehouse.connection, self.held.record.leaves)
        if self._record_names.met(schema_id, root.name):
            self._statements.clear()
        return [str(number) for number, _ in enumerate(root.fields)]

    def inserting(self, schema_id: int, names: Iterable[str], rows: str) -> str:
        """Return the statement that stores decoded rows of a schema; its parameter is the number of the batch.

        :param names: of the columns of the rows: numbers of fields, and columns of the record.
        :param rows: what the rows are called.
        """
        key = schema_id, tuple(names)
        if key not in self._statements:
            fields = self._placed(schema_id, self._sources[schema_id])
            values = []
            for name in key[1]:
                field = fields[int(name)] if name.isdigit() else None
                if field is None:
                    values.append(quote(name))
                    continue
                value = converted(quote(name), field.source, field.place, field.target)
                values.append(f"{value} AS {quote(field.column)}")
            record_name = self._record_names.of(schema_id)
            if record_name is not None:
                values.append(f"{text_literal(record_name)} AS {NAME_COLUMN}")
            self._statements[key] = _INSERT.format(values=", ".join(values), rows=rows)
        return self._statements[key]

    def values_of(self, schema_id: int, root: Node) -> dict[str, str]:
        """Return for each field of a loaded schema the expression that gives its values as the schema has them.

        :raises LookupError: the file does not say where they are.
        """
        return {
            each.field: returned(quote(each.column), each.target, each.place, each.source)
            for each in self._placed(schema_id, columns_of(root))
        }

    def odd_values(self, schema_id: int, root: Node) -> str:
        """Return the condition for a row of a schema that has in its columns what no record of that schema gives.

        :raises LookupError: the file does not say where its fields are.
        """
        conditions, own = [], set()
        for each in self._placed(schema_id, columns_of(root)):
            own.add(each.column)
            column = quote(each.column)
            back = returned(column, each.target, each.place, each.source)
            if back != column:
                again = converted(f"({back})", each.source, each.place, each.target)
                conditions.append(f"{column} IS DISTINCT FROM {again}")
        others = [name for name in self._types_in_table() if name not in own and name not in METADATA_COLUMNS]
        conditions += [f"{quote(name)} IS NOT NULL" for name in others]
        return " OR ".join(f"({one})" for one in conditions) or "FALSE"

    def misfits(self, schema_id: int, root: Node) -> dict[str, str]:
        """Return fields of a loaded schema for which the table is not what :meth:`adopt` made of it, each with why."""
        try:
            fields = self._placed(schema_id, columns_of(root))
        except LookupError as error:
            return {"": str(error)}
        there = self._types_in_table()
        pairs = {(str(field), str(name)) for field, name in self._warehouse.rows(_PAIRS)}
        wrong: dict[str, str] = {}
        for each in fields:
            if (each.field, each.column) not in pairs or each.column not in there:
                wrong[each.field] = f"field {each.field} has no column"
            elif str(there[each.column]) != str(each.target):
                kind = there[each.column]
                wrong[each.field] = f"column {each.column} is {kind}, which field {each.field} never was"
        return wrong

    def strangers(self, roots: Mapping[int, Node]) -> list[str]:
        """Return what no schema put there: columns of ``events``, and places of fields.

        :param roots: the schemas that are kept.
        """
        there = self._types_in_table()
        named = {*METADATA_COLUMNS, *self.held.columns}
        found = [f"column {name} of events belongs to no schema" for name in there if name not in named]
        wanted = [*RECORD_COLUMNS, *self.held.columns]
        found += [f"column {name} of events is missing" for name in wanted if name not in there]
        pairs = Counter((str(field), str(name)) for field, name in self._warehouse.rows(_PAIRS))
        right = {(each.field, each.column) for pair in roots.items() for each in self._placed_or_none(*pair)}
        fields = {name for root in roots.values() for name, _ in root.fields}
        for (field, column), times in pairs.items():
            if field not in fields:
                found.append(f"field {field}, which has column {column}, is in no schema that is kept")
            elif (field, column) not in right:
                found.append(f"field {field} is said to be in column {column}")
            if times > 1:
                found.append(f"field {field} is said {times} times to be in column {column}")
        found += [f"field {field} has no column" for field, column in sorted(right - pairs.keys())]
        for column, held in self.held.fields.items():
            numbered = any(column.startswith(f"{name}_") and column[len(name) + 1 :].isdigit() for name in held)
            if column not in held and not numbered:
                found.append(f"field {held[0]} is said to be in column {column}")
        return found

    def _placed_or_none(self, schema_id: int, root: Node) -> tuple[Placed, ...]:
        try:
            return self._placed(schema_id, columns_of(root))
        except LookupError:
            return ()

    def _placed(self, schema_id: int, source: ColumnType) -> tuple[Placed, ...]:
        """Return where the fields of a schema are.

        :raises LookupError: the file does not say it.
        """
        places = self._places.get(schema_id)
        if places is None:
            raise LookupError(f"the file does not say where the fields of schema id {schema_id} are")
        try:
            found = placed(self.held, source, places)
        except (IndexError, ValueError):
            found = None
        if found is None or not all(_leads(each.source, each.place, each.target) for each in found):
            raise LookupError(f"the file says of schema id {schema_id} that its fields are where none can be")
        return found

    def _types_in_table(self) -> dict[str, ColumnType]:
        relation = self._warehouse.connection.sql("SELECT * FROM events LIMIT 0")
        return dict(zip(relation.columns, map(column_type, relation.types), strict=True))

    def _grow(self, schema_id: int, judgement: Judgement, *, wants_id: bool) -> None:
        added, changed = self._changes(judgement)
        if wants_id and ID_COLUMN not in self._types_in_table():
            added[ID_COLUMN] = "VARCHAR"
        renamed = [(path[0], name) for path, name in judgement.renamed if len(path) == 1]
        tables = self._warehouse
        change = tables.change_of_tables if added or changed or renamed else tables.transaction
        try:
            with change() as connection:
                for old, new in renamed:
                    connection.execute(f"ALTER TABLE events RENAME COLUMN {quote(old)} TO {quote(new)}")
                    connection.execute("UPDATE event_columns SET column_name = ? WHERE column_name = ?", [new, old])
                self._alter(connection, added, changed)
                self._note(connection, schema_id, judgement)
        except StoreFailed as error:
            if not isinstance(error.__cause__, _TYPE_REFUSED):
                raise
            raise SchemaConflict(f"DuckDB has no column for it: {type(error.__cause__).__name__}") from error
        self.held = judgement.held
        self._places[schema_id] = [each.place for each in judgement.columns]
        self._statements.clear()

    def _changes(self, judgement: Judgement) -> tuple[dict[str, str], dict[str, str]]:
        """Return the columns that come with their types, and of those that change what follows their names."""
        added: dict[str, str] = {}
        changed: dict[str, str] = {}
        before = list(self.held.columns.values())
        for at, (name, kind) in enumerate(judgement.held.columns.items()):
            if at >= len(before):
                added[name] = str(kind)
            elif str(before[at]) != str(kind):
                value = converted(quote(name), before[at], identity(before[at]), kind)
                changed[name] = f"{kind} USING {value}"
        return added, changed

    def _alter(self, connection: duckdb.DuckDBPyConnection, added: dict[str, str], changed: dict[str, str]) -> None:
        if not self.held.columns and connection.execute(_IS_EMPTY).fetchall() == [(True,)]:
            _put_in_front(connection, added)
        else:
            for name, kind in added.items():
                connection.execute(f"ALTER TABLE events ADD COLUMN {quote(name)} {kind}")
        for name, kind in changed.items():
            connection.execute(f"ALTER TABLE events ALTER COLUMN {quote(name)} SET DATA TYPE {kind}")

    def _note(self, connection: duckdb.DuckDBPyConnection, schema_id: int, judgement: Judgement) -> None:
        there = set(connection.execute(_PAIRS).fetchall())
        new = [pair for each in judgement.columns if (pair := (each.field, each.column)) not in there]
        if new:
            connection.execute(_NOTE_FIELDS, [list(each) for each in zip(*new, strict=True)])
        write_layout(connection, judgement.held)
        write_places(connection, schema_id, [each.place for each in judgement.columns])


def write_layout(connection: duckdb.DuckDBPyConnection, held: Held) -> None:
    """Write what the columns of ``events`` hold."""
    connection.execute("DELETE FROM event_layout")
    connection.execute("INSERT INTO event_layout VALUES (?)", [json.dumps(held.to_document())])


def write_places(connection: duckdb.DuckDBPyConnection, schema_id: int, places: Iterable[Place]) -> None:
    """Write where the fields of a schema are."""
    document = json.dumps([place.to_document() for place in places])
    connection.execute("DELETE FROM schema_places WHERE schema_id = ?", [schema_id])
    connection.execute("INSERT INTO schema_places VALUES (?, ?)", [schema_id, document])


def _read(warehouse: Warehouse) -> tuple[Held, dict[int, list[Place]]]:
    try:
        layouts = warehouse.rows(_LAYOUT)
    except StoreFailed as error:
        if isinstance(error.__cause__, duckdb.CatalogException):  # who only looks may look at a file of before
            return Held(), {}
        raise
    if len(layouts) > 1:
        raise NotAColumn("it says so twice")
    held = Held.from_document(json.loads(layouts[0][0])) if layouts else Held()
    places: dict[int, list[Place]] = {}
    for schema_id, text in warehouse.rows(_PLACES):
        document: Any = json.loads(text)
        if not isinstance(document, list) or schema_id in places:
            raise NotAColumn(f"of schema id {schema_id} it does not say where its fields are, or twice")
        places[int(schema_id)] = [Place.from_document(each) for each in document]
    return held, places


def _leads(source: ColumnType, place: Place, target: ColumnType) -> bool:
    """Tell whether a place leads to members that there are."""
    if target.name == "UNION" and source.name != "UNION":
        at = place.branch or 0
        return at < len(target.members) and _leads(source, Place(0, place.inside), target.members[at][1])
    if not source.members or not target.members:
        return True
    if len(place.inside) != len(source.members) or source.name != target.name:
        return False
    return all(
        below.at < len(target.members) and _leads(kind, below, target.members[below.at][1])
        for (_, kind), below in zip(source.members, place.inside, strict=True)
    )


def _put_in_front(connection: duckdb.DuckDBPyConnection, added: dict[str, str]) -> None:
    """Create the still empty table anew, so that the event's own columns come first."""
    metadata = connection.sql("SELECT * FROM events LIMIT 0")
    columns = added | {name: str(kind) for name, kind in zip(metadata.columns, metadata.types, strict=True)}
    connection.execute("DROP TABLE events")
    connection.execute(f"CREATE TABLE events ({', '.join(f'{quote(name)} {kind}' for name, kind in columns.items())})")

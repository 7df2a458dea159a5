"""Which column holds which field, and how the table ``events`` grows with the schemas that it meets.

The judge says what it becomes (``schemas/columns/judge.py``), as in a DuckDB warehouse. Loaders may do so side by side:
everything is read again under the lock of the warehouse, and changed in the same transaction. A batch holds the table
still before its first row, and looks whether it is as this loader knows it: another one may have given a column another
type or another name meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psycopg

from cluster.errors import StreamproofError, WarehouseDamaged
from consumer.sinks.batch import ID_COLUMN, has_identity
from consumer.sinks.postgres.at_hand import THEIRS, reserved, rules
from consumer.sinks.postgres.catalogue import TYPES, damaged
from consumer.sinks.postgres.connecting import BoundedConnection
from consumer.sinks.postgres.migrations import lock_name
from consumer.sinks.postgres.rewriting import write_anew
from consumer.sinks.postgres.values.types import cut_name, described, is_nested, postgres_type
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from schemas.columns.column_type import NULL, ColumnType, SchemaConflict, quote
from schemas.columns.held import Held, NotAColumn, Place
from schemas.columns.judge import Judgement, Placed, judge, placed
from schemas.columns.of_nodes import columns_of
from schemas.types.node import Node

# A column that becomes another type is written anew.
_CHANGE_S = 3600.0
# What PostgreSQL says of a column that it cannot make: too many, too long a row, a type that does not become another.
_REFUSED = ("54000", "54011", "42804", "42846", "42704", "42601", "22021")
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_HOLD_STILL = "LOCK TABLE events IN ROW EXCLUSIVE MODE"
_LAYOUT = "SELECT document FROM event_layout"
_PLACES = "SELECT schema_id, document FROM schema_places"
_ADD_TYPES = """
    INSERT INTO event_types (column_name, name, type)
    SELECT added.column_name, added.name, added.type::jsonb
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS added (column_name, name, type)
"""
_RENAME_TYPE = "UPDATE event_types SET column_name = %s, name = %s WHERE column_name = %s"
_NOTE_PLACES = """
    INSERT INTO schema_places (schema_id, document) VALUES (%s, %s)
    ON CONFLICT (schema_id) DO UPDATE SET document = excluded.document
"""
_NOTE_FIELDS = """
    INSERT INTO event_columns (field, column_name)
    SELECT field, column_name FROM unnest(%s::text[], %s::text[]) AS placed (field, column_name)
    EXCEPT SELECT field, column_name FROM event_columns
"""
_IS_KEPT = "SELECT EXISTS (SELECT FROM schema_versions WHERE schema_id = %s)"
_SAME_NUMBERS = frozenset({("INTEGER", "BIGINT"), ("INTEGER", "DOUBLE"), ("FLOAT", "DOUBLE")})


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of ``events`` are.

    :ivar document: what the table ``event_layout`` says of ``held``, nothing before there are columns; it differs
        whenever anything else here does that matters to rows of a schema that was met.
    :ivar columns: the column by its name in a DuckDB warehouse, which is not cut.
    :ivar places: of the fields of each schema that was met, by id.
    """

    document: str
    held: Held
    columns: Mapping[str, str]
    places: Mapping[int, tuple[Place, ...]]


class EventColumns:
    """The columns of ``events``, kept in step with the schemas that come in.

    :ivar layout: as far as this loader has seen.
    """

    def __init__(self, warehouse: PostgresWarehouse) -> None:
        self._warehouse = warehouse
        self._sources: dict[int, ColumnType] = {}
        self.layout = self._read()

    def adopt(self, schema_id: int, root: Node) -> list[str]:
        """Make the table accept values of a schema.

        :return: what the columns of its fields are called in the rows that come: their numbers.
        :raises SchemaConflict: no table can hold it, or PostgreSQL none with so many columns.
        """
        if any("\0" in name for name, _ in root.fields):
            raise SchemaConflict("a field has the character NUL in its name")
        try:
            if not self._is_known(schema_id):
                with self._warehouse.transaction() as connection, connection.patient(_CHANGE_S):
                    self._adopt(connection, schema_id, root)
                self.layout = self._read()
        except StreamproofError as error:
            cause = error.__cause__
            if isinstance(cause, psycopg.Error) and cause.sqlstate in _REFUSED:
                raise SchemaConflict(f"PostgreSQL has no column for it: {type(cause).__name__}") from error
            raise
        self._sources[schema_id] = columns_of(root)
        return [str(number) for number, _ in enumerate(root.fields)]

    def hold_still(self) -> None:
        """Let nobody change the columns before the transaction ends, and see what they are now."""
        self._warehouse.connection.execute(_HOLD_STILL)
        known = [(self.layout.document,)] if self.layout.document else []
        if self._warehouse.rows(_LAYOUT) != known:
            self.layout = self._read()

    def placed(self, schema_id: int) -> tuple[Placed, ...]:
        """Return where the fields of a schema are that was adopted."""
        return placed(self.layout.held, self._sources[schema_id], self.layout.places[schema_id])

    def _is_known(self, schema_id: int) -> bool:
        """Tell whether it was noted where the fields of a schema are. One that was not kept has no values yet."""
        return schema_id in self.layout.places and self._warehouse.rows(_IS_KEPT, [schema_id]) == [(True,)]

    def _read(self) -> Layout:
        try:
            documents = [str(document) for (document,) in self._warehouse.rows(_LAYOUT)]
            if len(documents) > 1:
                raise NotAColumn("it says so twice")
            held = Held.from_document(json.loads(documents[0])) if documents else Held()
            places = {
                int(schema_id): tuple(map(Place.from_document, json.loads(said)))
                for schema_id, said in self._warehouse.rows(_PLACES)
            }
        except (ValueError, TypeError) as error:
            raise WarehouseDamaged(
                f"what the warehouse says of its columns cannot be read: {error}",
                where=self._warehouse.where,
                hint="Somebody changed event_layout or schema_places. Restore them, or load with --set-aside",
            ) from error
        columns = {each.name: each.column for each in self._warehouse.columns("events")}
        if missing := held.columns.keys() - columns.keys():
            raise damaged([f"{TYPES} does not say what the column {name} is" for name in sorted(missing)], self._where)
        return Layout("".join(documents), held, columns, places)

    @property
    def _where(self) -> str:
        return self._warehouse.where

    def _adopt(self, connection: BoundedConnection, schema_id: int, root: Node) -> None:
        connection.execute(LOCK, [lock_name(self._warehouse.schema)])
        self.layout = self._read()
        if self._is_known(schema_id):  # another loader was faster
            return
        theirs = [str(name) for (name,) in self._warehouse.rows(THEIRS)]
        judgement = judged(self.layout.held, self.layout.columns, theirs, root)
        before = self.layout.held.record.members
        names = dict(self.layout.columns)
        added: list[tuple[str, ColumnType]] = []
        for at, (name, kind) in enumerate(judgement.held.record.members):
            if at >= len(before):
                names[name] = cut_name(name)
                added.append((name, kind))
                continue
            names[name] = column = self.layout.columns[before[at][0]]
            self._change(connection, column, before[at][1], kind)
            if name != before[at][0]:
                names[name] = self._rename(connection, column, name)
        if not has_identity(root) and ID_COLUMN not in names:
            added.append((ID_COLUMN, ColumnType("VARCHAR")))
        if added:
            self._add(connection, added)
        self._note(connection, schema_id, judgement, names)

    def _add(self, connection: BoundedConnection, added: Iterable[tuple[str, ColumnType]]) -> None:
        """Add columns, all by one statement: the server looks through the whole table's columns for each."""
        columns = [(cut_name(name), name, kind) for name, kind in added]
        new = ", ".join(f"ADD COLUMN {quote(column)} {postgres_type(kind)}" for column, _, kind in columns)
        connection.execute(f"ALTER TABLE events {new}")
        told = [(column, name, json.dumps(described(kind))) for column, name, kind in columns]
        connection.execute(_ADD_TYPES, [list(each) for each in zip(*told, strict=True)])

    def _change(self, connection: BoundedConnection, column: str, before: ColumnType, after: ColumnType) -> None:
        if after == before:
            return
        if not is_nested(before) and not is_nested(after):
            self._cast(connection, column, before, after)
        elif not _is_read_alike(before, after):
            write_anew(self._warehouse, column, before, after)
        said = json.dumps(described(after))
        connection.execute("UPDATE event_types SET type = %s::jsonb WHERE column_name = %s", [said, column])

    def _cast(self, connection: BoundedConnection, column: str, before: ColumnType, after: ColumnType) -> None:
        kind = postgres_type(after)
        if kind == postgres_type(before) and before.name != NULL:
            return
        value = f"{quote(column)}::{kind}"
        if before.name == NULL:
            value = f"NULL::{kind}"
        elif (before.name, after.name) == ("VARCHAR", "BLOB"):  # a cast would read escapes
            value = f"convert_to({quote(column)}, 'UTF8')"
        connection.execute(f"ALTER TABLE events ALTER COLUMN {quote(column)} TYPE {kind} USING {value}")

    def _rename(self, connection: BoundedConnection, column: str, name: str) -> str:
        cut = cut_name(name)
        if cut != column:
            connection.execute(f"ALTER TABLE events RENAME COLUMN {quote(column)} TO {quote(cut)}")
        connection.execute(_RENAME_TYPE, [cut, name, column])
        connection.execute("UPDATE event_columns SET column_name = %s WHERE column_name = %s", [cut, column])
        return cut

    def _note(
        self, connection: BoundedConnection, schema_id: int, judgement: Judgement, names: Mapping[str, str]
    ) -> None:
        """Note what the columns hold now, and where the fields of a schema are.

        :param names: of the columns, by their names in a DuckDB warehouse.
        """
        connection.execute("DELETE FROM event_layout")
        document = json.dumps(judgement.held.to_document())
        connection.execute("INSERT INTO event_layout (document) VALUES (%s)", [document])
        places = json.dumps([each.place.to_document() for each in judgement.columns])
        connection.execute(_NOTE_PLACES, [schema_id, places])
        pairs = [(each.field, names[each.column]) for each in judgement.columns]
        if pairs:
            connection.execute(_NOTE_FIELDS, [list(each) for each in zip(*pairs, strict=True)])


def judged(held: Held, columns: Mapping[str, str], theirs: Iterable[str], root: Node) -> Judgement:
    """Return what the table becomes with a schema. A name is taken as it is, and as it is cut.

    :param columns: of ours, by their names in a DuckDB warehouse.
    :param theirs: columns that are none of ours.
    """
    names = list(reserved(list(theirs)))
    while True:
        judgement = judge(held, root, rules(names))
        clashing = list(_clashing(held, judgement, {name.lower() for name in (*names, *columns.values())}))
        if not clashing:
            return judgement
        names += clashing


def _clashing(held: Held, judgement: Judgement, taken: set[str]) -> Iterator[str]:
    """Yield names of new columns whose cut names are taken."""
    before = held.record.members
    for at, (name, _) in enumerate(judgement.held.record.members):
        if at < len(before) and before[at][0] == name:
            continue
        cut = cut_name(name).lower()
        if cut in taken:
            yield name
        taken.add(cut)


def _is_read_alike(before: ColumnType, after: ColumnType) -> bool:
    """Tell whether documents of a type are what a loader writes of the same values in another type."""
    if before == after or before.name == NULL:
        return True
    if before.members:
        inner = zip(before.members, after.members, strict=False)
        return before.name == after.name and all(
            old == new and _is_read_alike(kind, grown) for (old, kind), (new, grown) in inner
        )
    times = {before.name, after.name} <= {"TIMESTAMP_MS", "TIMESTAMP"}
    return not after.members and (times or (before.name, after.name) in _SAME_NUMBERS)

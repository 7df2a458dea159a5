"""What a warehouse file may hold: our tables and our macros, and nothing that could answer in their place.

Names are looked up in the file before DuckDB's own: a macro called ``count``, ``starts_with`` or ``+`` that somebody
left in the file would answer instead of the function, to every question of an audit. So a file is refused, before
anything in it is believed, when it has a macro that is not ours or a view under the name of a table. What is merely
beside ours, such as a table of somebody's own, is foreign: it is named by ``streamproof verify``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from cluster.errors import WarehouseDamaged

_DDL = Path(__file__).with_name("warehouse.sql")
# By their full names, and without any operator or function: those could be macros of the file.
_MACROS = """
    SELECT database_name, schema_name, function_name, parameters, macro_definition
    FROM system.main.duckdb_functions() WHERE internal IS FALSE
"""
_TABLES = "SELECT database_name, schema_name, table_name FROM system.main.duckdb_tables() WHERE internal IS FALSE"
_VIEWS = "SELECT database_name, schema_name, view_name FROM system.main.duckdb_views() WHERE internal IS FALSE"
_COLUMNS = """
    SELECT database_name, schema_name, table_name, column_name, data_type, is_nullable, column_default
    FROM system.main.duckdb_columns() WHERE internal IS FALSE
"""
_OTHERS = {
    "schema": "SELECT database_name, schema_name FROM system.main.duckdb_schemas() WHERE internal IS FALSE",
    "type": "SELECT database_name, type_name FROM system.main.duckdb_types() WHERE internal IS FALSE",
    "sequence": "SELECT database_name, sequence_name FROM system.main.duckdb_sequences()",
}
_TEMPORARY = ("temp", "system")
_GROWS = "events"  # its columns are those of the schemas that were loaded, beside ours


@dataclass(frozen=True, slots=True)
class Column:
    """A column, as DuckDB describes it."""

    kind: str
    nullable: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a file holds, by name. What is not in the schema ``main`` has its schema in front of its name."""

    tables: dict[str, dict[str, Column]] = field(default_factory=dict)
    views: list[str] = field(default_factory=list)
    macros: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def read_catalogue(connection: duckdb.DuckDBPyConnection) -> Catalogue:
    """Return what the file of a connection holds, temporary things aside."""
    found = _read_answers(connection)
    for database, schema, name in _rows(connection, _TABLES):
        if database not in _TEMPORARY:
            found.tables[_full(schema, name)] = {}
    for database, schema, table, name, kind, nullable, default in _rows(connection, _COLUMNS):
        columns = found.tables.get(_full(schema, table))
        if database not in _TEMPORARY and columns is not None:
            columns[str(name)] = Column(str(kind), bool(nullable), default)
    for what, query in _OTHERS.items():
        found.others.extend(f"{what} {row[-1]}" for row in _rows(connection, query) if row[0] not in _TEMPORARY)
    return found


def _read_answers(connection: duckdb.DuckDBPyConnection) -> Catalogue:
    """Return macros and views alone."""
    found = Catalogue()
    for database, schema, name, parameters, definition in _rows(connection, _MACROS):
        if database not in _TEMPORARY:
            found.macros[_full(schema, name)] = f"({', '.join(parameters or [])}) AS {definition}"
    for database, schema, name in _rows(connection, _VIEWS):
        if database not in _TEMPORARY:
            found.views.append(_full(schema, name))
    return found


@cache
def our_catalogue() -> Catalogue:
    """Return what a new warehouse holds."""
    with duckdb.connect() as connection:
        connection.execute(_DDL.read_text())
        return read_catalogue(connection)


def refuse_impostors(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a file in which something could answer in place of the data. Call it before anything else is asked.

    :raises WarehouseDamaged: it has a macro that is not ours, or a view under the name of one of our tables.
    """
    found = impostors(_read_answers(connection))
    if found:
        raise WarehouseDamaged(
            f"the file holds what could answer in place of its data: {'; '.join(found[:3])}"
            + (f"; and {len(found) - 3} more" if len(found) > 3 else ""),
            where=str(path),
            hint="Somebody put it there. Drop it, or load the topic into a new file",
        )


def impostors(catalogue: Catalogue) -> list[str]:
    """Return what could answer in place of the data, in words."""
    ours = our_catalogue()
    found = [
        f"the macro {name} is not as it was made" if name in ours.macros else f"the macro {name} is not ours"
        for name, text in sorted(catalogue.macros.items())
        if ours.macros.get(name) != text
    ]
    found += [
        f"{name} is a view and not the table"
        for name in sorted(catalogue.views)
        if name.lower() in {table.lower() for table in ours.tables}
    ]
    return found


def strangers(catalogue: Catalogue) -> Iterator[str]:
    """Yield what the file holds and should not, or should hold and does not, in words. Order does not matter."""
    ours = our_catalogue()
    yield from impostors(catalogue)
    yield from (f"the macro {name} is missing" for name in sorted(ours.macros.keys() - catalogue.macros.keys()))
    yield from (f"the table {name} is missing" for name in sorted(ours.tables.keys() - catalogue.tables.keys()))
    yield from (f"the table {name} is not ours" for name in sorted(catalogue.tables.keys() - ours.tables.keys()))
    yield from (f"the view {name} is not ours" for name in sorted(catalogue.views) if name not in ours.tables)
    yield from (f"the {what} is not ours" for what in sorted(set(catalogue.others) - set(ours.others)))
    for table in sorted(ours.tables.keys() & catalogue.tables.keys()):
        yield from other_columns(table, catalogue.tables[table], ours.tables[table])


def other_columns(table: str, there: dict[str, Column], ours: dict[str, Column]) -> Iterator[str]:
    """Yield the columns of a table that are not as ours are; ``events`` may have more of them."""
    for name, column in ours.items():
        if name not in there:
            yield f"{table} has no column {name}"
        elif there[name] != column:
            yield f"the column {table}.{name} is {_spelt(there[name])}, not {_spelt(column)}"
    for name, column in there.items():
        if name in ours:
            continue
        if table != _GROWS:
            yield f"the column {table}.{name} is not ours"
        elif column.default is not None:
            yield f"the column {table}.{name} is filled with {column.default} where a schema lacks it"


def _spelt(column: Column) -> str:
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    return f"{column.kind}{'' if column.nullable else ' NOT NULL'}{default}"


def _full(schema: str, name: str) -> str:
    return name if schema == "main" else f"{schema}.{name}"


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()

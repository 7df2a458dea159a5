"""Reading a place whole, as whoever judges it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from consumer.pipeline.stored import WHERE, StoredPlace, StoredRows


@dataclass(frozen=True)
class ReadPlace:
    """What a place gave: its columns by name, and its rows."""

    types: dict[str, str]
    declared: dict[str, str]
    rows: list[dict[str, Any]]
    notes: list[str]
    changed: str
    as_of: str

    def column(self, name: str) -> list[Any]:
        """Return the values of a column."""
        return [row[name] for row in self.rows]


def rows_of(
    opened: StoredRows, columns: Sequence[str] | None = None, *, located: bool = False, texts: bool = False
) -> list[dict[str, Any]]:
    """Read the rows of an open place.

    :param texts: give each value as DuckDB's text of it: Python has no room for some.
    """
    names = [column.name for column in opened.columns] if columns is None else list(columns)
    names += [WHERE] if located else []
    given = ", ".join(f'CAST("{name}" AS VARCHAR) AS "{name}"' if texts else f'"{name}"' for name in names) or "1"
    found: list[dict[str, Any]] = []
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        for relation in opened.relations(session, columns or names[: len(names) - located], located=located):
            table = session.sql(f"SELECT {given} FROM {relation}").to_arrow_table()
            found += table.rename_columns(names or ["1"]).to_pylist()
        assert session.sql("SHOW TABLES").fetchall() == [], "a relation was left behind"
    return found


def read_place(place: StoredPlace, columns: Sequence[str] | None = None, **how: bool) -> ReadPlace:
    """Open a place, and read it."""
    with place.open() as opened:
        rows = rows_of(opened, columns, **how)
        return ReadPlace(
            {column.name: column.type for column in opened.columns},
            {column.name: column.declared for column in opened.columns},
            rows,
            opened.notes(),
            opened.changed(),
            opened.as_of,
        )

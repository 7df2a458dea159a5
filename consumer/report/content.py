"""The drawings of what a scenario's events say: one ``.sql`` file each, in its pack, with a header.

::

    -- title: above the drawing
    -- description: below it; {total} is the sum, and in a heatmap {row}, {column} and {most} its largest cell
    -- kind: shares      a name and a count: bars as shares of the whole
    --       heatmap     two names and a count
    --       percent     a name, and a percentage in the column that ``bar`` names; ``beside`` names a number for it
    -- needs: events.event_type      columns that the query reads

A drawing whose needs are not there does not apply and is left out. One that cannot be made is said, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from cluster.errors import Misconfigured
from consumer.proof.packs import RunPack
from consumer.proof.sql_files import SqlFile, lacking
from consumer.sinks.duckdb.errors import as_store_errors
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.packs import FIGURES

Row = tuple[Any, ...]
MAX_GROUPS = 12
# Columns that a kind has at least; the widest kind first.
_KINDS = {"heatmap": 3, "shares": 2, "percent": 2}


@dataclass(frozen=True, slots=True)
class Content:
    """One drawing in figures: the query, the names of its columns, and its rows."""

    query: SqlFile
    columns: tuple[str, ...]
    rows: list[Row]


def read_content(warehouse: Warehouse, pack: RunPack) -> tuple[list[Content], list[str]]:
    """Return the drawings of the run at hand that have something to draw, and what is not drawn, with the reason."""
    undrawn = [f"{name} is not drawn: {pack.why}." for name in pack.absent(FIGURES)]
    try:
        queries = pack.queries(FIGURES)
    except Misconfigured as fault:
        return [], [f"No figure of the scenario is drawn: {fault.message} ({fault.where})."]
    found = []
    for query in sorted(queries, key=_place):
        with as_store_errors(warehouse.path):
            if lacking(warehouse.connection, query, has_run=True):
                continue
            try:
                result = warehouse.connection.execute(query.query)
                columns, rows = tuple(column[0] for column in result.description), result.fetchall()
            except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
                undrawn.append(f"{query.name} is not drawn: {str(error).splitlines()[0]}.")
                continue
        if odd := _fault(query, columns, rows):
            undrawn.append(f"{query.name} is not drawn: {odd}.")
        elif rows:
            found.append(Content(query, columns, rows))
    return found, undrawn


def _place(query: SqlFile) -> tuple[int, str]:
    """Return where a drawing stands: the widest kind first, then by name."""
    kinds = list(_KINDS)
    kind = query.head.get("kind", "")
    return kinds.index(kind) if kind in kinds else len(kinds), query.name


def _fault(query: SqlFile, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return why rows of these columns cannot be drawn, empty if they can."""
    kind = query.head.get("kind", "")
    if kind not in _KINDS:
        return f"its kind is {kind or 'not said'}, and not one of {', '.join(_KINDS)}"
    if len(columns) < _KINDS[kind]:
        return f"a drawing of the kind {kind} has at least {_KINDS[kind]} columns"
    if kind == "percent" and "bar" not in query.head:
        return "it does not say which column is its bar"
    named = [query.head[key] for key in ("bar", "beside") if key in query.head]
    if unknown := [name for name in named if name not in columns]:
        return f"it has no column {', '.join(unknown)}"
    numbers = named if kind == "percent" else [columns[_KINDS[kind] - 1]]
    places = [columns.index(name) for name in numbers]
    if odd := [columns[place] for place in places if not all(isinstance(row[place], int | float) for row in rows)]:
        return f"the column {', '.join(odd)} does not hold numbers alone"
    return ""


def totals(rows: Sequence[Row], name: int, value: int, *, limit: int = MAX_GROUPS) -> list[tuple[str, int]]:
    """Return sums by name, the largest first; what is beyond ``limit`` is summed as one more row."""
    sums: dict[str, int] = {}
    for row in rows:
        key = "none" if row[name] is None else str(row[name])
        sums[key] = sums.get(key, 0) + int(row[value])
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(count for _, count in ordered[limit:])
    return ordered[:limit] + ([(f"{len(ordered) - limit} others", rest)] if rest else [])

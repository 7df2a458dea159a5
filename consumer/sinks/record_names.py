"""The types of records, where values of several are in one table: what the column of their names holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.columns.column_type import text_literal
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema


def record_names(schemas: Iterable[tuple[Any, ...]]) -> dict[int, str]:
    """Return the full names of the record types of schemas, by id.

    :param schemas: ids and texts.
    """
    names: dict[int, str] = {}
    for schema_id, text in schemas:
        try:
            names[int(schema_id)] = parse(str(text)).name
        except UnsupportedSchema:  # nothing of it is in the table
            continue
    return names


def are_several(names: Mapping[int, str]) -> bool:
    """Tell whether there are records of several types."""
    return len(set(names.values())) > 1


def name_of_row(names: Mapping[int, str]) -> str:
    """Return the SQL expression of the type of a row's record."""
    known = " ".join(f"WHEN {schema_id} THEN {text_literal(name)}" for schema_id, name in sorted(names.items()))
    return f"CASE _schema_id {known} END"

"""Which type of DuckDB a column of PostgreSQL gets, and how its values come over.

==================================  ================  ==============================================================
PostgreSQL                          DuckDB            what is worth knowing
==================================  ================  ==============================================================
boolean                             BOOLEAN
smallint, integer, bigint, oid      the same          oid is a BIGINT
real, double precision              FLOAT, DOUBLE
numeric(p,s), at most 38 digits     DECIMAL(p,s)      VARCHAR where a value is NaN
numeric                             DECIMAL(38,s)     the fewest decimals that hold all; VARCHAR where nothing does
text, varchar, name, enums          VARCHAR
character(n)                        VARCHAR           without the blanks that fill it, as PostgreSQL compares it
uuid, bytea, date, time             UUID, BLOB ...    dates may be infinite, or before Christ
timestamp, timestamptz              the same          in UTC
interval                            INTERVAL
json, jsonb                         VARCHAR           its text, as the server gives it
arrays and composites               VARCHAR           as JSON, by ``to_jsonb``
domains                             as their base
everything else                     VARCHAR           its text
==================================  ================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from schemas.columns.column_type import quote

MOST_DIGITS = 38
_TEXT = "VARCHAR"
_PLAIN = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "oid": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "uuid": "UUID",
    "bytea": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "interval": "INTERVAL",
}
_WITH_AN_ERA = ("date", "timestamp", "timestamptz")
_SAYS_ITSELF = ("text", "varchar")  # types of which `declared` says no more than VARCHAR does
# A type's own name, kind and category, its base where it is a domain, and how a declaration spells it. A domain of a
# domain leads on to what both are made of.
_TYPES = """
    WITH RECURSIVE asked AS (
        SELECT * FROM unnest(%s::oid[], %s::int[]) WITH ORDINALITY AS a(oid, modifier, number)
    ), based AS (
        SELECT number, t.oid, a.modifier, t.typtype, t.typbasetype, t.typtypmod FROM asked a JOIN pg_type t USING (oid)
        UNION ALL
        SELECT b.number, t.oid, b.typtypmod, t.typtype, t.typbasetype, t.typtypmod
        FROM based b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
    )
    SELECT t.typname, n.nspname = 'pg_catalog', t.typtype::text, t.typcategory::text, b.modifier,
           format_type(a.oid, a.modifier)
    FROM asked a JOIN based b USING (number) JOIN pg_type t ON t.oid = b.oid
    JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE b.typtype <> 'd' ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as the server knows it.

    :ivar type: its type's own name in ``pg_catalog``; empty for a type of somebody's own.
    :ivar nested: whether it is an array or a composite.
    :ivar precision: of a numeric; ``None`` where it is not limited.
    """

    name: str
    declared: str
    type: str
    nested: bool
    precision: int | None = None
    scale: int = 0

    @property
    def numeric(self) -> bool:
        """Tell whether its values must be looked at, to know what holds them."""
        return self.type == "numeric"

    @property
    def said(self) -> str:
        """Return what is told of its type beside DuckDB's."""
        return "" if self.declared in _SAYS_ITSELF else self.declared


def source_columns(connection: psycopg.Connection[Any], fields: Sequence[tuple[str, int, int]]) -> list[SourceColumn]:
    """Return the columns of a result.

    :param fields: name, oid and modifier of the type of each.
    """
    asked = [[oid for _, oid, _ in fields], [modifier for _, _, modifier in fields]]
    found = connection.execute(_TYPES, asked).fetchall()
    columns = []
    for (name, _, _), (own, known, kind, category, modifier, declared) in zip(fields, found, strict=True):
        precision, scale = _limits(modifier) if own == "numeric" else (None, 0)
        nested = category == "A" or kind == "c"
        columns.append(SourceColumn(name, declared, own if known else "", nested, precision, scale))
    return columns


def _limits(modifier: int) -> tuple[int | None, int]:
    """Return precision and scale out of a numeric's modifier; a scale is a number of 11 bits with a sign."""
    if modifier < 0:
        return None, 0
    packed = modifier - 4
    precision, scale = (packed >> 16) & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024
    return (precision, scale) if precision <= MOST_DIGITS and 0 <= scale <= precision else (None, 0)


def types_of(connection: psycopg.Connection[Any], columns: Iterable[SourceColumn], relation: str) -> dict[str, str]:
    """Return the type of DuckDB that each column gets. Numerics are looked at, all rows of them."""
    columns = list(columns)
    numerics = [column for column in columns if column.numeric]
    decimals: dict[str, str] = {}
    if numerics:
        looks = ", ".join(_look(column) for column in numerics)
        found = iter(connection.execute(f"SELECT {looks} FROM {relation}").fetchone() or ())  # noqa: S608 - quoted
        decimals = {column.name: _decimal(column, *(next(found) for _ in range(3))) for column in numerics}
    return {column.name: decimals.get(column.name) or _PLAIN.get(column.type, _TEXT) for column in columns}


def _look(column: SourceColumn) -> str:
    """Return whether a value is no number, the most decimals, and the most digits before the point."""
    name = quote(column.name)
    special = f"bool_or({name} IN ('NaN', 'Infinity', '-Infinity'))"
    if column.precision is not None:
        return f"{special}, 0, 0"
    finite = f"FILTER (WHERE {name} NOT IN ('NaN', 'Infinity', '-Infinity'))"
    whole = f"length(trunc(abs({name}))::text)"
    return f"{special}, max(scale({name})) {finite}, max({whole}) {finite}"


def _decimal(column: SourceColumn, special: bool | None, scale: int | None, whole: int | None) -> str:
    if special:
        return _TEXT
    if column.precision is not None:
        return f"DECIMAL({column.precision},{column.scale})"
    if (scale or 0) + (whole or 0) > MOST_DIGITS:
        return _TEXT
    return f"DECIMAL({MOST_DIGITS},{scale or 0})"


def text_on_the_way(column: SourceColumn) -> str:
    """Return the expression of PostgreSQL's whose text comes over."""
    name = quote(column.name)
    if column.nested:
        return f"to_jsonb({name})::text"
    match column.type:
        case "bpchar":
            return f"{name}::text"
        case "interval":
            whole = f"(extract(year FROM {name}) * 12 + extract(month FROM {name}))::int"
            clock = (
                f"(extract(hour FROM {name}) * 3600000000 + extract(minute FROM {name}) * 60000000"
                f" + extract(microseconds FROM {name}))::bigint"
            )
            fields = f"{whole} || ' months ' || extract(day FROM {name})::int || ' days ' || {clock} || ' microseconds'"
            return f"CASE WHEN isfinite({name}) THEN {fields} ELSE {name}::text END"
    return name


def value_of(text: str, column: SourceColumn, kind: str) -> str:
    """Return the expression of DuckDB's that makes a value of its text."""
    if kind == _TEXT:
        return text
    if kind == "BLOB":
        return f"unhex(substr({text}, 3))"
    if column.type in _WITH_AN_ERA:
        text = f"regexp_replace({text}, '^(\\S+)(.*) BC$', '\\1 (BC)\\2')"
    return f"CAST({text} AS {kind})"


def values_query(texts: Mapping[str, str], columns: Iterable[SourceColumn], kinds: Mapping[str, str]) -> str:
    """Return a list of values for the columns, by the names of their texts."""
    return ", ".join(
        f"{value_of(quote(texts[column.name]), column, kinds[column.name])} AS {quote(texts[column.name])}"
        for column in columns
    )

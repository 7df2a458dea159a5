"""Which type of PostgreSQL holds which column.

==========================================  ==================  =======================================================
DuckDB                                      PostgreSQL          what is worth knowing
==========================================  ==================  =======================================================
BOOLEAN                                     boolean
TINYINT, SMALLINT, UTINYINT                 smallint
INTEGER, USMALLINT                          integer
BIGINT, UINTEGER                            bigint
UBIGINT, HUGEINT, UHUGEINT                  numeric             there is no such integer
FLOAT, DOUBLE                               real, double        NaN keeps no payload
DECIMAL(p,s)                                numeric(p,s)
VARCHAR                                     text                no NUL character: such a row is refused
BLOB                                        bytea
DATE, TIME, UUID                            the same
TIMESTAMP, TIMESTAMP_MS, TIMESTAMP_S        timestamp           microseconds
TIMESTAMP WITH TIME ZONE                    timestamptz         microseconds
TIMESTAMP_NS, TIME_NS                       text                nothing there holds nanoseconds
"NULL"                                      text                nothing but NULL
STRUCT, LIST, MAP, UNION                    jsonb               see below
STRUCT without members                      boolean             true where the record is there
==========================================  ==================  =======================================================

What is nested is ``jsonb``. A composite type cannot be widened in place: every new member of a record would write the
whole table anew, and an array of composites cannot change at all while a column uses it. ``jsonb`` takes new members
as they come, and queries reach inside with ``->``. It keeps neither the order of keys, nor two equal keys, nor NaN,
nor the sign of zero. So inside it a map is an array of ``{"key", "value"}``, a union ``{"tag", "value"}``, bytes are
hexadecimal text, and NaN, the infinities and -0.0 are text; so is whatever JSON has no type for, such as times and
decimals. Which type was meant stands in the table ``event_types``, as ``described`` writes it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from schemas.columns.column_type import NULL, ColumnType, SchemaConflict

LONGEST_NAME_BYTES = 63
_DIGEST = 12
_NESTED = ("STRUCT", "LIST", "MAP", "UNION")
SCALARS = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "integer",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric(20,0)",
    "HUGEINT": "numeric(39,0)",
    "UHUGEINT": "numeric(39,0)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIME_NS": "text",
    "UUID": "uuid",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP_S": "timestamp without time zone",
    "TIMESTAMP_MS": "timestamp without time zone",
    "TIMESTAMP_NS": "text",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    NULL: "text",
}
_MEMBERS = {"LIST": 1, "MAP": 2}
_DECIMAL = re.compile(r"DECIMAL\((\d{1,2}),(\d{1,2})\)")


def postgres_type(kind: ColumnType) -> str:
    """Return the type that holds every value of ``kind``, as PostgreSQL's ``format_type`` spells it.

    :raises SchemaConflict: there is none.
    """
    if is_nested(kind):
        for _, member in kind.members:
            postgres_type(member)  # a leaf that nothing can hold
        return "jsonb"
    if kind.name == "STRUCT":
        return "boolean"
    if decimal := _DECIMAL.fullmatch(kind.name):
        return f"numeric({decimal[1]},{decimal[2]})"
    try:
        return SCALARS[kind.name]
    except KeyError:
        raise SchemaConflict(f"PostgreSQL has no column for {kind}") from None


def is_nested(kind: ColumnType) -> bool:
    """Tell whether a value is kept as a document."""
    return kind.name in _NESTED and bool(kind.members)


def cut_name(name: str) -> str:
    """Return an identifier of at most 63 bytes: longer ones are cut and get a digest, which keeps them apart."""
    raw = name.encode()
    if len(raw) <= LONGEST_NAME_BYTES:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:_DIGEST]
    return f"{raw[: LONGEST_NAME_BYTES - _DIGEST - 1].decode(errors='ignore')}_{digest}"


def described(kind: ColumnType) -> Any:
    """Return a type as JSON: a scalar by its name, others as ``{"STRUCT": [["member", type], ...]}``."""
    if kind.name not in _NESTED:
        return kind.name
    return {kind.name: [[name, described(member)] for name, member in kind.members]}


def read_type(said: Any) -> ColumnType:
    """Return the type that :func:`described` wrote.

    :raises ValueError: it is not one: somebody changed it. Its names enter statements, so nothing else is let in.
    """
    match said:
        case str(name) if name in SCALARS or _DECIMAL.fullmatch(name):
            return ColumnType(name)
        case dict() if len(said) == 1:
            ((name, members),) = said.items()
            if name in _NESTED and isinstance(members, list) and (members or name == "STRUCT"):
                kind = ColumnType(name, tuple(_member(each) for each in members))
                if len(members) == _MEMBERS.get(name, len(members)):
                    return kind
    raise ValueError(f"{str(said)[:80]!r} is not a type")


def _member(said: Any) -> tuple[str, ColumnType]:
    match said:
        case [str(name), kind]:
            return name, read_type(kind)
    raise ValueError(f"{str(said)[:80]!r} is not a member of a type")

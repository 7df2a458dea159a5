"""What PostgreSQL says to a reader, as the error tree says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from cluster.errors import (
    Busy,
    DataRejected,
    DependencyDown,
    Misconfigured,
    Refused,
    StoreFailed,
    StreamproofError,
    WarehouseUnreachable,
)

_AGAIN = "Try again when it answers"
# By SQLSTATE, or its class: what it means, and what to do next. The first that fits is taken.
_MEANINGS: tuple[tuple[tuple[str, ...], type[StreamproofError], str, str], ...] = (
    (
        ("42501",),
        Refused,
        "the user may not read it",
        "Grant SELECT on it and USAGE on its schema; where policies hide rows, let the user see them all (BYPASSRLS)",
    ),
    (("57014",), DependencyDown, "PostgreSQL did not answer in time, or somebody cancelled the query", _AGAIN),
    (
        ("53", "57P", "25P03", "08"),
        WarehouseUnreachable,
        "PostgreSQL ended the connection, or takes none",
        _AGAIN,
    ),
    (("55P03", "40"), Busy, "somebody else works on it, and did not let go in time", "Try again"),
    (("25001", "25006"), Misconfigured, "the query writes", "Give one SELECT that only reads"),
    (("XX001", "XX002"), StoreFailed, "the server says that the table is damaged", ""),
    (("28",), Refused, "PostgreSQL refuses the login", "Check user, password (PGPASSWORD, ~/.pgpass) and pg_hba.conf"),
)
# The server's own words are of names, and of values only in these classes.
_OF_THE_QUERY = ("42", "3F", "0A", "26", "34")
_OF_A_VALUE = ("20", "21", "22", "23", "54", "P0")


def stored_error(error: psycopg.Error, where: str) -> StreamproofError:
    """Return the error of the tree for what the driver raised."""
    state = error.sqlstate or ""
    for states, kind, message, hint in _MEANINGS:
        if state and state.startswith(states):
            return kind(message, where=where, hint=hint)
    if state.startswith(_OF_THE_QUERY):
        said = str(error.diag.message_primary or "").split("\n", 1)[0][:200]
        return Misconfigured(f"it cannot be read as it is asked for: {said}", where=where)
    if state.startswith(_OF_A_VALUE):
        return DataRejected(
            f"a value stops the query: {type(error).__name__}",
            where=where,
            hint="Run the query by itself: PostgreSQL names the value",
        )
    if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return WarehouseUnreachable("the connection to PostgreSQL is lost", where=where, hint=_AGAIN)
    return StoreFailed(f"PostgreSQL cannot give it: {type(error).__name__} ({state or 'no state'})", where=where)


@contextmanager
def as_stored_errors(where: str) -> Iterator[None]:
    """Raise what the driver raises inside as errors of the tree."""
    try:
        yield
    except psycopg.Error as error:
        raise stored_error(error, where) from error

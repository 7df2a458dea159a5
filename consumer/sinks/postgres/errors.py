"""What PostgreSQL and its driver say, as the error tree says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb
import psycopg

from cluster.errors import (
    Interrupted,
    Misconfigured,
    Refused,
    StoreFailed,
    StoreFull,
    StoreOutOfMemory,
    StreamproofError,
    WarehouseDamaged,
    WarehouseLocked,
    WarehouseUnreachable,
)
from consumer.sinks.duckdb.refused import reason_of as duckdb_reason_of

_AGAIN = "Run the same command again: it goes on from the last commit"
_NO_SUCH_VALUE = "no such value"  # which no server ever says
# By SQLSTATE, or its class: what it means, and what to do next. The first that fits is taken.
_MEANINGS: tuple[tuple[tuple[str, ...], type[StreamproofError], str, str], ...] = (
    (
        ("53100",),
        StoreFull,
        "no space left for the warehouse; what was being written is rolled back, everything before it is kept",
        "Free some space on the server and run the same command again",
    ),
    (
        ("53200",),
        StoreOutOfMemory,
        "PostgreSQL has no memory left; what was being written is rolled back",
        "Give `load` a smaller --batch-rows, or the server more memory",
    ),
    (
        ("53300", "57P01", "57P02", "57P03", "57P05", "25P03", "08"),
        WarehouseUnreachable,
        "PostgreSQL ended the connection, or takes none",
        _AGAIN,
    ),
    (
        ("55P03", "40001", "40P01"),
        WarehouseLocked,
        "another process works on the same tables, and did not let go of them in time",
        _AGAIN,
    ),
    (
        ("28",),
        Refused,
        "PostgreSQL refuses the login",
        "Check user and password: PGPASSWORD, ~/.pgpass, and pg_hba.conf of the server",
    ),
    (
        ("42501",),
        Refused,
        "the user may not do this",
        "Grant CREATE on the database to make a warehouse, or have the user own the schema that is there",
    ),
    (
        (_NO_SUCH_VALUE,),
        Misconfigured,
        "a parameter of the connection has a value that it cannot have",
        "Check sslmode and what else stands behind the ? of the address, or in variables such as PGSSLMODE",
    ),
    (("3D000",), Misconfigured, "there is no such database", "Create it, or check the address"),
    (
        ("25006",),
        StoreFailed,
        "the server takes nothing that writes: it is a standby, or set to be read only",
        "Give the address of the primary",
    ),
    (
        ("3F000", "42P01", "42703", "42704", "42804", "42809", "42883", "XX001", "XX002"),
        WarehouseDamaged,
        "the tables are not as they were made",
        "Somebody changed them. Restore them, or set the schema aside (ALTER SCHEMA ... RENAME TO ...) and load anew",
    ),
)
# A login fails before there is a result with an SQLSTATE: the words of an English server, and of libpq.
_WORDS = (
    (("password authentication failed", "no password supplied", "authentication failed", "pg_hba.conf"), "28000"),
    (("permission denied for database", "permission denied"), "42501"),
    (("database", "does not exist"), "3D000"),
    (("too many c", "remaining connection slots"), "53300"),
    ((' value: "', "invalid integer value", "invalid value for parameter", "unrecognized conf"), _NO_SUCH_VALUE),
    (("certificate", "SSL error", "does not support SSL"), "28000"),
    (("No space left on device",), "53100"),
)
# What a row can be blamed for: its values, or that there is no room for them in one row.
_DATA_CLASSES = ("21", "22", "23", "54")
_DUPLICATE = "23505"


def reason_of(error: BaseException | None) -> str | None:
    """Say why a row was refused, without the value; ``None`` where no row is at fault.

    A position that is there already is not the fault of the row.
    """
    if not isinstance(error, psycopg.Error):
        return duckdb_reason_of(error) if isinstance(error, Exception) else None
    state = error.sqlstate
    if state is None or not state.startswith(_DATA_CLASSES) or state == _DUPLICATE:
        return None
    nul = "; a text holds the character NUL" if state in ("22021", "22P05") else ""
    return f"PostgreSQL refuses it: {type(error).__name__}{nul}"


def store_error(error: psycopg.Error, where: str, *, asked_to_stop: bool = False) -> StreamproofError:
    """Return the error of the tree for what the driver raised."""
    state = error.sqlstate or ""
    if state == "57014":
        if asked_to_stop:
            return _stopped(where)
        return WarehouseUnreachable("PostgreSQL did not end a statement in time", where=where, hint=_AGAIN)
    for states, kind, message, hint in _MEANINGS:
        if state and state.startswith(states):
            return kind(message, where=f"{where}: {_first_line(error)}", hint=hint)
    if state == _DUPLICATE:
        return WarehouseLocked(
            "another loader stored the same records; the batch was rolled back",
            where=where,
            hint="Run the command again: it goes on from where the other one is",
        )
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not state:
        return WarehouseUnreachable("the connection to PostgreSQL is lost", where=where, hint=_AGAIN)
    return StoreFailed(
        f"the warehouse failed: {type(error).__name__} ({state or 'no state'})", where=where, hint=_AGAIN
    )


def login_error(error: psycopg.Error, where: str) -> StreamproofError:
    """Return the error of the tree for a connection that was not made."""
    said = str(error)
    states = [state for words, state in _WORDS if _says(said, words, state)]
    for states_of, kind, message, hint in _MEANINGS:
        if states and states[0].startswith(states_of):
            return kind(message, where=where, hint=hint)
    return WarehouseUnreachable(
        "PostgreSQL cannot be reached", where=where, hint="Is it running, and is the address right? Then run it again"
    )


def _says(said: str, words: tuple[str, ...], state: str) -> bool:
    return (all if state == "3D000" else any)(word in said for word in words)


def _first_line(error: psycopg.Error) -> str:
    return str(error.diag.message_primary or error).split("\n", 1)[0][:200]


@contextmanager
def as_store_errors(where: str, is_stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Raise what the driver raises inside as errors of the tree.

    :param is_stopped: tells whether somebody asked to stop: then nothing is begun, and what ends is that.
    """
    if is_stopped():
        raise _stopped(where)
    try:
        yield
    except duckdb.InterruptException as error:
        raise _stopped(where) from error
    except psycopg.Error as error:
        raise store_error(error, where, asked_to_stop=is_stopped()) from error


def _stopped(where: str) -> Interrupted:
    return Interrupted(
        "stopped; what was being written is rolled back, everything before it is kept",
        where=where,
        hint="The same command continues",
    )

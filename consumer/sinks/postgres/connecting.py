"""One connection to PostgreSQL: every wait has a deadline, and a server that has gone is noticed.

============================  ==========================================================================================
who waits                     how long
============================  ==========================================================================================
for the connection            10 s
the server, for a statement   60 s, unless it is given more; a lock as long as ``--wait`` says
this side, for an answer      10 s more than the statement has: a server that stands still says nothing by itself
either, for a dead network    about 30 s (TCP keepalives)
the server, for the next one  5 minutes inside a transaction: a loader that was frozen keeps no lock for ever
============================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from consumer.sinks.postgres.errors import login_error
from consumer.sinks.postgres.place import Address

CONNECT_S = 10
STATEMENT_S = 60.0
IDLE_S = 300
_GRACE_S = 10.0
_LIBPQ: dict[str, Any] = {
    "connect_timeout": CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
    "application_name": "streamproof",
}
# What the texts of values depend on, and the deadlines; the connection's own, whatever database or role say.
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "client_encoding": "UTF8",
    "client_min_messages": "warning",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "statement_timeout": f"{STATEMENT_S * 1000:.0f}",
    "idle_in_transaction_session_timeout": f"{IDLE_S * 1000}",
}
# What a database or a role may say since PostgreSQL 14 and 17: a proof is idle between its copy and its verdict, and a
# batch or a copy takes as long as it takes. The deadlines above are the ones that hold.
_WITHOUT = """
    SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings
    WHERE name IN ('idle_session_timeout', 'transaction_timeout')
"""
_SET = "SELECT " + ", ".join("set_config(%s, %s, false)" for _ in _SESSION)

T = TypeVar("T")


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up waiting for an answer. What it gave up is closed: nobody knows its state."""

    answer_s: float = STATEMENT_S + _GRACE_S

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for an answer, as long as it may take."""
        try:
            return super().wait(gen, interval=interval, timeout=timeout if timeout is not None else self.answer_s)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - it has no public name
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError("the server did not answer in time") from error

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Let statements inside take longer."""
        self.execute("SELECT set_config('statement_timeout', %s, false)", [f"{seconds * 1000:.0f}"])
        self.answer_s = seconds + _GRACE_S
        try:
            yield
        finally:
            if not self.closed and self.pgconn.transaction_status != psycopg.pq.TransactionStatus.INERROR:
                self.execute("SELECT set_config('statement_timeout', %s, false)", [_SESSION["statement_timeout"]])
            self.answer_s = STATEMENT_S + _GRACE_S


def connect(address: Address, *, lock_s: float) -> BoundedConnection:
    """Connect, in autocommit: transactions are begun where they are meant.

    :param lock_s: how long a statement waits for a lock.
    :raises WarehouseUnreachable: nobody answers.
    :raises Refused: the login is refused.
    :raises Misconfigured: there is no such database.
    """
    try:
        connection = BoundedConnection.connect(**{**address.conninfo, **_LIBPQ}, autocommit=True)
    except psycopg.Error as error:
        raise login_error(error, address.shown) from None  # the driver's words may hold what the address holds
    try:
        parameters = [part for pair in _SESSION.items() for part in pair]
        connection.execute(_SET, parameters)
        connection.execute(_WITHOUT)
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{max(1, round(lock_s * 1000))}"])
    except psycopg.Error as error:
        connection.close()
        raise login_error(error, address.shown) from None
    return connection

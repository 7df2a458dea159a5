"""Steps from each format of a schema to the next, run by alembic: those of a folder, in one transaction, under a lock.

A folder has alembic's ``env.py`` and ``versions/``. Two processes that find nothing make it once, and a kill leaves all
of it or nothing. alembic's own table, ``alembic_version``, lies in the schema and says which format it has.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from consumer.sinks.postgres.connecting import BoundedConnection, connect
from consumer.sinks.postgres.place import Address
from schemas.columns.column_type import quote

_BUSY_S = 60.0


def take_steps(
    address: Address,
    schema: str,
    folder: Path,
    *,
    lock: str,
    then: Callable[[BoundedConnection], None] | None = None,
) -> None:
    """Make a schema, or bring the one that is there to the newest format.

    :param lock: name of the advisory lock.
    :param then: is called in the same transaction, behind the last step.
    :raises psycopg.Error: PostgreSQL refuses it; everything is as it was.
    """
    import sqlalchemy  # deferred, as both take half a second that a schema of today's format does not need
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")

    def connected() -> BoundedConnection:
        connection = connect(address, lock_s=_BUSY_S)
        connection.set_autocommit(False)
        return connection

    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connected, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])
            if not raw.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchall():
                raw.execute(f"CREATE SCHEMA {quote(schema)}")
            raw.execute("SELECT set_config('search_path', %s, true)", [quote(schema)])
            config.attributes |= {"connection": connection, "schema": schema}
            command.upgrade(config, "head")
            if then is not None:
                then(raw)
    except sqlalchemy.exc.DBAPIError as error:
        raise error.orig or error from None

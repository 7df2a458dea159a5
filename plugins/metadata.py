"""Making Airflow's metadata ready: ``python -m plugins.metadata CONNECTIONS_FILE POOL...``, in Airflow's environment.

One process for what would be several of Airflow's commands, each of which takes seconds to begin: migrate the database,
make the pools of one slot, store the connections. The file holds them as Airflow's JSON, by connection id. A setting
that names a secret's file (``sasl.password.file``) is stored as the secret itself, since Kafka's own library knows no
such setting; Airflow encrypts it with its Fernet key, which is in ``airflow.cfg``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow.__main__ import main as airflow
from airflow.models.connection import Connection
from airflow.utils.session import create_session
from sqlalchemy import select

from cluster.settings.secret_files import read_secret

POOL_DESCRIPTION = "One at a time: what they write takes a single writer"
CONNECTION_DESCRIPTION = "Of the local stack: written by `streamproof up` at every start"
_FILE_ENDINGS = (".file", "_file")


def make_ready(pools: Iterable[str], connections: Mapping[str, Mapping[str, Any]]) -> None:
    """Migrate, make the pools, and store the connections in the place of those of the same ids."""
    _command("db", "migrate")
    for pool in pools:
        _command("pools", "set", pool, "1", POOL_DESCRIPTION)
    with create_session() as session:
        for conn_id, fields in connections.items():
            extra = json.dumps(with_secrets(fields.get("extra", {})))
            connection = Connection(conn_id=conn_id, description=CONNECTION_DESCRIPTION, **{**fields, "extra": extra})
            # With the number of the row of this name, the merge replaces that row.
            known = session.scalar(select(Connection.id).where(Connection.conn_id == conn_id))
            if known is not None:
                connection.id = known
            session.merge(connection)


def with_secrets(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the content of a file in the place of its name."""
    read: dict[str, Any] = {}
    for name, value in extra.items():
        ending = next((ending for ending in _FILE_ENDINGS if name.endswith(ending)), "")
        read[name.removesuffix(ending)] = read_secret(value, name) if ending else value
    return read


def _command(*arguments: str) -> None:
    sys.argv = ["airflow", *arguments]
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    _, connections_file, *pool_names = sys.argv
    make_ready(pool_names, json.loads(Path(connections_file).read_text()))

"""Which store a person means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import Misconfigured
from cluster.local import read_local_stack, state_dir
from consumer.journey.store import StorePlace

_POSTGRES = "postgres"


def store_at(said: str) -> StorePlace:
    """Return the store that a person named: ``postgresql://user@host:port/database``, ``duckdb:FILE``, or a file.

    :raises Misconfigured: it is neither.
    """
    from consumer.journey.store.duckdb import DuckDBPlace
    from consumer.sinks.postgres.place import address_of, is_address

    path = said.removeprefix("duckdb:")
    if path != said or said.endswith((".duckdb", ".db")):
        if not path:
            raise Misconfigured("duckdb: names no file", hint="Give it as duckdb:journey.duckdb")
        return DuckDBPlace(Path(path).expanduser().resolve())
    if is_address(said):
        from consumer.journey.store.postgres import PostgresPlace  # deferred: it loads the driver

        return PostgresPlace(address_of(said))
    raise Misconfigured(
        f"{said!r} is not a store", hint="Give postgresql://user@host:port/database, or duckdb:FILE for one instance"
    )


def usual_store(group: str, instances: int, env: Mapping[str, str] = os.environ) -> StorePlace:
    """Return where a group is kept when nobody says: in PostgreSQL of the local stack, else in a file of one instance.

    :raises Misconfigured: there are several instances, and no PostgreSQL.
    """
    here = local_postgres(env)
    if here is not None:
        return store_at(here)
    if instances == 1:
        return store_at(f"duckdb:{state_dir(env) / 'groups' / group}.duckdb")
    raise Misconfigured(
        f"{instances} instances need a store that several processes write to, and none is known",
        hint="Run `streamproof up --postgres`, or give --to postgresql://user@host:port/database",
    )


def local_postgres(env: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of the local stack's PostgreSQL, without a password; ``None`` where it does not run."""
    stack = read_local_stack(state_dir(env))
    return None if stack is None or _POSTGRES not in stack.endpoints else stack.endpoints[_POSTGRES].address

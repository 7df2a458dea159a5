"""A PostgreSQL for warehouses: one of the user's own, apart from the one that holds Airflow's metadata."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from cluster.local import Endpoint
from stack.ports import LOOPBACK
from stack.services.component import Component, Described, Site
from stack.services.postgres import DATABASE, SETTINGS, passfile_of, server_service
from stack.services.service import Service

NAME = "postgres"
TITLE = "PostgreSQL"
SERVICE = "warehouses"
USER = "streamproof"
# A load writes: more room for what is not in its tables yet, and a checkpoint less often.
_SETTINGS = SETTINGS | {
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "min_wal_size": "64MB",
    "wal_compression": "on",
}


def warehouses_home(state: Path) -> Path:
    """Return the folder of the server, its password and its log."""
    return state / "warehouses"


def warehouses_address(state: Path, port: int) -> str:
    """Return the address that `load --to` takes: the password is the path of a file, and so no secret is in it."""
    passfile = quote(str(passfile_of(warehouses_home(state))), safe="/")
    return f"postgresql://{USER}@{LOOPBACK}:{port}/{DATABASE}?passfile={passfile}"


def warehouses_service(state: Path, *, port: int) -> Service:
    """Describe the server.

    :raises Misconfigured: this machine cannot run it; says why.
    """
    return server_service(
        warehouses_home(state),
        state / "log",
        name=SERVICE,
        user=USER,
        port=port,
        settings=_SETTINGS,
        endpoints={NAME: Endpoint(warehouses_address(state, port), TITLE)},
    )


def _describe(site: Site) -> Described:
    return Described((warehouses_service(site.state, port=site.port(NAME)),))


COMPONENT = Component(NAME, TITLE, _describe, space_bytes=160_000_000)

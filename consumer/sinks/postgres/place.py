"""Where a warehouse in PostgreSQL is: a database by its address, and in it one schema for each topic."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.errors import Misconfigured
from cluster.settings.hosts import is_loopback
from cluster.text.names import check_topic_name
from consumer.sinks.postgres.values.types import LONGEST_NAME_BYTES

SCHEMES = ("postgresql://", "postgres://")
_DIGEST = 12
_PORTS = re.compile(r"[0-9,]*")
# An @ may only begin a host: a socket without a file.
_HOSTS = re.compile(r"@?[^@,]*(,@?[^@,]*)*")
# A misspelt address is not the path of a file: a warehouse would be made there, and shown with the password.
_ADDRESS = re.compile(
    r"\s*([a-z][a-z0-9+.-]*://|postgres(ql)?[a-z0-9+.-]*:|(host|hostaddr|port|user|password|dbname|service)\s*=)",
    re.IGNORECASE,
)
# Names that PostgreSQL keeps for itself, or that every database has.
_TAKEN = ("public", "information_schema")
_TAKEN_PREFIX = "pg_"


@dataclass(frozen=True, slots=True)
class Address:
    """A database. ``conninfo`` is libpq's, and may hold a password; ``shown`` is what messages call it, without one."""

    shown: str
    conninfo: dict[str, Any] = field(repr=False)


def is_address(where: str) -> bool:
    """Tell whether a warehouse is named by an address, be it a misspelt one, and not by the path of a file."""
    return _ADDRESS.match(where) is not None


def address_of(url: str, env: Mapping[str, str] = os.environ) -> Address:
    """Read ``postgresql://user@host:port/database``. What it does not say, libpq's environment and files say.

    A password may stand in it; ``PGPASSWORD`` or ``~/.pgpass`` are the better places. A connection to another machine
    is encrypted, unless ``sslmode`` or ``PGSSLMODE`` says otherwise: libpq's own choice would do without where it must.

    :raises Misconfigured: it is not an address. The message does not repeat it: it may hold a password.
    """
    from psycopg import ProgrammingError  # deferred: a load into a file needs no driver
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
    except ProgrammingError:
        parts = {}
    # A password with a bare slash or @ in it is taken for host, port and database: nothing of it may be shown.
    is_cut = (
        "@" in str(parts.get("dbname", ""))
        or not _PORTS.fullmatch(str(parts.get("port", "")))
        or not _HOSTS.fullmatch(str(parts.get("host", "")))
    )
    if not url.startswith(SCHEMES) or not parts or is_cut:
        raise Misconfigured(
            "the address of the warehouse is not one of PostgreSQL's",
            hint="Give postgresql://user@host:port/database, and the password in PGPASSWORD or ~/.pgpass; in an "
            "address, special characters are written as %XX",
        )
    hosts = [host for host in str(parts.get("host", "")).split(",") if host and not host.startswith(("/", "@"))]
    if "sslmode" not in parts and "PGSSLMODE" not in env and not all(map(is_loopback, hosts)):
        parts["sslmode"] = "require"
    return Address(_shown(parts), parts)


def address_from(parts: Mapping[str, Any]) -> Address:
    """Return the address that libpq's parameters make: ``host``, ``port``, ``user``, ``password``, ``dbname``, more."""
    known = {name: value for name, value in parts.items() if value not in (None, "")}
    return Address(_shown(known), known)


def _shown(parts: dict[str, Any]) -> str:
    user, host, port, database = (parts.get(name) for name in ("user", "host", "port", "dbname"))
    place = f"{host or ''}{f':{port}' if port else ''}"
    return f"postgresql://{f'{user}@' if user else ''}{place}/{database or ''}"


def schema_of(topic: str) -> str:
    """Return the schema that holds a topic's warehouse: the topic's name, as far as PostgreSQL lets it be one.

    An identifier has at most 63 bytes, a topic up to 249 characters: a longer one is cut and gets a digest, and so is
    one that PostgreSQL keeps for itself. The whole name stands in the table ``meta``.

    :raises Misconfigured: the name cannot be a topic's.
    """
    check_topic_name(topic)
    if topic in _TAKEN or topic.startswith(_TAKEN_PREFIX):
        return _cut(f"topic_{topic}", "")
    return topic if len(topic) <= LONGEST_NAME_BYTES else _cut(topic, "")


def aside_of(schema: str, stamp: str) -> str:
    """Return the name that a schema gets when it is set aside."""
    ending = f".set-aside-{stamp}"
    whole = schema + ending
    return whole if len(whole.encode()) <= LONGEST_NAME_BYTES else _cut(schema, ending)


def _cut(name: str, ending: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: LONGEST_NAME_BYTES - _DIGEST - 1 - len(ending)]}-{digest}{ending}"

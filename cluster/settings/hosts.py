"""Which addresses are this machine: there alone may a connection be unencrypted without being asked for."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def foreign_hosts(bootstrap_servers: str) -> list[str]:
    """Return the entries of a bootstrap list (``host:port,[::1]:port``) that are not the loopback address, as shown."""
    entries = (entry.strip() for entry in bootstrap_servers.split(","))
    return [shown_address(entry) for entry in entries if entry and not is_loopback(_host(entry.rpartition("://")[2]))]


def is_foreign_url(url: str) -> bool:
    """Tell whether a URL leads anywhere but the loopback address."""
    return not is_loopback(urlsplit(url).hostname or "")


def shown_address(url: str) -> str:
    """Return an address for errors, logs and pages: without what may be a secret in it (login, query, fragment)."""
    scheme, mark, rest = url.partition("#")[0].partition("?")[0].rpartition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path}"


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is the loopback one. No name is looked up: ``localhost`` alone counts."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _host(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.rpartition(":")[0] if entry.count(":") == 1 else entry

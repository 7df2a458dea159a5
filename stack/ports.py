"""Which ports the stack listens on: those that were asked for, else last time's, else free ones."""

from __future__ import annotations

import itertools
import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import Misconfigured
from stack.files import READABLE, write_private

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections (Linux 32768, macOS 49152), so that
# no client that happens to run can hold ours.
FIRST, LAST = 20_000, 32_000
ATTEMPTS = 1_000


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


class Ports:
    """The ports of one state folder. A port that was chosen once is chosen again while it is free."""

    def __init__(self, state: Path) -> None:
        self._file = state / "ports.json"
        self._taken: set[int] = set()
        try:
            remembered = json.loads(self._file.read_text())
            self._remembered = {str(name): int(port) for name, port in remembered.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            self._remembered = {}

    @staticmethod
    def check(asked: Mapping[str, int]) -> None:
        """Look at all ports that are asked for, by name, before anything else is done.

        :raises Misconfigured: one is taken, is not a port, or is asked for twice.
        """
        for name, port in asked.items():
            _check(name, port)
            if sum(port == other for other in asked.values()) > 1:
                raise Misconfigured(f"port {port} is asked for twice", hint="Give each service a port of its own")

    def take(self, name: str, wanted: int | None = None) -> int:
        """Return the port for a name.

        :raises Misconfigured: the port that is asked for is taken, or none is free.
        """
        if wanted is not None:
            _check(name, wanted)
            port = wanted
        else:
            # Nothing to guess here: the numbers need not be secret.
            chances = (random.randint(FIRST, LAST) for _ in range(ATTEMPTS))  # noqa: S311
            candidates = itertools.chain([self._remembered.get(name, 0)], chances)
            usable = (port for port in candidates if port and port not in self._taken and is_free(port))
            port = next(usable, 0)
            if not port:
                raise Misconfigured(f"no free port between {FIRST} and {LAST} was found for {name}")
        self._taken.add(port)
        self._remembered[name] = port
        return port

    def save(self) -> None:
        """Remember the ports for the next start."""
        write_private(self._file, json.dumps(self._remembered, indent=1).encode(), mode=READABLE)


def _check(name: str, port: int) -> None:
    if not 1 <= port <= 65_535:
        raise Misconfigured(f"{port} is not a port for {name}", hint="Use a number from 1 to 65535")
    if not is_free(port):
        raise Misconfigured(
            f"port {port} for {name} is taken{_holder(port)}",
            where=f"{LOOPBACK}:{port}",
            hint="Name another port, or none: then a free one is used",
        )


def _holder(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            _, held = connection.laddr or ("", 0)
            if connection.status == psutil.CONN_LISTEN and held == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # not ours to look at; the port is named all the same
    return ""

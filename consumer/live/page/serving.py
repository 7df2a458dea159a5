"""The page without Airflow: a server of this process, on this machine alone unless it is told otherwise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from cluster.errors import Misconfigured
from cluster.settings.hosts import is_loopback
from consumer.live.page.app import STREAM_S, Closing, Door, Shown, SnapshotSource, build

LOOPBACK = "127.0.0.1"
FIRST_PORT = 8790
_PORTS = 20
# What a command has to end in is 4 s.
_STOP_S = 2


@contextmanager
def page_of(
    source: SnapshotSource,
    topics: Collection[str] = (),
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    stream_s: float = STREAM_S,
) -> Iterator[str]:
    """Serve the page while the context is open; yield its address.

    There is no login. On the loopback address only requests that name it are answered, so that no page of somebody
    else's, under a name that leads here, can read along.

    :param topics: those that are shown; all when there are none.
    :param port: this one; the first free one from ``FIRST_PORT`` on when ``None``.
    :raises Misconfigured: the port is taken, or the host is not an address of this machine.
    """
    listening = _listen(host, port)
    closing = Closing()
    shown = Shown(frozenset(topics))
    app = build(source, doors=(Door(shows=lambda: shown),), closing=closing, stream_s=stream_s)
    if is_loopback(host):
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost", "[::1]", "::1", host])
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_STOP_S)
    )
    # In a thread of its own, uvicorn leaves the signals to whoever serves.
    thread = threading.Thread(target=server.run, args=([listening],), name="live-page", daemon=True)
    thread.start()
    try:
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listening.getsockname()[1]}/"
    finally:
        closing.close()
        server.should_exit = True
        thread.join(_STOP_S + 1)
        listening.close()


def _listen(host: str, port: int | None) -> socket.socket:
    wanted = (port,) if port is not None else (*range(FIRST_PORT, FIRST_PORT + _PORTS), 0)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    refused: OSError | None = None
    for number in wanted:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A port that was in use a minute ago may be taken again.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, number))
            listening.listen(64)
        except OSError as error:
            listening.close()
            refused = error
        else:
            return listening
    why = refused.strerror if refused else ""
    raise Misconfigured(
        f"the page cannot be served: {why}",
        where=f"{host}:{port if port is not None else FIRST_PORT}",
        hint="Give another --port, or none: then the next free one is taken",
    ) from refused

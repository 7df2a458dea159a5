"""One process at a time for a shard of a run, on this machine.

A second one would take what the first has yet to send for missing, and send it too. The right is the name of a Unix
socket in Linux's abstract namespace: no file is left behind, and however the holder ends, the kernel takes the name
back. Across machines, and on other systems, nothing holds a second one back: the audit counts what was
sent twice.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import Busy


@contextmanager
def alone(servers: str, topic: str, run_id: str, shard: int) -> Iterator[None]:
    """Hold the right to send one shard.

    :param servers: the brokers that the run goes to.
    :raises Busy: another process on this machine sends this shard.
    """
    if sys.platform != "linux":
        yield
        return
    name = hashlib.sha256("\0".join((servers, topic, run_id, str(shard))).encode()).hexdigest()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
        try:
            held.bind(f"\0streamproof/{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Busy(
                "another process on this machine is producing this shard",
                where=f"run {run_id}, shard {shard}, topic {topic}",
                hint="Wait until it has ended, or end it; the same command then continues what it left",
            ) from None
        yield

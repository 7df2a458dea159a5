"""One process at a time for a shard of a run, on this machine.

A second one would take what the first has yet to send for missing, and send it too. The right is a name on this
machine, see ``cluster/machine/turns.py``. It is the short way: a second process is refused at once, and who holds the
name knows that whoever held it before has ended. Across machines ``producer/fence/`` decides, by what Kafka holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import Busy
from cluster.machine.identity import this_machine
from cluster.machine.turns import name_held


@contextmanager
def alone(servers: str, topic: str, run_id: str, shard: int) -> Iterator[str]:
    """Hold the right to send one shard, as far as this machine goes, and tell by which name.

    :param servers: the brokers that the run goes to.
    :raises Busy: another process on this machine sends this shard.
    """
    name = hashlib.sha256("\0".join((this_machine(), servers, topic, run_id, str(shard))).encode()).hexdigest()
    with name_held(f"streamproof/{name}") as free:
        if not free:
            raise Busy(
                "another process on this machine is producing this shard",
                where=f"run {run_id}, shard {shard}, topic {topic}",
                hint="Wait until it has ended, or end it; the same command then continues what it left",
            )
        yield name

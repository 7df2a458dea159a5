"""Who holds a shard, and until when: the lease that a sending process renews in the control topic.

A lease is told once a second under the key ``<run id>/<shard>/progress``, beside what ``schemas/progress.py`` tells, in
a header of its own and in a transaction of the shard's transactional id: Kafka takes it from the process that took that
id last, and from no other. ``producer/fence/`` says what follows from that.

Who was fenced and has stopped says so under ``<run id>/<shard>/yielded``, outside of a transaction: nothing but
waiting depends on it.

Neither record has a value, for the reasons that ``schemas/progress.py`` gives. A day later compaction may remove them;
a lease is over long before.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.records import Message
from schemas.identity import MAX_SHARDS
from schemas.progress import progress_key

HEADER = "lease"
_YIELDED = "/yielded"


class Lease(BaseModel):
    """What one process says of its right to send a shard. All durations count by its own clock.

    :ivar attempt: how often the shard was begun before.
    :ivar token: made up by the process when it took the shard.
    :ivar machine: where it runs (``cluster/machine/identity.py``), and ``name`` the one that it holds there.
    :ivar lease_s: how long after a renewal it may go on handing events to its client.
    :ivar settle_s: how long its client may go on sending what it was handed.
    :ivar at: ISO 8601, UTC, by the clock of its machine; for people.
    :ivar released: it sends nothing any more, and nothing of it is on its way.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    run_id: str = Field(min_length=1)
    shard: int = Field(ge=0, lt=MAX_SHARDS)
    attempt: int = Field(default=0, ge=0)
    token: str = Field(min_length=1)
    machine: str
    name: str
    pid: int
    lease_s: float = Field(ge=0)
    settle_s: float = Field(ge=0)
    at: str
    released: bool = False

    @property
    def holder(self) -> str:
        """The process in words."""
        return f"process {self.pid} on {self.machine.split(' ', 1)[0]}"

    def header(self) -> tuple[str, bytes]:
        """Return the header that holds it."""
        return HEADER, self.model_dump_json().encode()

    def places(self) -> tuple[str, str]:
        """Return the keys under which it may stand: while it is held, and after it was taken away."""
        return progress_key(self.run_id, self.shard), yielded_key(self.run_id, self.shard)


def yielded_key(run_id: str, shard: int) -> str:
    """Return the key under which a process that was fenced says that it has stopped."""
    return f"{run_id}/{shard}{_YIELDED}"


def lease_in(message: Message) -> Lease | None:
    """Return the lease that a record of the control topic tells; ``None`` where it tells none."""
    key = message.key()
    if key is None or message.value() is not None:
        return None
    said = next((value for name, value in message.headers() or () if name == HEADER), None)
    if said is None:
        return None
    try:
        lease = Lease.model_validate_json(said)
    except ValidationError:
        return None
    return lease if key in {each.encode() for each in lease.places()} else None

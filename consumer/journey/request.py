"""What a group is asked to do, and what it says about itself: while it runs, and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.groups.sight import Protocol
from consumer.journey.events import Application, Fields
from consumer.journey.store import StorePlace, Subscription
from schemas.formats import WrittenSchema

BATCH_ROWS = 1000
COMMIT_MS = 200
WAIT_S = 60.0
MOST_INSTANCES = 64


@dataclass(frozen=True, slots=True)
class ConsumeRequest:
    """A group of instances.

    :ivar batch_rows: how many records one transaction stores at most.
    :ivar commit_ms: how long records wait for more before they are stored.
    :ivar seconds: end after so long; ``None`` for never.
    :ivar until_end: end when all is stored that the topic holds when it begins.
    :ivar from_end: a partition that the group has not begun is read from where it ends now.
    :ivar wait_s: how long an instance waits for a store that does not answer.
    :ivar recreated: begin anew where the topic was deleted and made again.
    :ivar accept_gap: go on behind what retention deleted before it was read.
    :ivar kill_after_s: kill the first instance after so long, for a rehearsal of what follows.
    """

    application: Application
    topic: str
    store: StorePlace
    group: str
    instances: int = 1
    protocol: Protocol = "consumer"
    fields: Fields = field(default_factory=Fields)
    batch_rows: int = BATCH_ROWS
    commit_ms: int = COMMIT_MS
    seconds: float | None = None
    until_end: bool = False
    from_end: bool = False
    wait_s: float = WAIT_S
    recreated: bool = False
    accept_gap: bool = False
    kill_after_s: float | None = None
    written: str | None = None
    plain: WrittenSchema | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.instances <= MOST_INSTANCES:
            raise Misconfigured(f"{self.instances} instances cannot be", hint=f"Ask for 1 to {MOST_INSTANCES}")
        most = self.store.most_instances
        if most is not None and self.instances > most:
            raise Misconfigured(
                f"a DuckDB file is open in one process at a time, and {self.instances} instances are asked for",
                where=self.store.shown,
                hint="Ask for one instance, or store in PostgreSQL: --to postgresql://user@host:port/database",
            )


@dataclass(frozen=True, slots=True)
class GroupWork:
    """What crosses to the process of an instance: what is asked for, of which topic, and how Kafka is reached."""

    connection: Connection
    request: ConsumeRequest
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class InstanceState:
    """What an instance says of itself. Counts are of this run, and of what is stored.

    :ivar owned: partitions that it has.
    :ivar positions: the stored positions of the partitions that it ever had.
    :ivar lag: how many offsets are behind its positions; ``None`` before the broker said where partitions end.
    :ivar fenced: how often a partition was further in the store than it knew; nothing of that was stored twice.
    :ivar waiting: why it waits for its store or its registry, if it does.
    """

    instance: int
    client_id: str = ""
    owned: tuple[int, ...] = ()
    positions: Mapping[int, int] = field(default_factory=dict)
    events: int = 0
    aside: int = 0
    tombstones: int = 0
    lag: int | None = None
    fenced: int = 0
    waiting: str | None = None

    @property
    def processed(self) -> int:
        """Return how many records it has dealt with."""
        return self.events + self.aside + self.tombstones


@dataclass(frozen=True, slots=True)
class InstanceView:
    """An instance as the command sees it.

    :ivar target: partitions that it is to have, as the group says; ``None`` where that is not known.
    :ivar idle: it has nothing to do, and is to have nothing: the group has more members than partitions.
    :ivar died: how, if it did.
    """

    state: InstanceState
    target: tuple[int, ...] | None
    rate: float
    alive: bool
    idle: bool
    died: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        told = asdict(self.state)
        told["positions"] = {str(partition): at for partition, at in sorted(self.state.positions.items())}
        return told | {
            "processed": self.state.processed,
            "target": self.target,
            "rate": round(self.rate, 1),
            "idle": self.idle,
            "alive": self.alive,
            "died": self.died,
        }


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """How a group is doing."""

    application: Application
    group: str
    topic: str
    partitions: int
    instances: tuple[InstanceView, ...]
    seconds: float

    @property
    def processed(self) -> int:
        """Return how many records all instances have dealt with."""
        return sum(each.state.processed for each in self.instances)

    @property
    def rate(self) -> float:
        """Return records a second of all instances."""
        return sum(each.rate for each in self.instances)

    @property
    def lag(self) -> int | None:
        """Return the lag over all partitions; ``None`` while one is not owned here, or not known."""
        lags = [each.state.lag for each in self.instances if each.alive and each.state.owned]
        owned = sum(len(each.state.owned) for each in self.instances if each.alive)
        if owned != self.partitions or None in lags:
            return None
        return sum(lag for lag in lags if lag is not None)


@dataclass(frozen=True, slots=True)
class ConsumeResult:
    """What a run of a group came to.

    :ivar handover_s: how long a partition waits at most, about, when its instance dies; ``None`` if nobody tells.
    :ivar left: how many offsets lay behind the stored positions in the end; ``None`` if nobody tells.
    :ivar kept: what the store holds of the group and the topic, of all runs.
    """

    application: Application
    group: str
    topic: str
    store: str
    protocol: Protocol
    handover_s: float | None
    instances: tuple[InstanceView, ...]
    left: int | None
    kept: Mapping[str, int]
    seconds: float

    @property
    def events(self) -> int:
        """Return how many events were stored by this run."""
        return sum(each.state.events for each in self.instances)

    @property
    def aside(self) -> int:
        """Return how many records were kept aside by this run."""
        return sum(each.state.aside for each in self.instances)

    @property
    def idle(self) -> list[int]:
        """Return the numbers of the instances that had nothing to do in the end."""
        return [each.state.instance for each in self.instances if each.idle]

    def document(self) -> dict[str, Any]:
        """Return the result as ``consume --json`` prints it."""
        return {
            "application": self.application.value,
            "group": self.group,
            "topic": self.topic,
            "store": self.store,
            "protocol": self.protocol,
            "handover_s": self.handover_s,
            "instances": [each.document() for each in self.instances],
            "idle": self.idle,
            "events": self.events,
            "aside": self.aside,
            "tombstones": sum(each.state.tombstones for each in self.instances),
            "fenced": sum(each.state.fenced for each in self.instances),
            "left": self.left,
            "kept": dict(self.kept),
            "seconds": round(self.seconds, 3),
        }

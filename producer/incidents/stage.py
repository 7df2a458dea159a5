"""The stack that incidents happen to: the local one, and only where the run goes to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.local import broker_service, read_local_stack, state_dir
from schemas.incidents import REGISTRY, Incident, duration

_LOCAL_HINT = "Leave the incidents out, or run it on a local stack: `streamproof up`, without an address of your own"


@dataclass(frozen=True, slots=True)
class Stage:
    """A local stack, and how many brokers it has."""

    state: Path
    brokers: int

    def service(self, target: str) -> str:
        """Return what the supervisor calls the target of an incident."""
        return REGISTRY if target == REGISTRY else broker_service(_number(target), self.brokers)

    def warnings(self, incidents: Sequence[Incident], delivery_timeout_s: float) -> Iterator[str]:
        """Yield what somebody who asks for these incidents should know beforehand: they are allowed."""
        majority = self.brokers // 2 + 1
        for incident in incidents:
            if incident.target == REGISTRY:
                continue
            away = {
                other.target
                for other in incidents
                if other.target != REGISTRY and other.at_s <= incident.at_s < other.at_s + other.for_s
            }
            if self.brokers - len(away) >= majority:
                continue
            who = "the only broker" if self.brokers == 1 else f"{len(away)} of {self.brokers} brokers"
            yield f"{incident.text}: {who} will be away, and nothing is acknowledged meanwhile"
            if incident.for_s >= delivery_timeout_s:
                yield (
                    f"{incident.text}: it lasts as long as the delivery timeout of {duration(delivery_timeout_s)}, so "
                    "that events will not be delivered; the same command sends them again"
                )


def stage_of(connection: Connection, incidents: Sequence[Incident]) -> Stage:
    """Return the local stack that a run goes to.

    :raises Misconfigured: there is none, the run goes elsewhere, or the stack has no such broker.
    """
    stack = read_local_stack(state_dir())
    if stack is None:
        raise Misconfigured(
            "incidents are done to a local stack, and none runs here", where=str(state_dir()), hint=_LOCAL_HINT
        )
    if not _servers(connection.kafka.bootstrap_servers) <= _servers(stack.bootstrap_servers):
        raise Misconfigured(
            "incidents are done to the local stack, and the run goes to another Kafka",
            where=connection.kafka.shown,
            hint=_LOCAL_HINT,
        )
    stage, wrong = Stage(stack.state_dir, stack.brokers), []
    for incident in incidents:
        if incident.target == REGISTRY:
            known = connection.known_registry
            if known is not None and known.url.rstrip("/") != stack.registry_url.rstrip("/"):
                wrong.append(f"{incident.text}: the run asks another registry, {known.shown}")
        elif _number(incident.target) > stage.brokers:
            there = "one broker" if stage.brokers == 1 else f"brokers 1 to {stage.brokers}"
            wrong.append(f"{incident.text}: there is no {incident.target}, the local stack has {there}")
    if wrong:
        more = "" if stage.brokers > 1 else "; `streamproof up --brokers 3` in a new state folder has three"
        raise Misconfigured("; ".join(wrong), where=stack.bootstrap_servers, hint=f"Name what is there{more}")
    return stage


def _servers(text: str) -> set[str]:
    return {server.strip().replace("localhost:", "127.0.0.1:") for server in text.split(",")}


def _number(target: str) -> int:
    return int(target.split()[1])

"""Why Kafka did not take events: its reasons by name, how many events each took, and what helps against them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import KafkaError

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.topics import admin_client, topic_configuration

# Against these it does not help to send the same event again, unless something else is changed before.
_LASTING = frozenset(
    {
        "INVALID_RECORD",
        "INVALID_MSG",
        "MSG_SIZE_TOO_LARGE",
        "INVALID_TIMESTAMP",
        "POLICY_VIOLATION",
        "TOPIC_AUTHORIZATION_FAILED",
        "_UNKNOWN_TOPIC",
        "_UNKNOWN_PARTITION",
    }
)
# What became of the rest once an attempt had ended: a consequence, and no reason of Kafka's.
_LEFT_OVER = {
    "_PURGE_QUEUE": "never sent: the attempt had ended",
    "_PURGE_INFLIGHT": "not answered when the attempt ended",
}
_HELPS = {
    "INVALID_RECORD": "The broker's log says what it holds against the record; sent again, it is refused again",
    "INVALID_TIMESTAMP": "The topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms say how far a "
    "record's time may be from the broker's clock: compare the clocks or change the settings, {again}",
    "_UNKNOWN_TOPIC": "The topic is gone; make one with `streamproof topics apply`, and begin a new run",
    "POLICY_VIOLATION": "A policy of the cluster is against it: ask whoever runs it; sent again, it is refused again",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One of Kafka's reasons. ``name`` is that of its error, such as ``INVALID_RECORD``; ``says`` are its words.

    :param largest_bytes: of the events that were not taken, the size of the largest value.
    :param helps: what to do against it; empty where nothing but another attempt is known.
    """

    name: str
    says: str
    events: int
    largest_bytes: int = 0
    helps: str = ""

    @property
    def lasting(self) -> bool:
        """Whether the same event will be refused again."""
        return self.name in _LASTING

    def document(self) -> dict[str, Any]:
        """Return it as ``produce --json`` prints it."""
        return {"reason": self.name, "says": self.says, "events": self.events}

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.events:,} {self.name} ({self.says})"


class Reasons:
    """Counts of reasons, as delivery reports name them."""

    def __init__(self) -> None:
        self._by_name: dict[str, Reason] = {}

    def note(self, error: KafkaError, size_bytes: int) -> None:
        """Count one event that was not taken."""
        name = error.name()
        known = self._by_name.get(name) or Reason(name, _LEFT_OVER.get(name) or _words(error), 0)
        largest = max(known.largest_bytes, size_bytes)
        self._by_name[name] = replace(known, events=known.events + 1, largest_bytes=largest)

    def all(self) -> tuple[Reason, ...]:
        """Return them, the most frequent first."""
        return in_order(self._by_name.values())


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return reasons with equal ones added up, the most frequent first, consequences last."""
    sums: dict[str, Reason] = {}
    for reason in reasons:
        known = sums.get(reason.name)
        sums[reason.name] = reason if known is None else _sum(known, reason)
    return tuple(sorted(sums.values(), key=lambda each: (each.name in _LEFT_OVER, -each.events, each.name)))


def with_help(
    reasons: Iterable[Reason], kafka: KafkaSettings, topic: str, run_id: str, *, keyed: bool
) -> tuple[Reason, ...]:
    """Return reasons with what helps against each; the topic is asked for its settings where they matter.

    :param keyed: whether the scenario gives its events a key.
    """
    reasons = tuple(reasons)
    settings: Mapping[str, str | None] = {}
    if any(reason.lasting for reason in reasons):
        # Who may write need not be allowed to read the settings, and a broker may be gone by now.
        with contextlib.suppress(StreamproofError):
            settings = topic_configuration(admin_client(kafka), topic)
    again = f"then the same command with --run-id {run_id} sends what is missing"
    return tuple(replace(reason, helps=_help(reason, settings, again, keyed=keyed)) for reason in reasons)


def _help(reason: Reason, settings: Mapping[str, str | None], again: str, *, keyed: bool) -> str:
    if reason.name == "MSG_SIZE_TOO_LARGE":
        limit = settings.get("max.message.bytes")
        allowed = f" ({int(limit):,} bytes)" if limit else ""
        return (
            f"The largest of these events has {reason.largest_bytes:,} bytes: raise max.message.bytes{allowed} "
            f"of the topic, {again}; or make the events smaller, in a new run"
        )
    if reason.name == "INVALID_RECORD" and not keyed:
        return _keyless(settings.get("cleanup.policy"))
    told = _HELPS.get(reason.name, "Sent again, it is refused again" if reason.lasting else "")
    return told.format(again=again)


def _keyless(policy: str | None) -> str:
    """Return what helps against a refused record without a key; the policy is ``None`` where nobody may read it."""
    if policy is not None and "compact" not in policy:
        return _HELPS["INVALID_RECORD"]
    has = "A topic with cleanup.policy=compact" if policy is None else f"The topic has cleanup.policy={policy}: it"
    return (
        f"{has} takes no event without a key, and these have none: give the scenario a `key`, "
        "or write to a topic with cleanup.policy=delete; either is a new run"
    )


def _sum(one: Reason, other: Reason) -> Reason:
    largest = max(one.largest_bytes, other.largest_bytes)
    return replace(one, events=one.events + other.events, largest_bytes=largest, helps=one.helps or other.helps)


def _words(error: KafkaError) -> str:
    """Return librdkafka's words: they name addresses, never credentials."""
    return (error.str().strip().splitlines() or [""])[0][:300].removeprefix("Broker: ") or error.name()

"""Having everything ready before the first row is sent: brokers, registry, topics and schemas."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from cluster.connection import Connection
from cluster.errors import DependencyDown, Interrupted
from cluster.topics import admin_client, apply_topics, specs_for, topic_names
from producer.feeds.feed import Feed
from producer.scenarios import contract_of
from schemas.formats import FRAMED
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry, gate

log = structlog.get_logger()

_LOOK_S = 1.0
_ONE_LOOK_S = 5.0


def wait_for_services(
    connection: Connection, *, registry: bool, wait_s: float, stop: threading.Event | None = None
) -> None:
    """Return as soon as the brokers, and the registry if it is used, answer.

    :param wait_s: the longest wait; at 0 they are asked once.
    :raises DependencyDown: they do not answer by then.
    :raises Interrupted: stopped meanwhile.
    """
    stop, until, said = stop or threading.Event(), time.monotonic() + wait_s, False
    looks: list[Callable[[], object]] = [lambda: topic_names(admin_client(connection.kafka), timeout_s=_ONE_LOOK_S)]
    if registry:
        looks.append(lambda: _ask_registry(connection))
    while looks:
        try:
            looks[0]()
        except DependencyDown as error:
            if time.monotonic() >= until:
                raise
            if not said:
                log.info("waiting for Kafka and the registry", up_to_s=wait_s, says=error.message)
                said = True
            if stop.wait(_LOOK_S):
                raise Interrupted("stopped before anything was sent", hint="The same command begins again") from None
        else:
            looks.pop(0)


def make_ready(connection: Connection, feeds: Sequence[Feed]) -> None:
    """Make the topics of the feeds exist, and register their schemas if they fit.

    :raises SchemaIncompatible: one does not; the topics are there then.
    :raises StreamproofError: as ``apply_topics`` and ``gate``.
    """
    admin = admin_client(connection.kafka)
    for feed in feeds:
        for result in apply_topics(admin, specs_for(feed.topic)):
            if result.action == "created":
                log.info("topic created", topic=result.name, partitions=result.info.partitions)
    framed = [(feed, found) for feed in feeds if (found := feed.found()).format in FRAMED]
    if not framed:
        return
    with Registry(connection.registry) as registry:
        for feed, scenario in framed:
            gate(registry, contract_of(scenario), subject_for(feed.topic), written=scenario.format)


def _ask_registry(connection: Connection) -> None:
    with Registry(connection.registry) as registry:
        registry.default_compatibility()

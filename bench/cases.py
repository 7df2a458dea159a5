"""What is measured: each scenario, with what its events are compared to."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for
from producer import ProduceRequest
from producer.plan.agreement import asked_of
from producer.scenarios import EventStream, Scenario, contract_of, find_scenario
from producer.send.supply import identified
from producer.toolkit.arrays import plain
from schemas.formats.avro.codec import Encoder
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry

RUN_ID = "bench"


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario as it is measured: as fast as it goes.

    :param reference: the scenario's name, or the path of its file.
    :param arguments: what ``ProduceRequest`` takes beside what every case gives.
    """

    name: str
    reference: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def scenario(self) -> Scenario:
        """The scenario itself."""
        return find_scenario(self.reference)

    def request(self, topic: str, events: int, **more: Any) -> ProduceRequest:
        """Return the request of one measurement."""
        return ProduceRequest(
            topic=topic, run_id=RUN_ID, scenario=self.reference, events=events, **self.arguments, **more
        )

    def stream(self, events: int) -> EventStream:
        """Return the events of one shard, as `produce` opens them."""
        scenario, now_ms = self.scenario, int(time.time() * 1000)
        return scenario.open(
            1, 0, scenario.settings(events, now_ms, asked_of(self.request("none", events).plan, scenario))
        )

    @property
    def schema(self) -> str:
        """The scenario's active schema."""
        contract = contract_of(self.scenario)
        return contract.version(contract.active).text

    def encoder(self) -> Encoder:
        """Return the encoder of the scenario's active schema."""
        return Encoder(self.schema, 1)


CUSTOMER_EVENTS = Case("customer_events", "customer_events")
ORDERS = Case("orders (YAML)", str(Path(__file__).with_name("orders.yaml")))
CASES = [
    CUSTOMER_EVENTS,
    Case("clickstream", "clickstream", {"options": {"no_delay": True}}),
    ORDERS,
]
ORDERS_OF_ALL_KINDS = Case(
    "orders with a decimal and a union", str(Path(__file__).with_name("orders_of_all_kinds.yaml"))
)


def first_block(case: Case, events: int) -> pa.RecordBatch:
    """Return the first rows of a run of ``events``, with their ids, ready to be encoded."""
    block, scenario = case.stream(events).block(0), case.scenario
    numbers = np.arange(len(block), dtype=np.int64)
    return identified(block, case.encoder(), RUN_ID, 0, numbers, identity=scenario.identity)


@cache
def value_bytes(case: Case, events: int = 16_384) -> float:
    """Return the mean size of the framed values of a case."""
    values = plain(case.encoder().encode(first_block(case, events)))
    return sum(map(len, values)) / len(values)


@contextmanager
def ready_topic(connection: Connection, case: Case, **config: str) -> Iterator[str]:
    """Make a topic with the schema of a case under its subject, and delete it again.

    :param config: settings of the topic.
    """
    topic = f"bench-{uuid.uuid4().hex[:12]}"
    admin = admin_client(connection.kafka)
    specs = {spec.name: spec for spec in specs_for(topic)}
    specs[topic] = replace(specs[topic], config=specs[topic].config | config)
    apply_topics(admin, list(specs.values()))
    contract = contract_of(case.scenario)
    with Registry(connection.registry) as registry:
        registry.register(subject_for(topic), contract.version(contract.active).text)
    try:
        yield topic
    finally:
        for name, future in admin.delete_topics(list(specs)).items():
            admin.ask(future, f"deleting topic {name}")


def never() -> threading.Event:
    """Return a stop that nobody sets."""
    return threading.Event()

"""Topics that a run can be sent to."""

from __future__ import annotations

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry, gate
from tests.kit.kafka import is_gone
from tests.kit.waiting import wait_until


def make_topic(connection: Connection, topic: str) -> str:
    """Make a topic with its control topic, and return its name. No schema is registered."""
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    return topic


def delete_topic(connection: Connection, topic: str) -> None:
    """Delete a topic, and wait until the broker does not know it any more: it confirms a moment before that."""
    admin = admin_client(connection.kafka)
    admin.ask(admin.delete_topics([topic])[topic], f"deleting topic {topic}")
    wait_until(lambda: is_gone(connection, topic), f"the end of topic {topic}", timeout_s=60)


def make_ready(connection: Connection, topic: str) -> str:
    """Make a topic with its control topic, and register version 1 of customer_events: a run can begin."""
    make_topic(connection, topic)
    with Registry(connection.registry) as registry:
        registry.register(subject_for(topic), load_contract("customer_events").version(1).text)
    return topic


def make_gated(connection: Connection, topic: str, contract: str = "customer_events") -> str:
    """Make a topic with its control topic, and let the gate register all active versions of a contract."""
    make_topic(connection, topic)
    with Registry(connection.registry) as registry:
        gate(registry, load_contract(contract), subject_for(topic))
    return topic

"""What Kafka lets this login do to a topic, asked before long work whose last step needs it."""

from __future__ import annotations

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.admin import CALL_TIMEOUT_S, Admin
from cluster.declarations import TopicSpec
from cluster.errors import Refused
from cluster.topics import create_topics


def refuse_unwritable(admin: Admin, topic: str) -> None:
    """Return if this login may write to a topic, or the broker does not tell.

    :raises Refused: it may not.
    """
    asked = admin.describe_topics(
        TopicCollection([topic]), include_authorized_operations=True, request_timeout=CALL_TIMEOUT_S
    )[topic]
    allowed = admin.ask(asked, f"describing topic {topic}").authorized_operations
    if allowed and AclOperation.WRITE not in allowed and AclOperation.ALL not in allowed:
        raise Refused(
            f"Kafka does not allow writing to topic {topic}",
            where=admin.watch.servers,
            hint="An ACL is missing: docs/security.md lists those that each command needs",
        )


def refuse_uncreatable(admin: Admin, specs: list[TopicSpec]) -> None:
    """Return if these topics, which are not there, could be made. Nothing is made.

    :raises Refused: this login may not.
    :raises StreamproofError: Kafka would not make them so.
    """
    create_topics(admin, specs, validate_only=True)

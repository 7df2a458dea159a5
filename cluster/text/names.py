"""What Kafka takes as the name of a topic. Such a name is also safe as the name of a file."""

from __future__ import annotations

import re

from cluster.errors import Misconfigured

# The scenario, its contract and its topic where nobody names one.
DEFAULT_NAME = "customer_events"
LONGEST_TOPIC_NAME = 249
_LEGAL_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_TOPIC_NAME}}}")


def check_topic_name(name: str, *, where: str = "") -> None:
    """Check what Kafka checks.

    :raises Misconfigured: Kafka would not take the name.
    """
    if not _LEGAL_NAME.fullmatch(name) or name in (".", ".."):
        raise Misconfigured(
            f"{name[:60]!r} is not a topic name",
            where=where,
            hint=f"Use letters, digits, dot, underscore and hyphen, at most {LONGEST_TOPIC_NAME} of them",
        )


def check_companion(topic: str, suffix: str) -> None:
    """Check that ``<topic><suffix>`` is short enough for Kafka.

    :raises Misconfigured: it is not.
    """
    most = LONGEST_TOPIC_NAME - len(suffix)
    if len(topic) > most:
        raise Misconfigured(
            f"the name of the topic has {len(topic)} characters; with {suffix}, where runs write, Kafka allows {most}",
            where=f"topic {topic[:60]}...",
            hint=f"Use a name of at most {most} characters. `load` takes any topic that is there, up to "
            f"{LONGEST_TOPIC_NAME} characters",
        )

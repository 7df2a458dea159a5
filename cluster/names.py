"""What Kafka takes as the name of a topic. Such a name is also safe as the name of a file."""

from __future__ import annotations

import re

from cluster.errors import Misconfigured

_LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def check_topic_name(name: str, *, where: str = "") -> None:
    """Check what Kafka checks.

    :raises Misconfigured: Kafka would not take the name.
    """
    if not _LEGAL_NAME.fullmatch(name) or name in (".", ".."):
        raise Misconfigured(
            f"{name[:60]!r} is not a topic name",
            where=where,
            hint="Use letters, digits, dot, underscore and hyphen, at most 249 of them",
        )

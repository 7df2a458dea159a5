"""Whose a record of a control topic is, by its key."""

from __future__ import annotations

import re

from cluster.records import Message

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_SHARD_KEY = re.compile(rf"(.+)/({_NUMBER.pattern})", re.DOTALL)

Shard = tuple[str, int]  # run id and number


def shard_of(key: str) -> Shard | None:
    """Return the shard whose manifest a key is of; ``None`` where it is the key of none."""
    parts = _SHARD_KEY.fullmatch(key)
    return None if parts is None else (parts[1], int(parts[2]))


def page_of(key: str) -> tuple[Shard, int] | None:
    """Return the shard whose truth a key is of, and the number of the page; ``None`` where it is the key of none."""
    base, _, number = key.rpartition("/faults/")
    shard = shard_of(base)
    return (shard, int(number)) if shard is not None and _NUMBER.fullmatch(number) else None


def key_of(message: Message) -> str:
    """Return the key as text; empty where it is missing or is not text."""
    try:
        return (message.key() or b"").decode()
    except UnicodeDecodeError:
        return ""


def position_of(message: Message) -> str:
    """Return where a record is, in words."""
    return f"{message.topic()} partition {message.partition()} offset {message.offset()}"

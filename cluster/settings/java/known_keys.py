"""Whether a key is one that a Kafka client knows, and which known one somebody may have meant.

``known_keys.txt`` is written from the clients' own definitions by `make client-keys`, ``confluent_keys.txt`` is kept
by hand. A key may stand behind a prefix: the registry's (``schema.registry.``), or one under which an application of
Streams or Connect keeps the settings of the clients inside it.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

REGISTRY = "schema.registry."
# The prefixes of Streams (StreamsConfig.*_PREFIX) and of Connect's worker.
INNER = (
    *("main.consumer.", "restore.consumer.", "global.consumer.", "consumer.", "producer.", "admin.", "topic."),
    *("offset.storage.", "config.storage.", "status.storage."),
)
# What a key begins with that the application completes: the name of a provider, what a converter of Connect's reads.
_OPEN = ("config.providers.", "key.converter.", "value.converter.", "header.converter.")
# Of the registry's client, what else may stand behind its prefix.
_OF_TLS = "ssl."
_LIKENESS = 0.75
_LONGEST = 100
_GENERATED, _CONFLUENT = "known_keys.txt", "confluent_keys.txt"


@cache
def known_keys() -> frozenset[str]:
    """Return every key of the two files; one that ends with a dot is a beginning."""
    return _keys_in(_GENERATED) | _of_confluent()


def is_known(key: str) -> bool:
    """Tell whether a client knows a key, with a prefix or without."""
    return key in known_keys() or _is_completed(key) or _behind_prefix(key)


def meant_by(key: str) -> str | None:
    """Return the known key that looks most like an unknown one, with the prefix that it has."""
    prefix = next((prefix for prefix in (REGISTRY, *INNER) if key.startswith(prefix)), "")
    candidates = [*sorted(known_keys()), *(prefix + known for known in sorted(known_keys()) if prefix)]
    near = difflib.get_close_matches(key[:_LONGEST], candidates, n=1, cutoff=_LIKENESS)
    return near[0] if near else None


def _is_completed(key: str) -> bool:
    begins = (*_OPEN, *(known for known in known_keys() if known.endswith(".")))
    return any(key.startswith(begin) and key != begin for begin in begins)


def _behind_prefix(key: str) -> bool:
    if key.startswith(REGISTRY):
        rest = key.removeprefix(REGISTRY)
        return rest in _of_confluent() or (rest.startswith(_OF_TLS) and rest in known_keys())
    prefix = next((prefix for prefix in INNER if key.startswith(prefix)), "")
    rest = key.removeprefix(prefix)
    return bool(prefix) and (rest in known_keys() or _is_completed(rest))


def _keys_in(name: str) -> frozenset[str]:
    lines = Path(__file__).with_name(name).read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and line[0] not in "#[")


@cache
def _of_confluent() -> frozenset[str]:
    return _keys_in(_CONFLUENT)

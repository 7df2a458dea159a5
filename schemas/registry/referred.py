"""The schemas of other subjects that a schema refers to, as a registry keeps them: each by subject and version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.undecodable import UnsupportedSchema

MAX_REFERENCES = 1_000  # of one schema, those of the schemas that it refers to included


def referred_schemas(answer: dict[str, Any], read: Callable[[str, int], dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Return what the registry says of each schema that a schema refers to, and of those that they refer to.

    :param answer: what it says of the schema itself.
    :param read: asks for a version of a subject; ``None`` where there is none.
    :raises UnsupportedSchema: one of them is not there.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    asked = _references(answer)
    while asked:
        name, subject, version = asked.pop(0)
        if (subject, version) in found:
            continue
        if len(found) == MAX_REFERENCES:
            raise UnsupportedSchema(f"one that refers to more than {MAX_REFERENCES:,} others")
        there = read(subject, version)
        if there is None:
            raise UnsupportedSchema(f"one that refers to {name}: subject {subject} has no version {version}")
        found[subject, version] = there
        asked += _references(there)
    return list(found.values())


def _references(answer: dict[str, Any]) -> list[tuple[str, str, int]]:
    given = answer.get("references") or []
    return [(str(one.get("name")), str(one["subject"]), int(one["version"])) for one in given]

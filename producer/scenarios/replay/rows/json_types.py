"""The types of the members of JSON lines, over all lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured
from producer.scenarios.replay.files import readable
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import SetAside
from producer.scenarios.replay.rows.json_objects import Unfit, read_object
from producer.scenarios.replay.rows.json_rows import INT64, json_lines
from producer.scenarios.replay.rows.opening import opened


def json_fields(
    paths: Sequence[Path],
    reading: Reading,
    looked: Callable[[int, int], None],
    refused: Callable[[Path, SetAside], None],
) -> dict[str, Any]:
    """Return the types of the members of all lines, in the order in which they are met first.

    :param refused: told what says nothing about a type.
    :raises Misconfigured: a member holds values of several types, or lists or objects.
    """
    kinds: dict[str, dict[str, str]] = {}
    counts: dict[str, int] = {}
    rows = 0
    for number, path in enumerate(paths):
        with opened(path, reading.compression) as stream:
            for lines, aside in json_lines(stream, reading):
                for each in aside:
                    refused(path, each)
                for at, line, raw in lines:
                    try:
                        row = read_object(line, reading)
                    except Unfit as unfit:
                        refused(path, SetAside(at, unfit.reason, unfit.detail, raw))
                        continue
                    rows += 1
                    for name, value in row.items():
                        counts[name] = counts.get(name, 0) + 1
                        kind = _kind(value)
                        seen = kinds.setdefault(name, {})
                        if kind not in seen:
                            seen[kind] = f"{readable(path.name)}, line {at}"
                looked(number, stream.place)
    return {name: _type(name, seen, always=counts[name] == rows) for name, seen in kinds.items()}


def _kind(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "long" if -INT64 <= value < INT64 else "large"
    return _KINDS[type(value)]


_KINDS = {bool: "boolean", float: "double", str: "string", type(None): "null", dict: "object", list: "list"}


def _type(name: str, seen: dict[str, str], *, always: bool) -> Any:
    """Return the type of a member. A whole number beyond 64 bits says nothing: its line is set aside."""
    some = {kind: where for kind, where in seen.items() if kind not in ("null", "large")}
    if within := [kind for kind in ("object", "list") if kind in some]:
        raise Misconfigured(
            f"the member {name} holds {within[0]}s, for which no type is inferred",
            where=some[within[0]],
            hint="Give a schema, which may have records, arrays and maps",
        )
    if set(some) == {"long", "double"}:
        some = {"double": ""}
    if len(some) > 1:
        told = ", ".join(f"{kind} ({where})" for kind, where in some.items())
        raise Misconfigured(
            f"the member {name} holds values of several types: {told}",
            hint="Give a schema: lines that differ from it are set aside",
        )
    kind = next(iter(some), "string")
    return kind if always and some and "null" not in seen else ["null", kind]

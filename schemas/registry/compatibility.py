"""Avro's resolution rules, with a reason per field path.

The registry has the last word on compatibility, but it can say no without saying why (Apicurio answers a bare
``false``), and it cannot compare two versions before the first is registered. So the gate asks here first.
Rules: Avro 1.12 specification, "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fastavro
from fastavro.schema import expand_schema

from schemas.registry.diff import spell

# writer -> readers that may take it
_PROMOTED = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}


def reasons(level: str, older: dict[str, Any], newer: dict[str, Any]) -> list[str]:
    """Return why ``newer`` may not follow ``older`` under a compatibility level; empty if it may.

    BACKWARD: readers with the newer schema read older data. FORWARD: the reverse. FULL: both. NONE: nothing.
    """
    found: list[str] = []
    if level.startswith(("BACKWARD", "FULL")):
        found += [f"{why}; readers of the new schema fail on old data" for why in unreadable(newer, older)]
    if level.startswith(("FORWARD", "FULL")):
        found += [f"{why}; readers of the old schema fail on new data" for why in unreadable(older, newer)]
    return found


def unreadable(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """Return why ``reader`` cannot read what ``writer`` wrote, each reason with its field path; empty if it can."""
    return list(_resolve(_normal(reader), _normal(writer), ""))


def _normal(schema: dict[str, Any]) -> Any:
    return expand_schema(fastavro.parse_schema(schema))


def _resolve(reader: Any, writer: Any, path: str) -> Iterator[str]:
    if isinstance(writer, list):
        for branch in writer:
            yield from _resolve(reader, branch, path)
        return
    if isinstance(reader, list):
        if not any(_matches(branch, writer) and not [*_resolve(branch, writer, path)] for branch in reader):
            same = [branch for branch in reader if _kind(branch) == _kind(writer) and _matches(branch, writer)]
            if same:  # the branch is there, and the fault lies within
                yield from _resolve(same[0], writer, path)
            else:
                yield f"{path or 'the record'}: {spell(reader)} has no branch for {spell(writer)}"
        return
    if not _matches(reader, writer):
        yield f"{path or 'the record'}: {spell(writer)} is not readable as {spell(reader)}"
        return
    yield from _within(reader, writer, path)


def _within(reader: Any, writer: Any, path: str) -> Iterator[str]:
    """Compare two types that match by kind and name."""
    kind = _kind(reader)
    if kind == "record":
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            place = f"{path}.{field['name']}".removeprefix(".")
            names = [field["name"], *field.get("aliases", ())]
            match = next((written[name] for name in names if name in written), None)
            if match is not None:
                yield from _resolve(field["type"], match["type"], place)
            elif "default" not in field:
                yield f"{place}: missing from what is written, and without a default in what is read"
    elif kind == "enum":
        missing = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        if missing and "default" not in reader:
            yield f"{path}: the enum that is read lacks {', '.join(missing)} and has no default"
    elif kind == "array" == _kind(writer):
        yield from _resolve(reader["items"], writer["items"], f"{path}[]")
    elif kind == "map" == _kind(writer):
        yield from _resolve(reader["values"], writer["values"], f"{path}{{}}")


def _matches(reader: Any, writer: Any) -> bool:
    """True if the kinds match, the names do, and the sizes do; what lies within is not looked at."""
    read, wrote = _kind(reader), _kind(writer)
    if read != wrote:
        return read in _PROMOTED.get(wrote, ())
    if read in ("record", "enum", "fixed") and not _same_name(reader, writer):
        return False
    return read != "fixed" or bool(reader["size"] == writer["size"])


def _same_name(reader: Any, writer: Any) -> bool:
    """Unqualified names count, as in Avro's own libraries, and the reader's aliases."""
    names = {name.rsplit(".", 1)[-1] for name in (reader["name"], *reader.get("aliases", ()))}
    return writer["name"].rsplit(".", 1)[-1] in names


def _kind(schema: Any) -> str:
    while isinstance(schema, dict):
        schema = schema["type"]
    return "record" if schema == "error" else str(schema)

"""Showing records one after the other: to a person as lines that no value can turn into commands, or as JSON lines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from cluster.text.visible import visible
from streamproof.console import stdout
from streamproof.streams import reader_left

if TYPE_CHECKING:
    from consumer.tail.tail import Seen

_MOST_BYTES = 32  # of a value that nobody can decode, shown to a person
_DIM, _BOLD, _YELLOW, _PLAIN = "2", "1", "33", "0"


class RecordLines:
    """Writes records to standard output.

    :param as_json: one JSON document for each record, on a line of its own.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._coloured = not as_json and stdout.is_terminal and stdout.color_system is not None

    def __call__(self, seen: Seen) -> bool:
        """Write one record, and return whether anybody still reads."""
        lines = [json.dumps(seen.document())] if self._as_json else self._lines(seen)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        return not reader_left()

    def _lines(self, seen: Seen) -> list[str]:
        found, schema = seen.revealed, seen.revealed.schema
        document = seen.document()
        place = f"{seen.partition} @ {seen.offset}"
        parts = [self._in(_BOLD, place), self._in(_DIM, seen.at or "no time"), f"key {_key(document)}"]
        if schema is not None:
            version = "" if schema.version is None else f", {visible(str(schema.subject))} v{schema.version}"
            parts.append(self._in(_DIM, f"{found.kind}, schema {schema.id}{version}"))
        elif found.kind != "plain-json":
            parts.append(self._in(_DIM, found.kind))
        lines = ["  ".join(parts)]
        if document["headers"]:
            headers = ", ".join(f"{visible(one['name'])}={_shown(one['value'])}" for one in document["headers"])
            lines.append(self._in(_DIM, f"  {headers}"))
        if found.fault is not None:
            lines.append(self._in(_YELLOW, f"  {visible(found.fault[0])}: {visible(found.fault[1])}"))
        return [*lines, *self._value(seen)]

    def _value(self, seen: Seen) -> list[str]:
        kind, raw = seen.revealed.kind, seen.raw
        if raw is None:
            return []
        if kind == "bytes":
            more = f" and {len(raw) - _MOST_BYTES:,} bytes more" if len(raw) > _MOST_BYTES else ""
            return [f"  {raw[:_MOST_BYTES].hex(' ')}{more}"]
        if kind == "text":
            return [f"  {visible(str(seen.revealed.value))}"]
        return [f"  {visible(json.dumps(seen.revealed.value, ensure_ascii=False))}"]

    def _in(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[{_PLAIN}m" if self._coloured else text


def _key(document: dict[str, Any]) -> str:
    """Return a key as one line shows it: decoded, where Avro wrote it."""
    if "key_json" in document:
        return visible(json.dumps(document["key_json"], ensure_ascii=False))
    return _shown(document["key"])


def _shown(part: Any) -> str:
    """Return a key or a header as one line shows it."""
    if part is None:
        return "null"
    return f"base64:{part['base64']}" if isinstance(part, dict) else visible(part)

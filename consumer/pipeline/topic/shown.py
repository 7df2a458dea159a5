"""Values as a person reads them: a few records, decoded one by one, each with what it says or why it cannot be read.

A value is read as a load reads it: by the schema that its frame names, or by the contract of the newest manifest. One
that has no frame, and whose contract nobody knows, is shown as the JSON that it is, if it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cluster.errors import StreamproofError
from cluster.text.visible import visible
from consumer.load.readers import SchemaSource
from consumer.load.unforeseen import barrier
from consumer.pipeline.topic.naming import WITHOUT_A_CONTRACT, AnyNaming
from schemas.formats import FRAMED, ValueDecoder, WrittenSchema
from schemas.formats.frame import MAGIC
from schemas.manifest import SchemaUsed
from schemas.registry.contract import subject_for
from schemas.undecodable import UndecodableValue

_SHOWN_BYTES = 32


@dataclass(frozen=True, slots=True)
class ShownValue:
    """One value.

    :ivar schema_id: what the value names; ``None`` where it names none.
    :ivar used: subject and version of that schema, where the registry tells.
    :ivar format: ``None`` where nothing tells.
    :ivar fields: the decoded value; ``None`` for a tombstone, and where it cannot be read.
    :ivar fault: why it cannot be read, in words and without what is in it; empty where it can.
    """

    schema_id: int | None = None
    used: SchemaUsed | None = None
    format: str | None = None
    fields: Any = None
    fault: str = ""


class ValueViewer:
    """Reads values of one topic. Each schema is asked for once."""

    def __init__(self, topic: str, registry: SchemaSource, naming: AnyNaming) -> None:
        self._subject = subject_for(topic)
        self._registry = registry
        self._naming = naming
        self._known: dict[int, tuple[WrittenSchema, ValueDecoder]] = {}
        self._used: dict[int, SchemaUsed | None] = {}

    def view(self, value: bytes | None) -> ShownValue:
        """Return what a value says. Never raises for what is in a value, or for a registry that does not answer."""
        if value is None:
            return ShownValue()
        framed = value[:1] == MAGIC
        schema_id: int | None = None
        try:
            schema_id = self._naming.schema_id(value[: self._naming.head_bytes])
            if schema_id == WITHOUT_A_CONTRACT:
                return _loose(value)
            with barrier("decode"):
                written, decoder = self._decoder(schema_id)
                fields = decoder.decode_one(value[written.written.head_bytes :])
        except UndecodableValue as fault:
            return ShownValue(schema_id if framed else None, fault=f"{fault.phase}/{fault.kind}: {fault.message}")
        except StreamproofError as error:
            return ShownValue(schema_id if framed else None, fault=error.message)
        named = schema_id if written.format in FRAMED else None
        return ShownValue(named, None if named is None else self._names(named, written), written.format, fields)

    def _decoder(self, schema_id: int) -> tuple[WrittenSchema, ValueDecoder]:
        if schema_id not in self._known:
            written = self._naming.known.plain.get(schema_id) or self._registry.schema(schema_id)
            self._known[schema_id] = (written, written.written.decoder(written.text))
        return self._known[schema_id]

    def _names(self, schema_id: int, written: WrittenSchema) -> SchemaUsed | None:
        if schema_id not in self._used:
            try:
                self._used[schema_id] = self._registry.lookup(self._subject, written.text, written.format)
            except StreamproofError:
                return None
        return self._used[schema_id]


def shown_text(value: bytes | None, most: int) -> str | None:
    """Return bytes as text for a person, at most ``most`` characters: hexadecimal where they are no text."""
    if value is None:
        return None
    try:
        return shortened(visible(value[: 4 * most].decode()), most)
    except UnicodeDecodeError:
        return shortened(f"0x{value[:_SHOWN_BYTES].hex()}", most)


def shown_fields(fields: Any, most: int) -> str:
    """Return a decoded value as compact JSON for a person, at most ``most`` characters."""
    return shortened(visible(json.dumps(fields, default=str, ensure_ascii=False, separators=(", ", ": "))), most)


def shortened(text: str, most: int) -> str:
    """Return text that is at most ``most`` characters long; what is cut is told by an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _loose(value: bytes) -> ShownValue:
    """Return a value of which nobody knows a contract: the JSON that it is, if it is."""
    try:
        return ShownValue(format="json", fields=json.loads(value))
    except (ValueError, RecursionError):
        return ShownValue(fault="nobody knows its schema, and it is no JSON")

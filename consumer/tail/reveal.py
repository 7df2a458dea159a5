"""From the bytes of a value to what a person reads, whatever they are; no value is an error.

A value whose record names a schema, in a header or in its frame, is decoded by it, and shown as docs/json.md writes it.
JSON without a frame is shown as it stands, text as text, and the rest as bytes, with what is wrong with them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from cluster.records import Headers
from consumer.load.naming import TopicNaming
from consumer.load.unforeseen import barrier
from schemas.formats import PLAIN_JSON_NAME, value_format
from schemas.formats.frame import HEADER_BYTES, MAGIC, Frames
from schemas.formats.headers import KEY_SCHEMA, VALUE_SCHEMA, guid_of_nobody, said_in
from schemas.registry.contract import subject_for
from schemas.undecodable import UndecodableValue, UnsupportedSchema

if TYPE_CHECKING:
    from consumer.load.keys import KeyReader
    from schemas.formats import WrittenSchema

TEXT, BYTES, TOMBSTONE = "text", "bytes", "tombstone"
_FRAMES = Frames()
# Unframed values of one schema into JSON values; an UndecodableValue for each that cannot be decoded.
Decode = Callable[[Sequence[bytes]], list[Any]]


class Schemas(Protocol):
    """Where schemas are asked for: a registry."""

    def schema(self, schema_id: int) -> WrittenSchema:
        """Return the contract of an id, and the format of its values."""
        ...

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        """Return the subjects that have it, with their versions."""
        ...

    def id_of(self, guid: UUID) -> int:
        """Return the id of the schema with a GUID."""
        ...


@dataclass(frozen=True, slots=True)
class SchemaSeen:
    """The schema that a value names: its id, and where the registry has it, as far as it says."""

    id: int
    subject: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Revealed:
    """What a value is.

    :param kind: ``avro``, ``json``, ``plain-json``, ``text``, ``bytes`` or ``tombstone``.
    :param value: as JSON has it; ``None`` for bytes and for a tombstone.
    :param fault: why nobody can decode it: a class of docs/consumer.md and a sentence.
    """

    kind: str
    value: Any = None
    schema: SchemaSeen | None = None
    fault: tuple[str, str] | None = None


class Reveal:
    """Tells what values of one topic are.

    :param topic: the version of its subject is shown where several have a schema.
    :param registry: returns where schemas are asked for; called when the first value names one. ``None`` where no
        registry is known.
    """

    def __init__(self, topic: str, registry: Callable[[], Schemas] | None) -> None:
        self._subject = subject_for(topic)
        self._open = registry
        self._topic = topic
        self._keys: KeyReader | None = None
        self._registry: Schemas | None = None
        self._decoders: dict[int, tuple[SchemaSeen, str, Decode]] = {}
        self._naming = TopicNaming(lambda: None, self._id_of)

    def __call__(self, values: Sequence[bytes | None], headers: Sequence[Headers | None]) -> list[Revealed]:
        """Return what each of some values is.

        :param headers: of the same records: one of them may name the schema.
        :raises RegistryUnreachable: a schema is not known yet and the registry does not answer.
        """
        found: dict[int, Revealed] = {}
        named: dict[tuple[int, int], list[int]] = {}
        for row, value in enumerate(values):
            said = None if value is None else said_in(headers[row], VALUE_SCHEMA)
            if value is None or (said is None and value[:1] != MAGIC):
                found[row] = _unframed(value)
                continue
            try:
                if said is None:
                    named.setdefault((_FRAMES.schema_id(value[:HEADER_BYTES]), HEADER_BYTES), []).append(row)
                else:
                    named.setdefault((self._naming.schema_id_in_header(said), 0), []).append(row)
            except UndecodableValue as fault:
                found[row] = Revealed(BYTES, fault=(fault.kind, fault.message))
        for (number, head_bytes), rows in named.items():
            payloads = [(values[row] or b"")[head_bytes:] for row in rows]
            found |= zip(rows, self._of_schema(number, payloads), strict=True)
        return [found[row] for row in range(len(values))]

    def keys(self, keys: Sequence[bytes | None], headers: Sequence[Headers | None]) -> list[Any]:
        """Return what each key that Avro wrote says, as JSON has it; ``None`` for any other."""
        said = [said_in(each, KEY_SCHEMA) for each in headers]
        if not any(said) and not any(key is not None and key[:1] == MAGIC for key in keys):
            return [None] * len(keys)
        if self._keys is None:
            from consumer.load.keys import KeyReader, KeySchemas  # deferred: it loads Arrow

            self._keys = KeyReader(KeySchemas(self, self._topic, {}), lambda *_: None)
        texts = self._keys.texts(keys, said, self._naming)
        return [None if text is None else json_value(text.encode()) for text in texts]

    def schema(self, schema_id: int) -> WrittenSchema:
        """Return the schema of an id.

        :raises UnsupportedSchema: nobody can tell it.
        """
        if self._open is None:
            raise UnsupportedSchema("no registry is known that could tell the schema", kind="unknown_schema")
        self._registry = self._registry or self._open()
        return self._registry.schema(schema_id)

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        """Return the subjects that have a schema, with their versions."""
        return [] if self._registry is None else self._registry.named(schema_id)

    def _id_of(self, guid: UUID) -> int:
        if self._open is None:
            return guid_of_nobody(guid)
        self._registry = self._registry or self._open()
        return self._registry.id_of(guid)

    def _of_schema(self, number: int, payloads: list[bytes]) -> list[Revealed]:
        try:
            if number not in self._decoders:
                with barrier("schema"):
                    self._decoders[number] = self._decoder(number)
        except UndecodableValue as fault:
            return [_loose(payload, SchemaSeen(number), fault) for payload in payloads]
        seen, kind, decode = self._decoders[number]
        return [
            Revealed(BYTES, None, seen, (one.kind, one.message))
            if isinstance(one, UndecodableValue)
            else Revealed(kind, one, seen)
            for one in decode(payloads)
        ]

    def _decoder(self, number: int) -> tuple[SchemaSeen, str, Decode]:
        """Return the schema of an id, its format, and what decodes its values.

        :raises UndecodableValue: nobody can read values of it.
        """
        written = self.schema(number)
        placed = self.named(number)
        subject, version = next(
            (one for one in placed if one[0] == self._subject), placed[0] if placed else (None, None)
        )
        return SchemaSeen(number, subject, version), written.format, decoder_of(written)


def decoder_of(written: WrittenSchema) -> Decode:
    """Return what makes of unframed values what docs/json.md writes, as Python's JSON has it, or the fault of each.

    :raises UnsupportedSchema: no typed table can hold the schema.
    """
    decoder = value_format(written.format).decoder(written.text)
    encoder = value_format(PLAIN_JSON_NAME).encoder(written.text, 0)

    def decode(payloads: Sequence[bytes]) -> list[Any]:
        try:
            with barrier("decode"):
                salvaged = decoder.salvage(list(payloads))
                found: dict[int, Any] = dict(salvaged.faults)
                if salvaged.kept:
                    texts = encoder.encode(salvaged.batch)
                    found |= {row: json_value(text.as_py()) for row, text in zip(salvaged.kept, texts, strict=True)}
        except UndecodableValue as fault:  # what nobody foresaw, about a group: each value by itself
            return [fault] if len(payloads) == 1 else [one for payload in payloads for one in decode([payload])]
        return [found[row] for row in range(len(payloads))]

    return decode


def _unframed(value: bytes | None) -> Revealed:
    if value is None:
        return Revealed(TOMBSTONE)
    try:
        return Revealed(PLAIN_JSON_NAME, json_value(value))
    except ValueError:
        pass
    try:
        return Revealed(TEXT, value.decode())
    except UnicodeDecodeError:
        return Revealed(BYTES, fault=("bad_magic", "it is neither framed nor JSON nor UTF-8"))


def _loose(payload: bytes, seen: SchemaSeen, fault: UndecodableValue) -> Revealed:
    """Return a value whose schema is of no use: JSON can be read without one."""
    try:
        return Revealed("json", json_value(payload), seen)
    except ValueError:
        return Revealed(BYTES, None, seen, (fault.kind, fault.message))


def json_value(text: bytes) -> Any:
    """Return one JSON value. A number that no double holds stays as it is written, as text.

    :raises ValueError: it is none; ``NaN`` and ``Infinity`` are none either.
    """
    try:
        return json.loads(text.decode(), parse_float=_number, parse_constant=_refused)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _number(text: str) -> float | str:
    found = float(text)
    return found if math.isfinite(found) else text


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")

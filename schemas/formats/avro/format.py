"""Avro in Confluent's frame, as a value format."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from schemas.formats import Breaker
from schemas.formats.avro.breaking import TextPlace, undecodable
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.frame import HEADER_BYTES, split_frame
from schemas.identity import ID_CHARACTERS
from schemas.undecodable import UndecodableValue

# Ids are signed 32-bit numbers to every registry.
_MAX_SCHEMA_ID = (1 << 31) - 1
# A value of ours begins with its identity: behind the frame the length of the text, 36 as an Avro varint, and the text.
_LENGTH = b"\x48"
_ID = slice(HEADER_BYTES + 1, HEADER_BYTES + 1 + ID_CHARACTERS)


class AvroFormat:
    """See :class:`schemas.formats.ValueFormat`."""

    name = "avro"
    head_bytes = HEADER_BYTES

    def encoder(self, schema: str, schema_id: int) -> Encoder:
        """Return what writes values of a schema."""
        return Encoder(schema, schema_id)

    def decoder(self, schema: str) -> Decoder:
        """Return what reads the payloads of a schema."""
        return Decoder(schema)

    def schema_id(self, head: bytes) -> int:
        """Return the id in a frame."""
        schema_id, _ = split_frame(head)
        if schema_id > _MAX_SCHEMA_ID:
            raise UndecodableValue("bad_schema_id", "the schema id has more than 31 bits", phase="frame")
        return schema_id

    def identity(self, value: bytes) -> bytes:
        """Return the first field of a value where it has the length of an identity."""
        return value[_ID] if value.startswith(_LENGTH, HEADER_BYTES) else b""

    def identity_sql(self, value: str) -> str:
        """Return an expression for bytes 7 to 42 of a value of ours."""
        frame, length = f"hex({value}[1:1]) = '00'", f"hex({value}[6:6]) = '48'"
        return f"CASE WHEN {frame} AND {length} THEN TRY(decode({value}[{_ID.start + 1}:{_ID.stop}])) END"

    def breaker(self, schemas: Mapping[int, Mapping[str, Any]], text: str | None) -> Breaker:
        """Return what breaks values of these schemas."""
        return partial(undecodable, text_at=TextPlace(schemas, text) if schemas and text else None)


AVRO = AvroFormat()

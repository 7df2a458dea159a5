"""Avro in Confluent's frame, as a value format."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from schemas.formats import Breaker
from schemas.formats.avro.breaking import KINDS, TextPlace, undecodable
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.frame import HEADER_BYTES, schema_id_in
from schemas.identity import ID_CHARACTERS

# A value of ours begins with its identity: behind the frame the length of the text, 36 as an Avro varint, and the text.
_LENGTH = b"\x48"
_ID = slice(HEADER_BYTES + 1, HEADER_BYTES + 1 + ID_CHARACTERS)


class AvroFormat:
    """See :class:`schemas.formats.ValueFormat`."""

    name = "avro"
    schema_type = "AVRO"
    head_bytes = HEADER_BYTES
    breaks = KINDS

    def encoder(self, schema: str, schema_id: int) -> Encoder:
        """Return what writes values of a schema."""
        return Encoder(schema, schema_id)

    def decoder(self, schema: str) -> Decoder:
        """Return what reads the payloads of a schema."""
        return Decoder(schema)

    def schema_id(self, head: bytes) -> int:
        """Return the id in a frame."""
        return schema_id_in(head)

    def registered(self, contract: str) -> str:
        """Return the contract: it is an Avro schema already."""
        return contract

    def contract(self, registered: str) -> str:
        """Return the schema: it is the contract."""
        return registered

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

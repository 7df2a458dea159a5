"""Schemas that a record names in its headers, as Confluent's serializers do where nothing is put in front of a value.

The header ``__value_schema_id`` is about the value, ``__key_schema_id`` about the key. Its bytes are a magic byte, and
then the schema: after ``0x00`` its id, four bytes big endian; after ``0x01`` its GUID, sixteen bytes. What follows is
for Protobuf alone. The value, or the key, is then the payload and nothing else, whatever its first bytes are.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from schemas.undecodable import UndecodableValue

VALUE_SCHEMA, KEY_SCHEMA = "__value_schema_id", "__key_schema_id"
UNKNOWN_GUID = "unknown_guid"
_ID, _GUID = slice(1, 5), slice(1, 17)
_MAX_ID = (1 << 31) - 1


class UnknownGuid(UndecodableValue):
    """Nobody knows which schema a GUID is of: a record that names it waits in the quarantine."""

    def __init__(self, message: str) -> None:
        super().__init__(UNKNOWN_GUID, message, phase="schema")


def guid_of_nobody(guid: UUID) -> int:
    """Know no GUID.

    :raises UnknownGuid: always.
    """
    raise UnknownGuid(f"no registry is known that could have the schema with GUID {guid}")


def said_in(headers: Sequence[tuple[str, bytes | None]] | None, name: str) -> bytes | None:
    """Return the bytes of the last header of a name, as Kafka's clients take it; ``None`` without such a header."""
    return next((value or b"" for each, value in reversed(headers or ()) if each == name), None)


def named_in(header: bytes) -> int | UUID:
    """Return the id or the GUID that a header names.

    :raises UndecodableValue: in phase ``frame``, of kind ``bad_schema_header``.
    """
    if header[:1] == b"\x00" and len(header[_ID]) == 4:
        number = int.from_bytes(header[_ID], "big")
        if number > _MAX_ID:
            raise _bad("the schema id in the header has more than 31 bits")
        return number
    if header[:1] == b"\x01" and len(header[_GUID]) == 16:
        return UUID(bytes=header[_GUID])
    raise _bad(
        f"the header of the schema has {len(header)} bytes"
        + (f" and begins 0x{header[0]:02x}" if header else "")
        + "; one with an id has 5 and begins 0x00, one with a GUID has 17 and begins 0x01"
    )


def _bad(message: str) -> UndecodableValue:
    return UndecodableValue("bad_schema_header", message, phase="frame")

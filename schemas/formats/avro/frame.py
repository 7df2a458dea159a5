"""The frame around every value, and the faults that make a value undecodable.

A value on the topic is ``0x00``, the schema id as four bytes, big endian, then the Avro payload
(Confluent's wire format).
"""

from __future__ import annotations

from typing import Literal

MAGIC = b"\x00"
HEADER_BYTES = 5

Phase = Literal["frame", "schema", "decode"]


class UndecodableValue(ValueError):
    """One value that cannot become a row. Belongs into the quarantine; carries no payload.

    :param kind: a short class, stable across versions: ``truncated``, ``trailing_bytes``, ``invalid_utf8`` ...
    :param message: what is wrong and at which byte.
    :param phase: how far the value came: its frame, its schema, or its content.
    """

    def __init__(self, kind: str, message: str, *, phase: Phase = "decode") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.phase: Phase = phase

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.kind, self.message, self.phase))


class UnsupportedSchema(UndecodableValue):
    """A schema that no typed table can hold (recursive, not a record, not Avro); every value of it is undecodable."""

    def __init__(self, message: str, kind: str = "unsupported_schema", phase: Phase = "schema") -> None:
        super().__init__(kind, message, phase=phase)


def _rebuild(error: type[UndecodableValue], kind: str, message: str, phase: Phase) -> UndecodableValue:
    rebuilt = error.__new__(error)
    UndecodableValue.__init__(rebuilt, kind, message, phase=phase)
    return rebuilt


def frame_header(schema_id: int) -> bytes:
    """Return the five bytes that precede the payload."""
    return MAGIC + schema_id.to_bytes(4, "big")


def split_frame(value: bytes) -> tuple[int, bytes]:
    """Return the schema id and the payload of a framed value.

    :raises UndecodableValue: in phase ``frame``, of kind ``empty``, ``bad_magic`` or ``short``.
    """
    if not value:
        raise UndecodableValue("empty", "the value has no bytes; a frame has at least 5", phase="frame")
    if value[:1] != MAGIC:
        raise UndecodableValue("bad_magic", f"the first byte is 0x{value[0]:02x}, a frame starts 0x00", phase="frame")
    if len(value) < HEADER_BYTES:
        raise UndecodableValue("short", f"the value has {len(value)} bytes; a frame has at least 5", phase="frame")
    return int.from_bytes(value[1:HEADER_BYTES], "big"), value[HEADER_BYTES:]

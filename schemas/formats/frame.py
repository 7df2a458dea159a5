"""The frame around a value.

A value on the topic is ``0x00``, the schema id as four bytes, big endian, then the payload
(Confluent's wire format). A record may name its schema in a header instead (``headers.py``): its value has no frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.formats.headers import guid_of_nobody, named_in
from schemas.undecodable import UndecodableValue

MAGIC = b"\x00"
HEADER_BYTES = 5
# Ids are signed 32-bit numbers to every registry.
_MAX_SCHEMA_ID = (1 << 31) - 1
# Registries number schemas from 1; none gets here.
UNKNOWN_SCHEMA_ID = 2_147_483_000
# What of a frame can be broken, by the names of schemas/faults.py.
FRAME_KINDS = frozenset({"undecodable.bad_magic", "undecodable.unknown_schema"})


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


def schema_id_in(head: bytes) -> int:
    """Return the schema id in a frame.

    :raises UndecodableValue: in phase ``frame``; beside those of :func:`split_frame`, of kind ``bad_schema_id``.
    """
    schema_id, _ = split_frame(head)
    if schema_id > _MAX_SCHEMA_ID:
        raise UndecodableValue("bad_schema_id", "the schema id has more than 31 bits", phase="frame")
    return schema_id


@dataclass(frozen=True, slots=True)
class Frames:
    """How the values of a topic name their schemas: by a frame.

    :param plain: the schema of values that have none, where that is known. They begin with anything but the frame's
        first byte.
    :param of_guid: the schema of records that name a GUID in a header, where that is known.
    """

    plain: int | None = None
    of_guid: int | None = None

    @property
    def head_bytes(self) -> int:
        """The bytes of a frame."""
        return HEADER_BYTES

    def schema_id(self, head: bytes) -> int:
        """Return the id in a frame, or what is known of values without one.

        :raises UndecodableValue: in phase ``frame``.
        """
        if self.plain is not None and head and head[:1] != MAGIC:
            return self.plain
        return schema_id_in(head)

    def schema_id_in_header(self, header: bytes) -> int:
        """Return the id in a header, or what is known of a GUID.

        :raises UndecodableValue: in phase ``frame``, or ``schema`` for a GUID of which nothing is known.
        """
        named = named_in(header)
        if isinstance(named, int):
            return named
        return guid_of_nobody(named) if self.of_guid is None else self.of_guid

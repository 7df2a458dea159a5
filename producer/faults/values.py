"""Framed values that no decoder can read, each for one reason. Every one is certain to be refused."""

from __future__ import annotations

from schemas.formats.avro.frame import HEADER_BYTES

# Registries number schemas from 1; none gets here.
UNKNOWN_SCHEMA_ID = 2_147_483_000
_TEXT_AT = HEADER_BYTES + 1  # behind the frame and the length of the first field, which is text


def undecodable(kind: str, value: bytes, chance: float, text_at: int = _TEXT_AT) -> bytes:
    """Return a value made undecodable.

    :param kind: ``undecodable.<why>``.
    :param chance: in [0, 1): decides what there is to decide.
    :param text_at: where a text of the value begins: that of its first field, unless given.
    """
    match kind.partition(".")[2]:
        case "truncated":
            # A reader that needs every byte of the payload runs out of them wherever it is cut.
            return value[: HEADER_BYTES + int(chance * (len(value) - HEADER_BYTES))]
        case "bad_magic":
            return bytes([1 + int(chance * 255)]) + value[1:]
        case "unknown_schema":
            return value[:1] + UNKNOWN_SCHEMA_ID.to_bytes(4, "big") + value[HEADER_BYTES:]
        case "invalid_utf8":
            return value[:text_at] + b"\xff" + value[text_at + 1 :]
        case "trailing_bytes":
            return value + b"\x00" * (1 + int(chance * 8))
        case "empty":
            return b""
        case _:
            raise ValueError(f"unknown kind {kind}")

"""JSON values that no decoder can read, each for one reason. Every one is certain to be refused."""

from __future__ import annotations

from schemas.formats.frame import HEADER_BYTES, UNKNOWN_SCHEMA_ID

# What no schema has: Avro's names hold no hyphen.
_STRANGE = b'"not-of-the-schema":0'


def undecodable(kind: str, value: bytes, chance: float, *, head: int) -> bytes:  # noqa: PLR0911 - one for each kind
    """Return a value of ours made undecodable. It is an object without blanks, with a member.

    :param kind: ``undecodable.<why>``.
    :param chance: in [0, 1): decides what there is to decide.
    :param head: bytes of the frame, 0 without one; where there is none, nothing of it can be broken.
    """
    payload = value[head:]
    match kind.partition(".")[2]:
        case "truncated":
            # An object ends with its last byte. Without a frame one byte stays: no bytes are another fault.
            least = 0 if head else 1
            return value[: head + least + int(chance * (len(payload) - least))]
        case "bad_magic" if head:
            return bytes([1 + int(chance * 255)]) + value[1:]
        case "unknown_schema" if head:
            return value[:1] + UNKNOWN_SCHEMA_ID.to_bytes(4, "big") + value[HEADER_BYTES:]
        case "invalid_utf8":
            # In the name of the first member, behind the brace and the quote. No text of UTF-8 has the byte anywhere.
            return value[: head + 2] + b"\xff" + value[head + 3 :]
        case "trailing_bytes":
            return value + b"\x00" * (1 + int(chance * 8))
        case "empty":
            return b""
        case "wrong_type":
            return value[:head] + b"[" + payload + b"]"
        case "unknown_member":
            return value[:-1] + b"," + _STRANGE + b"}"
        case "duplicate_member":
            name = payload[1 : payload.index(b":")]
            return value[:-1] + b"," + name + b":null}"
        case _:
            raise ValueError(f"unknown kind {kind}")

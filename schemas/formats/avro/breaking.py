"""Framed values that no decoder can read, each for one reason. Every one is certain to be refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from schemas.formats.avro.strict import compile_finder
from schemas.formats.avro.wire import varint
from schemas.formats.frame import FRAME_KINDS, HEADER_BYTES, UNKNOWN_SCHEMA_ID
from schemas.types.tree import parse

_ID_BYTES = slice(1, HEADER_BYTES)
KINDS = FRAME_KINDS | {f"undecodable.{why}" for why in ("truncated", "invalid_utf8", "trailing_bytes", "empty")}


def _behind_the_length(_: bytes) -> int:
    """Return where the text of the first field begins, if that is one: behind the frame and its length."""
    return HEADER_BYTES + 1


def undecodable(kind: str, value: bytes, chance: float, text_at: Callable[[bytes], int] | None = None) -> bytes:
    """Return a value made undecodable.

    :param kind: ``undecodable.<why>``.
    :param chance: in [0, 1): decides what there is to decide.
    :param text_at: says where a text of the value begins: that of its first field, unless given.
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
            at = (text_at or _behind_the_length)(value)
            return value[:at] + b"\xff" + value[at + 1 :]
        case "trailing_bytes":
            return value + b"\x00" * (1 + int(chance * 8))
        case "empty":
            return b""
        case _:
            raise ValueError(f"unknown kind {kind}")


class TextPlace:
    """Finds one text field at the top of a schema in any value of it.

    :param schemas: the schemas that values are written with, by id.
    :param field: a text, or a text or null; what stands before it is read and left behind.
    """

    def __init__(self, schemas: Mapping[int, Mapping[str, Any]], field: str) -> None:
        roots = {number: parse(json.dumps(schema)) for number, schema in schemas.items()}
        self._find = {number: compile_finder(root, field) for number, root in roots.items()}
        texts = {number: dict(root.fields)[field] for number, root in roots.items()}
        self._union = {number: node.nullable or node.kind == "union" for number, node in texts.items()}

    def __call__(self, value: bytes) -> int:
        """Return the place of the text's first byte. The text is there, and not empty."""
        number = int.from_bytes(value[_ID_BYTES], "big")
        at = self._find[number](value, HEADER_BYTES)
        for _ in range(2 if self._union[number] else 1):  # the branch of the union, and the length
            _, at = varint(value, at)
        return at

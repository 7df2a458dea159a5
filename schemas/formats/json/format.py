"""JSON as a value format: in Confluent's frame, or plain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from schemas.formats import Breaker
from schemas.formats.frame import FRAME_KINDS, HEADER_BYTES, MAGIC, schema_id_in
from schemas.formats.json.breaking import undecodable
from schemas.formats.json.json_schema import contract_in, json_schema_of
from schemas.formats.json.reading import Decoder
from schemas.formats.json.writing import Encoder
from schemas.identity import ID_CHARACTERS, IDENTITY_FIELD
from schemas.undecodable import UndecodableValue

_NAME = f'"{IDENTITY_FIELD}"'.encode()
# A value of ours begins with its identity.
_BEGINS = b"{" + _NAME + b':"'
_KINDS = frozenset(
    f"undecodable.{why}"
    for why in (
        "truncated", "invalid_utf8", "trailing_bytes", "empty", "wrong_type", "unknown_member", "duplicate_member",
    )
)  # fmt: skip


class JsonFormat:
    """See :class:`schemas.formats.ValueFormat`.

    :param framed: each value names its schema. Plain values name none: who reads them must know it.
    """

    schema_type = "JSON"

    def __init__(self, *, framed: bool) -> None:
        self.name = "json" if framed else "plain-json"
        self.head_bytes = HEADER_BYTES if framed else 0
        self.breaks = _KINDS | FRAME_KINDS if framed else _KINDS
        self._framed = framed

    def encoder(self, schema: str, schema_id: int) -> Encoder:
        """Return what writes values of a schema."""
        return Encoder(schema, schema_id, framed=self._framed)

    def decoder(self, schema: str) -> Decoder:
        """Return what reads values of a schema, without their frame."""
        return Decoder(schema)

    def schema_id(self, head: bytes) -> int:
        """Return the id in a frame."""
        if not self._framed:
            raise UndecodableValue("unnamed_schema", "a value without a frame names no schema", phase="frame")
        return schema_id_in(head)

    def registered(self, contract: str) -> str:
        """Return the JSON Schema of a contract."""
        return json_schema_of(contract)

    def contract(self, registered: str) -> str:
        """Return the contract that a JSON Schema carries."""
        return contract_in(registered)

    def identity(self, value: bytes) -> bytes:
        """Return the text of the member ``event_id`` of the value itself, where it has the length of an identity."""
        if self._framed and value[:1] != MAGIC:
            return b""
        begin = self.head_bytes + len(_BEGINS)
        end = begin + ID_CHARACTERS
        if value.startswith(_BEGINS, self.head_bytes) and value[end : end + 1] == b'"':
            return value[begin:end]
        return _searched(value[self.head_bytes :]) if _NAME in value else b""

    def identity_sql(self, value: str) -> str:
        """Return the same as an expression of DuckDB."""
        begin = self.head_bytes + len(_BEGINS) + 1
        end = begin + ID_CHARACTERS
        beginning = f"hex({value}[{self.head_bytes + 1}:{begin - 1}]) = '{_BEGINS.hex().upper()}'"
        quote = f"hex({value}[{end}:{end}]) = '22'"
        framed = f"hex({value}[1:1]) = '00' AND " if self._framed else ""
        member = f"json_extract(TRY(decode({value}[{self.head_bytes + 1}:])), '$.{IDENTITY_FIELD}')"
        searched = f"CASE WHEN json_type({member}) = 'VARCHAR' THEN {member} ->> '$' END"
        return (
            f"CASE WHEN {framed}{beginning} AND {quote} THEN TRY(decode({value}[{begin}:{end - 1}])) "
            f"WHEN {framed}TRUE THEN TRY(CASE WHEN length({searched}) = {ID_CHARACTERS} THEN {searched} END) END"
        )

    def breaker(self, schemas: Mapping[int, Mapping[str, Any]], text: str | None) -> Breaker:  # noqa: ARG002
        """Return what breaks values: a text of any of them can be found without its schema."""
        return partial(undecodable, head=self.head_bytes)


def _searched(payload: bytes) -> bytes:
    """Return the identity wherever the members of a value have it; members of its members are not looked at."""
    try:
        members = json.loads(payload, object_pairs_hook=list)
        found = next((value for name, value in members if name == IDENTITY_FIELD), None)
        return found.encode() if isinstance(found, str) and len(found) == ID_CHARACTERS else b""
    except (ValueError, TypeError, RecursionError):
        return b""


JSON = JsonFormat(framed=True)
PLAIN_JSON = JsonFormat(framed=False)

"""Arrow batches into JSON values, column by column: the text of every column is made whole, then rows are joined.

One way writes every type, so the same row is the same bytes in any process. A value is an object whose members are the
fields, in the order of the schema, without blanks:

===============================  ==================================================================
Avro                             JSON
===============================  ==================================================================
null, boolean                    null, true, false
int, long                        number without fraction and exponent
float, double                    number of the shortest digits; "NaN", "Infinity", "-Infinity"
string, uuid, enum               text
bytes, fixed                     text, base64 with padding
decimal                          text, all digits behind the point
date                             text, 2026-01-31
time-millis, -micros             text, 23:59:59.999 or 23:59:59.999999
timestamp-*                      text, 2026-01-31T23:59:59.999Z; always UTC
local-timestamp-*                text, the same without Z
record, map                      object
array                            array
a type inside itself             text that holds JSON
null and one other               null, or the other's
other unions                     null, or an object of one member, whose name is the branch's
===============================  ==================================================================
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import Misconfigured
from schemas.formats import CodecMismatch
from schemas.formats.conform import conform
from schemas.formats.frame import frame_header
from schemas.formats.json.reading import Decoder
from schemas.formats.json.texts import is_text, numbers_text, text_of
from schemas.types.arrow import Column, arrow_schema
from schemas.types.node import RECURSION, Node, member_names
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

_c: Any = pc  # the stubs describe each function by the types of its arguments, which are known only while running

_MUST_ESCAPE = r'["\\\x00-\x1f]'
_SHORT = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES = {"\\": "\\\\", '"': '\\"'} | {
    chr(code): _SHORT.get(chr(code), f"\\u{code:04x}") for code in range(0x20)
}  # the backslash first: the others bring some

# What stands between columns, and columns: joined, they are the text of each row.
_Piece = str | Column


class Encoder:
    """Encode batches of one schema into JSON values.

    :param framed: put Confluent's frame before each.
    :raises Misconfigured: the schema is none that a table can hold.
    """

    def __init__(self, schema_text: str, schema_id: int, *, framed: bool) -> None:
        try:
            self._root = parse(schema_text)
            self._reader = Decoder(schema_text)
        except UnsupportedSchema as error:
            raise Misconfigured(f"the schema cannot be used: {error.message}") from None
        self._head = frame_header(schema_id) if framed else b""
        self._unions = any(node.kind == "union" for node in self._root.walk())
        self.schema_id = schema_id
        self.arrow_schema = arrow_schema(self._root)

    def encode(self, batch: pa.RecordBatch) -> pa.BinaryArray:
        """Return one value per row. Columns are taken by name and cast without loss to ``arrow_schema``.

        :raises ValueError: a column is missing or of another type, or a null stands where the schema allows none.
        """
        rows = conform(batch, self._root, self.arrow_schema)
        if self._unions:
            # Taken, not sliced: the tags of a sliced union are those of the whole (PyArrow 26).
            rows = rows.take(pa.array(range(len(rows)), pa.int64()))
        fields = zip(rows.columns, self._root.fields, strict=True)
        pieces = _object([(name, column, node) for column, (name, node) in fields])
        # Repeated: a record that holds nothing but nulls has no column of text to make it an array.
        head = pa.repeat(pa.scalar(self._head, pa.binary()), len(rows))
        values: pa.BinaryArray = _c.binary_join_element_wise(
            head, *map(_as_binary, pieces), pa.scalar(b"", pa.binary())
        )
        return values

    def verify(self, batch: pa.RecordBatch, rows: int = 64) -> None:
        """Encode a sample of ``batch``, read it with the strict reader and with Arrow's, and compare.

        :raises CodecMismatch: they differ.
        """
        sample = batch.take(pa.array(range(0, len(batch), max(1, len(batch) // rows))))
        values: list[Any] = self.encode(sample).to_pylist()
        payloads = [value[len(self._head) :] for value in values]
        # As text: NaN equals nothing, and minus zero is not zero.
        given = repr(conform(sample, self._root, self.arrow_schema).to_pylist())
        if repr([self._reader.decode_one(payload) for payload in payloads]) != given:
            raise CodecMismatch("rows of the sample differ from the rows that were encoded")
        if repr(self._reader.decode(payloads).to_pylist()) != given:
            raise CodecMismatch("the fast reader reads other rows than the strict one")


def _as_binary(piece: _Piece) -> Any:
    return pa.scalar(piece.encode(), pa.binary()) if isinstance(piece, str) else piece.view(pa.binary())


def _object(members: list[tuple[str, Column, Node]]) -> list[_Piece]:
    """Return the pieces of an object with these members."""
    pieces: list[_Piece] = ["{"]
    for place, (name, column, node) in enumerate(members):
        # Names of Avro's fields hold letters, digits and underscores.
        pieces += [f'{"," if place else ""}"{name}":', *_pieces(column, node)]
    return _merged([*pieces, "}"])


def _merged(pieces: list[_Piece]) -> list[_Piece]:
    """Return the same with neighbouring constants joined."""
    merged: list[_Piece] = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _pieces(array: Column, node: Node) -> list[_Piece]:
    """Return the pieces of a column's text; where some rows are null it is one piece."""
    if node.kind == "null":
        return ["null"]
    if not array.null_count:
        return _present(array, node)
    text = _joined(_present(array, node), len(array))
    return [_c.if_else(array.is_valid(), text, "null")]


def _joined(pieces: list[_Piece], rows: int) -> Column:
    """Return pieces as one column of text; a piece that is null gives an empty text."""
    if all(isinstance(piece, str) for piece in pieces):
        return pa.repeat(pa.scalar("".join(map(str, pieces))), rows)
    if len(pieces) == 1:
        return pieces[0]
    return _c.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")


def _present(array: Column, node: Node) -> list[_Piece]:  # noqa: PLR0911 - one return for each kind of type
    """Return the pieces of a column's text; what stands for null rows does not matter."""
    if node.kind == "record":
        return _object([(name, array.field(place), child) for place, (name, child) in enumerate(node.fields)])
    if node.kind == "array":
        ends = array.offsets
        first, last = ends[0].as_py(), ends[-1].as_py()
        return ["[", _lists(ends, _whole(array.values.slice(first, last - first), node.element())), "]"]
    if node.kind == "map":
        ends = array.offsets
        first, last = ends[0].as_py(), ends[-1].as_py()
        keys = _quoted(array.keys.slice(first, last - first))
        items = _pieces(array.items.slice(first, last - first), node.element())
        return ["{", _lists(ends, _joined([*keys, ":", *items], last - first)), "}"]
    if node.kind == "union":
        return [_union(array, node)]
    if node.kind in ("string", RECURSION):
        return _quoted(array)
    if node.kind == "enum":
        return ['"', array, '"']
    if is_text(node):
        return ['"', text_of(array, node), '"']
    return [numbers_text(array) if node.kind in ("float", "double") else array.cast(pa.string())]


def _whole(array: Column, node: Node) -> Column:
    return _joined(_pieces(array, node), len(array))


def _lists(ends: Column, items: Column) -> Column:
    """Return the texts of the items of each list, with commas between them."""
    from_zero = _c.subtract(ends, ends[0])
    lists = pa.ListArray.from_arrays(from_zero, items)
    return _c.binary_join(lists, ",")


def _union(array: Column, node: Node) -> Column:
    texts = []
    for place, (tag, branch) in enumerate(zip(member_names(node), node.branches, strict=True)):
        branch_pieces = _pieces(array.field(place), branch)
        tagged = branch_pieces if branch.kind == "null" else [f'{{"{tag}":', *branch_pieces, "}"]
        texts.append(_joined(_merged(tagged), len(array)))
    return _c.choose(array.type_codes, *texts)


def _quoted(array: Column) -> list[_Piece]:
    """Return texts in quotes, with what JSON does not take as it is escaped."""
    if _c.any(_c.match_substring_regex(array, _MUST_ESCAPE)).as_py():
        for found, escape in _ESCAPES.items():
            array = _c.replace_substring(array, found, escape)
    return ['"', array, '"']

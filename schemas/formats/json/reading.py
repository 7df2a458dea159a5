"""JSON values into typed Arrow columns: fast where it can be proved, strict where it cannot.

Arrow's reader takes whole groups of values, and refuses what is not JSON, unknown and doubled members, and other types.
It does not look where one value ends and the next begins, and calls an absent member null. So, for each group:

1. wrap: each value becomes a member of an object of its own, before another member whose name is a random number of
   this process. A group that gives one such pair for each value has every value whole, in order, and nothing beside
   (chance 2^-64): a value cannot write a name that it does not know
2. read: by Arrow, with every integer 64 bits wide, and dates, times, decimals and bytes as text
3. check: Arrow's full validation, which reads all text as UTF-8; no number that is not finite; no null where the schema
   allows none, and none where it has a default that an absent member would be
4. type: text in the one form that we write becomes what it says; anything else raises

A group that fails is halved until the faulty values stand alone; ``strict.py`` reads those, and has the last word.
"""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from schemas.formats import Salvaged
from schemas.formats.json.strict import compile_reader
from schemas.formats.json.texts import OtherForm, column_of, is_text
from schemas.formats.salvage import salvage
from schemas.types.arrow import Column, arrow_schema, missing_value, raw_array, struct_of, typed, typed_type
from schemas.types.tree import Node, parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema

_c: Any = pc  # the stubs describe each function by the types of its arguments, which are known only while running

_MOST_BYTES = (1 << 31) - (1 << 20)  # of one group: Arrow counts a block in 31 bits
_NOT_FAST = UndecodableValue("group", "a value of the group cannot be decoded")


class Decoder:
    """Decode the unframed values of one schema.

    :raises UnsupportedSchema: no typed table can hold the schema; treat every value of it as undecodable.
    """

    def __init__(self, schema_text: str) -> None:
        self._root = parse(schema_text)
        if not self._root.fields:
            raise UnsupportedSchema("the record has no fields")
        self._strict = compile_reader(self._root)
        self.arrow_schema = arrow_schema(self._root)
        self.fast = all(_is_fast(node) for node in self._root.walk())
        if self.fast:
            self._value, self._end = (f"{name}{os.urandom(8).hex()}" for name in ("value", "end"))
            wrapper = pa.schema([(self._value, _wire_type(self._root)), (self._end, pa.int64())])
            self._parsing = arrow_json.ParseOptions(
                explicit_schema=wrapper, newlines_in_values=False, unexpected_field_behavior="error"
            )

    @property
    def root(self) -> Node:
        """Return the record that the values are of."""
        return self._root

    def decode(self, values: list[bytes]) -> pa.RecordBatch:
        """Return one row per value, in order, typed as ``arrow_schema``.

        :raises UndecodableValue: the fault of the first value that cannot be decoded; see :meth:`salvage`.
        """
        salvaged = self.salvage(values)
        if salvaged.faults:
            raise salvaged.faults[min(salvaged.faults)]
        return salvaged.batch

    def decode_one(self, value: bytes) -> dict[str, Any]:
        """Return one value as Python values (timestamps as aware datetimes, maps as lists of pairs).

        :raises UndecodableValue: what is wrong and at which character.
        """
        row: dict[str, Any] = self._read_strictly([value]).to_pylist()[0]
        return row

    def salvage(self, values: list[bytes]) -> Salvaged:
        """Decode what can be decoded: the good rows as one batch, and the fault of every other value."""
        return salvage(values, self._read_group, self.arrow_schema)

    def _read_group(self, group: list[bytes]) -> pa.RecordBatch:
        if self.fast and len(group) > 1:
            return self._read_fast(group)
        return self._read_strictly(group)

    def _read_strictly(self, group: list[bytes]) -> pa.RecordBatch:
        rows = [self._strict(value) for value in group]
        columns = [raw_array(node, [row[name] for row in rows]) for name, node in self._root.fields]
        return self._batch([typed(column, node) for column, (_, node) in zip(columns, self._root.fields, strict=True)])

    def _read_fast(self, group: list[bytes]) -> pa.RecordBatch:
        head, tail = f'{{"{self._value}":'.encode(), f',"{self._end}":1}}\n'.encode()
        block = head + (tail + head).join(group) + tail
        if len(block) > _MOST_BYTES:
            raise _NOT_FAST
        reading = arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1)
        try:
            source: Any = pa.BufferReader(block)  # the stubs miss it
            table = arrow_json.read_json(source, reading, self._parsing).combine_chunks()
            (rows,) = table.to_batches()
            whole: Column = rows.column(0)
            ends = rows.column(1)
            if len(rows) != len(group) or whole.null_count or ends.null_count or rows.num_columns != 2:
                raise _NOT_FAST
            rows.validate(full=True)
            columns = [
                _typed(whole.field(place), child, _is_ambiguous(self._root, name))
                for place, (name, child) in enumerate(self._root.fields)
            ]
        except (ValueError, pa.ArrowException) as error:
            if isinstance(error, UndecodableValue):
                raise
            raise _NOT_FAST from None
        for column, (name, node) in zip(columns, self._root.fields, strict=True):
            if missing_value(column, node, name):
                raise _NOT_FAST
        return self._batch(columns)

    def _batch(self, columns: list[Column]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(columns, schema=self.arrow_schema)


def _is_fast(node: Node) -> bool:
    """Return whether Arrow reads the type: it has no reader for maps, and none for unions.

    Nor does it know how many bytes a decimal has that is a fixed, where digits are more than they hold.
    """
    if node.kind == "fixed" and node.logical and 10**node.precision > 1 << (8 * node.size - 1):
        return False
    return node.kind not in ("map", "union", "null") and (node.kind != "record" or bool(node.fields))


def _wire_type(node: Node) -> pa.DataType:
    """Return the layout that Arrow reads."""
    if is_text(node):
        return pa.string()
    if node.kind in ("int", "long"):
        return pa.int64()
    if node.kind == "record":
        return pa.struct([pa.field(name, _wire_type(child)) for name, child in node.fields])
    return pa.list_(_wire_type(node.element())) if node.kind == "array" else typed_type(node)


def _is_ambiguous(record: Node, name: str) -> bool:
    """Return whether a null that Arrow gives for a member may stand for a default that is something else."""
    return record.defaults.get(name) is not None


def _typed(array: Column, node: Node, ambiguous: bool = False) -> Column:
    """Return a column as Arrow read it in its typed layout.

    :param ambiguous: an absent member and one that is null say different things.
    :raises OtherForm: a text or a number is not in the form that we write.
    :raises UndecodableValue: a number is out of range.
    """
    if ambiguous and array.null_count:
        raise OtherForm("a member is null or absent")
    if node.kind == "record":
        mask = array.is_null() if array.null_count else None
        children = [
            _below(array, array.field(place), child, _is_ambiguous(node, name))
            for place, (name, child) in enumerate(node.fields)
        ]
        return struct_of(node, children, mask)
    if node.kind == "array":
        mask = array.is_null() if array.null_count else None
        values = _typed(array.values, node.element())
        return pa.ListArray.from_arrays(array.offsets, values, type=pa.list_(values.type), mask=mask)
    if node.kind == "enum":
        known = _c.is_in(array, value_set=pa.array(node.symbols), skip_nulls=False)
        if _c.all(_c.or_kleene(known, array.is_null())).as_py() is False:
            raise OtherForm("a text is no symbol")
        return array
    if node.kind in ("float", "double"):
        if _c.all(_c.is_finite(array)).as_py() is False:
            raise OtherForm("a number is too large")
        return array
    return column_of(array, node) if is_text(node) and node.kind != "string" else typed(array, node)


def _below(parent: Column, array: Column, node: Node, ambiguous: bool) -> Column:
    """Return the typed column of a field; beneath a parent that is null everything is."""
    if ambiguous and array.null_count and parent.null_count:
        ambiguous = bool(_c.any(_c.and_(parent.is_valid(), array.is_null())).as_py())
    return _typed(array, node, ambiguous)

"""Arrow batches into framed Avro values, and back: fast where it can be proved, strict where it cannot.

*Encoding* is pyruhvro's for fields of the types that it writes rightly, and ``by_columns.py``'s for all others.
``Encoder.verify`` reads a sample back with the strict reader.

*Decoding* is pyruhvro's for the types that it knows. It ignores bytes after the end and checks no UTF-8, so the fast
path proves both for each group of values:

1. prove the end: a random number of this process is appended to every payload and read back as one more field. A
   payload with bytes left over, or one that reads beyond its own end, cannot give that number (chance 2^-64)
2. read: pyruhvro, with every integer 64 bits wide and logical types as plain numbers
3. check: Arrow's full validation, which reads all text as UTF-8
4. type: narrow and label the columns; what does not fit raises

Schemas with other types are read by ``lockstep.py``, by columns too; it sees bytes left over by itself.

A group that fails is halved until the faulty values stand alone; ``strict.py`` says what is wrong with each.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from cluster.errors import Misconfigured
from schemas.formats import CodecMismatch, Salvaged
from schemas.formats.avro.by_columns import compile_writer
from schemas.formats.avro.lockstep import UnevenLists, can_read, compile_columns
from schemas.formats.conform import conform
from schemas.formats.frame import HEADER_BYTES, frame_header
from schemas.formats.salvage import STRICT_GROUP, salvage
from schemas.types.arrow import arrow_schema, raw_array, typed
from schemas.types.node import RECURSION, Node, member_names
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema

_PROOF = struct.Struct("<d")
_MOST_LEVELS = 30  # pyruhvro reads schemas of up to 127 levels of JSON, and a record has three
# Logical types that pyruhvro writes itself; it takes uuid as text once the label is gone.
_WRITTEN = frozenset({"", "date", "timestamp-millis", "timestamp-micros"})


class Encoder:
    """Encode batches of one schema into framed values.

    pyruhvro writes the fields whose types it writes rightly; all others are written by ``by_columns.py``.

    :raises Misconfigured: the schema is not one that a table can hold.
    """

    def __init__(self, schema_text: str, schema_id: int) -> None:
        try:
            self._root = parse(schema_text)
        except UnsupportedSchema as error:
            raise Misconfigured(f"the schema cannot be used: {error.message}") from None
        self._text = schema_text
        self._write = compile_writer(self._root)
        self._runs = _runs(self._root)
        self._head = frame_header(schema_id)
        self.schema_id = schema_id
        self.arrow_schema = arrow_schema(self._root)

    def encode(self, batch: pa.RecordBatch) -> pa.BinaryArray:
        """Return one framed value per row (``.to_pylist()`` gives ``list[bytes]``).

        Columns are taken by name and cast without loss to ``arrow_schema``.

        :raises ValueError: a column is missing or of another type, or a null stands where the schema allows none.
        """
        rows = conform(batch, self._root, self.arrow_schema)
        if len(self._runs) == 1 and not self._runs[0].fast:
            return self._write(rows, self._head)
        try:
            pieces = [run.written(rows) for run in self._runs]
        except BaseException as error:
            # Some slices of nested columns make pyruhvro panic.
            if type(error).__name__ != "PanicException":
                raise
            return self._write(rows, self._head)
        head, nothing = pa.scalar(self._head, pa.binary()), pa.scalar(b"", pa.binary())
        framed: pa.BinaryArray = pc.binary_join_element_wise(head, *pieces, nothing)
        return framed

    def verify(self, batch: pa.RecordBatch, rows: int = 64) -> None:
        """Encode a sample of ``batch``, and have two other programs look at it.

        The strict reader reads it back, and the rows are compared. fastavro writes what was read, and the bytes are
        compared; not of schemas with a type inside itself.

        :raises CodecMismatch: they differ.
        """
        sample = batch.take(pa.array(range(0, len(batch), max(1, len(batch) // rows))))
        given = conform(sample, self._root, self.arrow_schema)
        values: list[Any] = self.encode(sample).to_pylist()
        payloads = [value[HEADER_BYTES:] for value in values]
        try:
            back = Decoder(self._text).decode_strictly(payloads)
        except UndecodableValue as fault:
            raise CodecMismatch(f"a row of the sample cannot be read back: {fault.message}") from None
        from schemas.formats.avro.strict import compile_reader
        from schemas.formats.avro.witness import compile_witness  # deferred: fastavro takes a moment to import

        witness, read = compile_witness(self._root), compile_reader(self._root)
        for number, payload in enumerate(payloads):
            if witness is not None and witness(read(payload)) != payload:
                raise CodecMismatch(f"row {number} of the sample has other bytes than fastavro writes")
        if back.equals(given):
            return
        pairs = zip(back.to_pylist(), given.to_pylist(), strict=True)
        # As text a NaN equals itself.
        odd = next((number for number, (read, row) in enumerate(pairs) if repr(read) != repr(row)), None)
        if odd is not None:
            raise CodecMismatch(f"row {odd} of the sample is not what was encoded when it is read back")


class _Run:
    """Fields of a record that stand side by side, and are all written by pyruhvro or all by columns."""

    def __init__(self, root: Node, first: int, end: int, *, fast: bool) -> None:
        self.fast = fast
        self._places = list(range(first, end))
        record = replace(root, fields=root.fields[first:end])
        self._write = None if fast else compile_writer(record)
        self._plain = json.dumps(_plain_schema(record, wide=False)) if fast else ""
        labels = any(node.logical not in _WRITTEN for node in record.walk())
        self._numbers = _without_labels(arrow_schema(record)) if labels and fast else None

    def written(self, rows: pa.RecordBatch) -> Any:
        """Return the bytes of these fields for each row."""
        own = rows.select(self._places)
        if self._write is not None:
            return self._write(own, b"")
        if self._numbers is not None:
            own = own.cast(self._numbers)
        (payloads,) = pyruhvro.serialize_record_batch(own, self._plain, 1)
        return payloads


def _runs(root: Node) -> list[_Run]:
    """Return the fields of a record as runs."""
    # A slice of a struct that holds nothing but nulls makes pyruhvro panic.
    fast = [all(_is_fast(below) and below.kind != "null" for below in node.walk()) for _, node in root.fields]
    found, first = [], 0
    for kind, run in groupby(fast):
        end = first + len(list(run))
        found.append(_Run(root, first, end, fast=kind))
        first = end
    return found


class Decoder:
    """Decode the unframed payloads of one writer schema.

    :raises UnsupportedSchema: no typed table can hold the schema; treat every value of it as undecodable.
    """

    def __init__(self, schema_text: str) -> None:
        # Deferred: the strict reader is compiled only when a value needs it.
        self._root = parse(schema_text)
        self._strict: Any = None
        self.arrow_schema = arrow_schema(self._root)
        self.fast = all(_is_fast(node) for node in self._root.walk()) and bool(self._root.fields)
        self._by_columns = compile_columns(self._root) if not self.fast and can_read(self._root) else None
        if self.fast:
            self._proof, self._proof_bits = _new_proof()
            proof_field = "proof"
            while proof_field in self.arrow_schema.names:
                proof_field += "_"
            plain = _plain_schema(self._root, wide=True)
            plain["fields"].append({"name": proof_field, "type": "double"})
            self._plain = json.dumps(plain)

    @property
    def root(self) -> Node:
        """Return the record that the values are of."""
        return self._root

    def decode(self, values: list[bytes]) -> pa.RecordBatch:
        """Return one row per payload, in order, typed as ``arrow_schema``.

        :raises UndecodableValue: the fault of the first value that cannot be decoded; see :meth:`salvage`.
        """
        salvaged = self.salvage(values)
        if salvaged.faults:
            raise salvaged.faults[min(salvaged.faults)]
        return salvaged.batch

    def decode_one(self, value: bytes) -> dict[str, Any]:
        """Return one payload as Python values (timestamps as aware datetimes, maps as lists of pairs).

        :raises UndecodableValue: what is wrong and at which byte.
        """
        row: dict[str, Any] = self.decode_strictly([value]).to_pylist()[0]
        return row

    def salvage(self, values: list[bytes]) -> Salvaged:
        """Decode what can be decoded: the good rows as one batch, and the fault of every other value."""
        return salvage(values, self._read_group, self.arrow_schema)

    def _read_group(self, group: list[bytes]) -> pa.RecordBatch:
        if not group:
            return self._empty()
        if self.fast and len(group) > 1:
            return self._read_fast(group)
        if self._by_columns is not None and len(group) > STRICT_GROUP:
            try:
                return self._typed(self._by_columns(group))
            except UnevenLists:
                pass
        return self.decode_strictly(group)

    def _read_fast(self, group: list[bytes]) -> pa.RecordBatch:
        proof = self._proof
        try:
            (raw,) = pyruhvro.deserialize_array_threaded([value + proof for value in group], self._plain, 1)
            proofs = raw.column(raw.num_columns - 1).view(pa.int64())
            bounds: Any = pc.min_max(proofs).as_py()
            if not bounds["min"] == bounds["max"] == self._proof_bits:
                raise UndecodableValue("group", "a value of the group does not end where its payload ends")
            raw.validate(full=True)
        except (ValueError, pa.ArrowException) as error:
            if isinstance(error, UndecodableValue):
                raise
            raise UndecodableValue("group", "a value of the group cannot be decoded") from None
        return self._typed(raw.columns[:-1])

    def decode_strictly(self, values: list[bytes]) -> pa.RecordBatch:
        """Return one row per payload, read by the strict reader alone.

        :raises UndecodableValue: what is wrong with the first value that cannot be decoded.
        """
        if self._strict is None:
            from schemas.formats.avro.strict import compile_reader

            self._strict = compile_reader(self._root)
        rows = [self._strict(value) for value in values]
        return self._typed([raw_array(node, [row[name] for row in rows]) for name, node in self._root.fields])

    def _typed(self, columns: list[Any]) -> pa.RecordBatch:
        if not columns:
            raise UnsupportedSchema("the record has no fields")
        arrays = [typed(column, node) for column, (_, node) in zip(columns, self._root.fields, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.arrow_schema)

    def _empty(self) -> pa.RecordBatch:
        return self._typed([raw_array(node, []) for _, node in self._root.fields])


def _is_fast(node: Node) -> bool:
    """True if pyruhvro reads and writes the type rightly (property-tested against fastavro)."""
    if node.levels > _MOST_LEVELS:
        return False
    if node.kind == "array" and node.element().weightless():
        return False  # it would make all the items that a few bytes claim
    return node.kind not in ("bytes", "fixed", "union", RECURSION) and (node.kind != "record" or bool(node.fields))


def _plain_schema(root: Node, *, wide: bool) -> dict[str, Any]:
    """Return the schema for pyruhvro: same bytes, names made unique, no docs.

    ``wide`` reads every integer as a long and drops logical types; otherwise the ones that pyruhvro writes stay.
    """
    count = 0

    def plain(node: Node) -> Any:
        nonlocal count
        if node.kind in ("record", "enum"):
            count += 1
            named: dict[str, Any] = {"type": node.kind, "name": f"t{count}"}
            if node.kind == "enum":
                written: Any = named | {"symbols": list(node.symbols)}
            else:
                # Columns have the names of the fields, members those that differ by more than case.
                names = [name for name, _ in node.fields] if node is root else member_names(node)
                members = zip(names, node.below(), strict=True)
                written = named | {"fields": [{"name": name, "type": plain(child)} for name, child in members]}
        elif node.kind == "array":
            written = {"type": "array", "items": plain(node.element())}
        elif node.kind == "map":
            written = {"type": "map", "values": plain(node.element())}
        elif wide:
            written = "long" if node.kind == "int" else node.kind
        else:
            labelled = node.logical and node.logical in _WRITTEN
            written = {"type": node.kind, "logicalType": node.logical} if labelled else node.kind
        if node.null_branch is None:
            return written
        return ["null", written] if node.null_branch == 0 else [written, "null"]

    schema: dict[str, Any] = plain(root)
    return schema


def _without_labels(schema: pa.Schema) -> pa.Schema:
    """Return the layout in which the times that pyruhvro does not write are plain numbers."""

    def plain(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_time32(kind):
            return pa.int32()
        if pa.types.is_time64(kind) or (pa.types.is_timestamp(kind) and kind.tz is None):
            return pa.int64()
        if pa.types.is_struct(kind):
            return pa.struct([pa.field(child.name, plain(child.type)) for child in kind])
        if pa.types.is_map(kind):
            return pa.map_(kind.key_type, plain(kind.item_type))
        if pa.types.is_list(kind):
            return pa.list_(plain(kind.value_type))
        return kind

    return pa.schema([pa.field(one.name, plain(one.type), nullable=one.nullable) for one in schema])


def _new_proof() -> tuple[bytes, int]:
    """Return eight random, different bytes that are an ordinary number, and the same bits as an int64.

    Different bytes: a shifted reading of them can never equal them.
    """
    while True:
        raw = os.urandom(_PROOF.size)
        (number,) = _PROOF.unpack(raw)
        if len(set(raw)) == len(raw) and number - number == 0.0:
            return raw, int.from_bytes(raw, "little", signed=True)

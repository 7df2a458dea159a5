"""Two versions of a schema whose fields change in every way that a column holds, and chunks of records of both.

No broker and no registry is needed: what a loader would fetch is made here, and decoded by the loader's own code.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import fastavro

from cluster.records import Records, Span
from consumer.load.decode import decode
from consumer.load.naming import TopicNaming
from consumer.load.readers import SchemaShelf
from consumer.sinks import Sink
from consumer.sinks.batch import Chunk
from consumer.sinks.held import HeldRecord
from consumer.sinks.limit import NO_LIMIT
from schemas.formats import WrittenSchema
from schemas.manifest import SchemaUsed

_LONG = 2**63 - 1
TEXTS = ["", r"a\x41\\", "é🎈"]
BYTES = [b"", bytes(range(256)), rb"\x41"]


@dataclass(frozen=True, slots=True)
class Change:
    """A field, and its values, of one version and of the next."""

    before: Any
    values: Sequence[Any]
    after: Any
    later: Sequence[Any]
    alias: str = ""


def decimal(precision: int, scale: int) -> dict[str, Any]:
    """Return a decimal in bytes."""
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def record(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    """Return a record."""
    return {"type": "record", "name": name, "fields": list(fields)}


def one(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    """Return a field."""
    return {"name": name, "type": kind, **more}


_INTS, _DOUBLES = [-(2**31), 0, 2**31 - 1], [-0.0, 1e300, float("nan")]
_NARROW = [Decimal("-12345678.12"), Decimal("0.01"), Decimal("99999999.99")]
_WIDE = [Decimal("-12345678.1234"), Decimal("0.0001"), Decimal("9.0000")]
_ARRAYS = {"type": "array", "items": "int"}, {"type": "array", "items": "double"}
_STRINGS = {"type": "array", "items": "string"}, {"type": "array", "items": "bytes"}
_MAYBE = {"type": "array", "items": ["null", "string"]}, {"type": "array", "items": ["null", "string", "int"]}
_MAPS = {"type": "map", "values": "string"}, {"type": "map", "values": ["int", "string"]}
# What one column holds, without loss.
HELD = {
    "int_long": Change("int", _INTS, "long", [_LONG, 0, -_LONG - 1]),
    "int_double": Change("int", _INTS, "double", _DOUBLES),
    "float_double": Change("float", [-0.0, 0.10000000149011612, float("inf")], "double", _DOUBLES),
    "string_bytes": Change("string", TEXTS, "bytes", BYTES),
    "bytes_string": Change("bytes", BYTES, "string", TEXTS),
    "null_string": Change("null", [None, None, None], ["null", "string"], ["a", None, "b"]),
    "more_digits": Change(
        decimal(10, 2), _NARROW, decimal(20, 2), [Decimal("123456789012345678.25"), _NARROW[0], _NARROW[1]]
    ),
    "decimal": Change(decimal(10, 2), _NARROW, decimal(12, 4), _WIDE),
    "nullable_union": Change(["null", "string"], ["a", None, "é"], ["null", "string", "long"], [_LONG, "a", None]),
    "text_union": Change("string", TEXTS, ["string", "int"], ["a", 7, -1]),
    "double_union": Change("double", _DOUBLES, ["double", "string"], [("double", -0.0), "a", ("double", 0.1)]),
    "decimal_union": Change(decimal(10, 2), _NARROW, ["null", decimal(10, 2), "string"], [None, _NARROW[0], "a"]),
    "unions": Change(["int", "string"], [1, "a", 2], ["null", "string", "boolean"], [None, True, "b"]),
    "enum_string": Change({"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["A", "B", "A"], "string", TEXTS),
    "ints": Change(_ARRAYS[0], [[1], [], [2, 3]], _ARRAYS[1], [[0.5], [], [-0.0]]),
    "texts": Change(_STRINGS[0], [["a"], [], TEXTS], _STRINGS[1], [BYTES, [], [b"a"]]),
    "maybes": Change(_MAYBE[0], [["a", None], [], [None]], _MAYBE[1], [["a", 1, None], [], [2]]),
    "map": Change(_MAPS[0], [{"k": "v", "": ""}, {}, {"é": "a"}], _MAPS[1], [{"k": 1, "l": "v"}, {}, {"": 2}]),
    "place": Change(
        record("Place", one("n", "int"), one("note", "string"), one("sum", decimal(5, 1)), one("tag", "string")),
        [{"n": 1, "note": TEXTS[1], "sum": Decimal("1.5"), "tag": "t"}] * 3,
        record(
            "Place",
            one("more", ["null", "int"], default=None),
            one("n", "double"),
            one("note", "bytes"),
            one("sum", decimal(8, 3)),
            one("tag", ["null", "string", "int"]),
        ),
        [{"more": 1, "n": 0.5, "note": BYTES[1], "sum": Decimal("1.125"), "tag": 3}] * 3,
    ),
    "renamed": Change("string", TEXTS, "string", TEXTS, alias="was_called"),
    "inside": Change(
        record("Inside", one("old", "int"), one("same", "string")),
        [{"old": n, "same": "s"} for n in range(3)],
        record("Inside", one("same", "string"), one("new", "int", aliases=["old"])),
        [{"new": n, "same": "t"} for n in range(3)],
    ),
}
# What none does: the next version gets a column or a member of its own.
APART = {
    "long_double": Change("long", [1, 2**53 + 1, _LONG], "double", [0.5, 1.0, 1e300]),
    "text_number": Change("string", ["1", "2", ""], "long", [1, 2, 3]),
    "within": Change(
        record("Within", one("x", "long")),
        [{"x": _LONG}] * 3,
        record("Within", one("x", "double")),
        [{"x": 0.5}] * 3,
    ),
}


def schemas(changes: dict[str, Change]) -> tuple[str, str]:
    """Return both versions."""
    before = [one(change.alias or name, change.before) for name, change in changes.items()]
    after = [
        one(name, change.after, **({"aliases": [change.alias]} if change.alias else {}))
        for name, change in changes.items()
    ]
    return json.dumps(record("R", *before)), json.dumps(record("R", *after))


def rows(changes: dict[str, Change], version: int) -> list[dict[str, Any]]:
    """Return the values of a version, 1 or 2."""
    if version == 1:
        return [{change.alias or name: change.values[n] for name, change in changes.items()} for n in range(3)]
    return [{name: change.later[n] for name, change in changes.items()} for n in range(3)]


def framed(schema_id: int, text: str, values: Sequence[dict[str, Any]]) -> list[bytes]:
    """Return values as a producer of Confluent's writes them, encoded by a library that is not ours."""
    parsed = fastavro.parse_schema(json.loads(text))
    found = []
    for value in values:
        payload = io.BytesIO()
        fastavro.schemaless_writer(payload, parsed, value)
        found.append(struct.pack(">bI", 0, schema_id) + payload.getvalue())
    return found


class Texts:
    """Knows schemas by their ids, as a registry does."""

    url = ""

    def __init__(self, texts: dict[int, str]) -> None:
        self._texts = texts

    def schema(self, schema_id: int) -> WrittenSchema:
        """Return the schema of an id."""
        return WrittenSchema(self._texts[schema_id])

    def lookup(self, subject: str, text: str, written: str) -> SchemaUsed | None:
        """Return nothing."""
        return None


class Loader:
    """Puts values into a sink, as a loader does: it has its own idea of what the sink holds, and keeps it.

    :param partition: of its records, which begin at offset 0.
    """

    def __init__(self, sink: Sink, texts: dict[int, str], partition: int = 0) -> None:
        self._sink = sink
        self._partition = partition
        naming = TopicNaming(lambda: None)
        shelf = SchemaShelf(sink, "t", Texts(texts))
        self._readers = shelf.readers(shelf.adopt, naming)
        self._naming = naming
        self._next = sink.positions()[partition]

    def put(self, values: Sequence[bytes]) -> Chunk:
        """Decode and store values as one batch, and return what they were decoded to."""
        records = Records.of(
            [HeldRecord(self._partition, self._next + n, 0, None, v, None) for n, v in enumerate(values)]
        )
        span = Span(self._partition, self._next, self._next + len(values))
        chunk = decode(records, [span], self._readers, self._naming)
        batches = self._sink.batches("load", limit=NO_LIMIT, batch_rows=10_000)
        batches.add(chunk)
        batches.commit()
        self._next = span.end
        return chunk

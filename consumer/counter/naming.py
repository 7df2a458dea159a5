"""From records to the names that they are counted by: the text of one field, whatever the format of the values.

A value is decoded as a load decodes it: by the schema that its frame names, by the contract of the newest manifest, or
as a JSON object of which nobody knows a contract. What comes of a value depends on that value alone, so that a count
that is made again comes to the same totals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured
from cluster.records import Records, Rows, Span
from cluster.text.nearest import meant
from consumer.counter.totals import (
    CODES,
    NO_TEXT,
    NULL,
    RECEIVED_AT,
    RESERVED,
    TOMBSTONE,
    TOO_LONG,
    UNDECODABLE,
    RunningTotals,
)
from consumer.load.decode import Reader, decode
from consumer.load.naming import TopicNaming
from consumer.load.readers import Readers, SchemaSource
from consumer.pipeline.topic.json_members import read_object
from consumer.pipeline.topic.naming import WITHOUT_A_CONTRACT, AnyNaming, plain_schema
from consumer.sinks.batch import EventGroup
from schemas.formats import Salvaged, WrittenSchema, value_format
from schemas.types.arrow import arrow_schema
from schemas.types.node import Node
from schemas.undecodable import UndecodableValue

_MOST_CHARACTERS = 1_000
_MOST_MEMBERS = 100


class FieldNames:
    """Finds the name of each record of a topic.

    :param field: the field, by its path: ``eventName``, ``details.kind``.
    :param told: the schema of values without a frame, if it was told; ``written``: their format.
    :ivar declared: names that a contract declares, in its order: the symbols of an enum.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        field: str,
        registry: SchemaSource,
        *,
        written: str | None = None,
        told: WrittenSchema | None = None,
    ) -> None:
        self.field = field
        self.declared: list[str] = []
        self._topic = topic
        self._path = tuple(field.split("."))
        self._naming = AnyNaming(TopicNaming(partial(plain_schema, kafka, topic, told, written), registry.id_of))
        self._readers = Readers(registry, {}, self._adopt, lambda: self._naming.known.plain)
        self._place: dict[int, tuple[int, ...] | None] = {}
        self._members = _MemberDecoder(self._path)
        self._loose = Reader(
            WITHOUT_A_CONTRACT, self._members, self._members.arrow_schema.names, value_format("plain-json")
        )
        self._other: dict[str, str] = {}  # fields of the schemas that were met, with their types

    def of(self, records: Records, spans: list[Span], known: RunningTotals) -> Rows:
        """Return for each record the place of its name, or one of :data:`consumer.counter.totals.CODES`.

        :param known: the names; those that a contract declares come first, others as they are met.
        :raises DataRejected: there are too many.
        :raises RegistryUnreachable: a schema is not known yet and the registry does not answer.
        """
        chunk = decode(records, spans, self._reader_of, self._naming)
        known.declare(self.declared)
        codes = np.full(len(records), CODES[TOMBSTONE], np.int64)
        codes[[reject.row for reject in chunk.rejects]] = CODES[UNDECODABLE]
        for group in chunk.groups:
            codes[group.rows] = self._codes(group, known.place)
        return codes

    def check(self) -> None:
        """Refuse a field that no value so far could have.

        :raises Misconfigured: every schema that was met lacks it, or has something else there than text.
        """
        if self._members.met or any(place is not None for place in self._place.values()):
            return
        known = self._other | dict.fromkeys(self._members.names, "")
        if not known:
            return
        if self.field in known:
            what = f"the field {self.field} is of type {known[self.field]}, and no text"
            raise Misconfigured(what, where=f"topic {self._topic}", hint="Count by a field of text, or of an enum")
        texts = [name for name, kind in known.items() if kind in {"", "string"}]
        raise Misconfigured(
            f"no value has a field {self.field}{meant(self.field, texts, listed=True)}",
            where=f"topic {self._topic}",
            hint="Name it with --by; a member of a nested one as details.kind",
        )

    def _codes(self, group: EventGroup, place: Callable[[str], int]) -> Rows:
        if group.schema_id == WITHOUT_A_CONTRACT:
            texts, other = group.table.column(0), group.table.column(1).to_numpy()
        else:
            path = self._place[group.schema_id]
            if path is None:
                return np.full(len(group.rows), CODES[NULL if self.field not in self._other else NO_TEXT], np.int64)
            texts = _inside(group.table, path)
            other = np.zeros(len(group.rows), bool)
        coded: Any = texts.combine_chunks().dictionary_encode()
        of_code = [self._code(name, place) for name in coded.dictionary.to_pylist()]
        found = np.asarray(coded.indices.fill_null(len(of_code)))
        codes: Rows = np.array([*of_code, CODES[NULL]], np.int64)[found]
        codes[other] = CODES[NO_TEXT]
        return codes

    @staticmethod
    def _code(name: str, place: Callable[[str], int]) -> int:
        if name == RECEIVED_AT:
            return CODES[RESERVED]
        if len(name) > _MOST_CHARACTERS:
            return CODES[TOO_LONG]
        return place(name)

    def _reader_of(self, schema_id: int) -> Reader:
        return self._loose if schema_id == WITHOUT_A_CONTRACT else self._readers(schema_id)

    def _adopt(self, schema_id: int, written: WrittenSchema, root: Node) -> list[str]:  # noqa: ARG002
        """Find the field in a schema. Columns are called by numbers: no field is called like what a record has."""
        schema = arrow_schema(root)
        self._other |= {path: _kind(node) for path, node in _paths(root)}
        node = _at(root, self._path)
        if node is not None and _kind(node) == "string":
            first = self._path[0]
            self._place[schema_id] = (schema.get_field_index(first), *_steps(schema.field(first).type, self._path[1:]))
            self.declared += [symbol for symbol in node.symbols if symbol not in self.declared]
        else:
            self._place[schema_id] = None
        return [str(number) for number in range(len(schema))]


def _paths(node: Node, before: str = "") -> Iterable[tuple[str, Node]]:
    for name, child in node.fields:
        yield f"{before}{name}", child
        yield from _paths(child, f"{before}{name}.")


def _at(node: Node, path: Sequence[str]) -> Node | None:
    found: Node | None = node
    for name in path:
        found = None if found is None else dict(found.fields).get(name)
    return found


def _kind(node: Node) -> str:
    return "string" if node.kind == "enum" else node.logical or node.kind


def _steps(kind: pa.DataType, path: Sequence[str]) -> Iterable[int]:
    for name in path:
        struct: Any = kind
        yield struct.get_field_index(name)
        kind = struct.field(name).type


def _inside(table: pa.Table, path: tuple[int, ...]) -> Any:
    column = table.column(str(path[0]))
    return pc.struct_field(column, list(path[1:])) if len(path) > 1 else column


class _MemberDecoder:
    """Decodes JSON objects of which nobody knows a contract, and takes one member: a text, or something else.

    :ivar met: whether an object had the member; ``names``: members that were met while none had.
    """

    root = None
    arrow_schema = pa.schema([pa.field("text", pa.string())]).append(pa.field("other", pa.bool_()))

    def __init__(self, path: tuple[str, ...]) -> None:
        self._path = path
        self.met = False
        self.names: dict[str, None] = {}

    def decode_one(self, value: bytes) -> dict[str, Any]:
        """Return the member of one object.

        :raises UndecodableValue: the value is not one JSON object.
        """
        member = self._member(read_object(value))
        if member is None or type(member) is str:  # a number is a text of a kind of its own
            return {"text": _encodable(member), "other": False}
        return {"text": None, "other": True}

    def salvage(self, values: list[bytes]) -> Salvaged:
        """Decode what can be decoded."""
        texts: list[str | None] = []
        others: list[bool] = []
        kept: list[int] = []
        faults: dict[int, UndecodableValue] = {}
        for number, value in enumerate(values):
            try:
                row = self.decode_one(value)
            except UndecodableValue as fault:
                faults[number] = fault
                continue
            texts.append(row["text"])
            others.append(row["other"])
            kept.append(number)
        columns: list[Any] = [pa.array(texts, pa.string()), pa.array(others, pa.bool_())]
        return Salvaged(pa.RecordBatch.from_arrays(columns, schema=self.arrow_schema), kept, faults)

    def _member(self, found: dict[str, Any]) -> Any:
        member: Any = found
        for name in self._path:
            if not isinstance(member, dict) or name not in member:
                if not self.met and len(self.names) < _MOST_MEMBERS:
                    self.names |= dict.fromkeys(found)
                return None
            member = member[name]
        self.met = True
        return member


def _encodable(text: str | None) -> str | None:
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        raise UndecodableValue("invalid_utf8", "a text holds half of a surrogate pair") from None
    return text

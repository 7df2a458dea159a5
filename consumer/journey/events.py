"""What an application makes of decoded records: the events of each user, or how often each user did one thing.

An *application* is a kind of consumer with a group and tables of its own. Journey keeps every event, with what it holds
as one column; Analytic counts the events of one type for each user.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import Misconfigured
from cluster.text.nearest import meant
from consumer.sinks.batch import Chunk, EventGroup, Reject, Tally
from schemas.formats import WrittenSchema
from schemas.types.arrow import arrow_schema
from schemas.types.node import Node, member_names


class Application(StrEnum):
    """What is kept of a topic."""

    JOURNEY = "journey"
    ANALYTIC = "analytic"


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields of an event say what. A field inside a record is named with dots: ``customer.id``.

    :ivar counted: the type of event that Analytic counts.
    :ivar event_id: identity of an event; Journey keeps it where an event has such a field.
    """

    user: str = "user_id"
    type: str = "event_type"
    event_id: str = "event_id"
    counted: str = "VideoPlayed"

    def document(self, application: Application) -> dict[str, str]:
        """Return what a store notes of them: what its rows depend on."""
        if application is Application.JOURNEY:
            return {"user": self.user, "type": self.type, "event_id": self.event_id}
        return {"user": self.user, "type": self.type, "counted": self.counted}


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction stores.

    :ivar tallies: how the offsets of each partition add up; their spans say from where to where positions move.
    :ivar tables: rows for the application's table, one for each schema. Journey's have the columns of
        ``JOURNEY_COLUMNS``, Analytic's those of ``TOTAL_COLUMNS``.
    :ivar chunk: where the rows come from; its rejects are kept aside.
    """

    tallies: list[Tally]
    tables: list[pa.Table]
    chunk: Chunk


JOURNEY_COLUMNS = ("kafka_partition", "kafka_offset", "produced_at", "user_id", "event_type", "event_id", "body")
TOTAL_COLUMNS = ("kafka_partition", "user_id", "events")


@dataclass
class Shelf:
    """The schemas that were met, by id: their fields, in the order of the columns that a decoder gives."""

    application: Application
    fields: Fields
    topic: str
    known: dict[int, pa.Schema] = field(default_factory=dict)
    # What the fields are called in a document, where names that differ in nothing but case are one.
    _members: dict[int, list[str]] = field(default_factory=dict)

    def adopt(self, schema_id: int, written: WrittenSchema, root: Node) -> list[str]:  # noqa: ARG002
        """Take a schema, and return the columns of its fields: numbers, which no column of ours is called.

        :raises Misconfigured: it lacks a field that the application needs.
        """
        schema = arrow_schema(root)
        needed = {"--user-field": self.fields.user}
        if self.application is Application.ANALYTIC:
            needed["--type-field"] = self.fields.type
        for flag, name in needed.items():
            kind = _kind_of(schema, name)
            if kind is None:
                raise Misconfigured(
                    f"events of {self.topic} have no field {name}{meant(name, schema.names)}",
                    where=f"schema {schema_id}",
                    hint=f"Name one with {flag}. There are {', '.join(schema.names[:20])}",
                )
            if pa.types.is_nested(kind):
                raise Misconfigured(
                    f"the field {name} of {self.topic} is no single value", where=flag, hint="Name a field inside it"
                )
        self.known[schema_id] = schema
        self._members[schema_id] = member_names(root)
        return [str(number) for number in range(len(schema))]

    def batch(self, chunk: Chunk) -> Batch:
        """Return what a chunk comes to."""
        if self.application is Application.ANALYTIC:
            chunk = self._without_nobody(chunk)
        return Batch(list(chunk.tallies()), [self.rows(group) for group in chunk.groups], chunk)

    def rows(self, group: EventGroup) -> pa.Table:
        """Return what a group of events comes to in the application's table."""
        return self._journey(group) if self.application is Application.JOURNEY else self._totals(group)

    def _journey(self, group: EventGroup) -> pa.Table:
        table, schema = group.table, self.known[group.schema_id]
        columns = [table.column(number).combine_chunks() for number in range(len(schema))]
        fields = [schema.field(n).with_name(name) for n, name in enumerate(self._members[group.schema_id])]
        body = pa.StructArray.from_arrays(columns, fields=fields)
        return pa.table(
            {
                "kafka_partition": table.column("_partition"),
                "kafka_offset": table.column("_offset"),
                "produced_at": table.column("_timestamp"),
                "user_id": self._value(group, self.fields.user),
                "event_type": self._value(group, self.fields.type),
                "event_id": self._value(group, self.fields.event_id),
                "body": body,
            }
        )

    def _totals(self, group: EventGroup) -> pa.Table:
        """Return how many events of the counted type each user has in each partition."""
        counted = pc.equal(_as_text(self._value(group, self.fields.type)), pa.scalar(self.fields.counted))
        rows = pa.table(
            {
                "kafka_partition": group.table.column("_partition"),
                "user_id": _as_text(self._value(group, self.fields.user)),
            }
        ).filter(counted)
        totals = rows.group_by(["kafka_partition", "user_id"]).aggregate([([], "count_all")])
        return totals.rename_columns({"count_all": "events"}).select(list(TOTAL_COLUMNS))

    def _without_nobody(self, chunk: Chunk) -> Chunk:
        """Set events apart that name no user: they can be counted for nobody."""
        groups, rejects = [], list(chunk.rejects)
        for group in chunk.groups:
            nobody = pc.is_null(self._value(group, self.fields.user)).to_numpy(zero_copy_only=False)
            why = f"the field {self.fields.user} is null"
            rejects += [
                Reject(int(row), group.schema_id, "insert", "no_user", why) for row in group.rows[nobody].tolist()
            ]
            keep = np.flatnonzero(~nobody)
            if len(keep) == len(group.rows):
                groups.append(group)
            elif len(keep):
                groups.append(replace(group, rows=group.rows[keep], table=group.table.take(pa.array(keep, pa.int64()))))
        rejects.sort(key=lambda reject: reject.row)
        return replace(chunk, groups=groups, rejects=rejects)

    def _value(self, group: EventGroup, name: str) -> pa.Array[Any]:
        """Return the values of a field, or nulls where the schema lacks it."""
        schema = self.known[group.schema_id]
        kind = _kind_of(schema, name)
        if kind is None or pa.types.is_nested(kind):
            return pa.nulls(len(group.rows), pa.string())
        first, *inside = _path(schema, name)
        values = group.table.column(str(schema.get_field_index(first))).combine_chunks()
        return pc.struct_field(values, inside) if inside else values


def _path(schema: pa.Schema, name: str) -> list[str]:
    """Return the names from the outside in; a field whose own name has dots is one."""
    return [name] if schema.get_field_index(name) >= 0 else name.split(".")


def _kind_of(schema: pa.Schema, name: str) -> pa.DataType | None:
    """Return the type of a field, ``None`` where there is no such field."""
    first, *inside = _path(schema, name)
    place = schema.get_field_index(first)
    kind = schema.field(place).type if place >= 0 else None
    for member in inside:
        place = kind.get_field_index(member) if kind is not None and pa.types.is_struct(kind) else -1
        kind = kind.field(place).type if kind is not None and place >= 0 else None
    return kind


def _as_text(values: pa.Array[Any]) -> pa.Array[Any]:
    return values if pa.types.is_string(values.type) else pc.cast(values, pa.string())

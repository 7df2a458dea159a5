"""Which event a stored row is: by the id of ours, by the partition and offset of its record, or by a field.

Each kind reads a relation of stored rows and adds four columns: ``__event_shard`` and ``__event_sequence``,
``__malformed_id`` (what an id says that begins as those of the run do, and is none), and ``__whose``: ``ours``,
``foreign`` (of another run, or of nobody known) or ``without`` (there is no id).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb

from cluster.errors import Misconfigured
from consumer.pipeline.columns.mapping import Leaf, listed, stored_leaf
from consumer.pipeline.stored import OFFSET, PARTITION, StoredColumn
from consumer.pipeline.values.alike import alike
from consumer.pipeline.values.sides import NotComparable
from schemas.identity import IDENTITY_FIELD

_INTEGERS = ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint")
# What a consumer calls where a record was, in the order in which they are looked for.
_PARTITIONS = (PARTITION, "kafka_partition", "__partition", "partition", "kafkapartition")
_OFFSETS = (OFFSET, "kafka_offset", "__offset", "offset", "kafkaoffset")


class Identities(Protocol):
    """How rows are told apart."""

    @property
    def columns(self) -> list[str]:
        """Return the stored columns that are needed."""
        ...

    @property
    def shown(self) -> str:
        """Return in words what tells rows apart."""
        ...

    def placed(self, relation: str) -> str:
        """Return a sub-select of a relation with the four columns more."""
        ...

    def looks(self) -> str:
        """Return an expression over a placed relation: how the id is written, where it is not as we write it."""
        ...


@dataclass(frozen=True, slots=True)
class EventIds:
    """The ids of events of ours, in a column of text, UUIDs or bytes. Upper case and missing hyphens do no harm."""

    column: str
    leaf: Leaf

    @property
    def columns(self) -> list[str]:
        """Return the column."""
        return [self.column]

    @property
    def shown(self) -> str:
        """Return the name of the column."""
        return self.leaf.path

    def placed(self, relation: str) -> str:
        """Return the rows with what their ids say."""
        return f"""
            (SELECT *,
                event_shard(__given_id) AS __event_shard, event_sequence(__given_id) AS __event_sequence,
                CASE WHEN event_shard(__given_id) IS NULL THEN __given_id END AS __malformed_id,
                CASE WHEN __given_id IS NULL OR __given_id = '' THEN 'without'
                     WHEN starts_with(__given_id, getvariable('id_start')) THEN 'ours' ELSE 'foreign' END AS __whose
            FROM (SELECT *, {self._canonical()} AS __given_id FROM {relation}))
        """  # noqa: S608 - identifiers are quoted

    def looks(self) -> str:
        """Return how the id is written."""
        value, kind = self.leaf.sql, duckdb.dtype(self.leaf.type).id
        if kind == "blob":
            return "'as bytes'"
        if kind == "uuid":
            return "NULL"
        return (
            f"CASE WHEN {value} = __given_id THEN NULL WHEN lower({value}) = __given_id THEN 'in upper case' "
            "ELSE 'in another form of UUID' END"
        )

    def _canonical(self) -> str:
        value, kind = self.leaf.sql, duckdb.dtype(self.leaf.type).id
        if kind == "uuid":
            return f"CAST({value} AS VARCHAR)"
        if kind == "blob":
            # 16 bytes are the UUID itself; others are its text.
            packed = f"CAST(TRY_CAST(lower(hex({value})) AS UUID) AS VARCHAR)"
            return f"CASE WHEN octet_length({value}) = 16 THEN {packed} ELSE lower(TRY(decode({value}))) END"
        plain = f"lower(trim({value}))"
        parsed = f"coalesce(CAST(TRY_CAST({plain} AS UUID) AS VARCHAR), {plain})"
        return f"CASE WHEN length({value}) = 36 THEN {plain} ELSE {parsed} END"


@dataclass(frozen=True, slots=True)
class Positions:
    """Partition and offset of the record that a row is of: shard and sequence of the ledger."""

    partition: Leaf
    offset: Leaf
    names: tuple[str, str]

    @property
    def columns(self) -> list[str]:
        """Return the two columns."""
        return list(dict.fromkeys(self.names))

    @property
    def shown(self) -> str:
        """Return the names of the columns."""
        return f"{self.partition.path} and {self.offset.path}"

    def placed(self, relation: str) -> str:
        """Return the rows with their places; those outside of what the ledger covers are of nobody known."""
        return f"""
            (SELECT placed.*, CAST(NULL AS VARCHAR) AS __malformed_id,
                CASE WHEN __event_shard IS NULL OR __event_sequence IS NULL THEN 'without'
                     WHEN __event_sequence >= covered.next_sequence THEN 'foreign'
                     WHEN __event_sequence < covered.first_sequence THEN 'foreign'
                     ELSE 'ours' END AS __whose
            FROM (SELECT *, TRY_CAST({self.partition.sql} AS INTEGER) AS __event_shard,
                         TRY_CAST({self.offset.sql} AS BIGINT) AS __event_sequence FROM {relation}) AS placed
            LEFT JOIN run_shards AS covered ON covered.shard = placed.__event_shard)
        """  # noqa: S608 - identifiers are quoted

    def looks(self) -> str:
        """Return nothing: a number is a number."""
        return "NULL"


@dataclass(frozen=True, slots=True)
class FieldIds:
    """A field that tells the records of a ledger apart; the table ``sent_ids`` says whose value is where."""

    column: str
    leaf: Leaf
    field: str
    field_type: str

    @property
    def columns(self) -> list[str]:
        """Return the column."""
        return [self.column]

    @property
    def shown(self) -> str:
        """Return the names of column and field."""
        return self.leaf.path if self.leaf.path == self.field else f"{self.leaf.path} (the field {self.field})"

    @property
    def sent_text(self) -> str:
        """Return the text of what was sent, as ``sent_ids`` holds it, over a relation with the field ``__given_id``."""
        return f"CAST({self._sides()[1]} AS VARCHAR)"

    def placed(self, relation: str) -> str:
        """Return the rows with the record that has their value."""
        text = f"CAST({self._sides()[0]} AS VARCHAR)"
        return f"""
            (SELECT placed.* EXCLUDE (__given_id), sent.shard AS __event_shard, sent.sequence AS __event_sequence,
                CAST(NULL AS VARCHAR) AS __malformed_id,
                CASE WHEN placed.__given_id IS NULL THEN 'without'
                     WHEN sent.shard IS NULL THEN 'foreign' ELSE 'ours' END AS __whose
            FROM (SELECT *, {text} AS __given_id FROM {relation}) AS placed
            LEFT JOIN sent_ids AS sent ON sent.id = placed.__given_id)
        """  # noqa: S608 - identifiers are quoted

    def looks(self) -> str:
        """Return nothing: a value is a value."""
        return "NULL"

    def _sides(self) -> tuple[str, str]:
        sides = alike(self.leaf.sql, self.leaf.type, "__given_id", self.field_type)
        return sides.stored, sides.sent


def event_ids(columns: Sequence[StoredColumn], asked: str | None, *, where: str) -> EventIds:
    """Find the column of the ids.

    :param asked: its name, or a path in it; ``event_id`` unless told.
    :raises Misconfigured: there is no such column, or it holds no ids.
    """
    if asked is None and not any(column.name.casefold() == IDENTITY_FIELD for column in columns):
        names = listed([column.name for column in columns])
        raise Misconfigured(
            f"there is no column {IDENTITY_FIELD} that would tell the events apart",
            where=where,
            hint=f"Name the column that holds the ids with --id; the columns are: {names}",
        )
    column, leaf = stored_leaf(columns, asked or IDENTITY_FIELD, where=where)
    kind = duckdb.dtype(leaf.type).id
    if kind not in {"varchar", "uuid", "blob"}:
        raise Misconfigured(
            f"the column {leaf.path} is {column.declared or leaf.type}, and an id of an event is text, a UUID or bytes",
            where=where,
            hint="Name the column that holds the ids with --id",
        )
    return EventIds(column.name, leaf)


def positions(columns: Sequence[StoredColumn], asked: tuple[str, str] | None, *, where: str) -> Positions:
    """Find the columns of partition and offset.

    :param asked: their names; the usual ones are looked for unless told.
    :raises Misconfigured: there are none, or they hold no numbers.
    """
    names = asked or _usual(columns, where)
    (here, partition), (there, offset) = (stored_leaf(columns, name, where=where) for name in names)
    for column, leaf in ((here, partition), (there, offset)):
        if duckdb.dtype(leaf.type).id not in {*_INTEGERS, "varchar", "decimal"}:
            raise Misconfigured(
                f"the column {leaf.path} is {column.declared or leaf.type}, and a partition or an offset is a number",
                where=where,
                hint="Name the two columns with --position PARTITION,OFFSET",
            )
    return Positions(partition, offset, (here.name, there.name))


def field_ids(
    columns: Sequence[StoredColumn], asked: str | None, field: str, field_type: str, *, where: str
) -> FieldIds:
    """Find the column that holds the field of a ledger that is told apart by one.

    :raises Misconfigured: there is none, or its type has nothing in common with the field's.
    """
    column, leaf = stored_leaf(columns, asked or field, where=where)
    found = FieldIds(column.name, leaf, field, field_type)
    try:
        alike(leaf.sql, leaf.type, "__given_id", field_type)
    except NotComparable as why:
        raise Misconfigured(
            f"the column {leaf.path} cannot tell the records apart by their field {field}: {why}", where=where
        ) from None
    return found


def _usual(columns: Sequence[StoredColumn], where: str) -> tuple[str, str]:
    folded: dict[str, Any] = {column.name.casefold(): column.name for column in columns}
    partition = next((folded[name] for name in _PARTITIONS if name in folded), None)
    offset = next((folded[name] for name in _OFFSETS if name in folded), None)
    if partition is None or offset is None:
        names = listed([column.name for column in columns])
        raise Misconfigured(
            "no two columns have the usual names of partition and offset",
            where=where,
            hint=f"Name the two columns with --position PARTITION,OFFSET; the columns are: {names}",
        )
    return partition, offset

"""Which columns of a place a proof reads, found before the first row is: ids, order, and the fields of an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from cluster.errors import Misconfigured, PlaceMissing
from consumer.pipeline.asked import Asked
from consumer.pipeline.claims import Claims
from consumer.pipeline.columns.identities import Identities, event_ids, field_ids, positions
from consumer.pipeline.columns.mapping import ColumnMap, listed, map_columns, stored_leaf
from consumer.pipeline.columns.taking import Taking
from consumer.pipeline.session import ProofSession
from consumer.pipeline.stored import CHECKSUM, KEY, OFFSET, PARTITION, StoredColumn, StoredRows
from consumer.pipeline.truth import Truth
from schemas.columns.column_type import quote
from schemas.identity import IDENTITY_FIELD

_AN_EVENT = "an_event"
# What a record has beside its value.
_BESIDE_VALUES = frozenset({PARTITION, OFFSET, KEY, "_timestamp"})
_CHECKSUMS = frozenset({"BIGINT", "UINTEGER", "UBIGINT"})
_NUMBERS = frozenset({"INTEGER", "BIGINT"})
_OF_A_TOPIC = (PARTITION, OFFSET, KEY)


@dataclass(frozen=True, slots=True)
class Columns:
    """What is read of a place.

    :ivar taking: what of each row; ``None`` where no row can be told from another, and only expectations are asked for.
    :ivar map: which stored column is which field.
    :ivar ordered_by_place: the rows say in which order their records are in a topic.
    """

    taking: Taking | None
    map: ColumnMap = field(default_factory=ColumnMap)
    ordered_by_place: bool = False

    @property
    def identity(self) -> str:
        """What tells rows apart, in words; empty where nothing does."""
        return "" if self.taking is None else self.taking.identities.shown

    @property
    def ordered(self) -> bool:
        """Whether the order of the rows is known."""
        return self.ordered_by_place or (self.taking is not None and self.taking.order is not None)


def find_columns(session: ProofSession, rows: StoredRows, asked: Asked, claims: Claims, truth: Truth | None) -> Columns:
    """Find what is read of a place.

    :raises PlaceMissing: the place is a topic without a value.
    :raises Misconfigured: a column that was asked for is not there or is of another kind, or nothing could be compared.
    """
    columns, where = rows.columns, rows.shown
    of_topic = _keeps_places(columns)
    if of_topic and {column.name for column in columns} <= _BESIDE_VALUES:
        raise PlaceMissing("the topic holds no values yet", where=where)
    if not claims.is_ledger and _only_aggregates(columns, asked):
        return Columns(None)
    if claims.runs:
        raise Misconfigured(
            "all runs together are held against totals, by expectations alone",
            where=where,
            hint="Leave --all-runs out: what is asked is asked of the events of one run",
        )
    fields = {} if truth is None else _fields_of(session, truth)
    identities = _identities(columns, fields, asked, claims, where=where)
    order_column, order = stored_leaf(columns, asked.order, where=where) if asked.order else (None, None)
    found = ColumnMap()
    if asked.compare and truth is not None:
        of_order = [order_column.name] if order_column is not None else []
        apart = [*identities.columns, *(_OF_A_TOPIC if of_topic else ()), *of_order]
        identity = claims.field if claims.is_ledger else IDENTITY_FIELD
        found = map_columns(columns, fields, asked.columns, apart=apart, identity=identity, where=where)
        found = _that_can_be(session, found, columns, fields, asked, where=where)
        if not found.compared:
            names = listed([column.name for column in columns])
            raise Misconfigured(
                "no column is called as a field of an event, so no value can be compared",
                where=where,
                hint=f"Say which is which with --column STORED=FIELD; the columns are: {names}",
            )
    taking = Taking(
        identities,
        found.compared,
        order,
        None if order_column is None else order_column.name,
        None if claims.is_ledger else _checksum(columns),
    )
    return Columns(taking, found, ordered_by_place=of_topic and order is None)


def _checksum(columns: Sequence[StoredColumn]) -> str | None:
    """Return the column of checksums, if there is one of that name and kind."""
    named = [column for column in columns if column.name.casefold() == CHECKSUM]
    return named[0].name if named and named[0].type in _CHECKSUMS else None


def _fields_of(session: ProofSession, truth: Truth) -> dict[str, str]:
    """Return the fields of an event, with their types of DuckDB."""
    session.connection.register(_AN_EVENT, truth.schema.empty_table())
    try:
        return session.types_of(_AN_EVENT)
    finally:
        session.connection.unregister(_AN_EVENT)


def _identities(
    columns: Sequence[StoredColumn], fields: Mapping[str, str], asked: Asked, claims: Claims, *, where: str
) -> Identities:
    """Return what tells the rows apart: what told the events apart when the claims were made."""
    if not claims.is_ledger:
        if asked.position is not None:
            raise Misconfigured(
                f"--position is for a ledger, and {claims.run_id} is a run whose events have ids",
                hint="Leave it out; --id names the column of the ids",
            )
        return event_ids(columns, asked.id_column, where=where)
    if claims.field is None:
        if asked.id_column is not None:
            raise Misconfigured(
                f"{claims.run_id} tells records apart by partition and offset, and not by a field",
                hint="Name the two columns with --position PARTITION,OFFSET, or take another ledger with --id FIELD",
            )
        return positions(columns, asked.position, where=where)
    if asked.position is not None:
        raise Misconfigured(
            f"{claims.run_id} tells records apart by their field {claims.field}",
            hint="Name the column that holds it with --id, or take another ledger without --id",
        )
    name, _, _ = claims.field.partition(".")
    return field_ids(columns, asked.id_column, claims.field, fields[name], where=where)


def _that_can_be(
    session: ProofSession,
    found: ColumnMap,
    columns: Sequence[StoredColumn],
    fields: Mapping[str, str],
    asked: Asked,
    *,
    where: str,
) -> ColumnMap:
    """Try every comparison on no row: two types may have nothing in common of which nobody has heard.

    :raises Misconfigured: one that was asked for cannot be made.
    """
    stored = ", ".join(f"CAST(NULL AS {column.type}) AS {quote(column.name)}" for column in columns)
    sent = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in fields.items())
    can_be, cannot = [], list(found.not_comparable)
    for one in found.compared:
        try:
            for side, row in (
                (one.digests.stored, stored),
                *((side, sent) for side in (one.digests.sent, *one.digests.also)),
            ):
                session.connection.execute(f"SELECT {side} FROM (SELECT {row}) LIMIT 0").fetchall()  # noqa: S608
        except duckdb.Error as error:
            said = str(error).split("\n", 1)[0]
            if any(each.stored == one.stored.path for each in asked.columns):
                raise Misconfigured(
                    f"the column {one.stored.path} cannot be compared with {one.sent.path}: {said}", where=where
                ) from None
            cannot.append(f"{one.name}: {one.sent.type} as {one.declared}")
            continue
        can_be.append(one)
    return replace(found, compared=can_be, not_comparable=cannot)


def _keeps_places(columns: Sequence[StoredColumn]) -> bool:
    """Tell whether rows say where their records are, and with which key: a topic does, and our own warehouses."""
    types = {column.name: column.type for column in columns}
    return types.get(PARTITION) in _NUMBERS and types.get(OFFSET) in _NUMBERS and types.get(KEY) in {"BLOB", "VARCHAR"}


def _only_aggregates(columns: Sequence[StoredColumn], asked: Asked) -> bool:
    """Tell whether rows are not events, and are not meant to be: expectations alone are asked for."""
    named = asked.id_column or asked.compare or asked.order or asked.columns or asked.expect
    has_ids = any(column.name.casefold() == IDENTITY_FIELD for column in columns)
    return bool(asked.expectations) and not named and not has_ids

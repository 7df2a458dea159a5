"""The values that differ: how many by column, the first of each with both values, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from consumer.pipeline.columns.mapping import Compared
from consumer.pipeline.columns.taking import Taking
from consumer.pipeline.compare.arrival import scan
from consumer.pipeline.found import ColumnDifference, ValueExample
from consumer.pipeline.session import ProofSession
from consumer.pipeline.stored import WHERE, StoredRows
from consumer.pipeline.truth import SEQUENCE, Truth
from consumer.pipeline.values.likeness import ANOTHER, likenesses

# Looked at with their values: so many of each column, and of all.
_OF_A_COLUMN, _OF_ALL, _SHOWN = 10, 60, 5
_LONGEST_SHOWN = 80

_PER_COLUMN = """
    SELECT number, count(DISTINCT (shard, sequence))
    FROM (SELECT unnest(columns) AS number, shard, sequence FROM differing) GROUP BY 1 ORDER BY 1
"""
_FIRST = """
    SELECT DISTINCT shard, sequence
    FROM (FROM (SELECT DISTINCT unnest(columns) AS number, shard, sequence FROM differing)
          QUALIFY row_number() OVER (PARTITION BY number ORDER BY shard, sequence) <= ?)
    ORDER BY 1, 2 LIMIT ?
"""


def differences(
    session: ProofSession, rows: StoredRows, truth: Truth, taking: Taking, *, showing: bool
) -> list[ColumnDifference]:
    """Return what differs, by column; both sides of the first few events are read again.

    :param showing: whether values are part of the result, or only what became of them.
    """
    counted = [(int(number), int(events)) for number, events in session.rows(_PER_COLUMN)]
    if not counted:
        return []
    compared = [taking.compared[number] for number, _ in counted]
    chosen = [(int(shard), int(sequence)) for shard, sequence in session.rows(_FIRST, [_OF_A_COLUMN, _OF_ALL])]
    sent = _sent(session, truth, chosen, compared)
    stored = _stored(session, rows, taking, chosen, [number for number, _ in counted], compared)
    found = []
    for place, (one, (_, events)) in enumerate(zip(compared, counted, strict=True)):
        rows_here = [
            (event, where, sent[event][place], values[place])
            for event, where, differing, values in stored
            if differing[place] and event in sent
        ]
        owners = {_hashable(values[place]): event for event, values in sent.items()}
        looks = [
            _of_another(event, here, owners) if like == ANOTHER else like
            for (event, _, _, here), like in zip(
                rows_here, likenesses([(there, here) for _, _, there, here in rows_here]), strict=True
            )
        ]
        examples = [
            ValueExample(*event, where, _text(there) if showing else None, _text(here) if showing else None, like)
            for (event, where, there, here), like in zip(rows_here, looks, strict=True)
        ]
        told = dict(Counter(looks).most_common())
        path = one.stored.path
        found.append(ColumnDifference(path, one.sent.path, one.declared, events, told, examples[:_SHOWN]))
    return found


def _of_another(event: tuple[int, int], here: Any, owners: Mapping[Any, tuple[int, int]]) -> str:
    """Return whether a value is another event's, in words; those that any event may have say nothing."""
    owner = owners.get(_hashable(here))
    return "the value of another event" if owner not in (None, event) and here not in (None, "", 0, False) else ANOTHER


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value


def _sent(
    session: ProofSession, truth: Truth, chosen: Sequence[tuple[int, int]], compared: Sequence[Compared]
) -> dict[tuple[int, int], list[Any]]:
    """Tell the chosen events again; their values, by event."""
    values = ", ".join(f"{one.sent.sql} AS value_{number}" for number, one in enumerate(compared))
    found: dict[tuple[int, int], list[Any]] = {}
    for shard, sequence in chosen:
        batches = list(truth.events(shard, sequence, sequence + 1))
        if not batches:
            continue
        session.connection.register("told", pa.Table.from_batches(batches))
        try:
            query = f"SELECT {values} FROM told WHERE {SEQUENCE} = {sequence}"  # noqa: S608 - quoted identifiers
            table: Any = session.connection.sql(query).to_arrow_table()
            for row in table.to_pylist():
                found[shard, sequence] = list(row.values())
        finally:
            session.connection.unregister("told")
    return found


def _stored(  # noqa: PLR0917 - both sides, and what of them
    session: ProofSession,
    rows: StoredRows,
    taking: Taking,
    chosen: Sequence[tuple[int, int]],
    numbers: Sequence[int],
    compared: Sequence[Compared],
) -> list[tuple[tuple[int, int], str, list[bool], list[Any]]]:
    """Read the rows of the chosen events again: event, where it lies, which values differ, and the values."""
    session.rows("CREATE OR REPLACE TEMP TABLE chosen (shard INTEGER, sequence BIGINT, differ INTEGER[])")
    session.connection.register("picked", _picked(chosen))
    try:
        session.rows(
            """
            INSERT INTO chosen
            SELECT shard, sequence, flatten(list(columns)) FROM differing SEMI JOIN picked USING (shard, sequence)
            GROUP BY ALL
            """
        )
    finally:
        session.connection.unregister("picked")
    values = ", ".join(f"{one.stored.sql} AS value_{number}" for number, one in enumerate(compared))
    found: list[tuple[tuple[int, int], str, list[bool], list[Any]]] = []

    def look(relation: str) -> None:
        table: Any = session.connection.sql(
            f"SELECT __event_shard, __event_sequence, {WHERE}, differ, {values} "  # noqa: S608 - expressions over quoted identifiers
            f"FROM {taking.identities.placed(relation)} AS placed "
            "JOIN chosen ON chosen.shard = placed.__event_shard AND chosen.sequence = placed.__event_sequence "
            "WHERE __whose = 'ours' LIMIT 1000"
        ).to_arrow_table()
        for shard, sequence, where, differ, *rest in zip(*table.to_pydict().values(), strict=True):
            marks = [number in differ for number in numbers]
            found.append(((shard, sequence), where or "", marks, rest))

    scan(rows, session, taking.columns, look, located=True)
    return sorted(found, key=lambda row: (row[0], row[1]))


def _picked(chosen: Sequence[tuple[int, int]]) -> pa.Table:
    return pa.table(
        {
            "shard": pa.array([shard for shard, _ in chosen], pa.int32()),
            "sequence": pa.array([sequence for _, sequence in chosen], pa.int64()),
        }
    )


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."

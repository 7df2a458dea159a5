"""Taking what is stored: which events the rows are, and 64 bits of each value that is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consumer.pipeline.columns.taking import Taking
from consumer.pipeline.session import ProofSession
from consumer.pipeline.stored import KEY, OFFSET, PARTITION, StoredRows
from schemas.columns.column_type import quote

# A row of the table for each stored row of the run, copies included. "offset" and partition say in which order the rows
# were stored, where the place says so; digest_0, digest_1, ... are of the values that are compared.
_ARRIVED = """
    CREATE OR REPLACE TABLE arrived (
        shard INTEGER, sequence BIGINT, event_id VARCHAR, partition INTEGER, "offset" BIGINT, key UBIGINT,
        crc32 UINTEGER{digests}
    )
"""
# What the comparison of identities reads (../proof/evidence/identities.sql, order.sql).
RECORDS = """
    CREATE OR REPLACE TEMP VIEW run_records AS
    SELECT shard, sequence, partition, "offset", key, event_id, crc32,
           FALSE AS quarantined, 'events' AS place
    FROM arrived
"""
_READ_AS = """
    SELECT coalesce(bool_and(TRY_CAST(ordering AS DECIMAL(38, 9)) IS NOT NULL), FALSE),
           coalesce(bool_and(TRY_CAST(ordering AS TIMESTAMPTZ) IS NOT NULL), FALSE)
    FROM arrived WHERE ordering IS NOT NULL
"""
_IN_ORDER = """
    CREATE OR REPLACE TABLE in_order AS
    SELECT arrived.* EXCLUDE (partition, "offset", key, ordering), 0 AS partition,
           CASE WHEN ordering IS NOT NULL THEN dense_rank() OVER (ORDER BY {ordering}) END AS "offset", sent_keys.key
    FROM arrived LEFT JOIN sent_keys USING (shard, sequence)
"""


@dataclass(slots=True)
class Arrival:
    """What was taken: rows by whose they are, and how their ids are written."""

    rows: int = 0
    whose: Counter[str] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)


def scan(
    rows: StoredRows,
    session: ProofSession,
    columns: Sequence[str],
    use: Callable[[str], None],
    *,
    located: bool = False,
) -> None:
    """Hand every relation of the rows to ``use``."""
    for relation in rows.relations(session.connection, columns, located=located):
        session.go_on()
        with session.errors():
            use(relation)


def take(
    session: ProofSession, rows: StoredRows, taking: Taking, *, ordered: bool, heard: Callable[[int], None]
) -> Arrival:
    """Fill the table ``arrived`` from the rows of a place.

    :param ordered: the place is a topic, and says by itself in which order its rows were stored.
    :param heard: told how many rows were taken so far.
    :raises StreamproofError: the place cannot be read.
    """
    digests = "".join(f", digest_{number} UBIGINT" for number in range(len(taking.compared)))
    ordering = ", ordering " + taking.order.type if taking.order else ""
    session.rows(_ARRIVED.format(digests=digests + ordering))
    found = Arrival()
    columns = [*taking.columns, *([PARTITION, OFFSET, KEY] if ordered else [])]
    wanted = list(dict.fromkeys(columns))

    def use(relation: str) -> None:
        _take_one(session, taking, found, relation, ordered=ordered)
        heard(found.rows)

    scan(rows, session, wanted, use)
    return found


def _take_one(session: ProofSession, taking: Taking, found: Arrival, relation: str, *, ordered: bool) -> None:
    placed = taking.identities.placed(relation)
    counted = session.connection.execute(
        f"SELECT __whose, looks, count(*) FROM (SELECT __whose, {taking.identities.looks()} AS looks FROM {placed}) "  # noqa: S608
        "GROUP BY ALL"
    ).fetchall()
    for whose, looks, rows in counted:
        found.rows += rows
        found.whose[whose] += rows
        if whose == "ours" and looks is not None:
            found.looks[looks] += rows
    place = (
        f"CAST({PARTITION} AS INTEGER), CAST({OFFSET} AS BIGINT), CASE WHEN {KEY} IS NOT NULL THEN hash({KEY}) END"
        if ordered
        else "NULL, NULL, NULL"
    )
    checksum = f"TRY_CAST({quote(taking.checksum)} AS UINTEGER)" if taking.checksum else "NULL"
    values = [checksum, *(one.digests.stored for one in taking.compared), *([taking.order.sql] if taking.order else [])]
    session.connection.execute(
        f"INSERT INTO arrived SELECT __event_shard, __event_sequence, __malformed_id, {', '.join([place, *values])} "  # noqa: S608
        f"FROM {placed} WHERE __whose = 'ours'"
    )


def order_by_column(session: ProofSession) -> int:
    """Let the order of the rows be that of the column ``ordering``; those of one moment have one place.

    Texts that are all numbers, or all times, are ordered as such. The key of each event is in the table ``sent_keys``.

    :returns: how many rows have nothing in the column, and so no place.
    """
    ordering = "ordering"
    if session.types_of("arrived")["ordering"] == "VARCHAR":
        ((numbers, times),) = session.rows(_READ_AS)
        ordering = (
            "CAST(ordering AS DECIMAL(38, 9))" if numbers else "CAST(ordering AS TIMESTAMPTZ)" if times else ordering
        )
    session.rows(_IN_ORDER.format(ordering=ordering))
    session.rows("DROP VIEW IF EXISTS run_records")
    session.rows("DROP TABLE arrived")
    session.rows("ALTER TABLE in_order RENAME TO arrived")
    session.rows(RECORDS)
    ((without,),) = session.rows('SELECT count(*) FROM arrived WHERE "offset" IS NULL')
    return int(without)

"""Expectations: queries over ``truth`` and ``sink`` that return the rows that disagree. One ``.sql`` file each.

``truth`` has a row for each event of the run that is meant to arrive: ``event_id``, ``_shard``, ``_sequence`` and the
fields of the event. It is told again each time a query goes through it, and never stored. What was sent to another
topic may stand beside it, under a name of its own, with the same columns (``beside.py``). ``sink`` has the rows that
the place holds, whosever they are. The names of shipped ones stand for files in ``expectations/``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from cluster.errors import Misconfigured
from consumer.pipeline.compare.arrival import scan
from consumer.pipeline.compare.beside import ToldAgain, ToldBeside
from consumer.pipeline.found import ExpectationResult
from consumer.pipeline.session import ProofSession
from consumer.pipeline.stored import StoredRows
from schemas.columns.column_type import quote
from schemas.identity import IDENTITY_FIELD

_SHIPPED = Path(__file__).with_name("expectations")
_SAID = re.compile(r"^--\s*(description|proves):\s*(.+?)\s*$", re.MULTILINE)
_SHOWN = 5
_HINT = "An expectation is one SELECT over `truth`, `sink` and what --also names, that returns the rows that disagree"
# What is not meant to be there, or may be: failed, not known and not there, left out, unreadable on purpose. Offsets
# of a ledger that have no record are told by nobody, and there may be very many.
_MEANT = """
    CREATE OR REPLACE TEMP TABLE not_meant AS
    FROM (
        SELECT unsure.shard, unsure.sequence FROM run_unsure AS unsure
        ANTI JOIN (SELECT shard, sequence FROM arrived) AS there USING (shard, sequence)
        WHERE {of_ours}
        UNION ALL
        SELECT shard, sequence FROM run_unsure WHERE outcome = 'failed' AND {of_ours}
        UNION ALL
        SELECT shard, sequence FROM run_faults
        WHERE kind IN ('dropped', 'tombstone') OR starts_with(kind, 'undecodable')
        UNION ALL
        FROM left_out
    )
"""
_TRUTH = """
    CREATE OR REPLACE TEMP VIEW truth AS
    SELECT {event_id}told_again.* FROM told_again ANTI JOIN not_meant
        ON not_meant.shard = told_again._shard AND not_meant.sequence = told_again._sequence
"""
# As schemas/identity.py writes it, where an event carries it elsewhere than in a field.
_EVENT_ID = """
    getvariable('id_start') || printf('%03x', _shard) || '-' || printf('%04x', 32768 + (_sequence >> 48))
    || '-' || printf('%012x', _sequence & 281474976710655) AS event_id,
"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A query, what it is called, and what it says in its lines ``-- description:`` and ``-- proves:``.

    :ivar proves: what holds where no row disagrees, for the sentence of the verdict; ``{place}`` and ``{events}`` stand
        for the place and the number of rows of ``truth``.
    """

    name: str
    query: str
    description: str
    where: str
    proves: str = ""


def read_expectations(paths: Sequence[Path]) -> list[Expectation]:
    """Read files of expectations; a name without a folder and an ending is a shipped one.

    :raises Misconfigured: one is missing, or holds anything but one SELECT.
    """
    return [_read(path) for path in paths]


def shipped() -> list[str]:
    """Return the names of the shipped expectations."""
    return sorted(path.stem for path in _SHIPPED.glob("*.sql"))


def _read(path: Path) -> Expectation:
    file = path
    if not path.suffix and len(path.parts) == 1 and not path.exists():
        file = _SHIPPED / f"{path}.sql"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Misconfigured(
            f"the expectation cannot be read: {why}",
            where=str(path),
            hint=f"Give a .sql file, or one of the shipped names: {', '.join(shipped())}",
        ) from None
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error as error:
        said = str(error).split("\n\n", 1)[0].replace("\n", " ")
        raise Misconfigured(f"the expectation is no SQL: {said}", where=str(path), hint=_HINT) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Misconfigured("the expectation is not one SELECT", where=str(path), hint=_HINT)
    header = dict(_SAID.findall(text))
    return Expectation(
        file.stem,
        statements[0].query.rstrip().rstrip(";"),
        header.get("description", ""),
        str(path),
        header.get("proves", ""),
    )


def check_expectations(
    session: ProofSession,
    rows: StoredRows,
    expectations: Sequence[Expectation],
    told: ToldAgain,
    *,
    ids: bool,
    named: bool = True,
    showing: bool,
    beside: Sequence[ToldBeside] = (),
) -> list[ExpectationResult]:
    """Run every expectation; ``arrived``, ``left_out`` and the claims of the run are in the session.

    :param ids: the events have ids of ours, in a field or elsewhere.
    :param named: they are of one run, so that an id can be told from shard and sequence.
    :param beside: what else is told; its relations are in the session.
    :param showing: whether rows that disagree are part of the result, or only their number.
    :raises Misconfigured: a query does not run.
    """
    session.rows(_MEANT.format(of_ours=str(ids).upper()))
    _store_sink(session, rows)
    session.connection.register("told_again", told)
    try:
        in_a_field = IDENTITY_FIELD in told.schema.names
        session.rows(_TRUTH.format(event_id=_EVENT_ID if ids and named and not in_a_field else ""))
        every = [told, *(each.told for each in beside)]
        return [_check(session, each, every, showing=showing, place=rows.shown) for each in expectations]
    finally:
        session.rows("DROP VIEW IF EXISTS truth")
        session.connection.unregister("told_again")


def _store_sink(session: ProofSession, rows: StoredRows) -> None:
    """Copy the rows into the session: a query may go through them in any order, and more than once."""
    columns = [column.name for column in rows.columns]
    named = ", ".join(f"{quote(column.name)} {column.type}" for column in rows.columns)
    session.rows(f"CREATE OR REPLACE TABLE sink ({named})")
    values = ", ".join(map(quote, columns))

    def keep(relation: str) -> None:
        session.connection.execute(f"INSERT INTO sink SELECT {values} FROM {relation}")  # noqa: S608 - quoted

    scan(rows, session, columns, keep)


def _check(
    session: ProofSession, expectation: Expectation, told: Sequence[ToldAgain], *, showing: bool, place: str
) -> ExpectationResult:
    for each in told:
        each.failed = None
    try:
        with session.blaming("the expectation does not run", expectation.where, _HINT):
            session.connection.execute(f"CREATE OR REPLACE TEMP TABLE disagreeing AS {expectation.query}")
    except Misconfigured:
        for each in told:
            if each.failed is not None:  # it was not the query
                raise each.failed from None
        raise
    ((number,),) = session.rows("SELECT count(*) FROM disagreeing")
    rows: list[dict[str, Any]] = []
    if number and showing:
        names = list(session.types_of("disagreeing"))
        texts = ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name in names)
        first = session.rows(f"SELECT {texts} FROM disagreeing ORDER BY ALL LIMIT {_SHOWN}")  # noqa: S608 - quoted
        rows = [dict(zip(names, row, strict=True)) for row in first]
    proved = _proved(session, expectation, told[0], place=place) if not number else ""
    return ExpectationResult(expectation.name, expectation.description, int(number), rows, proved)


def _proved(session: ProofSession, expectation: Expectation, told: ToldAgain, *, place: str) -> str:
    """Return what an expectation that holds proves, in its own words."""
    ((not_meant,),) = session.rows("SELECT count(*) FROM (SELECT DISTINCT shard, sequence FROM not_meant)")
    return expectation.proves.replace("{place}", place).replace("{events}", f"{told.events - not_meant:,}")

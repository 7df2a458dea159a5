"""Telling a run again, event by event, beside what is stored: what should be there, and which values differ.

Nothing of an event is kept but, where it is asked for, 64 bits of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from cluster.errors import Misconfigured
from consumer.pipeline.columns.identities import FieldIds
from consumer.pipeline.columns.mapping import Compared
from consumer.pipeline.session import ProofSession
from consumer.pipeline.truth import SEQUENCE, Truth
from schemas.columns.column_type import quote
from schemas.manifest import Manifest, Range

# Events that are told together: enough that looking through what arrived is cheap, and never many bytes.
_TOGETHER_ROWS = 250_000
_TOGETHER_BYTES = 32 * 1024 * 1024
_TOLD = "told"
_TABLES = """
    CREATE OR REPLACE TABLE left_out (shard INTEGER, sequence BIGINT);
    CREATE OR REPLACE TABLE sent_keys (shard INTEGER, sequence BIGINT, key UBIGINT);
    CREATE OR REPLACE TABLE differing (shard INTEGER, sequence BIGINT, columns INTEGER[]);
    CREATE OR REPLACE TABLE sent_values (id VARCHAR, shard INTEGER, sequence BIGINT);
    CREATE OR REPLACE TABLE not_told_apart (shard INTEGER, sequence BIGINT);
"""
# Of a value that occurs more than once the last record counts; the others stand behind it.
_TOLD_APART = """
    CREATE OR REPLACE TABLE sent_ids AS
    SELECT id, last.shard AS shard, last.sequence AS sequence
    FROM (SELECT id, arg_max({'shard': shard, 'sequence': sequence}, sequence) AS last FROM sent_values GROUP BY id);
    INSERT INTO not_told_apart
    SELECT shard, sequence FROM sent_values ANTI JOIN sent_ids USING (shard, sequence);
"""
# Of what Kafka holds no more only the records count, as the ledger has them, and no offset between them.
_GONE = """
    INSERT INTO not_told_apart
    SELECT shard, unnest(range(greatest(sure.first, gone.first), least(sure.next, gone.next)))
    FROM sure_ranges AS sure JOIN gone USING (shard)
    WHERE sure.first < gone.next AND gone.first < sure.next
"""
_EXPECT_HINT = "--expect takes a condition in SQL over the fields of an event, such as \"event_type = 'play'\""


@dataclass(frozen=True, slots=True)
class Telling:
    """What the events are told for.

    :param expect: SQL over the fields: which events are meant to arrive.
    :param compared: values that are held against what is stored.
    :param keys: whether to note each event's key.
    :param ids: the field that tells the records of a ledger apart.
    """

    expect: str | None = None
    compared: Sequence[Compared] = ()
    keys: bool = False
    ids: FieldIds | None = None

    @property
    def asks(self) -> bool:
        """Whether anything is asked of the events."""
        return self.expect is not None or bool(self.compared) or self.keys or self.ids is not None


def prepare(session: ProofSession) -> None:
    """Lay the tables that the telling fills."""
    session.rows(_TABLES)


def tell_apart(session: ProofSession, gone: Mapping[int, Sequence[Range]]) -> None:
    """Fill ``sent_ids`` from what was told, and ``not_told_apart``.

    :param gone: offsets of records that Kafka holds no more, by partition: nobody can say which value they had.
    """
    session.rows(_TOLD_APART)
    bounds = [(partition, *bounds) for partition, ranges in gone.items() for bounds in ranges]
    if bounds:
        columns = zip(("shard", "first", "next"), zip(*bounds, strict=True), strict=True)
        session.connection.register("gone", pa.table({name: pa.array(values, pa.int64()) for name, values in columns}))
        try:
            session.rows(_GONE)
        finally:
            session.connection.unregister("gone")


def check_condition(session: ProofSession, truth: Truth, expect: str) -> None:
    """Try a condition on no event.

    :raises Misconfigured: it is none.
    """
    with session.blaming("--expect cannot be used", expect, _EXPECT_HINT):
        statements = session.connection.extract_statements(_condition(expect))
    if len(statements) != 1:
        raise Misconfigured("--expect is more than one condition", where=expect, hint=_EXPECT_HINT)
    session.connection.register(_TOLD, truth.schema.empty_table())
    try:
        with session.blaming("--expect cannot be used", expect, _EXPECT_HINT):
            session.connection.execute(_condition(expect)).fetchall()
    finally:
        session.connection.unregister(_TOLD)


def _condition(expect: str) -> str:
    # The line's end closes a comment, if the condition ends with one.
    return f"SELECT 1 FROM {_TOLD} WHERE CAST((\n{expect}\n) AS BOOLEAN)"  # noqa: S608 - the user's own SQL


def tell(
    session: ProofSession,
    truth: Truth,
    manifests: Sequence[Manifest],
    telling: Telling,
    *,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Go through all events of a run, in parts.

    :param progress: told how many events each part had.
    :raises Interrupted: stopped.
    :raises StreamproofError: the events cannot be told again.
    """
    for manifest in manifests:
        for part in together(truth, manifest):
            session.go_on()
            session.connection.register(_TOLD, part)
            try:
                _tell_part(session, truth, part, manifest.shard, telling)
            finally:
                session.connection.unregister(_TOLD)
            if progress is not None:
                progress(len(part))


def together(truth: Truth, manifest: Manifest) -> Iterator[pa.Table]:
    """Yield the events of a shard, many at a time."""
    batches: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    for batch in truth.events(manifest.shard, manifest.first_sequence, manifest.next_sequence):
        batches.append(batch)
        rows, size_bytes = rows + len(batch), size_bytes + batch.nbytes
        if rows >= _TOGETHER_ROWS or size_bytes >= _TOGETHER_BYTES:
            yield pa.Table.from_batches(batches)
            batches, rows, size_bytes = [], 0, 0
    if batches:
        yield pa.Table.from_batches(batches)


def _tell_part(session: ProofSession, truth: Truth, part: pa.Table, shard: int, telling: Telling) -> None:
    db = session.connection
    if telling.expect is not None:
        condition = f"CAST((\n{telling.expect}\n) AS BOOLEAN)"
        with session.blaming("--expect cannot be used", telling.expect, _EXPECT_HINT):
            db.execute(
                f"INSERT INTO left_out SELECT {shard}, {SEQUENCE} FROM {_TOLD} WHERE ({condition}) IS NOT TRUE"  # noqa: S608
            )
    with session.errors():
        if telling.keys and truth.key is not None:
            key = quote(truth.key)
            hashed = f"CASE WHEN {key} IS NOT NULL THEN hash({key}) END"
            db.execute(f"INSERT INTO sent_keys SELECT {shard}, {SEQUENCE}, {hashed} FROM {_TOLD}")  # noqa: S608 - quoted
        if telling.ids is not None:
            text, field = telling.ids.sent_text, quote(telling.ids.field)
            db.execute(
                f"INSERT INTO sent_values SELECT {text}, {shard}, {SEQUENCE} "  # noqa: S608 - quoted identifiers
                f"FROM (SELECT {SEQUENCE}, {field} AS __given_id FROM {_TOLD}) WHERE __given_id IS NOT NULL"
            )
        if telling.compared:
            sequences = part.column(SEQUENCE)
            db.execute(_difference(shard, telling.compared, (sequences[0].as_py(), sequences[-1].as_py())))


def _difference(shard: int, compared: Sequence[Compared], span: tuple[int, int]) -> str:
    """Return the statement that notes which stored copies of the events at hand differ, and in what.

    :param span: the first and the last of their sequences: numbers in a query let DuckDB pass over what lies elsewhere.
    """
    first, last = span
    sent = ", ".join(
        f"{side} AS {name}_{number}" for number, one in enumerate(compared) for name, side in _sent_sides(one)
    )
    differ = ", ".join(
        f"CASE WHEN {' AND '.join(_unequal(number, one))} THEN {number} END" for number, one in enumerate(compared)
    )
    return f"""
        INSERT INTO differing
        SELECT shard, sequence, list_filter([{differ}], lambda number: number IS NOT NULL) AS columns
        FROM (SELECT {SEQUENCE} AS sequence, {sent} FROM {_TOLD}) AS told
        JOIN (FROM arrived WHERE shard = {shard}
              AND sequence BETWEEN {first} AND {last}) AS arrived USING (sequence)
        WHERE len(columns) > 0
    """  # noqa: S608 - expressions over quoted identifiers


def _sent_sides(one: Compared) -> list[tuple[str, str]]:
    return [("sent", one.digests.sent), *((f"also{n}", side) for n, side in enumerate(one.digests.also))]


def _unequal(number: int, one: Compared) -> list[str]:
    return [f"arrived.digest_{number} <> told.{side}_{number}" for side, _ in _sent_sides(one)]

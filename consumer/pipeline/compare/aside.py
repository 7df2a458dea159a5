"""Lost events that a place did not lose but set aside, as it could not read them."""

from __future__ import annotations

from consumer.pipeline.session import ProofSession
from consumer.pipeline.stored import WHERE, StoredRows

_TABLE = f"CREATE OR REPLACE TEMP TABLE set_aside (event_id VARCHAR, why VARCHAR, {WHERE} VARCHAR)"
_COUNTED = f"""
    SELECT count(*), string_agg(DISTINCT why, ', ' ORDER BY why), min_by(event_id, (shard, sequence)),
           min_by({WHERE}, (shard, sequence))
    FROM (SELECT *, event_shard(event_id) AS shard, event_sequence(event_id) AS sequence
          FROM set_aside WHERE starts_with(event_id, getvariable('id_start')))
    SEMI JOIN missing USING (shard, sequence)
"""  # noqa: S608 - constants
_TAKE = f"INSERT INTO set_aside SELECT event_id, why, {WHERE} FROM held_aside"  # noqa: S608 - constants


def lying_aside(session: ProofSession, rows: StoredRows) -> list[str]:
    """Return which lost events lie apart in the place, as a sentence; the table ``missing`` is in the session."""
    session.rows(_TABLE)
    for table in rows.set_aside():
        session.go_on()
        session.connection.register("held_aside", table)
        try:
            session.rows(_TAKE)
        finally:
            session.connection.unregister("held_aside")
    ((number, why, first, where),) = session.rows(_COUNTED)
    if not number:
        return []
    return [f"{number:,} of the lost events lie in the quarantine ({why}); the first: {first}, {where}."]

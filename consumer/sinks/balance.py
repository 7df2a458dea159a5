"""How positions, ledger and rows of a warehouse must agree: one question, in SQL that every store answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BALANCE = """
    WITH ledger AS (
        SELECT partition,
               sum(events) AS events, sum(quarantined) AS quarantined, sum(crc_sum) AS crc_sum,
               min(start_offset) AS first_offset, max(end_offset) AS end_offset,
               bool_and(end_offset - start_offset = events + quarantined + tombstones + absent + expired) AS adds_up
        FROM load_batches GROUP BY partition
    ), ranges AS (
        SELECT partition, start_offset, lag(end_offset) OVER (PARTITION BY partition ORDER BY start_offset) AS previous
        FROM load_batches WHERE start_offset < end_offset
    ), torn AS (
        SELECT partition, count(*) AS breaks FROM ranges WHERE start_offset <> previous GROUP BY partition
    ), loaded AS (
        SELECT _partition AS partition, count(*) AS events, sum(_crc32) AS crc_sum,
               min(_offset) AS first_offset, max(_offset) AS last_offset
        FROM events GROUP BY _partition
    ), held AS (
        SELECT _partition AS partition, count(*) AS quarantined, sum(crc32) AS crc_sum,
               min(_offset) AS first_offset, max(_offset) AS last_offset
        FROM quarantine GROUP BY _partition
    )
    SELECT partition, next_offset, ledger.end_offset, coalesce(adds_up, true), coalesce(breaks, 0),
           coalesce(ledger.events, 0), coalesce(loaded.events, 0),
           coalesce(ledger.quarantined, 0), coalesce(held.quarantined, 0),
           coalesce(ledger.crc_sum, 0), coalesce(loaded.crc_sum, 0) + coalesce(held.crc_sum, 0),
           coalesce(least(loaded.first_offset, held.first_offset) >= ledger.first_offset
                    AND greatest(loaded.last_offset, held.last_offset) < next_offset, true)
    FROM load_offsets
    FULL JOIN ledger USING (partition) LEFT JOIN torn USING (partition)
    FULL JOIN loaded USING (partition) FULL JOIN held USING (partition)
    ORDER BY partition
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """What positions, ledger and rows say about one partition; the columns of ``BALANCE``."""

    partition: int
    next_offset: int | None
    ledger_end: int | None
    adds_up: bool
    breaks: int
    ledger_events: int
    events: int
    ledger_quarantined: int
    quarantined: int
    ledger_crc: int
    crc: int
    inside: bool

    def contradictions(self) -> Iterable[str]:
        """Yield what does not agree, a sentence each."""
        name = f"partition {self.partition}"
        if self.next_offset is None:
            yield f"{name} has rows and no position"
        elif self.ledger_end is not None and self.ledger_end != self.next_offset:
            yield f"{name} goes on at offset {self.next_offset}, its ledger ends at {self.ledger_end}"
        if not self.adds_up:
            yield f"{name} has a batch whose counts do not add up to its offsets"
        if self.breaks:
            yield f"{name} has {self.breaks} gaps or overlaps between its batches"
        if self.events != self.ledger_events:
            yield f"{name} has {self.events} events, its ledger says {self.ledger_events}"
        if self.quarantined != self.ledger_quarantined:
            yield f"{name} has {self.quarantined} quarantined records, its ledger says {self.ledger_quarantined}"
        if self.crc != self.ledger_crc:
            yield f"{name} has a checksum of {self.crc}, its ledger says {self.ledger_crc}"
        if not self.inside:
            yield f"{name} has a record outside the offsets of its ledger"

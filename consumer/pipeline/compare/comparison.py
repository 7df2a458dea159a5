"""What was claimed against what arrived, in numbers and first examples."""

from __future__ import annotations

from pathlib import Path

from consumer.pipeline.claims import Claims
from consumer.pipeline.session import ProofSession
from consumer.proof.evidence.comparison import CHECKSUMS, MAX_EXAMPLES, ORDER, examples_of, lay_identities, shards_of
from consumer.proof.found import Example, ShardAudit
from schemas.identity import event_id

_COMPARISON = Path(__file__).with_name("comparison.sql")
# Asked one after the other: together, their joins would share what memory there is.
_EXPECTED = "SELECT count(*) FROM meant"
_ARRIVED = """
    SELECT count(*) FROM stored ANTI JOIN excused USING (shard, sequence) ANTI JOIN left_out USING (shard, sequence)
    WHERE standing = 'acknowledged'
"""
_DUPLICATED = """
    SELECT shard, sequence, copies || ' times' FROM stored
    WHERE copies > 1 AND shard IS NOT NULL ORDER BY 1, 2 LIMIT 10
"""
_LOST = "SELECT count(*) FROM missing"
_COPIES = "SELECT coalesce(sum(copies - 1), 0), count(*) FILTER (standing = 'phantom') FROM stored"
_LEFT_OUT = """
    SELECT count(*) FROM stored SEMI JOIN left_out USING (shard, sequence) WHERE standing = 'acknowledged'
"""
_DIFFERING = "SELECT count(DISTINCT (shard, sequence)) FROM differing"
_UNEXPECTED = """
    SELECT shard, sequence FROM stored SEMI JOIN left_out USING (shard, sequence)
    WHERE standing = 'acknowledged' ORDER BY 1, 2 LIMIT 10
"""
_ALTERED = "SELECT DISTINCT shard, sequence FROM differing ORDER BY 1, 2 LIMIT 10"

# Windows of sequences whose checksums do not add up, where the columns of no event in them are known to differ anyway.
_WINDOWS = """
    FROM (FROM compared WHERE NOT incomparable AND claimed <> found) AS windows
    ANTI JOIN differing ON differing.shard = windows.shard
        AND differing.sequence >= windows.first AND differing.sequence < windows.next
"""
_SUMMED = "SELECT coalesce(sum(present), 0) FROM compared WHERE NOT incomparable"
_NAMED = "SELECT id FROM sent_ids WHERE shard = ? AND sequence = ?"


class Comparison:
    """The counts of one look, and where the damage is.

    :param ordered: the order of the rows is known.
    :param checksums: the rows have checksums of the values as they came.
    :ivar summed: events whose checksums were held against the sums of the manifests.
    """

    def __init__(
        self, session: ProofSession, claims: Claims, *, ordered: bool = False, checksums: bool = False
    ) -> None:
        self._session = session
        self._run_id = claims.run_id
        self._manifests = claims.manifests
        self._ledger = claims.is_ledger
        self._by_field = claims.field is not None
        with session.errors():
            lay_identities(session, claims.manifests)
            session.connection.execute(_COMPARISON.read_text())
        queries = (_EXPECTED, _ARRIVED, _LOST, _COPIES, _LEFT_OUT, _DIFFERING)
        totals = [int(number) for query in queries for number in session.rows(query)[0]]
        self.expected, self.arrived, *damage = totals
        names = ("lost", "duplicated", "phantom", "unexpected", "altered")
        self.counts: dict[str, int] = dict(zip(names, damage, strict=True))
        self.counts["reordered"] = self._reordered() if ordered else 0
        self.summed = self._sum() if checksums else None

    def _reordered(self) -> int:
        with self._session.errors():
            self._session.connection.execute(ORDER.read_text())
        return int(self._session.rows("SELECT count(*) FROM reordered")[0][0])

    def _sum(self) -> int:
        """Hold checksums against the sums of the manifests; return how many events could be."""
        with self._session.errors():
            self._session.connection.execute(CHECKSUMS.read_text())
        self.counts["altered"] += int(self._session.rows(f"SELECT count(*) {_WINDOWS}")[0][0])
        return int(self._session.rows(_SUMMED)[0][0])

    def shards(self) -> list[ShardAudit]:
        """Return what each shard claims, and what of it is missing."""
        return shards_of(self._session, self._manifests, self.counts["lost"])

    def examples(self) -> dict[str, list[Example]]:
        """Return the first of each class of damage."""
        found = {
            name: examples_of(self._session, self._run_id, name)
            for name in ("lost", "phantom", "reordered")
            if self.counts[name]
        }
        if self._ledger:
            found = {
                name: [self._example(each.shard, each.sequence, each.note) for each in rows]
                for name, rows in found.items()
            }
        for name, query in (("duplicated", _DUPLICATED), ("unexpected", _UNEXPECTED), ("altered", _ALTERED)):
            if self.counts[name]:
                found[name] = [self._example(*row) for row in self._session.rows(query)]
        if self.summed is not None and self.counts["altered"]:
            windows = self._session.rows(f"SELECT shard, first, next {_WINDOWS} ORDER BY 1, 2 LIMIT {MAX_EXAMPLES}")
            named = [self._example(shard, first, _in_window(first, end)) for shard, first, end in windows]
            found["altered"] = [*found["altered"], *named][:MAX_EXAMPLES]
        return found

    def _example(self, shard: int | None, sequence: int | None, note: str = "") -> Example:
        if shard is None or sequence is None:
            return Example("", note=note)
        if not self._ledger:
            return Example(event_id(self._run_id, shard, sequence), shard, sequence, note=note)
        named = self._session.rows(_NAMED, [shard, sequence]) if self._by_field else []
        return Example(str(named[0][0]) if named else "", partition=shard, offset=sequence, note=note)


def _in_window(first: int, end: int) -> str:
    which = "its checksum" if end == first + 1 else f"a checksum of sequences {first} to {end - 1}"
    return f"{which} is not what the shard says"

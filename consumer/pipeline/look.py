"""One look at a place: its rows against what a run claims, and against the run told again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cluster.connection import Connection
from consumer.pipeline.asked import Asked
from consumer.pipeline.claims import Also, Claims
from consumer.pipeline.columns.find import Columns, find_columns
from consumer.pipeline.columns.identities import FieldIds
from consumer.pipeline.compare.arrival import RECORDS, Arrival, order_by_column, take
from consumer.pipeline.compare.aside import lying_aside
from consumer.pipeline.compare.beside import ToldAgain, ToldBeside, standing_beside
from consumer.pipeline.compare.comparison import Comparison
from consumer.pipeline.compare.differences import differences
from consumer.pipeline.compare.expecting import check_expectations, read_expectations
from consumer.pipeline.compare.retelling import Telling, check_condition, prepare, tell, tell_apart
from consumer.pipeline.found import ExpectationResult, PipelineFindings
from consumer.pipeline.joined import JoinedTruth, RunOf
from consumer.pipeline.ledger.truth import TopicTruth
from consumer.pipeline.result import PipelineResult
from consumer.pipeline.session import ProofSession
from consumer.pipeline.stored import StoredRows
from consumer.pipeline.truth import Truth
from consumer.pipeline.verdict import judge_pipeline
from consumer.proof.evidence.comparison import claimed_shards
from consumer.proof.evidence.relations import lay_claims
from schemas.manifest import Manifest

# Makes the events of manifests again: producer/regenerate does, which this package does not know.
TruthOf = Callable[[Sequence[Manifest]], Truth]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a look is: ``rows`` of the place were taken, and ``told`` events of ``events`` told again."""

    rows: int
    told: int
    events: int

    @property
    def words(self) -> str:
        """It in words."""
        if self.rows:
            return f"{self.rows:,} rows taken"
        return f"{self.told:,} of {self.events:,} events told again"


@dataclass(frozen=True, slots=True)
class Work:
    """What a proof is asked for, and who is told of it.

    :param connection: where the topic is.
    """

    connection: Connection
    topic: str
    asked: Asked
    truth_of: TruthOf
    stop: threading.Event
    progress: Callable[[Progress], None] | None = None


def look(
    session: ProofSession, claims: Claims, rows: StoredRows, work: Work, *, also: Sequence[Also] = (), last: bool
) -> PipelineResult:
    """Take steps 3 to 6 of :func:`consumer.pipeline.audit.audit_pipeline` once.

    :param also: what was sent to other topics, for expectations.
    :param last: there is no other look. Before the last one values are compared only when nothing is missing any more.
    """
    with session.errors():
        lay_claims(session.connection, claims.run_id, claims.manifests)
    prepare(session)
    with _told_again(claims, work, rows) as truth:
        return _look(session, claims, rows, work, truth, also, last=last)


def _look(  # noqa: PLR0917 - both sides, and what is known of them
    session: ProofSession,
    claims: Claims,
    rows: StoredRows,
    work: Work,
    truth: Truth | None,
    also: Sequence[Also],
    *,
    last: bool,
) -> PipelineResult:
    """Look, with what tells the run again at hand."""
    asked = work.asked
    if truth is not None and asked.expect is not None:
        check_condition(session, truth, asked.expect)
    columns = find_columns(session, rows, asked, claims, truth)
    found = _claimed(claims, also)
    telling = _Telling(session, truth, claims, work)
    if columns.taking is not None:
        found = _events(session, claims, rows, columns, telling, found, last=last)
    else:
        session.rows("CREATE OR REPLACE TABLE arrived (shard INTEGER, sequence BIGINT)")
    if asked.expectations and truth is not None and (last or not _only_late(found.counts)):
        found = replace(found, expectations=_expectations(session, claims, rows, work, truth, also))
    # 6. judge
    changed = rows.changed()
    gone = _gone(truth)
    found = replace(
        found,
        doubts=[
            *claims.unread,
            *([changed] if changed else []),
            *_without_order(found, asked),
            *(gone if claims.field is not None else []),
            *(doubt for each in also for doubt in each.doubts()),
        ],
        unproved=[*getattr(truth, "unproved", []), *gone],
        contradictions=rows.contradictions(),
        notes=[*found.notes, *rows.notes()],
    )
    return PipelineResult(
        run_id=claims.run_id,
        topic=work.topic,
        at=rows.shown,
        as_of=rows.as_of,
        audited_at=datetime.now(UTC).isoformat(timespec="seconds"),
        judgement=judge_pipeline(found, rows.shown, rows.as_of, expect=asked.expect),
        findings=found,
        identity=columns.identity,
        expect=asked.expect,
        looks=1,
        seconds=0.0,
    )


def _expectations(  # noqa: PLR0917 - both sides, and what is known of them
    session: ProofSession, claims: Claims, rows: StoredRows, work: Work, truth: Truth, also: Sequence[Also]
) -> list[ExpectationResult]:
    """Run what is expected, with what was sent to other topics at hand."""
    expectations = read_expectations(work.asked.expectations)
    with ExitStack() as opened:
        beside = []
        for each in also:
            other = opened.enter_context(_told_again(each.claims, work, rows))
            if other is None:
                return []  # its manifests say nothing: the verdict is UNKNOWN
            beside.append(ToldBeside(each.name, ToldAgain(other, each.claims.finished), each.claims))
        told = ToldAgain(truth, claims.finished)
        of_ours = not claims.is_ledger
        with standing_beside(session, beside, claims):
            return check_expectations(
                session, rows, expectations, told, ids=of_ours, named=not claims.runs, showing=of_ours, beside=beside
            )


@contextmanager
def _told_again(claims: Claims, work: Work, rows: StoredRows) -> Iterator[Truth | None]:
    """Give what tells the run again, where it is asked for and there is anything to tell.

    The events of a run are made anew; the records of a ledger are in Kafka.
    """
    if not claims.finished or not (work.asked.tells_again or claims.field is not None):
        yield None
    elif claims.is_ledger:
        stored = {column.name: column.type for column in rows.columns}
        with TopicTruth(work.connection, claims.finished, stored=stored, stop=work.stop) as truth:
            yield truth
    elif claims.runs:
        yield JoinedTruth([(run, work.truth_of(run.finished)) for run in claims.runs if run.finished])
    else:
        yield work.truth_of(claims.finished)


def _gone(truth: Truth | None) -> list[str]:
    """Return what Kafka holds no more of a ledger, a sentence each."""
    return truth.notes() if isinstance(truth, TopicTruth) else []


def _without_order(found: PipelineFindings, asked: Asked) -> list[str]:
    words = f"{found.unordered:,} rows have nothing in {asked.order}, so their order is not known"
    return [words] if found.unordered else []


def _claimed(claims: Claims, also: Sequence[Also]) -> PipelineFindings:
    """Return what is known before a row is looked at."""
    unsettled = [sentence for each in also for sentence in each.unsettled()]
    runs = claims.runs or ([RunOf(claims.run_id, 0, claims.manifests)] if unsettled else [])
    return PipelineFindings(
        acknowledged=sum(manifest.acknowledged for manifest in claims.finished),
        identified=False,
        disagreements=claims.disagreements,
        unsettled=[*(sentence for run in runs for sentence in run.unsettled()), *unsettled],
        impossible=[
            *claims.impossible,
            *(f"{each.topic}: {claim}" for each in also for claim in each.claims.impossible),
        ],
        shards=claimed_shards(claims.manifests),
        truth_complete=all(
            manifest.truth_complete for each in (claims, *(one.claims for one in also)) for manifest in each.manifests
        ),
    )


@dataclass(frozen=True, slots=True)
class _Telling:
    """The run, to be told again."""

    session: ProofSession
    truth: Truth | None
    claims: Claims
    work: Work

    def heard_rows(self, rows: int) -> None:
        """Tell how many rows of the place were taken so far."""
        if self.work.progress is not None:
            self.work.progress(Progress(rows, 0, 0))

    def tell(self, what: Telling) -> None:
        """Tell the events for something, where anything is asked of them."""
        if self.truth is None or not what.asks:
            return
        events = sum(manifest.next_sequence - manifest.first_sequence for manifest in self.claims.finished)
        told = 0

        def heard(more: int) -> None:
            nonlocal told
            told += more
            if self.work.progress is not None:
                self.work.progress(Progress(0, told, events))

        tell(self.session, self.truth, self.claims.finished, what, progress=heard)


def _events(  # noqa: PLR0917 - both sides, and what is known of them
    session: ProofSession,
    claims: Claims,
    rows: StoredRows,
    columns: Columns,
    telling: _Telling,
    found: PipelineFindings,
    *,
    last: bool,
) -> PipelineFindings:
    """Hold each row against its event."""
    taking, asked = columns.taking, telling.work.asked
    if taking is None:
        raise RuntimeError("rows that cannot be told apart are no events")
    if isinstance(taking.identities, FieldIds):
        # Which record a value is of has to be known before the rows are taken.
        telling.tell(Telling(ids=taking.identities))
        tell_apart(session, telling.truth.gone if isinstance(telling.truth, TopicTruth) else {})
    # 3. take
    arrival = take(session, rows, taking, ordered=columns.ordered_by_place, heard=telling.heard_rows)
    session.rows(RECORDS)
    # 4. tell
    rest = Telling(compared=taking.compared, keys=taking.order is not None)
    whole = True
    if last:
        telling.tell(replace(rest, expect=asked.expect))
    else:
        telling.tell(Telling(expect=asked.expect))
        whole = not _only_late(Comparison(session, claims).counts)
        if whole:
            telling.tell(rest)
    without = order_by_column(session) if whole and taking.order is not None else 0
    # 5. compare
    checksums = taking.checksum is not None
    compared = Comparison(session, claims, ordered=whole and columns.ordered, checksums=checksums)
    differing = []
    if whole and asked.compare and telling.truth is not None:
        differing = differences(session, rows, telling.truth, taking, showing=not claims.is_ledger)
    return replace(
        found,
        identified=True,
        ordered=whole and columns.ordered,
        expected=compared.expected,
        arrived=compared.arrived,
        rows=arrival.rows,
        foreign=arrival.whose["foreign"],
        without_identity=arrival.whose["without"],
        summed=compared.summed,
        compared=[one.name for one in taking.compared] if asked.compare and whole else None,
        not_stored=columns.map.not_stored,
        not_comparable=columns.map.not_comparable,
        shards=compared.shards(),
        examples=compared.examples(),
        columns=differing,
        unordered=without,
        notes=[
            *_notes(arrival, columns, compared, found),
            *(lying_aside(session, rows) if compared.counts["lost"] else []),
        ],
        lost=compared.counts["lost"],
        duplicated=compared.counts["duplicated"],
        phantom=compared.counts["phantom"],
        unexpected=compared.counts["unexpected"],
        altered=compared.counts["altered"],
        reordered=compared.counts["reordered"],
    )


def _only_late(counts: Mapping[str, int]) -> bool:
    """Tell whether all damage there is are events that may still arrive."""
    return counts["lost"] > 0 and not any(number for name, number in counts.items() if name != "lost")


def _notes(arrival: Arrival, columns: Columns, compared: Comparison, found: PipelineFindings) -> list[str]:
    """Return what a reader must know beside the figures, a sentence each."""
    notes = [f"{rows:,} ids are written {looks}." for looks, rows in arrival.looks.most_common()]
    if arrival.whose["foreign"]:
        notes.append(f"{arrival.whose['foreign']:,} rows are of other runs, or of nobody known; they do not count.")
    if arrival.whose["without"]:
        notes.append(
            f"{arrival.whose['without']:,} rows have nothing in {columns.identity}: nobody can say whose they are."
        )
    if compared.counts["lost"] and not arrival.whose["ours"]:
        notes.append(f"No row at all has an id of this run in {columns.identity}: is it the column of the ids?")
    if found.acknowledged and (apart := columns.map.not_comparable):
        notes.append(f"Not compared: {'; '.join(apart)}.")
    return notes

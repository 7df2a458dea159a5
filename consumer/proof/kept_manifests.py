"""Manifests: read from the control topic up to its end, and kept in the warehouse."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from pydantic import ValidationError

from cluster.connection import Connection
from cluster.errors import TopicMissing, WarehouseDamaged
from cluster.reading import TopicReader
from cluster.records import Message
from cluster.topics import TopicInfo, admin_client, describe
from consumer.proof.claims import impossible_claims
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.manifest import CONTROL_SUFFIX, FaultPage, FaultTruth, Manifest, control_topic, count

_FETCH_ROWS = 1000
_NEVER = threading.Event()
_LOOK_AGAIN_S = 1.0

_PAGE_KEY = re.compile(r"(.*)/(\d+)/faults/(\d+)", re.DOTALL)
_FORGET = "DELETE FROM manifests WHERE run_id = ? AND shard = ?"
_KEEP = "INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?)"
_KEPT = "SELECT run_id, shard, status, document FROM manifests"
# The truth of a run that Kafka has forgotten stays, as long as its manifest does.
_FORGET_FAULTS = """
    DELETE FROM manifest_faults
    WHERE (run_id, shard) IN (SELECT (run_id, shard) FROM told)
       OR (run_id, shard) NOT IN (SELECT (run_id, shard) FROM manifests)
"""
_KEEP_FAULTS = "INSERT INTO manifest_faults BY NAME FROM truth"
_RUN_NUMBERS = "SELECT run_id, max(run_number) FROM manifests GROUP BY run_id"
_STORED = "SELECT document FROM manifests WHERE run_id = ? ORDER BY shard"


@dataclass(slots=True)
class ControlTopic:
    """What the control topic holds: the last manifest of each run and shard, and what was taken back."""

    manifests: dict[tuple[str, int], Manifest] = field(default_factory=dict)
    deleted: set[tuple[str, int]] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    pages: dict[tuple[str, int], dict[int, FaultPage]] = field(default_factory=dict)
    impossible: dict[tuple[str, int], str] = field(default_factory=dict)
    began: dict[str, tuple[int, int]] = field(default_factory=dict)  # offset and partition of a run's first record

    def take(self, message: Message) -> None:
        """Apply one record. One that is no manifest is noted with its position, without its content."""
        position = f"{message.topic()} partition {message.partition()} offset {message.offset()}"
        if self._take_page(message):
            return
        try:
            run_id, shard = (message.key() or b"").decode().rsplit("/", 1)
            key = (run_id, int(shard))
            # A manifest that cannot be read stands for none: what an earlier one says is out of date.
            self.manifests.pop(key, None)
            self.deleted.add(key)
            value = message.value()
            if value is None:
                return
            manifest = Manifest.model_validate_json(value)
            if (manifest.run_id, manifest.shard) != key:
                raise ValueError("key and value name different shards")  # noqa: TRY301 - one handler for one fate
        except (ValueError, ValidationError):
            self.unreadable.append(position)
            return
        if manifest.topic + CONTROL_SUFFIX != message.topic():
            # A copied record: the offsets in it, and what it claims, are of the other topic.
            self.unreadable.append(f"{position}, as it is of topic {manifest.topic}")
            return
        self.manifests[key] = manifest
        self.deleted.discard(key)
        place = (message.offset() or 0, message.partition() or 0)
        self.began[run_id] = min(place, self.began.get(run_id, place))

    def _take_page(self, message: Message) -> bool:
        """Apply a record that is a page of injected faults; return whether it was one."""
        key = _PAGE_KEY.fullmatch((message.key() or b"").decode(errors="replace"))
        if key is None:
            return False
        value = message.value()
        pages = self.pages.setdefault((key[1], int(key[2])), {})
        if value is None:
            pages.pop(int(key[3]), None)
            return False  # a run may be called as pages are: then this takes a manifest back
        try:
            page = FaultPage.model_validate_json(value)
        except ValidationError:
            return False
        pages[page.page] = page
        return bool(page.key().encode() == message.key())

    def hold_against(self, ends: Mapping[int, int]) -> None:
        """Set aside the manifests whose claims the topic cannot hold: they stand for none.

        :param ends: the end of each partition of the topic, taken after the manifests were read.
        """
        truths = {key: self.truth(manifest) for key, manifest in self.manifests.items()}
        self.impossible = impossible_claims(self.manifests, truths, ends)
        for key in self.impossible:
            del self.manifests[key]

    def runs(self) -> list[str]:
        """Return the runs that have a manifest here, in the order in which they began to write."""
        runs = dict.fromkeys(run_id for run_id, _ in self.manifests)
        return sorted(runs, key=lambda run_id: self.began.get(run_id, (0, 0)))

    def truth(self, manifest: Manifest) -> list[FaultTruth] | None:
        """Return what a shard says was injected.

        :return: ``None`` where a page is missing or of another attempt, or where it is not what the manifest sums.
        """
        if not manifest.fault_pages:
            return manifest.faults if _adds_up(manifest, manifest.faults) else None
        pages = self.pages.get((manifest.run_id, manifest.shard), {})
        wanted = [pages.get(number) for number in range(manifest.fault_pages)]
        if any(page is None or page.attempt != manifest.resumed for page in wanted):
            return None
        truth = [said for page in wanted if page is not None for said in page.faults]
        return truth if _adds_up(manifest, truth) else None


def _adds_up(manifest: Manifest, truth: list[FaultTruth]) -> bool:
    """Return whether a truth has the sums that the manifest gives; those of earlier versions give none."""
    if not manifest.injected and not manifest.injected_unsure:
        return True
    sums: dict[str, int] = {}
    for said in truth:
        if said.sequences:
            sums[said.kind] = sums.get(said.kind, 0) + count(said.sequences)
    claimed = {kind: number for kind, number in manifest.injected.items() if number}
    return sums == claimed and sum(count(said.unsure) for said in truth) == manifest.injected_unsure


def read_control_topic(connection: Connection, topic: str) -> ControlTopic:
    """Read the control topic of ``topic`` from its first record to its end, as the watermarks give it.

    :raises TopicMissing: there is no control topic, or not even the topic; the error says which.
    :raises BrokerUnreachable: no broker answered within the deadline.
    :raises BrokerSilent: the end was not reached: the broker stopped delivering.
    """
    found = ControlTopic()
    with TopicReader(connection.kafka, control_topic(topic)) as source:
        marks = source.watermarks(range(_identified(connection, source, topic).partitions))
        source.assign({p: mark.low for p, mark in marks.items()}, {p: mark.high for p, mark in marks.items()})
        while not source.finished:
            records, _ = source.fetch(_FETCH_ROWS, _NEVER)
            for message in records.messages:
                found.take(message)
    return found


def shards_at_work(
    connection: Connection,
    topic: str,
    run_id: str,
    *,
    wait_s: float,
    stop: threading.Event,
    waiting: Callable[[list[int]], None],
) -> list[int]:
    """Wait until every shard of a run that began says that it ended; return those that do not within ``wait_s``.

    :param waiting: told once, with the shards, when there is something to wait for.
    """
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        manifests = read_control_topic(connection, topic).manifests
        going = sorted(
            shard for (run, shard), manifest in manifests.items() if run == run_id and manifest.status == "running"
        )
        if not going or time.monotonic() >= deadline:
            return going
        if not told:
            waiting(going)
            told = True
        if stop.wait(_LOOK_AGAIN_S):
            return going


def _identified(connection: Connection, source: TopicReader, topic: str) -> TopicInfo:
    try:
        return source.identify()
    except TopicMissing as error:
        describe(admin_client(connection.kafka), topic)  # the topic itself is missing: that is what to say
        raise TopicMissing(
            f"topic {source.topic}, which holds the manifests, does not exist",
            where=error.where,
            hint="If it was deleted, what the runs claim is gone with it; "
            f"`streamproof topics apply --topic {topic}` makes it for new runs",
        ) from None


def store_manifests(warehouse: Warehouse, found: ControlTopic) -> None:
    """Make the file say what the control topic says, whatever it said before; all or nothing.

    Runs that the control topic does not name stay: it may have been made anew. The truth about injected faults is
    written again each time, so that what somebody changed in it heals.
    """
    truths = {key: found.truth(manifest) for key, manifest in found.manifests.items()}
    # An incomplete truth is noted in the manifest, so that nothing that reads the file takes the truth for whole.
    manifests = {
        key: manifest if truths[key] is not None else manifest.model_copy(update={"truth_complete": False})
        for key, manifest in found.manifests.items()
    }
    said = {key: (manifest.status, manifest.model_dump_json()) for key, manifest in manifests.items()}
    read_at = datetime.now(UTC)
    with warehouse.transaction() as connection:
        numbers = _run_numbers(connection, found)
        rows = connection.execute(_KEPT).fetchall()
        kept = {(run_id, shard): rest for run_id, shard, *rest in rows}
        times = Counter((run_id, shard) for run_id, shard, *_ in rows)  # somebody may have taken the key away
        # A topic that is used for long has many runs, and one audit sees few new ones.
        changed = [key for key, row in said.items() if kept.get(key) != list(row) or times[key] > 1]
        gone = [key for key, (_, document) in kept.items() if key not in said and _is_void(key, document, found)]
        for run_id, shard in [*gone, *changed]:
            connection.execute(_FORGET, [run_id, shard])
        for run_id, shard in changed:
            connection.execute(_KEEP, [run_id, shard, *said[run_id, shard], read_at, numbers[run_id]])
        told, truth = _tables(truths)
        for name, table in (("told", told), ("truth", truth)):
            connection.register(name, table)
        connection.execute(_FORGET_FAULTS)
        connection.execute(_KEEP_FAULTS)
        for name in ("told", "truth"):
            connection.unregister(name)


def _is_void(key: tuple[str, int], document: str, found: ControlTopic) -> bool:
    """Return whether a kept row that the control topic does not have stands for no manifest.

    It was taken back there, or is of a run that is told of there, or is not what its key says.
    """
    if key in found.deleted or key in found.impossible or any(run_id == key[0] for run_id, _ in found.manifests):
        return True
    try:
        manifest = Manifest.model_validate_json(document)
    except ValidationError:
        return True
    return (manifest.run_id, manifest.shard) != key


def _run_numbers(connection: duckdb.DuckDBPyConnection, found: ControlTopic) -> dict[str, int]:
    """Return the number of each run: the one that it has, or the next, in the order of the control topic."""
    numbers = {str(run_id): int(number) for run_id, number in connection.execute(_RUN_NUMBERS).fetchall()}
    for run_id in found.runs():
        numbers.setdefault(run_id, max(numbers.values(), default=0) + 1)
    return numbers


def fault_rows(truth: list[FaultTruth]) -> list[tuple[str, bool, int, int]]:
    """Return the ranges of a shard's truth: kind, unsure, first, next."""
    return [
        (said.kind, unsure, first, end)
        for said in truth
        for unsure, ranges in ((False, said.sequences), (True, said.unsure))
        for first, end in ranges
    ]


def _tables(truths: dict[tuple[str, int], list[FaultTruth] | None]) -> tuple[pa.Table, pa.Table]:
    """Return which shards are told of, and the rows of ``manifest_faults`` for them."""
    told = pa.table(
        {
            "run_id": pa.array([run_id for run_id, _ in truths], pa.string()),
            "shard": pa.array([shard for _, shard in truths], pa.int32()),
        }
    )
    rows = [(*key, *row) for key, truth in truths.items() for row in fault_rows(truth or [])]
    runs, shards, kinds, unsure, firsts, ends = zip(*rows, strict=True) if rows else ((),) * 6
    return told, pa.table(
        {
            "run_id": pa.array(runs, pa.string()),
            "shard": pa.array(shards, pa.int32()),
            "kind": pa.array(kinds, pa.string()),
            "unsure": pa.array(unsure, pa.bool_()),
            "first": pa.array(firsts, pa.int64()),
            "next": pa.array(ends, pa.int64()),
        }
    )


def stored_manifests(warehouse: Warehouse, run_id: str) -> list[Manifest]:
    """Return the kept manifests of a run, by shard.

    :raises WarehouseDamaged: somebody changed one so that it cannot be read.
    """
    try:
        return [Manifest.model_validate_json(document) for (document,) in warehouse.rows(_STORED, [run_id])]
    except ValidationError:
        raise WarehouseDamaged(
            f"a manifest of run {run_id} that the warehouse keeps cannot be read",
            where=str(warehouse.path),
            hint="Somebody changed it. `streamproof audit` reads it from the control topic again",
        ) from None

"""The control topic ``<topic>.manifests``: what the shards of every run say, written and read by this module alone.

A record is JSON under a key: a manifest under ``<run id>/<shard>``, and pages of its truth about injected faults, which
may not fit into it, under ``<run id>/<shard>/faults/<page>``. What was done to the local stack while a run went stands
under ``<run id>/incidents`` (``schemas/incidents.py``): nothing is accounted for by it, so that one that cannot be read
is as good as none. A record without a value takes back what is there under its key. The topic is compacted.

What a running shard tells once a second is in it as well, and who holds it, under keys that no shard has and without a
value (``schemas/progress.py``, ``schemas/leases.py``): to whoever reads manifests it is nothing.

A process that holds its shard by a transactional id writes its manifests in transactions. So a reader takes committed
records alone, and reads to the end of the topic as it is: where a transaction is open there, as one that a killed
process left, it waits until that is decided. What follows it may be a manifest, and must not be missed.

Ledgers of what others sent are in it, too (``schemas/ledgers.py``). They are kept apart: whoever asks for manifests
gets those of runs.

**Records that cannot be read.** Two promises decide: PASSED is never said of what could not be looked at, and a
producer never sends again what a manifest might account for.

1. Of each key the newest record counts, and no other. What an earlier one says is out of date, and Kafka may remove it
   at any moment: nothing may depend on whether it has.
2. A record is *unreadable* when it is not a manifest or page that this version understands, when it is of another shard
   than its key, or of another topic than it is in, as a copy is. It stands for nothing. That it is there, and where, is
   kept.
3. Who judges takes a shard with an unreadable manifest for one without: its run is UNKNOWN at best.
4. Who sends refuses the run (:class:`Misconfigured`): what the record accounts for would perhaps be sent twice. Of the
   other shards of its run it needs what they were begun with, and no more: a manifest of a later version that still
   says that stops nobody.
5. A manifest that was taken back accounts for nothing, and what it did account for may still be in the topic: who sends
   looks there first, who judges has no manifest.
6. A record whose key names no shard is of no run. It is told of, and stops nobody.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Producer
from pydantic import ValidationError

from cluster.connection import KafkaSettings
from cluster.errors import TopicMissing
from cluster.kafka_errors import BrokerWatch, translate
from cluster.reading import TopicReader
from cluster.records import Message
from cluster.topics import admin_client, describe
from schemas.incidents import KEY_SUFFIX, Incident, RunIncidents, incidents_in, is_incidents_key
from schemas.leases import Lease, lease_in
from schemas.ledgers import is_ledger, is_ledger_id
from schemas.manifest import CONTROL_SUFFIX, FaultPage, FaultTruth, Manifest, Terms, control_topic_of, count

WRITE_TIMEOUT_S = 10.0
LEDGER_TIMEOUT_S = 60.0
# What a writer's client says for documents of any size that is made.
LARGEST_BYTES = 8_000_000
# A transaction that was left open is rolled back within less (``producer/fence``).
_DECIDED_WITHIN_S = 90.0
# A range takes 24 bytes at most in JSON below ten billion events, and a record may hold a megabyte.
INLINE_RANGES = 5_000
PAGE_RANGES = 25_000

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_SHARD_KEY = re.compile(rf"(.+)/({_NUMBER.pattern})", re.DOTALL)

Shard = tuple[str, int]  # run id and number


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that stands for nothing; in words, its position and not its content.

    :ivar terms: what the shard was begun with, where at least that can be read.
    """

    position: str
    why: str = ""
    terms: Terms | None = None

    def __str__(self) -> str:
        """Return where it is, and what is known of the reason."""
        return f"{self.position}, {self.why}" if self.why else self.position


@dataclass(slots=True)
class ControlTopic:
    """What the newest record of each key says.

    :ivar ledgers: manifests of ledgers.
    :ivar incidents: what was done to the local stack, by run.
    :ivar deleted: shards of which a record was taken that is not a manifest, or no longer: they have none.
    :ivar impossible: manifests that were set aside, and what they claim: they stand for none either.
    :ivar began: offset and partition of a run's first manifest.
    :ivar unread: the unreadable records, by key, or by position where there is no key.
    :ivar leases: the newest lease of a shard; of the shards of one run, where that was asked for.
    :ivar yielded: tokens of leases whose holders were fenced and have stopped.
    :ivar ends: where each partition ended when it was read.
    :ivar untouched: nothing was ever written to the topic, ledgers aside: whoever asks whether a run left its events
        without its manifests is told nothing by those.
    """

    manifests: dict[Shard, Manifest] = field(default_factory=dict)
    ledgers: dict[Shard, Manifest] = field(default_factory=dict)
    incidents: dict[str, RunIncidents] = field(default_factory=dict)
    deleted: set[Shard] = field(default_factory=set)
    unread: dict[str, Unreadable] = field(default_factory=dict)
    pages: dict[Shard, dict[int, FaultPage]] = field(default_factory=dict)
    impossible: dict[Shard, str] = field(default_factory=dict)
    began: dict[str, tuple[int, int]] = field(default_factory=dict)
    leases: dict[Shard, Lease] = field(default_factory=dict)
    yielded: set[str] = field(default_factory=set)
    ends: dict[int, int] = field(default_factory=dict)
    untouched: bool = False

    @property
    def unreadable(self) -> list[str]:
        """Where the unreadable records are, in words."""
        return [str(record) for record in self.unread.values()]

    def unread_of(self, run_id: str) -> dict[int, Unreadable]:
        """Return the unreadable records that stand where manifests of a run would, by shard."""
        found = {shard_of(key): record for key, record in self.unread.items()}
        return {shard[1]: record for shard, record in found.items() if shard is not None and shard[0] == run_id}

    def take(self, message: Message) -> None:
        """Apply one record; those of a partition come in their order."""
        if not self._take_incidents(message) and not self._take_page(message):
            self.take_manifest(message)

    def take_manifest(self, message: Message) -> None:
        """Apply one record where nothing but a manifest may be."""
        key, position = _key(message), _position(message)
        shard = shard_of(key)
        self._forget(key, shard)
        value = message.value()
        if value is None:
            return
        manifest = None if shard is None else _read(value, shard, message.topic() or "", position)
        if not isinstance(manifest, Manifest):
            self.unread[key or position] = manifest or Unreadable(position)
            return
        found = self.ledgers if is_ledger(manifest) else self.manifests
        found[manifest.run_id, manifest.shard] = manifest
        self.deleted.discard((manifest.run_id, manifest.shard))
        place = (message.offset() or 0, message.partition() or 0)
        self.began[manifest.run_id] = min(place, self.began.get(manifest.run_id, place))

    def take_lease(self, message: Message) -> bool:
        """Apply a record if it tells of a lease; return whether it does."""
        lease = lease_in(message)
        if lease is None:
            return False
        if _key(message) == lease.places()[0]:
            self.leases[lease.run_id, lease.shard] = lease
        else:
            self.yielded.add(lease.token)
        return True

    def _take_incidents(self, message: Message) -> bool:
        """Apply a record if its key is that of a run's incidents; return whether it is."""
        key = _key(message)
        if not is_incidents_key(key):
            return False
        found = incidents_in(key, message.value())
        if found is not None and found.topic + CONTROL_SUFFIX == message.topic():
            self.incidents[found.run_id] = found
        else:
            self.incidents.pop(key.removesuffix(KEY_SUFFIX), None)
        return True

    def _take_page(self, message: Message) -> bool:
        """Apply a record if it is a page of injected faults; return whether it is one."""
        key = _key(message)
        value = message.value()
        if value is None or page_of(key) is None:
            return False
        try:
            page = FaultPage.model_validate_json(value)
        except ValidationError:
            return False  # a run may be called as pages are: then it is a manifest
        if page.key() != key:
            return False
        self._forget(key, shard_of(key))
        self.pages.setdefault((page.run_id, page.shard), {})[page.page] = page
        return True

    def _forget(self, key: str, shard: Shard | None) -> None:
        """Drop what an earlier record under the key said."""
        self.unread.pop(key, None)
        if shard is None:
            return
        self.manifests.pop(shard, None)
        self.ledgers.pop(shard, None)
        self.deleted.add(shard)
        if (page := page_of(key)) is not None:
            self.pages.get(page[0], {}).pop(page[1], None)

    def set_aside(self, impossible: Mapping[Shard, str]) -> None:
        """Let manifests stand for none, as they claim what cannot be."""
        self.impossible = dict(impossible)
        for shard in self.impossible:
            self.manifests.pop(shard, None)
            self.ledgers.pop(shard, None)

    def runs(self) -> list[str]:
        """Return the runs that have a manifest here, in the order in which they began to write."""
        return self._in_order(self.manifests)

    def ledger_ids(self) -> list[str]:
        """Return the ids of the ledgers that have a manifest here, in the order in which they were written."""
        return self._in_order(self.ledgers)

    def _in_order(self, manifests: Mapping[Shard, Manifest]) -> list[str]:
        runs = dict.fromkeys(run_id for run_id, _ in manifests)
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


def shard_of(key: str) -> Shard | None:
    """Return the shard whose manifest a key is of; ``None`` where it is the key of none."""
    parts = _SHARD_KEY.fullmatch(key)
    return None if parts is None else (parts[1], int(parts[2]))


def page_of(key: str) -> tuple[Shard, int] | None:
    """Return the shard whose truth a key is of, and the number of the page; ``None`` where it is the key of none."""
    base, _, number = key.rpartition("/faults/")
    shard = shard_of(base)
    return (shard, int(number)) if shard is not None and _NUMBER.fullmatch(number) else None


def _key(message: Message) -> str:
    """Return the key as text; empty where it is missing or is not text."""
    try:
        return (message.key() or b"").decode()
    except UnicodeDecodeError:
        return ""


def _position(message: Message) -> str:
    return f"{message.topic()} partition {message.partition()} offset {message.offset()}"


def _read(value: bytes, shard: Shard, control: str, position: str) -> Manifest | Unreadable:
    """Return the manifest of a shard, or why there is none to be read."""
    try:
        terms: Terms = Manifest.model_validate_json(value)
    except ValidationError:
        try:
            terms = Terms.model_validate_json(value)
        except ValidationError:
            return Unreadable(position)
    if (terms.run_id, terms.shard) != shard:
        return Unreadable(position)
    if terms.topic + CONTROL_SUFFIX != control:
        # The offsets in a copy, and what it claims, are of the other topic.
        return Unreadable(position, f"as it is of topic {terms.topic}")
    return terms if isinstance(terms, Manifest) else Unreadable(position, terms=terms)


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


def read_control_topic(kafka: KafkaSettings, topic: str, *, run_id: str | None = None) -> ControlTopic:
    """Read the control topic of ``topic`` from its first record to its end, open transactions included.

    :param run_id: take the manifests of this run, its leases and its incidents, and nothing else.
    :raises TopicMissing: there is no control topic, or not even the topic; the error says which.
    :raises BrokerUnreachable: no broker answered within the deadline.
    :raises BrokerSilent: the end was not reached: the broker stopped delivering.
    """
    found = ControlTopic()
    with TopicReader(kafka, control_topic_of(topic)) as reader:
        decided = reader.watermarks(range(_partitions(kafka, reader, topic)))
        marks = reader.watermarks(decided, committed=False)
        found.ends = {partition: mark.high for partition, mark in marks.items()}
        if any(decided[partition].high < end for partition, end in found.ends.items()):
            reader.silence_s = _DECIDED_WITHIN_S
        ledgers = others = 0
        reader.assign({p: mark.low for p, mark in marks.items()}, found.ends)
        for message in reader.messages():
            of_ledger = is_ledger_id(_key(message))
            ledgers, others = ledgers + of_ledger, others + (not of_ledger)
            if run_id is None or _key(message) == f"{run_id}{KEY_SUFFIX}":
                found.take(message)
            elif (shard := shard_of(_key(message))) is not None and shard[0] == run_id:
                found.take_manifest(message)
            elif _key(message).startswith(f"{run_id}/"):
                found.take_lease(message)
        found.untouched = not others and bool(ledgers or not any(mark.high for mark in marks.values()))
    return found


def read_incidents(kafka: KafkaSettings, topic: str, run_id: str) -> list[Incident]:
    """Return the incidents of a run, by their planned beginnings; none where none are recorded.

    :raises StreamproofError: as :func:`read_control_topic`.
    """
    found = read_control_topic(kafka, topic, run_id=run_id).incidents.get(run_id)
    return [] if found is None else found.incidents


def write_incidents(kafka: KafkaSettings, incidents: RunIncidents, *, timeout_s: float = WRITE_TIMEOUT_S) -> None:
    """Write the incidents of a run in the place of what was recorded, and wait for the acknowledgement.

    :raises BrokerUnreachable: not acknowledged within ``timeout_s``.
    """
    _write_all(kafka, control_topic_of(incidents.topic), ([incidents],), timeout_s=timeout_s, compression="lz4")


def _partitions(kafka: KafkaSettings, reader: TopicReader, topic: str) -> int:
    try:
        return reader.identify().partitions
    except TopicMissing as error:
        describe(admin_client(kafka), topic)  # the topic itself is missing: that is what to say
        raise TopicMissing(
            f"topic {reader.topic}, which holds the manifests, does not exist",
            where=error.where,
            hint="If it was deleted, what the runs claim is gone with it; "
            f"`streamproof topics apply --topic {topic}` makes it for new runs",
        ) from None


def paged(manifest: Manifest) -> tuple[Manifest, list[FaultPage]]:
    """Return the manifest with its truth if that fits, else without it, and the pages that hold it."""
    if sum(len(truth.sequences) + len(truth.unsure) for truth in manifest.faults) <= INLINE_RANGES:
        return manifest.model_copy(update={"fault_pages": 0}), []
    pages = [
        FaultPage(run_id=manifest.run_id, shard=manifest.shard, attempt=manifest.resumed, page=number, faults=[truth])
        for number, truth in enumerate(_cut(manifest.faults))
    ]
    return manifest.model_copy(update={"faults": [], "fault_pages": len(pages)}), pages


def _cut(truths: Iterable[FaultTruth]) -> Iterable[FaultTruth]:
    for truth in truths:
        for first in range(0, len(truth.sequences), PAGE_RANGES):
            yield FaultTruth(kind=truth.kind, sequences=truth.sequences[first : first + PAGE_RANGES])
        for first in range(0, len(truth.unsure), PAGE_RANGES):
            yield FaultTruth(kind=truth.kind, unsure=truth.unsure[first : first + PAGE_RANGES])


def manifest_records(manifest: Manifest, pages: Sequence[FaultPage] = ()) -> list[tuple[bytes, bytes]]:
    """Return key and value of each record of a manifest, in the order in which they are to be written."""
    documents: list[FaultPage | Manifest] = [*pages, manifest]
    return [(each.key().encode(), each.model_dump_json().encode()) for each in documents]


def write_manifest(
    kafka: KafkaSettings,
    manifest: Manifest,
    *,
    pages: Sequence[FaultPage] = (),
    timeout_s: float = WRITE_TIMEOUT_S,
) -> None:
    """Write one manifest and wait for its acknowledgement.

    :param pages: the truth about injected faults that does not fit into it; they are acknowledged before it is sent.
    :raises BrokerUnreachable: not acknowledged within ``timeout_s``.
    """
    _write_all(kafka, control_topic_of(manifest.topic), (pages, [manifest]), timeout_s=timeout_s, compression="lz4")


def write_ledger(kafka: KafkaSettings, manifests: Sequence[Manifest], *, timeout_s: float = LEDGER_TIMEOUT_S) -> None:
    """Write the manifests of a ledger and wait for their acknowledgement.

    :raises BrokerUnreachable: not all were acknowledged within ``timeout_s``.
    """
    # A hundred thousand ranges are more than a record may hold, unless they are packed tightly.
    _write_all(kafka, control_topic_of(manifests[0].topic), (manifests,), timeout_s=timeout_s, compression="zstd")


def _write_all(
    kafka: KafkaSettings,
    control: str,
    groups: Iterable[Sequence[Manifest | FaultPage | RunIncidents]],
    *,
    timeout_s: float,
    compression: str,
) -> None:
    """Write groups of documents: each is acknowledged before the next is sent."""
    watch = BrokerWatch(kafka, patience_s=timeout_s)
    settings = kafka.as_librdkafka(
        # Not idempotent: asking for a producer id takes librdkafka half a second, and a record that a retry wrote twice
        # says the same twice under one key.
        acks="all",
        compression_type=compression,
        linger_ms=0,
        message_timeout_ms=int(timeout_s * 1000),
        message_max_bytes=LARGEST_BYTES,
    )
    deadline = time.monotonic() + timeout_s
    try:
        producer = Producer(settings | watch.settings())
        for documents in groups:
            _write(producer, watch, control, documents, deadline)
    except KafkaException as error:
        raise translate(error, "writing the manifest", where=f"topic {control}") from None


def _write(
    producer: Producer,
    watch: BrokerWatch,
    control: str,
    documents: Sequence[Manifest | FaultPage | RunIncidents],
    deadline: float,
) -> None:
    outcomes: list[KafkaError | None] = []

    def report(error: KafkaError | None, _: Message) -> None:
        outcomes.append(error)

    for document in documents:
        value, key = document.model_dump_json().encode(), document.key().encode()
        while True:
            try:
                producer.produce(control, value, key, on_delivery=report)
                break
            except BufferError:  # the client's queue is full: reports make room
                producer.poll(0.05)
                if time.monotonic() > deadline:
                    raise watch.unreachable("writing the manifest") from None
    while len(outcomes) < len(documents) and time.monotonic() < deadline:
        producer.poll(0.05)
        watch.check()
    if len(outcomes) < len(documents):
        raise watch.unreachable("writing the manifest")
    for error in outcomes:
        if error is not None:
            raise translate(error, "writing the manifest", where=f"topic {control}")

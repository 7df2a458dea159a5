"""Writing to a control topic: manifests with the pages of their truth, ledgers, and what was done to the stack."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer

from cluster.connection import KafkaSettings
from cluster.kafka_errors import BrokerWatch, translate
from cluster.records import Message
from schemas.incidents import RunIncidents
from schemas.manifest import FaultPage, FaultTruth, Manifest, control_topic_of

WRITE_TIMEOUT_S = 10.0
LEDGER_TIMEOUT_S = 60.0
# What a writer's client says for documents of any size that is made.
LARGEST_BYTES = 8_000_000
# A range takes 24 bytes at most in JSON below ten billion events, and a record may hold a megabyte.
INLINE_RANGES = 5_000
PAGE_RANGES = 25_000


def write_incidents(kafka: KafkaSettings, incidents: RunIncidents, *, timeout_s: float = WRITE_TIMEOUT_S) -> None:
    """Write the incidents of a run in the place of what was recorded, and wait for the acknowledgement.

    :raises BrokerUnreachable: not acknowledged within ``timeout_s``.
    """
    _write_all(kafka, control_topic_of(incidents.topic), ([incidents],), timeout_s=timeout_s, compression="lz4")


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

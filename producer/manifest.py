"""Writing and reading manifests on the control topic: one record for each shard of a run, the newest counts."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from pydantic import ValidationError

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured
from cluster.kafka_errors import BrokerWatch, translate
from producer.reading import open_reader, read_to_end, watermarks
from schemas.manifest import FaultPage, Manifest, control_topic

WRITE_TIMEOUT_S = 10.0


def read_manifest(kafka: KafkaSettings, topic: str, run_id: str, shard: int) -> Manifest | None:
    """Return the newest manifest of one shard, or ``None``.

    :raises Misconfigured: the record under the shard's key is not a manifest that this version understands.
    """
    control = control_topic(topic)
    wanted = f"{run_id}/{shard}".encode()
    newest: bytes | None = None
    with open_reader(kafka) as reader:
        bounds = watermarks(reader, control)
        starts = {partition: low for partition, (low, _) in bounds.items()}
        ends = {partition: high for partition, (_, high) in bounds.items()}
        for message in read_to_end(reader, control, starts, ends):
            if message.key() == wanted:
                newest = message.value()
    if newest is None:
        return None
    try:
        return Manifest.model_validate_json(newest)
    except ValidationError as error:
        raise Misconfigured(
            f"the manifest of run {run_id}, shard {shard} cannot be read: {error.error_count()} faults",
            where=f"topic {control}",
            hint="It was written by another version; use a new run id",
        ) from None


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
    control = control_topic(manifest.topic)
    watch = BrokerWatch(kafka, patience_s=timeout_s)
    settings = kafka.as_librdkafka(
        # Not idempotent: asking for a producer id takes librdkafka half a second, and a record that a retry wrote twice
        # says the same twice under one key.
        acks="all",
        compression_type="lz4",
        linger_ms=0,
        message_timeout_ms=int(timeout_s * 1000),
        message_max_bytes=8_000_000,
    )
    deadline = time.monotonic() + timeout_s
    try:
        producer = Producer(settings | watch.settings())
        for documents in (pages, [manifest]):
            _write(producer, watch, control, documents, deadline)
    except KafkaException as error:
        raise translate(error, "writing the manifest", where=f"topic {control}") from None


def _write(
    producer: Producer, watch: BrokerWatch, control: str, documents: Sequence[Manifest | FaultPage], deadline: float
) -> None:
    outcomes: list[KafkaError | None] = []

    def report(error: KafkaError | None, _: Message) -> None:
        outcomes.append(error)

    for document in documents:
        producer.produce(control, document.model_dump_json().encode(), document.key().encode(), on_delivery=report)
    while len(outcomes) < len(documents) and time.monotonic() < deadline:
        producer.poll(0.05)
        watch.check()
    if len(outcomes) < len(documents):
        raise watch.unreachable("writing the manifest")
    for error in outcomes:
        if error is not None:
            raise translate(error, "writing the manifest", where=f"topic {control}")


def end_offsets(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """Return the end of each partition."""
    with open_reader(kafka) as reader:
        return {partition: high for partition, (_, high) in watermarks(reader, topic).items()}

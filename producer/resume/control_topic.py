"""Writing and reading manifests on the control topic: one record for each shard of a run, the newest counts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from pydantic import ValidationError

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured
from cluster.kafka_errors import BrokerWatch, translate
from producer.resume.reading import open_reader, read_to_end, watermarks
from schemas.manifest import FaultPage, Manifest, Terms, control_topic

WRITE_TIMEOUT_S = 10.0

Document = TypeVar("Document", Manifest, Terms)


@dataclass(frozen=True, slots=True)
class RunSaid:
    """What the control topic holds of a run, as one of its shards sees it.

    ``own`` is the newest manifest of the shard, ``others`` what the other shards were begun with. ``empty``: it holds
    nothing at all, of no run. ``bounds`` are first offset and end of each partition of the data topic.
    """

    own: Manifest | None
    others: list[Terms]
    empty: bool
    bounds: dict[int, tuple[int, int]]


def read_run(kafka: KafkaSettings, topic: str, run_id: str, shard: int) -> RunSaid:
    """Read the control topic once, to its end. Of other shards only what they were begun with is kept.

    :raises Misconfigured: a record of the run is not a manifest that this version understands.
    """
    control = control_topic(topic)
    own: bytes | None = None
    others: dict[int, Terms] = {}
    with open_reader(kafka) as reader:
        bounds = watermarks(reader, topic)
        marks = watermarks(reader, control)
        starts = {partition: low for partition, (low, _) in marks.items()}
        ends = {partition: high for partition, (_, high) in marks.items()}
        for message in read_to_end(reader, control, starts, ends):
            value = message.value()
            number = _shard_of(message, run_id)
            if number == shard:
                own = value if isinstance(value, bytes) else None
            elif number is not None and value is None:
                others.pop(number, None)
            elif number is not None:
                others[number] = _read(Terms, value, control, run_id, number)
    manifest = None if own is None else _read(Manifest, own, control, run_id, shard)
    return RunSaid(manifest, [others[number] for number in sorted(others)], not any(ends.values()), bounds)


def read_manifest(kafka: KafkaSettings, topic: str, run_id: str, shard: int) -> Manifest | None:
    """Return the newest manifest of one shard, or ``None``.

    :raises Misconfigured: the record under the shard's key is not a manifest that this version understands.
    """
    return read_run(kafka, topic, run_id, shard).own


def _shard_of(message: Message, run_id: str) -> int | None:
    """Return the shard that a record of the control topic is about, ``None`` if it is of no shard of the run."""
    key = message.key()
    prefix = f"{run_id}/".encode()
    if not isinstance(key, bytes) or not key.startswith(prefix):
        return None
    rest = key[len(prefix) :]
    return int(rest) if rest.isdigit() else None


def _read(kind: type[Document], value: Any, control: str, run_id: str, shard: int) -> Document:
    try:
        return kind.model_validate_json(value)
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

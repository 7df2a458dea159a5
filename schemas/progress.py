"""What a running shard tells once a second: how many events it made, and how many of them Kafka acknowledged.

Told in the control topic, under the key ``<run id>/<shard>/progress``, for whoever looks on. It is not evidence: the
manifest is, and nothing that judges or sends reads this. So it is best effort: it waits for nothing, and a run goes on
without it.

The record has no value, and what it tells is in a header. A version that does not know it then sees a record that takes
back what is under its key, where nothing ever was, and Kafka's compaction removes it after a day.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

from confluent_kafka import KafkaException, Producer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.kafka_errors import BrokerWatch
from cluster.records import Message
from schemas.identity import MAX_SHARDS
from schemas.manifest import Manifest, control_topic_of

log = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
_SUFFIX = "/progress"
_HEADER = "progress"
# What is older than this is of no interest to anybody; it is dropped.
_TIMEOUT_MS = 3_000
_QUEUE = 8
_LAST_WORD_S = 0.2


class ShardProgress(BaseModel):
    """How far one attempt at a shard is. Events are of the shard, those of earlier attempts included.

    :ivar at: ISO 8601, UTC, by the clock of the producer's machine.
    :ivar failed: records whose report says failed or unknown.
    :ivar ended: nothing more comes from this attempt but its manifest.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    run_id: str = Field(min_length=1)
    shard: int = Field(ge=0, lt=MAX_SHARDS)
    attempt: int = Field(default=0, ge=0)
    at: str
    generated: int = Field(ge=0)
    acknowledged: int = Field(ge=0)
    failed: int = Field(default=0, ge=0)
    ended: bool = False

    def key(self) -> str:
        """Return the record key on the control topic."""
        return progress_key(self.run_id, self.shard)

    def header(self) -> tuple[str, bytes]:
        """Return the header that holds it."""
        return _HEADER, json.dumps(self.model_dump()).encode()


@dataclass(frozen=True, slots=True)
class Figures:
    """How many events of a shard were made, acknowledged, and have a report that says failed or unknown."""

    generated: int
    acknowledged: int
    failed: int

    def of(self, announced: Manifest, *, ended: bool) -> ShardProgress:
        """Return what is told of them now.

        :param announced: the manifest that the attempt was announced with.
        """
        return ShardProgress(
            run_id=announced.run_id,
            shard=announced.shard,
            attempt=announced.resumed,
            at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            generated=self.generated,
            acknowledged=self.acknowledged,
            failed=self.failed,
            ended=ended,
        )


def progress_key(run_id: str, shard: int) -> str:
    """Return the key under which a shard tells how far it is."""
    return f"{run_id}/{shard}{_SUFFIX}"


def is_progress_key(key: str) -> bool:
    """Tell whether a key of the control topic is of what a shard told while it ran; no manifest has such a key."""
    return key.endswith(_SUFFIX)


def progress_in(message: Message) -> ShardProgress | None:
    """Return what a record of the control topic tells of a running shard; ``None`` where it is none of those."""
    key = message.key()
    if key is None or message.value() is not None:
        return None
    said = next((value for name, value in message.headers() or () if name == _HEADER), None)
    if said is None:
        return None
    try:
        progress = ShardProgress.model_validate_json(said)
    except ValidationError:
        return None
    return progress if progress.key().encode() == key else None


class ProgressTeller:
    """Tells of one attempt while it runs, about once a second. Use it as a context manager around the sending.

    It is for who goes without a lease: where one is renewed, the same is told with it.

    Cheap and harmless: a call hands over one small record at most and waits for nothing, except that the last one, on
    leaving, has a fifth of a second to get out. What cannot be told is dropped.

    :param announced: the manifest that the attempt was announced with.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self, kafka: KafkaSettings, announced: Manifest, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kafka = kafka
        self._announced = announced
        self._clock = clock
        self._told = clock()
        self._newest: Figures | None = None
        self._producer: Any = None
        self._given_up = False

    def tell(self, *, generated: int, acknowledged: int, failed: int) -> None:
        """Take the newest figures, and tell them if the last time is a second ago."""
        self._newest = Figures(generated, acknowledged, failed)
        now = self._clock()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            self._send(ended=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Tell the last figures, if any were told before: who saw the shard run sees how it ended."""
        if self._producer is None:
            return
        self._send(ended=True)
        if self._producer.flush(_LAST_WORD_S):
            self._producer.purge()
        self._producer, self._given_up = None, True

    def _send(self, *, ended: bool) -> None:
        if self._newest is None or self._given_up:
            return
        progress = self._newest.of(self._announced, ended=ended)
        try:
            if self._producer is None:
                self._producer = self._open()
            self._producer.produce(
                control_topic_of(self._announced.topic),
                None,
                progress.key().encode(),
                headers=[progress.header()],
            )
            self._producer.poll(0)
        except BufferError:
            log.debug("progress is not told: the last ones wait still")
        except (KafkaException, StreamproofError) as error:
            log.info("progress is not told: %s", error)
            self._given_up = True

    def _open(self) -> Any:
        watch = BrokerWatch(self._kafka)
        settings = self._kafka.as_librdkafka(
            acks="1", linger_ms=0, message_timeout_ms=_TIMEOUT_MS, queue_buffering_max_messages=_QUEUE
        )
        return Producer(settings | watch.settings())

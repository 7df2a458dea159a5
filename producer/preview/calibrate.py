"""How fast this machine makes, encodes and hands over events of a scenario, without a broker.

The sink is the mock broker inside librdkafka: it takes records through a local connection, as a broker would, and
keeps none of them. So the whole path of ``produce`` runs, compression and reports included; what is left out is the
network and the disk of a real broker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cluster.settings.kafka import KafkaSettings
from producer.resume.resume import Landed
from producer.scenarios import EventStream, Identity
from producer.send.delivery import Delivery
from producer.send.meter import Due
from producer.send.supply import Part, Supply, identified
from schemas.formats import RowEncoder
from schemas.formats import identity as identity_in

SECONDS = 1.0
_RUN = "calibration"
_SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Events a second of one process."""

    generated_per_s: float
    encoded_per_s: float
    delivered_per_s: float

    def document(self) -> dict[str, Any]:
        """Return what ``preview --json`` prints."""
        return asdict(self)


class _NullSink(KafkaSettings):
    """Settings that lead to librdkafka's mock broker."""

    def as_librdkafka(self, **extra: Any) -> dict[str, Any]:
        return super().as_librdkafka(**extra) | {"test.mock.num.brokers": 1, "log_level": 0}


def calibrate(
    stream: EventStream, encoder: RowEncoder, *, key: str | None, identity: Identity, seconds: float = SECONDS
) -> Calibration:
    """Run the path of ``produce`` into a null sink for about ``seconds``, its two first steps apart before.

    :param stream: a shard of its own; its first block is made before the clock starts.
    """
    blocks, began = [stream.block(0)], time.perf_counter()
    while len(blocks) == 1 or time.perf_counter() - began < seconds / 4:
        blocks.append(stream.block(len(blocks)))
    generate_s = time.perf_counter() - began
    generated = sum(map(len, blocks[1:]))

    encoded, began = 0, time.perf_counter()
    for number, block in enumerate(blocks):
        first = number * stream.block_events
        rows = min(len(block), 8192)
        numbers = np.arange(first, first + rows, dtype=np.int64)
        encoder.encode(identified(block.slice(0, rows), encoder, _RUN, 0, numbers, identity=identity))
        encoded += rows
        if time.perf_counter() - began > seconds / 4:
            break
    encode_s = time.perf_counter() - began

    return Calibration(
        generated_per_s=round(generated / generate_s),
        encoded_per_s=round(encoded / encode_s),
        delivered_per_s=round(_delivered_per_s(stream, encoder, key=key, identity=identity, seconds=seconds)),
    )


def _delivered_per_s(
    stream: EventStream, encoder: RowEncoder, *, key: str | None, identity: Identity, seconds: float
) -> float:
    """Send until ``seconds`` are over; the first part, with the opening of connections, is not counted."""
    clock = time.perf_counter
    sink = _NullSink(bootstrap_servers="127.0.0.1:1")
    delivery = Delivery(sink, "calibration", timeout_s=10, identity_of=identity_in, clock=clock)
    began, before = 0.0, 0
    with Supply(
        stream, encoder, run_id=_RUN, shard=0, key=key, end=stream.limit, landed=Landed.nothing(), identity=identity
    ) as supply:
        for part in supply:
            _send(delivery, part, clock)
            if not before:
                _settle(delivery, clock)
                began, before = clock(), delivery.acknowledged
            if clock() - began > seconds:
                break
    sent_s = clock() - began
    _settle(delivery, clock)
    # Reports lag behind by what lingers; what was handed over in time and arrived counts.
    return (delivery.acknowledged - before) / max(sent_s, 1e-9)


def _send(delivery: Delivery, part: Part, clock: Callable[[], float]) -> None:
    place = 0
    while place < len(part.values):
        now = clock()
        place += delivery.send(
            part.sequences[place:],
            part.keys[place:],
            part.values[place:],
            Due(now, now, len(part.values) - place),
            ids=None if part.ids is None else part.ids[place:],
        )
        delivery.poll(0.0)


def _settle(delivery: Delivery, clock: Callable[[], float]) -> None:
    until = clock() + _SETTLE_S
    delivery.settle(lambda: until - clock())

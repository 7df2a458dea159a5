"""What a run would send, without a broker: sample events, the mix, sizes, and how keys spread over partitions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cluster.errors import Misconfigured
from producer.arrays import plain
from producer.partitions import partition_of
from producer.scenarios import find_scenario
from producer.supply import identified
from schemas.codec import Encoder
from schemas.contract import load_contract

MAX_EVENTS = 1_000_000
_PREVIEW_RUN = "preview"
_PERCENTILES = (1, 50, 90, 99)


@dataclass(frozen=True, slots=True)
class Preview:
    """Figures of the first events of a run. ``value_bytes`` counts the whole framed value.

    ``partition_shares`` is the share of events that each partition would get; ``busiest_key_share`` that of one key.
    """

    scenario: str
    seed: int
    events: int
    schema_version: int
    mix: dict[str, float]
    value_bytes: dict[str, float]
    keys: int
    busiest_key_share: float
    partition_shares: list[float]
    event_time: tuple[str, str]
    samples: list[dict[str, Any]]

    def document(self) -> dict[str, Any]:
        """Return what ``preview --json`` prints."""
        return asdict(self)


def preview(
    scenario: str = "customer_events",
    *,
    events: int = 10_000,
    seed: int = 1,
    partitions: int = 3,
    schema_version: int | None = None,
    now: dt.datetime | None = None,
) -> Preview:
    """Generate and encode ``events`` events as shard 0 of a run would, and describe them.

    :param now: when the run would start; event time ends there.
    :raises Misconfigured: unknown scenario, or numbers out of range.
    """
    if not 1 <= events <= MAX_EVENTS:
        raise Misconfigured(f"events is {events}, a preview takes 1 to {MAX_EVENTS:,}")
    if partitions < 1:
        raise Misconfigured(f"partitions is {partitions}, it must be 1 or more")
    chosen = find_scenario(scenario)
    contract = load_contract(chosen.contract)
    schema = contract.version(schema_version or contract.active)
    encoder = Encoder(schema.text, 0)
    started_at = now or dt.datetime.now(dt.UTC)
    stream = chosen.open(seed, 0, chosen.settings(events, int(started_at.timestamp() * 1000)))

    mix: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    sizes: list[Any] = []
    samples: dict[str, dict[str, Any]] = {}
    times: list[Any] = []
    for first in range(0, events, stream.block_events):
        block = stream.block(first // stream.block_events)
        block = block.slice(0, min(len(block), events - first))
        sequences = np.arange(first, first + len(block), dtype=np.int64)
        whole = identified(block, encoder, _PREVIEW_RUN, 0, sequences)
        sizes.append(np.diff(np.frombuffer(_offsets(encoder.encode(whole)), dtype=np.int32)))
        types = plain(block.column("event_type"))
        mix.update(types)
        keys.update(plain(block.column(chosen.key)))
        times += [block.column("timestamp")[0].as_py(), block.column("timestamp")[-1].as_py()]
        for name in set(types) - set(samples):
            # One from the middle, where sessions are well under way.
            places = [place for place, kind in enumerate(types) if kind == name]
            samples[name] = _readable(whole.slice(places[len(places) // 2], 1).to_pylist()[0])
    lengths = np.concatenate(sizes)
    loads = np.zeros(partitions)
    for key, number in keys.items():
        loads[partition_of(key.encode(), partitions)] += number
    return Preview(
        scenario=chosen.name,
        seed=seed,
        events=events,
        schema_version=schema.version,
        mix={name: round(number / events, 4) for name, number in mix.most_common()},
        value_bytes={"mean": round(float(lengths.mean()), 1)}
        | {f"p{q}": float(np.percentile(lengths, q)) for q in _PERCENTILES}
        | {"max": float(lengths.max())},
        keys=len(keys),
        busiest_key_share=round(max(keys.values()) / events, 6),
        partition_shares=[round(float(load / events), 4) for load in loads],
        event_time=(_utc(min(times)), _utc(max(times))),
        samples=[samples[name] for name, _ in mix.most_common()],
    )


def _offsets(values: pa.BinaryArray) -> memoryview:
    buffer = values.buffers()[1]
    if buffer is None:
        raise RuntimeError("a column of values has no offsets")
    return memoryview(buffer)[values.offset * 4 : (values.offset + len(values) + 1) * 4]


def _readable(value: Any) -> Any:
    """Return a row with dates and times as ISO 8601."""
    if isinstance(value, dict):
        return {name: _readable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_readable(part) for part in value]
    if isinstance(value, dt.datetime):
        return _utc(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def _utc(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=dt.UTC).isoformat(timespec="milliseconds")

"""What a run would send, without a broker: sample events, the mix, sizes, and how keys spread over partitions."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured
from cluster.text.names import DEFAULT_NAME
from producer.preview.calibrate import Calibration, calibrate
from producer.preview.partitions import partition_of
from producer.scenarios import Asked, contract_of, find_scenario
from producer.scenarios.foreign import blaming
from producer.scenarios.options import filled, fitted
from producer.send.event_log import readable
from producer.send.supply import identified, keys_of, with_later_columns
from producer.toolkit.arrays import plain
from schemas.formats import value_format
from schemas.registry.history import told_of_contract

MAX_EVENTS = 1_000_000
_PREVIEW_RUN = "preview"
_PERCENTILES = (1, 50, 90, 99)
_MAX_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Preview:
    """Figures of the first events of a run. ``value_bytes`` counts the whole framed value.

    ``limit`` is where a shard ends at the latest, such as where an option says so; ``remarks`` are what a table makes
    of the schema otherwise than it is written, and what the scenario leaves out; ``calibration`` is what this machine
    reaches, if that was asked for.

    ``event_time`` is from the earliest to the latest event; events that come late are counted as all others.

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
    event_time: tuple[str, str] | None
    samples: list[dict[str, Any]]
    limit: int
    remarks: list[str]
    calibration: Calibration | None

    def document(self) -> dict[str, Any]:
        """Return what ``preview --json`` prints."""
        return asdict(self)


def preview(
    scenario: str = DEFAULT_NAME,
    *,
    events: int = 10_000,
    seed: int = 1,
    partitions: int = 3,
    schema_version: int | None = None,
    now: dt.datetime | None = None,
    rate: float = 0.0,
    options: Mapping[str, object] | None = None,
    registry: RegistrySettings | None = None,
    calibrating: bool = False,
) -> Preview:
    """Generate and encode ``events`` events as shard 0 of a run would, and describe them.

    :param now: when the run would start.
    :param rate: events a second that the run would send, on which some options depend.
    :param options: what only this scenario may be asked for, as texts or in their types.
    :param registry: where a scenario that names a subject finds its schema.
    :param calibrating: measure what this machine reaches, for about two seconds.
    :raises Misconfigured: unknown scenario, an option that it does not take, or numbers out of range.
    """
    if not 1 <= events <= MAX_EVENTS:
        raise Misconfigured(f"events is {events}, a preview takes 1 to {MAX_EVENTS:,}")
    if partitions < 1:
        raise Misconfigured(f"partitions is {partitions}, it must be 1 or more")
    chosen = find_scenario(scenario, registry=registry)
    asked = fitted(chosen.options, options or {}, chosen.name)
    asking = Asked(rate=rate, options=filled(chosen.options, asked))
    chosen.prepare(asking)
    contract = contract_of(chosen)
    schema = contract.version(schema_version or contract.active)
    encoder = value_format(chosen.format).encoder(schema.text, 0)
    started_at = now or dt.datetime.now(dt.UTC)
    started_at_ms = int(started_at.timestamp() * 1000)
    stream = chosen.open(seed, 0, chosen.settings(events, started_at_ms, asking))
    events = min(events, stream.limit)
    if not events:
        raise Misconfigured(f"{chosen.name} has no event: there is nothing to show")

    mix: Counter[str] = Counter()
    keys: Counter[bytes | None] = Counter()
    sizes: list[Any] = []
    samples: dict[str, dict[str, Any]] = {}
    times: list[dt.datetime] = []
    with blaming(stream):
        for first in range(0, events, stream.block_events):
            block = with_later_columns(stream, first // stream.block_events, set(encoder.arrow_schema.names))
            block = block.slice(0, min(len(block), events - first))
            sequences = np.arange(first, first + len(block), dtype=np.int64)
            whole = identified(block, encoder, _PREVIEW_RUN, 0, sequences, identity=chosen.identity)
            sizes.append(np.diff(np.frombuffer(_offsets(encoder.encode(whole)), dtype=np.int32)))
            types = _kinds(block, chosen.mix)
            mix.update(types)
            keys.update(keys_of(block.column(chosen.key)) if chosen.key else [None] * len(block))
            if chosen.event_time:
                times += _earliest_and_latest(block.column(chosen.event_time), chosen.event_time)
            for name in [kind for kind, _ in Counter(types).most_common(_MAX_SAMPLES) if kind not in samples]:
                # One from the middle, where sessions are well under way.
                places = [place for place, kind in enumerate(types) if kind == name]
                samples[name] = _readable(whole.slice(places[len(places) // 2], 1).to_pylist()[0])
    # Of a run of any length: blocks are smaller where few events are planned.
    endless = chosen.open(seed, 0, chosen.settings(None, started_at_ms, asking)) if calibrating else None
    lengths = np.concatenate(sizes)
    loads = np.zeros(partitions)
    for key, number in keys.items():
        if key is None:  # a record without a key goes anywhere
            loads += number / partitions
        else:
            loads[partition_of(key, partitions)] += number
    return Preview(
        scenario=chosen.name,
        seed=seed,
        events=events,
        schema_version=schema.version,
        mix={name: round(number / events, 4) for name, number in mix.most_common()},
        value_bytes={"mean": round(float(lengths.mean()), 1)}
        | {f"p{q}": float(np.percentile(lengths, q)) for q in _PERCENTILES}
        | {"max": float(lengths.max())},
        keys=len(keys.keys() - {None}),
        busiest_key_share=round(max((n for key, n in keys.items() if key is not None), default=0) / events, 6),
        partition_shares=[round(float(load / events), 4) for load in loads],
        event_time=(_utc(min(times)), _utc(max(times))) if times else None,
        samples=[samples[name] for name, _ in mix.most_common() if name in samples],
        limit=stream.limit,
        remarks=[*told_of_contract(contract, schema.version), *chosen.remarks],
        calibration=calibrate(endless, encoder, key=chosen.key, identity=chosen.identity) if endless else None,
    )


def _kinds(block: pa.RecordBatch, column: str | None) -> list[str]:
    """Return what kind of event each row is; an empty text is shown as such."""
    if column is None:
        return ["event"] * len(block)
    return [str(kind) if kind != "" else '""' for kind in plain(block.column(column))]


def _offsets(values: pa.BinaryArray) -> memoryview:
    buffer = values.buffers()[1]
    if buffer is None:
        raise RuntimeError("a column of values has no offsets")
    return memoryview(buffer)[values.offset * 4 : (values.offset + len(values) + 1) * 4]


def _readable(value: Any) -> Any:
    """Return a row with dates and times as ISO 8601."""
    if isinstance(value, dict):
        return {name: _readable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(part) for part in value]
    if isinstance(value, dt.datetime):
        return _utc(value)
    return value if isinstance(value, str | int | float | None) else readable(value)


def _earliest_and_latest(column: Any, name: str) -> list[dt.datetime]:
    """Return the range of a column of times, or nothing where all are null.

    Times are timestamps, dates, a ``long`` of milliseconds, an ``int`` of seconds, or text (ISO 8601).

    :raises Misconfigured: it holds something else.
    """
    try:
        found: Any = pc.min_max(column).as_py()
        unit = 1000 if column.type == pa.int64() else 1
        return [_moment(found[end], unit) for end in ("min", "max") if found[end] is not None]
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        raise Misconfigured(
            f"the field {name} is said to be the event's time, and holds {_no_times(column)}",
            hint="Let event_time name a timestamp, or a text of the form 2026-01-31T12:00:00Z",
        ) from None


def _no_times(column: Any) -> str:
    if not pa.types.is_integer(column.type):
        return "no times"
    found: Any = pc.min_max(column).as_py()
    unit = "milliseconds" if column.type == pa.int64() else "seconds"
    return f"{found['min']:,} to {found['max']:,}, which are no {unit} of the years 1 to 9999"


def _moment(value: Any, unit: int) -> dt.datetime:
    """Return one time in UTC; a number is divided by ``unit`` for seconds."""
    if isinstance(value, dt.datetime):
        moment = value
    elif isinstance(value, dt.date):
        moment = dt.datetime.combine(value, dt.time())
    elif isinstance(value, str):
        moment = dt.datetime.fromisoformat(re.sub("UTC$", "Z", value))
    else:
        moment = dt.datetime.fromtimestamp(value / unit, dt.UTC)
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _utc(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=dt.UTC).isoformat(timespec="milliseconds")

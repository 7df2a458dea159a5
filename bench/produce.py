"""Each scenario by itself: generated, encoded, delivered by one process and by two; then against Kafka's own tool.

Delivering starts the clock when the first event is about to be sent, as `ProducerPerformance` does: starting up is
measured by ``start.py``. Two shards send twice the events, and are measured while both of them send.
Every figure is the better of two rounds, taken in turn with what it is compared to.
"""

from __future__ import annotations

import os
import time
from typing import Any

from bench.cases import CASES, CUSTOMER_EVENTS, RUN_ID, Case, first_block, never, ready_topic, value_bytes
from bench.performance_tool import Payload, performance_tool, random_letters, same_records
from bench.rows import compared, row
from cluster.connection import Connection
from producer import Progress, produce_run
from producer.resume.resume import Landed
from producer.send.supply import Supply
from producer.toolkit.arrays import plain

ROUNDS = 2
RANDOM_LETTERS_GOAL, SAME_RECORDS_GOAL, TWO_SHARDS_GOAL = 1.0, 0.8, 1.0
_SLICE_ROWS = 8192


def run(connection: Connection, events: int) -> list[dict[str, Any]]:
    """Measure every case, and `customer_events` against ``ProducerPerformance``."""
    rows = []
    for case in CASES:
        rows += _by_itself(connection, case, events)
    return [*rows, *_against_the_tool(connection, events)]


def _by_itself(connection: Connection, case: Case, events: int) -> list[dict[str, Any]]:
    """What one process makes, encodes and delivers; and two shards against one."""
    one, two = [], []
    for _ in range(ROUNDS):
        one.append(delivered(connection, case, events))
        two.append(delivered(connection, case, 2 * events, shards=2))
    generate, encode, supply = generated(case, events), encoded(case, events), supplied(case, events)
    return [
        compared(f"{case.name}: delivered by one process", one, "generating alone", [generate], goal=None),
        compared(f"{case.name}: delivered by one process", one, "encoding alone", [encode], goal=None),
        compared(f"{case.name}: delivered by one process", one, "generating and encoding", [supply], goal=None),
        compared(f"{case.name}: delivered by two processes", two, "one process", one, goal=TWO_SHARDS_GOAL),
    ]


def _against_the_tool(connection: Connection, events: int) -> list[dict[str, Any]]:
    ours: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {"letters": [], "records": []}
    records = same_records(CUSTOMER_EVENTS)
    payloads: dict[str, Payload] = {"letters": random_letters(records.size), "records": records}
    for _ in range(ROUNDS):
        ours.append(delivered(connection, CUSTOMER_EVENTS, events))
        for name, payload in payloads.items():
            with ready_topic(connection, CUSTOMER_EVENTS) as topic:
                theirs[name].append(performance_tool(connection, topic, events, payload))
    path, tool = "customer_events: delivered by one process", "ProducerPerformance"
    return [
        compared(path, ours, f"{tool}, random letters", theirs["letters"], goal=RANDOM_LETTERS_GOAL),
        compared(path, ours, f"{tool}, the same records from a file", theirs["records"], goal=SAME_RECORDS_GOAL),
    ]


def generated(case: Case, events: int) -> dict[str, Any]:
    """Columns only: no ids, no Avro. Its megabytes are those of the values that the columns become."""
    stream = case.stream(events)
    started, cpu = time.perf_counter(), time.process_time()
    made = sum(len(stream.block(number)) for number in range(-(-events // stream.block_events)))
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return row("generate", made, seconds, cpu_s, value_bytes=value_bytes(case))


def encoded(case: Case, events: int) -> dict[str, Any]:
    """Framed Avro values of columns that are ready."""
    encoder, batch = case.encoder(), first_block(case, events)
    rounds = max(1, events // len(batch))
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for first in range(0, len(batch), _SLICE_ROWS):
            plain(encoder.encode(batch.slice(first, _SLICE_ROWS)))
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return row("encode", rounds * len(batch), seconds, cpu_s, value_bytes=value_bytes(case))


def supplied(case: Case, events: int) -> dict[str, Any]:
    """Generate and encode as `produce` does, and send nothing."""
    stream, encoder, scenario = case.stream(events), case.encoder(), case.scenario
    started, cpu = time.perf_counter(), time.process_time()
    with Supply(
        stream,
        encoder,
        run_id=RUN_ID,
        shard=0,
        key=scenario.key,
        end=events,
        landed=Landed.nothing(),
        identity=scenario.identity,
    ) as supply:
        made = sum(len(part.values) for part in supply)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return row("generate and encode", made, seconds, cpu_s, value_bytes=value_bytes(case))


def delivered(connection: Connection, case: Case, events: int, *, shards: int = 1) -> dict[str, Any]:
    """Generate, encode and deliver; measured while all shards send: from the last to begin to the first to end."""
    together = _Together(shards)
    with ready_topic(connection, case) as topic:
        cpu = _processor_s()
        result = produce_run(
            connection,
            case.request(topic, events, shards=shards),
            shards=tuple(range(shards)),
            stop=never(),
            progress=together,
        )
        cpu_s = _processor_s() - cpu
    if result.error is not None:
        raise result.error
    measured = row(f"deliver, {shards} processes", together.events, together.seconds, value_bytes=value_bytes(case))
    # With starting up, which is done once.
    return measured | {"cpu_us_per_event": round(cpu_s / events * 1e6, 2), "run_seconds": round(result.seconds, 3)}


class _Together:
    """Acknowledged events between the first progress of the last shard and the last progress of the first."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._latest: dict[int, int] = {}
        self._began: tuple[float, int] | None = None
        self._ended: tuple[float, int] | None = None

    def __call__(self, progress: Progress) -> None:
        self._latest[progress.shard] = progress.acknowledged
        now = (time.perf_counter(), sum(self._latest.values()))
        if self._began is None and len(self._latest) == self._shards:
            self._began = now
        if self._ended is None and progress.acknowledged == progress.target:
            self._ended = now

    @property
    def seconds(self) -> float:
        """How long all of them sent."""
        (began, _), (ended, _) = self._bounds()
        return ended - began

    @property
    def events(self) -> int:
        """How many events were acknowledged meanwhile."""
        (_, before), (_, after) = self._bounds()
        return after - before

    def _bounds(self) -> tuple[tuple[float, int], tuple[float, int]]:
        if self._began is None or self._ended is None or self._began >= self._ended:
            raise RuntimeError("the shards did not send at the same time; measure more events")
        return self._began, self._ended


def _processor_s() -> float:
    """Return the processor's seconds of this process and of its children that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system

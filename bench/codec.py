"""What a decimal and a union cost the codec: orders that have them against orders without, written and read."""

from __future__ import annotations

import time
from typing import Any

from bench.cases import ORDERS, ORDERS_OF_ALL_KINDS, Case, first_block, value_bytes
from bench.produce import ROUNDS, encoded
from bench.rows import compared, row
from producer.toolkit.arrays import plain
from schemas.formats.avro.codec import Decoder
from schemas.formats.frame import HEADER_BYTES

GOAL = 0.2  # at most five times as slow


def run(events: int) -> list[dict[str, Any]]:
    """Measure both directions; a broker is not needed."""
    rows = []
    for name, measure in (("encoded", encoded), ("decoded", decoded)):
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(measure(ORDERS_OF_ALL_KINDS, events))
            theirs.append(measure(ORDERS, events))
        rows.append(compared(f"{ORDERS_OF_ALL_KINDS.name}: {name}", ours, "orders without", theirs, goal=GOAL))
    return rows


def decoded(case: Case, events: int) -> dict[str, Any]:
    """Typed columns of payloads that are ready."""
    values = [value[HEADER_BYTES:] for value in plain(case.encoder().encode(first_block(case, events)))]
    decoder = Decoder(case.schema)
    rounds = max(1, events // len(values))
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        decoder.decode(values)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return row("decode", rounds * len(values), seconds, cpu_s, value_bytes=value_bytes(case))

"""Places of a warehouse that are drawn at random for a hand edit, under the names that the table of edits uses."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from schemas.identity import event_id

PLAIN, FAULTED = "plain", "faulted"
EVENTS, SHARDS = 1_200, 2

_EVENTS = """
    SELECT _partition, _offset, event_id, _batch, _schema_id, event_type, len(actions), event_shard(event_id), _key
    FROM events WHERE event_run(event_id) = ? ORDER BY _partition, _offset
"""


@lru_cache
def draw(warehouse: Path, run: str, seed: int) -> dict[str, Any]:
    """Return places of a run, by name.

    ``event``, ``other`` (of the same partition, with another key), ``play``, ``browse``, ``acted``, and ``first`` and
    ``second`` (of the first and second version of the schema) are conditions on ``events``; with ``_id`` behind the
    name they are identities. ``held`` and ``void`` are conditions on ``quarantine`` and ``tombstones``, ``batch`` on
    ``load_batches``; ``p`` and ``o`` are partition and offset of ``event``.
    """
    dice = random.Random(f"{run}-{seed}")
    with duckdb.connect(str(warehouse), read_only=True) as file:
        ((prefix,),) = file.execute(
            "SELECT any_value(event_run(event_id)) FROM events WHERE event_id = ?", [event_id(run, 0, 0)]
        ).fetchall()
        rows = file.execute(_EVENTS, [prefix]).fetchall()
        held = file.execute("SELECT _partition, _offset FROM quarantine ORDER BY ALL").fetchall()
        void = file.execute("SELECT _partition, _offset FROM tombstones ORDER BY ALL").fetchall()
        batches = file.execute(
            "SELECT batch, partition, events FROM load_batches WHERE events > 0 ORDER BY ALL"
        ).fetchall()
        schemas = [row[0] for row in file.execute("SELECT schema_id FROM schema_versions ORDER BY version").fetchall()]
        dropped = file.execute(
            "SELECT shard, first FROM manifest_faults WHERE kind = 'dropped' ORDER BY ALL"
        ).fetchall()
    event = dice.choice(rows)
    chosen = {
        "event": event,
        "other": dice.choice(
            [r for r in rows if r[0] == event[0] and r[8] != event[8] and r[4] == event[4] and r[3] == event[3]]
        ),
        "play": dice.choice([row for row in rows if row[5] == "content_play"]),
        "browse": dice.choice([row for row in rows if row[5] == "browse"]),
        "acted": dice.choice([row for row in rows if row[6] > 1]),
        "first": dice.choice([row for row in rows if row[4] == schemas[0]]),
        "second": dice.choice([row for row in rows if row[4] == schemas[-1]] or rows),
    }
    found: dict[str, Any] = {}
    for name, row in chosen.items():
        found |= {name: f"(_partition = {row[0]} AND _offset = {row[1]})", f"{name}_id": row[2]}
    shard = dice.randrange(SHARDS)
    batch, batch_partition, _ = dice.choice(batches)
    held_at, void_at, dropped_at = dice.choice(held), dice.choice(void), dice.choice(dropped)
    return found | {
        "id": event[2],
        "p": event[0],
        "o": event[1],
        "q": (event[0] + 1) % 3,
        "event_batch": event[3],
        "shard": shard,
        "run": run,
        "last_id": max(row[2] for row in rows if row[7] == shard),
        "unsent_id": event_id(run, shard, EVENTS + dice.randrange(1000)),
        "dropped_id": event_id(run, *dropped_at),
        "first_schema": schemas[0],
        "second_schema": schemas[-1],
        "held": f"(_partition = {held_at[0]} AND _offset = {held_at[1]})",
        "held_p": held_at[0],
        "held_o": held_at[1],
        "void": f"(_partition = {void_at[0]} AND _offset = {void_at[1]})",
        "void_p": void_at[0],
        "void_o": void_at[1],
        "batch": f"(batch = {batch} AND partition = {batch_partition})",
        "batch_number": batch,
        "batch_p": batch_partition,
    }  # fmt: skip

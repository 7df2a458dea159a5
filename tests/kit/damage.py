"""What a pipeline may do to the rows that it stores: each kind, at random places, and what a proof has to find then."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.identity import event_id

Rows = list[dict[str, Any]]
# The ids that each class of damage has to name.
Found = dict[str, set[str]]


@dataclass(frozen=True)
class Run:
    """A run whose rows are damaged; ``changes`` gives for each column what makes another value of one."""

    run_id: str
    shards: int
    per_shard: int
    changes: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


def lose(_: Run, rows: Rows, dice: random.Random) -> Found:
    """Lose some rows."""
    return {"lost": {rows.pop(dice.randrange(len(rows)))["event_id"] for _ in range(dice.randint(1, 10))}}


def double(_: Run, rows: Rows, dice: random.Random) -> Found:
    """Store some rows twice."""
    chosen = dice.sample(rows, dice.randint(1, 5))
    for row in chosen:
        rows.insert(dice.randrange(len(rows)), dict(row))
    return {"duplicated": {row["event_id"] for row in chosen}}


def alter_a_column(run: Run, rows: Rows, dice: random.Random) -> Found:
    """Give some rows another value in one column."""
    column = dice.choice(list(run.changes))
    chosen = dice.sample(rows, dice.randint(1, 10))
    for row in chosen:
        row[column] = run.changes[column](row[column])
    return {"altered": {row["event_id"] for row in chosen}}


def exchange(run: Run, rows: Rows, dice: random.Random) -> Found:
    """Exchange a value of two rows that have different ones."""
    column = dice.choice(list(run.changes))
    one = dice.choice(rows)
    other = dice.choice([row for row in rows if row[column] != one[column]])
    one[column], other[column] = other[column], one[column]
    return {"altered": {one["event_id"], other["event_id"]}}


def insert_a_foreign_one(_: Run, rows: Rows, dice: random.Random) -> Found:
    """Store a row of another run."""
    other = event_id("another/run", 0, dice.randrange(1_000))
    rows.insert(dice.randrange(len(rows)), dict(dice.choice(rows)) | {"event_id": other})
    return {}


def insert_one_that_was_never_sent(run: Run, rows: Rows, dice: random.Random) -> Found:
    """Store a row with an id of the run that it never gave."""
    made_up = event_id(run.run_id, dice.randrange(run.shards), run.per_shard + dice.randrange(1_000))
    rows.append(dict(dice.choice(rows)) | {"event_id": made_up})
    return {"phantom": {made_up}}


def lose_a_tail(run: Run, rows: Rows, dice: random.Random) -> Found:
    """Lose the last events of a shard."""
    shard, left = dice.randrange(run.shards), dice.randint(1, 10)
    gone = {event_id(run.run_id, shard, run.per_shard - 1 - n) for n in range(left)}
    rows[:] = [row for row in rows if row["event_id"] not in gone]
    return {"lost": gone}


Damage = Callable[[Run, Rows, random.Random], Found]
KINDS: tuple[Damage, ...] = (
    lose,
    double,
    alter_a_column,
    exchange,
    insert_a_foreign_one,
    insert_one_that_was_never_sent,
    lose_a_tail,
)

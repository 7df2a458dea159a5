"""How deep the tests look: ``make test`` keeps every promise, ``make test-deep`` repeats what is left to chance.

The one place of these numbers. ``TEST_DEPTH`` is ``ordinary``, the default, or ``deep``; it does not begin as the
settings of the product do, as commands refuse one of those that they do not know.
"""

from __future__ import annotations

import os

VARIABLE = "TEST_DEPTH"
_ASKED = os.environ.get(VARIABLE, "ordinary")
if _ASKED not in {"ordinary", "deep"}:
    raise ValueError(f"{VARIABLE} is {_ASKED!r}: it must be ordinary or deep")

DEEP = _ASKED == "deep"

# Kills of a loader, and of a producer, at random moments. The ordinary tests kill a loader at each step of its
# protocol too (test_kill_points.py).
LOADER_KILLS = 20 if DEEP else 3
PRODUCER_KILLS = 20 if DEEP else 3
# How often a shard changes machines at a random moment, in each of the ways in which it may.
TAKEOVERS = 20 if DEEP else 1
# Kills of a counter.
COUNTER_KILLS = 20 if DEEP else 2
# Kills and freezes of members of consumer groups; the ordinary tests have one of each.
MEMBER_KILLS = 20 if DEEP else 0
# Kills of a loader that follows a topic.
FOLLOWER_KILLS = 20 if DEEP else 2
# Where a job of a lake is killed, one after the other: a point and a batch; "!" loses the checkpoint first.
_LAKE_KILLS = (
    "planned:0", "written:0", "half-moved:0", "moved:0", "listed:0", "half-moved:1", "listed:1", "half-begun",
    "moved:2", "written:2!", "listed:2", "moved:3!", "half-moved:3", "planned:3", "written:3", "listed:3",
)  # fmt: skip
LAKE_KILLS = _LAKE_KILLS[: 16 if DEEP else 10]
# Steps of a job of a Hive table at which it is killed, one run after the other.
HIVE_KILLS = ("computed", "written", "noted") * 4 if DEEP else ("written",)
# Kills in the middle of a load shape, before the attempt that ends it.
SHAPE_KILLS = 3 if DEEP else 2
# Sizes of a disk on which a new warehouse does not fit, kB.
FULL_DISKS_KB = (32, 64, 128, 256, 512) if DEEP else (64, 256)
# Every how many of the public shapes of schemas goes the whole way, and how many schemas that nobody thought of.
SHAPE_STRIDE = 1 if DEEP else 6
WHOLE_WAYS = 100 if DEEP else 4
# Examples of hypothesis.
_EXAMPLES = 300
# At how many random places a kind of hand edit is tried; and which of the kinds are, beside one for each column.
EDIT_PLACES = 5 if DEEP else 1
EDIT_STRIDE = 1 if DEEP else 12
# Under how many orders of hashes a load and an audit must say the same.
HASH_SEEDS = 20 if DEEP else 2

# Seeds whose events are held against every rule of their scenario.
SCENARIO_SEEDS = range(1, 41 if DEEP else 4)

# How often each kind of damage is done to what a pipeline stored: to rows alone, and in every kind of place.
DAMAGE_SEEDS = 50 if DEEP else 4
DAMAGE_SEEDS_IN_PLACES = 50 if DEEP else 1


def examples(ordinary: int) -> int:
    """Return how many examples hypothesis tries of a property: so many, and at depth as many as of every other one."""
    return _EXAMPLES if DEEP else ordinary

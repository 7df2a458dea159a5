"""What may be asked of the visitors."""

from __future__ import annotations

from producer.scenarios.options import Option

OPTIONS = (
    Option(
        "users",
        int,
        "End after this many user sessions, over all shards.",
        title="User sessions",
        least=1,
        most=1_000_000_000,
        flag="--users",
        formerly=("--numberOfUsers", "-nou"),
        over_shards=True,
        ends_run=True,
    ),
    Option(
        "no_delay",
        bool,
        "Leave out the time between the events of a session.",
        title="No delay",
        flag="--no-delay",
        formerly=("--noDelay", "-nd"),
        unpaced=True,
    ),
)

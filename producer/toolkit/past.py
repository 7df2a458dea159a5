"""Where event time begins: at the run's own start, or so far back that it ends there."""

from __future__ import annotations

from cluster.errors import Misconfigured


def begins_at_ms(name: str, started_at_ms: int, planned: int | None, *, most: int, step_ms: int, live: bool) -> int:
    """Return when event time begins, milliseconds since 1970.

    Of a live run, event time is the time of sending. Of any other it ends when the run starts, so that nothing is dated
    later than it is sent; a run without a known number of events begins as far back as a shard can hold.

    :param name: of the scenario, for the error.
    :param planned: events of the shard.
    :param most: events that a shard can hold.
    :param step_ms: event time between two events.
    :raises Misconfigured: more events are planned than a shard can hold.
    """
    if planned is not None and planned > most:
        raise Misconfigured(
            f"a shard of {name} holds at most {most:,} events, {planned:,} were asked for",
            hint=f"Use at least {-(-planned // most)} times as many shards",
        )
    return started_at_ms - (0 if live else (most if planned is None else planned) * step_ms)

"""The figures of a report: each with what it shows in words, its drawing, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from consumer.report.facts import Facts, totals
from consumer.report.svg import Bar, bars, columns, compared, heatmap
from consumer.report.text import milliseconds, number, percent

_TABLE_ROWS = 600
_FEW_SECONDS = 5
_PERCENTILES = {
    "p50": "half of the events",
    "p90": "9 in 10",
    "p99": "99 in 100",
    "p99.9": "999 in 1,000",
    "max": "all",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``drawing`` is ``None`` where there is nothing to draw; ``lead`` then says why."""

    name: str
    title: str
    lead: str
    drawing: Markup | None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    key: tuple[str, str] | None = None


def rates(facts: Facts) -> Figure:
    """Intended and achieved events per second."""
    name, title = "rates", "Produced, events per second"
    windows = facts.rates
    if not windows:
        return Figure(name, title, "The manifests give no rates.", None)
    intended = sum(window[1] for window in windows)
    achieved = sum(window[2] for window in windows)
    line = [(second, aim) for second, aim, _ in windows] if intended else []
    lead = f"{number(achieved)} events in {number(len(windows))} s"
    lead += f"{_kept(facts)}." if intended else ", as fast as possible."
    ended = facts.outcome
    if ended.short and ended.asked:
        lead += f" It is {ended.share()} of the {number(ended.asked)} events asked for."
    skipped = sum(manifest.skipped for manifest in facts.manifests)
    if skipped:
        lead += f" {number(skipped)} were given up after a stall, as catch-up was to skip."
    gaps = [gap for manifest in facts.manifests for gap in manifest.rate_gaps]
    if gaps:
        events, span = sum(gap.events for gap in gaps), sum(gap.seconds for gap in gaps)
        during = f", about {number(span)} s," if span else ""
        lead += f" Not in it: {number(events)} events{during} of attempts that were killed; their rates are not known."
    return Figure(
        name,
        title,
        lead,
        columns(name, title, [(second, got) for second, _, got in windows], line=line, unit="/s"),
        ("second", "intended", "achieved"),
        [[number(value) for value in window] for window in windows[:_TABLE_ROWS]],
        key=("achieved", "intended") if line else None,
    )


def _kept(facts: Facts) -> str:
    """Return how much of the rate was kept: events acknowledged in time against events due, never against all."""
    if facts.rate is not None:
        return f": {facts.rate}"
    last = max(second for second, aim, _ in facts.rates if aim)
    due = sum(aim for _, aim, _ in facts.rates)
    in_time = sum(got for second, _, got in facts.rates if second <= last)
    return f", {percent(min(100.0, 100 * in_time / due), 2)} of what was due when it was due, by whole seconds"


def loaded(facts: Facts) -> Figure:
    """Events committed to the warehouse per second of the load, or per batch of a load that took few seconds."""
    name = "loaded"
    if not facts.loaded:
        return Figure(name, "Loaded", "No event of this run is loaded.", None)
    total = sum(row[1] for row in facts.loaded)
    span = int(facts.loaded[-1][0]) + 1
    if span < _FEW_SECONDS:
        title = "Loaded, by batch"
        rows = [Bar(f"batch {batch} at {at}", int(events), number(events)) for batch, events, at in facts.batches]
        lead = f"{number(total)} rows. Each batch is one transaction, of events and positions together."
        table = [[str(batch), str(at), number(events)] for batch, events, at in facts.batches]
        return Figure(name, title, lead, bars(name, title, rows), ("batch", "committed, UTC", "rows"), table)
    title = "Loaded, events per second"
    return Figure(
        name,
        title,
        f"{number(total)} rows committed within {number(span)} s. A batch counts in the second of its commit.",
        columns(name, title, [(second, int(events)) for second, events in facts.loaded], unit="/s"),
        ("second", "rows"),
        [[number(value) for value in row] for row in facts.loaded[:_TABLE_ROWS]],
    )


def delays(facts: Facts) -> Figure:
    """Percentiles of the publish delay: the worst shard's, as percentiles of shards cannot be added up."""
    name, title = "delays", "Publish delay"
    worst: dict[str, float] = {}
    for manifest in facts.manifests:
        for key, value in manifest.publish_delay_ms.items():
            worst[key] = max(worst.get(key, 0.0), value)
    order = [key for key in _PERCENTILES if key in worst] + sorted(set(worst) - set(_PERCENTILES))
    if not order:
        return Figure(name, title, "The manifests give no delays.", None)
    rows = [
        Bar(f"{key} · {_PERCENTILES[key]}" if key in _PERCENTILES else key, worst[key], milliseconds(worst[key]))
        for key in order
    ]
    return Figure(
        name,
        title,
        "From the moment an event was due to its acknowledgement by Kafka; the slowest shard."
        + (" Of a shard that was continued, only the last attempt." if any(m.resumed for m in facts.manifests) else ""),
        bars(name, title, rows),
        ("percentile", "milliseconds"),
        [[key, f"{worst[key]:,.3f}"] for key in order],
    )


def event_mix(facts: Facts) -> Figure:
    """Events by type."""
    name, title = "mix", "Event mix"
    if not facts.event_mix:
        return Figure(name, title, "The stored events have no type.", None)
    counts = totals(facts.event_mix, 0, 1)
    total = sum(count for _, count in counts) or 1
    rows = [Bar(kind, count, f"{percent(100 * count / total)}  ·  {number(count)}") for kind, count in counts]
    return Figure(
        name,
        title,
        f"{number(total)} stored events by type.",
        bars(name, title, rows, full=total),
        ("type", "events", "share"),
        [[kind, number(count), percent(100 * count / total, 2)] for kind, count in counts],
    )


def plays(facts: Facts) -> Figure:
    """Plays by genre and device."""
    name, title = "plays", "Plays by genre and device"
    if not facts.plays:
        return Figure(name, title, "The stored events have no plays.", None)
    genres = [genre for genre, _ in totals(facts.plays, 0, 2)]
    devices = [device for device, _ in totals(facts.plays, 1, 2, limit=6)]
    counts: dict[tuple[str, str], float] = {}
    for genre, device, count in facts.plays:
        row = str(genre) if str(genre) in genres else genres[-1]
        column = str(device) if str(device) in devices else devices[-1]
        counts[row, column] = counts.get((row, column), 0) + count
    (top_genre, top_device), most = max(counts.items(), key=lambda item: item[1])
    return Figure(
        name,
        title,
        f"{number(sum(counts.values()))} plays. Most on one device: {top_genre} on {top_device}, {number(most)}.",
        heatmap(name, title, genres, devices, counts),
        ("genre", *devices),
        [[genre, *(number(counts.get((genre, device), 0)) for device in devices)] for genre in genres],
    )


def buffering(facts: Facts) -> Figure:
    """Plays that stalled, by network."""
    name, title = "buffering", "Buffering by network"
    if not facts.buffering:
        return Figure(name, title, "The stored events have no play details.", None)
    rows = [
        Bar(str(network), share, f"{percent(share)}  ·  {incidents:.2f} per play", "b")
        for network, _, share, incidents in facts.buffering
    ]
    return Figure(
        name,
        title,
        "Share of plays that stalled at least once, and stalls per play.",
        bars(
            name,
            title,
            rows,
            full=100.0,
        ),
        ("network", "plays", "stalled", "stalls per play"),
        [[str(name), number(n), percent(share, 2), f"{per:.3f}"] for name, n, share, per in facts.buffering],
    )


def partitions(facts: Facts) -> Figure:
    """Records per partition against an even share."""
    name, title = "partitions", "Partition skew"
    if not facts.partitions:
        return Figure(name, title, "No record of this run is stored.", None)
    total = sum(row[1] for row in facts.partitions)
    even = total / len(facts.partitions)
    rows = [
        Bar(f"partition {partition}", count, f"{percent(100 * count / total)}  ·  {_signed(count / even - 1)} of even")
        for partition, count, _ in facts.partitions
    ]
    most = max(row[1] for row in facts.partitions)
    return Figure(
        name,
        title,
        f"The fullest partition holds {most / even:.2f} times an even share (the mark).",
        bars(name, title, rows, full=max(most, even) * 1.04, marker=even),
        ("partition", "records", "keys", "share"),
        [[str(p), number(n), number(keys), percent(100 * n / total, 2)] for p, n, keys in facts.partitions],
    )


def realism(facts: Facts) -> list[Figure]:
    """The fitted distributions beside the declared ones, if the run was examined."""
    return [
        Figure(
            f"realism-{curve['name']}",
            curve["title"],
            f"Furthest from what is declared: {_furthest(curve)}.",
            compared(
                f"realism-{curve['name']}",
                curve["title"],
                curve["labels"],
                curve["found"],
                curve["declared"],
                axis=curve["axis"],
            ),
            (curve["axis"], "found", "declared"),
            [
                [label, percent(100 * found, 2), percent(100 * declared, 2)]
                for label, found, declared in zip(curve["labels"], curve["found"], curve["declared"], strict=True)
            ],
            key=("found", "declared"),
        )
        for curve in (facts.realism or {}).get("curves", [])
    ]


def _furthest(curve: dict[str, Any]) -> str:
    """Return the class whose share is furthest from the declared one."""
    pairs = zip(curve["labels"], curve["found"], curve["declared"], strict=True)
    label, found, declared = max(pairs, key=lambda row: abs(row[1] - row[2]))
    return f"{label}, {percent(100 * found, 2)} instead of {percent(100 * declared, 2)}"


def _signed(share: float) -> str:
    """Return a difference in percent, with a real minus."""
    return ("\u2212" if share < 0 else "+") + percent(100 * abs(share))

"""The figures of a report: each with what it shows in words, its drawing, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from consumer.report.content import MAX_GROUPS, Content, totals
from consumer.report.facts import Facts
from consumer.report.svg import Band, Bar, bars, columns, compared, heatmap
from consumer.report.text import milliseconds, number, percent

_TABLE_ROWS = 600
_FEW_SECONDS = 5
_MAX_COLUMNS = 6
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
    tall: bool = False


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
        columns(name, title, [(second, got) for second, _, got in windows], line=line, bands=_bands(facts), unit="/s"),
        ("second", "intended", "achieved"),
        [[number(value) for value in window] for window in windows[:_TABLE_ROWS]],
        key=("achieved", "intended") if line else None,
    )


def delay_by_second(facts: Facts) -> Figure | None:
    """The longest publish delay of each second; ``None`` where the manifests do not tell it."""
    name, title, delays = "delay_by_second", "Publish delay, longest of each second", facts.delays
    if not delays:
        return None
    longest = max(delays, key=lambda second: delays[second])
    # On the axis of the rates, so that what stands above each other is of one moment.
    seconds = [row[0] for row in facts.rates]
    points = [(float(second), delays.get(second, 0.0)) for second in range(seconds[0], seconds[-1] + 1)]
    return Figure(
        name,
        title,
        f"From due to acknowledged, {milliseconds(delays[longest])} at most, in second {longest}. A second in which "
        "nothing was acknowledged has no column: its events show when they were.",
        columns(name, title, points, bands=_bands(facts), unit="ms", longest=True),
        ("second", "milliseconds"),
        [[number(second), f"{delays[second]:,.1f}"] for second in sorted(delays)[:_TABLE_ROWS]],
    )


def _bands(facts: Facts) -> list[Band]:
    """Return the incidents of the run as stretches of its axis."""
    bands = []
    for incident in (effect.incident for effect in facts.effects):
        if incident.began_s is not None:
            end_s = incident.began_s + incident.for_s if incident.ended_s is None else incident.ended_s
            bands.append(Band(incident.action, incident.began_s, end_s, incident.back_s))
    return sorted(bands, key=lambda band: band.start_s)


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


def content(drawing: Content) -> Figure:
    """What the events say: a drawing of the scenario's pack."""
    draw = {"heatmap": _heatmap, "shares": _shares, "percent": _percent}[drawing.query.head["kind"]]
    return draw(drawing, drawing.query.name, drawing.query.head.get("title", drawing.query.name))


def _shares(drawing: Content, name: str, title: str) -> Figure:
    counts = totals(drawing.rows, 0, 1)
    total = sum(count for _, count in counts) or 1
    rows = [Bar(kind, count, f"{percent(100 * count / total)}  ·  {number(count)}") for kind, count in counts]
    return Figure(
        name,
        title,
        _lead(drawing, total=number(total)),
        bars(name, title, rows, full=total),
        (*drawing.columns[:2], "share"),
        [[kind, number(count), percent(100 * count / total, 2)] for kind, count in counts],
    )


def _heatmap(drawing: Content, name: str, title: str) -> Figure:
    names = [each for each, _ in totals(drawing.rows, 0, 2)]
    across = [each for each, _ in totals(drawing.rows, 1, 2, limit=_MAX_COLUMNS)]
    counts: dict[tuple[str, str], float] = {}
    for first, second, count, *_ in drawing.rows:
        row = str(first) if str(first) in names else names[-1]
        column = str(second) if str(second) in across else across[-1]
        counts[row, column] = counts.get((row, column), 0) + count
    (top, column), most = max(counts.items(), key=lambda item: item[1])
    return Figure(
        name,
        title,
        _lead(drawing, total=number(sum(counts.values())), row=top, column=column, most=number(most)),
        heatmap(name, title, names, across, counts),
        (drawing.columns[0], *across),
        [[row, *(number(counts.get((row, column), 0)) for column in across)] for row in names],
        tall=True,
    )


def _percent(drawing: Content, name: str, title: str) -> Figure:
    head, columns = drawing.query.head, drawing.columns
    bar = columns.index(head["bar"])
    beside = columns.index(head["beside"]) if "beside" in head else None
    rows = [
        Bar(
            str(row[0]),
            row[bar],
            percent(row[bar]) + ("" if beside is None else f"  ·  {row[beside]:.2f} {columns[beside]}"),
            "b",
        )
        for row in drawing.rows[:MAX_GROUPS]
    ]
    table = [
        [percent(value, 2) if place == bar else _cell(value) for place, value in enumerate(row)]
        for row in drawing.rows[:_TABLE_ROWS]
    ]
    return Figure(name, title, _lead(drawing), bars(name, title, rows, full=100.0), columns, table)


def _lead(drawing: Content, **values: str) -> str:
    """Return the description of a drawing, with the values that it names."""
    told = drawing.query.description
    for name, value in values.items():
        told = told.replace(f"{{{name}}}", value)
    return told


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return number(value) if isinstance(value, int) else str(value)


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

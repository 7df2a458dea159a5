"""Topics as they are looked at: one block for each, of lines that are cut where the terminal ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.text import Text

from consumer.live.snapshot import (
    GroupSight,
    MemberSight,
    RecordSight,
    RunSight,
    Snapshot,
    Stage,
    TopicSight,
    TotalsSight,
)
from streamproof.console import shown

_BARS = "▁▂▃▄▅▆▇█"
_LABEL = 13
_COUNT, _RATE, _GAP = 14, 12, 13
_LEAST_PLOT, _MOST_PLOT = 8, 60
_BAR = 24
_MOST_MEMBERS, _MOST_PARTITIONS, _MOST_NAMES = 12, 12, 12
_NOTHING = "no topic has a control topic yet: the first run makes one; or name a topic"


def blocks(snapshot: Snapshot, width: int, height: int) -> Group:
    """Return the topics of a snapshot, as much of each as there is room for.

    :param height: lines in all; what matters less is left out first, and every topic keeps its stages.
    """
    lines = [*_head(snapshot)]
    if not snapshot.topics and not snapshot.problem:
        lines.append(Text(_NOTHING, style="dim"))
    room = max(0, height - len(lines)) // max(1, len(snapshot.topics))
    for topic in snapshot.topics:
        lines += _block(topic, width, room)
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _head(snapshot: Snapshot) -> Iterator[Text]:
    more = f"  {snapshot.unshown} more topics: name them to see them" if snapshot.unshown else ""
    yield Text(f"{snapshot.address}  as of {_clock(snapshot.as_of)}{more}", style="dim")
    if snapshot.problem:
        yield Text(shown(snapshot.problem), style="bold red")
    for incident in snapshot.incidents[-3:]:
        until = "now" if incident.end is None else _clock(incident.end)
        yield Text(shown(f"{_clock(incident.start)} to {until}  {incident.text}"), style="yellow")


def _block(topic: TopicSight, width: int, room: int) -> list[Text]:
    """Return the lines of one topic. The sections are in the order in which they are given up, the last first."""
    lines = [Text(shown(topic.name), style="bold"), *(_stage(stage, topic, width) for stage in topic.stages)]
    for section in (
        _quarantine(topic),
        _runs(topic),
        _groups(topic),
        _totals(topic.totals),
        _partitions(topic),
    ):
        lines += section if len(lines) + len(section) <= room else []
    left = room - len(lines) - 1
    if left > 1:
        lines += _newest(topic, left)
    return [*lines, Text("")]


def _stage(stage: Stage, topic: TopicSight, width: int) -> Text:
    line = Text(f"  {stage.name:<{_LABEL}}")
    if stage.count is None:
        line.append(f"{'unknown':>{_COUNT}}", style="yellow")
        line.append(f"  {shown(stage.unknown)}", style="dim")
        if stage.last is not None:
            line.append(f"  ({stage.last.count:,} at {_clock(stage.last.as_of)})", style="dim")
        return line
    line.append(f"{stage.count:>{_COUNT},}", style="bold")
    line.append(f"{_rate(stage.rate):>{_RATE}}")
    gap = "" if stage.gap is None else f"gap {stage.gap:,}"
    line.append(f"{gap:>{_GAP}}", style="yellow" if stage.gap else "dim")
    plot = min(_MOST_PLOT, width - len(line) - 2)
    if plot >= _LEAST_PLOT:
        line.append("  " + sparkline(topic.history.rates.get(stage.name, ()), plot), style="cyan")
    if stage.note:
        line.append(f"  {shown(stage.note)}", style="dim")
    return line


def sparkline(rates: Sequence[float | None], width: int) -> str:
    """Return the last ``width`` rates as bars, of the highest among them; a blank where one is unknown."""
    last = list(rates)[-width:]
    top = max((rate for rate in last if rate is not None), default=0.0)
    return "".join(
        " " if rate is None else _BARS[min(len(_BARS) - 1, int(rate / top * len(_BARS)))] if top > 0 else _BARS[0]
        for rate in last
    )


def _quarantine(topic: TopicSight) -> list[Text]:
    said = topic.quarantine
    if said.count is None:
        return [_line("quarantine", "unknown  ", shown(said.unknown), style="dim")]
    style = "red" if said.count else "dim"
    return [_line("quarantine", f"{said.count:,}  ", shown(said.last_error), style=style)]


def _runs(topic: TopicSight) -> list[Text]:
    if topic.runs.unknown:
        return [_line("runs", "unknown  ", shown(topic.runs.unknown), style="dim")]
    return [_line("run" if number else "runs", *_run(run)) for number, run in enumerate(topic.runs.rows)]


def _run(run: RunSight) -> tuple[str, ...]:
    planned = "" if run.planned is None else f" of {run.planned:,}"
    acknowledged = "unknown" if run.acknowledged is None else f"{run.acknowledged:,}{planned}"
    failed = f", {run.failed:,} failed" if run.failed else ""
    shards = "" if run.shards == 1 else f", {run.shards} shards"
    published = f", {run.published:,} published" if run.published else ""
    return (f"{shown(run.run_id)}  {run.state}, {acknowledged} acknowledged{failed}{shards}{published}",)


def _groups(topic: TopicSight) -> list[Text]:
    if topic.groups.unknown:
        return [_line("groups", "unknown  ", shown(topic.groups.unknown), style="dim")]
    lines: list[Text] = []
    for group in topic.groups.rows:
        lines.append(_line("" if lines else "groups", _group(group)))
        lines += [_line("", "  " + _member(member)) for member in group.members[:_MOST_MEMBERS]]
        if len(group.members) > _MOST_MEMBERS:
            lines.append(_line("", f"  and {len(group.members) - _MOST_MEMBERS} more members", style="dim"))
    return lines


def _group(group: GroupSight) -> str:
    lag = "lag unknown" if group.lag is None else f"lag {group.lag:,}"
    ahead = ""
    if group.zero_lag_s:
        ahead = f", none in {_span(group.zero_lag_s)}"
    elif group.lag and group.rate is not None:
        ahead = ", not shrinking"
    state = f"{group.type}, {group.state}"
    return f"{shown(group.name)}  {state}  {lag}{ahead}  {_rate(group.rate)}  {shown(group.unknown)}".rstrip()


def _member(member: MemberSight) -> str:
    owned = _numbers(member.owned)
    if member.idle:
        return f"{shown(member.client_id)}  idle"
    if member.target is not None and member.target != member.owned:
        return f"{shown(member.client_id)}  partitions {owned}, to have {_numbers(member.target)}"
    return f"{shown(member.client_id)}  partitions {owned}"


def _totals(totals: TotalsSight) -> list[Text]:
    if totals.as_of is None and not totals.unknown:
        return []
    if totals.unknown:
        return [_line("totals", "unknown  ", shown(totals.unknown), style="dim")]
    source = f"of {shown(totals.field or '')}, " if totals.field else ""
    if totals.source == "counter":
        behind = "" if not totals.behind else f", {totals.behind:,} not counted yet"
        source += f"counted in {shown(totals.source_topic or '')}{behind}"
    else:
        source += f"in a sample of the newest {totals.sampled or 0:,}"
    lines = [_line("totals", source, style="dim")]
    top = max((row.count for row in totals.rows), default=0)
    wide = max((len(shown(row.name)) for row in totals.rows[:_MOST_NAMES]), default=0)
    for row in totals.rows[:_MOST_NAMES]:
        bar = "█" * round(row.count / top * _BAR) if top else ""
        line = _line("", f"{shown(row.name):<{wide}}  ")
        line.append(f"{bar:<{_BAR}}", style="cyan")
        line.append(f"  {row.count:,}")
        lines.append(line)
    if len(totals.rows) > _MOST_NAMES:
        lines.append(_line("", f"and {len(totals.rows) - _MOST_NAMES} more names", style="dim"))
    return lines


def _partitions(topic: TopicSight) -> list[Text]:
    if topic.partitions.unknown:
        return [_line("partitions", "unknown  ", shown(topic.partitions.unknown), style="dim")]
    rows = topic.partitions.rows
    lines = [
        _line("" if number else "partitions", f"{row.partition:>3}  ends at {row.end:>12,}  {_rate(row.rate)}")
        for number, row in enumerate(rows[:_MOST_PARTITIONS])
    ]
    if len(rows) > _MOST_PARTITIONS:
        lines.append(_line("", f"and {len(rows) - _MOST_PARTITIONS} more partitions", style="dim"))
    return lines


def _newest(topic: TopicSight, most: int) -> list[Text]:
    if topic.newest.unknown:
        return [_line("newest", "unknown  ", shown(topic.newest.unknown), style="dim")]
    return [_line("" if n else "newest", *_record(row)) for n, row in enumerate(topic.newest.rows[:most])]


def _record(record: RecordSight) -> tuple[str, ...]:
    place = f"{record.partition}/{record.offset}"
    version = "" if record.schema_version is None else f"v{record.schema_version}  "
    at = "" if record.at is None else f"{_clock(record.at)}  "
    value = record.fault or ("tombstone" if record.value is None else record.value)
    return (f"{place:<12}  {at}{version}{shown(record.key or '-')}  {shown(value)}",)


def lines_of(snapshot: Snapshot) -> Iterator[str]:
    """Yield a line for each topic, for where nobody sees colours: a log, a pipe."""
    if snapshot.problem:
        yield f"{snapshot.as_of}  {shown(snapshot.problem)}"
    if not snapshot.topics and not snapshot.problem:
        yield f"{snapshot.as_of}  {_NOTHING}"
    for topic in snapshot.topics:
        stages = "  ".join(_words(stage) for stage in topic.stages)
        yield f"{snapshot.as_of}  {shown(topic.name)}  {stages}"


def _words(stage: Stage) -> str:
    if stage.count is None:
        return f"{stage.name} unknown ({shown(stage.unknown)})"
    rate = "" if stage.rate is None else f" at {_rate(stage.rate)}"
    gap = "" if not stage.gap else f" (gap {stage.gap:,})"
    return f"{stage.name} {stage.count:,}{rate}{gap}"


def _line(label: str, *parts: str, style: str = "") -> Text:
    line = Text(f"  {label:<{_LABEL}}", style="dim")
    for part in parts:
        line.append(part, style=style or "not dim")
    return line


def _numbers(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, partitions)) if partitions else "none"


def _rate(rate: float | None) -> str:
    if rate is None:
        return "-/s"
    return f"{rate:,.0f}/s" if rate >= 10 or rate == 0 else f"{rate:.1f}/s"


def _span(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"


def _clock(as_of: str) -> str:
    """Return the time of day of a moment, UTC, to the second."""
    return as_of[11:19]

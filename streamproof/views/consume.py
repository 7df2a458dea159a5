"""A group at work: a live table of its instances on a terminal, a log line a second elsewhere, a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumer.journey.request import ConsumeRequest, ConsumeResult, GroupProgress, InstanceView
from streamproof.console import Output, plain, stderr

log = structlog.get_logger()
_LOG_EVERY_S = 1.0
_DRAW_PER_S = 4.0


@contextmanager
def shown_group(request: ConsumeRequest) -> Iterator[Callable[[GroupProgress], None]]:
    """Yield what to call with how the group is doing."""
    if not stderr.is_terminal:
        yield _log_each_second()
        return
    with Live(console=stderr, transient=True, refresh_per_second=_DRAW_PER_S) as live:
        yield lambda progress: live.update(_drawn(request, progress))


def _drawn(request: ConsumeRequest, progress: GroupProgress) -> Group:
    lag = "unknown" if progress.lag is None else f"{progress.lag:,}"
    figures = f"{progress.processed:,} processed  {progress.rate:,.0f}/s  lag {lag}  {progress.seconds:,.0f} s"
    return Group(
        plain(f"{request.application} of {request.topic}, group {request.group}: {figures}"),
        instance_table(progress.instances),
    )


def instance_table(instances: Iterable[InstanceView]) -> Table:
    """Return the table of the instances."""
    table = Table(box=None, pad_edge=False)
    for name in ("instance", "partitions", "to have", "state"):
        table.add_column(name)
    for name in ("processed", "rate", "lag"):
        table.add_column(name, justify="right")
    for each in instances:
        state = each.state
        table.add_row(
            str(state.instance),
            _numbers(state.owned),
            "unknown" if each.target is None else _numbers(each.target),
            _state(each),
            f"{state.processed:,}",
            f"{each.rate:,.0f}/s",
            "unknown" if state.lag is None else f"{state.lag:,}" if state.owned else "-",
        )
    return table


def _state(each: InstanceView) -> Text:
    if each.died is not None:
        return Text("died", style="red")
    if each.state.waiting is not None:
        return Text("waits for its store", style="yellow")
    if each.idle:
        return Text("idle", style="yellow")
    if each.target is not None and each.target != each.state.owned:
        return Text("moving", style="yellow")
    return Text("at work", style="green") if each.state.owned else Text("joins", style="dim")


def _numbers(partitions: tuple[int, ...]) -> str:
    return ",".join(map(str, partitions)) or "none"


def _log_each_second() -> Callable[[GroupProgress], None]:
    logged = 0.0

    def write(progress: GroupProgress) -> None:
        nonlocal logged
        now = time.monotonic()
        if now - logged < _LOG_EVERY_S:
            return
        logged = now
        log.info(
            "consuming",
            group=progress.group,
            rate=round(progress.rate),
            processed=progress.processed,
            lag=progress.lag,
            owned=" ".join(f"{each.state.instance}:{_numbers(each.state.owned)}" for each in progress.instances),
            idle=[each.state.instance for each in progress.instances if each.idle],
        )

    return write


def show_result(output: Output, result: ConsumeResult) -> None:
    """Show what a run of a group came to."""
    rate = result.events / result.seconds if result.seconds else 0.0
    output.show(
        f"[bold]{result.application}[/] of {result.topic}, group {result.group}: {result.events:,} events"
        f"  at {rate:,.0f}/s  in {result.seconds:.1f} s"
    )
    output.show(instance_table(result.instances))
    if result.idle:
        output.show(plain(f"idle  instances {', '.join(map(str, result.idle))}: there are more than partitions"))
    left = "unknown" if result.left is None else f"{result.left:,}"
    output.show(plain(f"store {result.store}: {result.kept['events']:,} events of all runs, {left} still to read"))
    output.show(plain(handover_sentence(result)))


def handover_sentence(result: ConsumeResult) -> str:
    """Say how long a hand-over takes on this broker."""
    if result.handover_s is None:
        return "hand-over  the broker does not say how long the partitions of an instance that dies wait"
    return f"hand-over  partitions of an instance that dies wait {result.handover_s:g} s here at most, about"

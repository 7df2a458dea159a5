"""How a replay is shown: files being read, a line for each feed while it is sent, and a table in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from producer import ProduceRequest, Progress
from producer.feeds import Feed, Replayed, StagedFeed
from producer.plan.plan import Plan
from producer.scenarios.replay.staged.make import Progress as Reading
from producer.standing import Line, Standing
from schemas.rates import per_second
from streamproof.console import Output, plain, shown, stderr
from streamproof.views.live import is_narrow, line_columns
from streamproof.views.produce_progress import figures, log_each_second

log = structlog.get_logger()

_BAR = 12
_DOING = {"looking": "looking at", "typing": "finding types of", "copying": "reading"}


@contextmanager
def shown_reading() -> Iterator[Callable[[Feed, Reading], None]]:
    """Yield what to call with how far the files of a feed are read; a bar for each on a terminal."""
    if not stderr.is_terminal:
        yield lambda *_: None
        return
    with Bar(console=stderr, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def draw(feed: Feed, said: Reading) -> None:
            if feed.topic not in tasks:
                tasks[feed.topic] = bar.add_task("", total=1.0)
            doing = f"{_DOING.get(said.doing, said.doing)} {feed.name}, file {said.file + 1} of {said.files}"
            bar.update(tasks[feed.topic], completed=said.done, description=escape(doing))

        yield draw


@contextmanager
def shown_feeds(
    feeds: Sequence[StagedFeed], requests: Sequence[ProduceRequest]
) -> Iterator[Callable[[Plan, Progress], None]]:
    """Yield what to call with the plan of a shard and its progress; each feed has a line with the sum of its shards.

    The run's name is told first: whoever kills the command needs it to continue.
    """
    standing = {request.topic: Standing(_targets(feed, request)) for feed, request in zip(feeds, requests, strict=True)}
    run_id = requests[0].run_id
    if not stderr.is_terminal:
        log.info("run begins", run_id=run_id, topics=list(standing), asked=requests[0].plan.pace)
        logs = {topic: log_each_second(each, topic=topic) for topic, each in standing.items()}
        yield lambda plan, said: logs[plan.topic](said)
        return
    stderr.print(f"run {run_id} on {', '.join(standing)}", markup=False, soft_wrap=True)
    columns = line_columns() if is_narrow() else _columns()
    with Bar(*columns, console=stderr, transient=True) as bar:
        tasks = {
            topic: bar.add_task(escape(topic), total=each.live().target, figures=escape(topic), **_fields(None))
            for topic, each in standing.items()
        }

        def draw(plan: Plan, said: Progress) -> None:
            own = standing[plan.topic]
            own.add(said)
            line = own.live()
            told = f"{escape(plan.topic)} {figures(line)}"
            bar.update(tasks[plan.topic], completed=line.acknowledged, figures=told, **_fields(line))

        yield draw


def show_replayed(output: Output, replayed: Replayed) -> None:
    """Print a table of the feeds, and the first rows of each that were set aside."""
    document = replayed.document()
    table = Table(box=None, header_style="dim")
    for name in ("topic", "files", "rows", "set aside", "acknowledged", "failed", "unknown", "rate"):
        table.add_column(name, justify="left" if name == "topic" else "right")
    for feed, result in zip(document["feeds"], replayed.results, strict=True):
        rate = "-" if result.rate is None or not result.rate.reached else f"{per_second(result.rate.reached)}/s"
        numbers = [f"{feed[name]:,}" for name in ("files", "rows", "set_aside", "acknowledged", "failed", "unknown")]
        table.add_row(plain(feed["topic"]), *numbers, rate)
    output.show(Text.assemble("run ", (shown(replayed.run_id), "bold"), f" in {replayed.seconds:,.1f} s"), table)
    for staged in replayed.feeds:
        show_set_aside(output, staged)


def show_set_aside(output: Output, staged: StagedFeed) -> None:
    """Print which rows of a feed were set aside, the first of them by file and line; nothing where none was."""
    if not staged.staged.set_aside:
        return
    counts = ", ".join(f"{count:,} {reason}" for reason, count in staged.staged.index.set_aside.items())
    output.show(plain(f"set aside of {staged.feed.name}: {counts}; kept in {staged.staged.folder / 'set_aside.jsonl'}"))
    for row in staged.first_reasons():
        detail = f" ({row['detail']})" if row["detail"] else ""
        output.show(plain(f"  {row['file']} line {row['line']}: {row['reason']}{detail}"))


def _targets(feed: StagedFeed, request: ProduceRequest) -> list[int | None]:
    """Return how many rows each shard sends: those that it has, or those that are asked for if they are fewer."""
    found: list[int | None] = []
    for shard in range(request.shards):
        rows, asked = feed.staged.shard(shard, request.shards).rows, request.plan.for_shard(shard).target
        found.append(rows if asked is None else min(rows, asked))
    return found


def _columns() -> list[Any]:
    right = [TextColumn(f"{{task.fields[{name}]}}", justify="right") for name in ("pace", "rows", "left")]
    return [TextColumn("[bold]{task.description}"), BarColumn(_BAR), TaskProgressColumn(), *right]


def _fields(line: Line | None) -> dict[str, Any]:
    """Return what stands in the columns of a line."""
    if line is None:
        return {"pace": "", "rows": "", "left": ""}
    failed = f" [red]{line.failed:,} not delivered[/]" if line.failed else ""
    late = "" if line.on_schedule else f" [yellow]{line.behind_s:,.1f} s behind[/]"
    return {
        "pace": line.short_pace(),
        "rows": f"{line.acknowledged:,} acknowledged{failed}{late}",
        "left": "" if line.seconds_left is None else f"{line.seconds_left:,.0f} s left",
    }

"""What the demo of the lake proved, the largest categories of its aggregate, and where it all is, for a person."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from streamproof.console import Output, stdout
from streamproof.views.verdict import STYLES

_BAR_WIDTH = 20
_CODE = 'import duckdb; duckdb.sql("{query}").show()'
QUERY = (
    "SELECT category_id, date, hour, sum(clicks) AS clicks FROM read_parquet('{files}', hive_partitioning=true) "
    "GROUP BY ALL ORDER BY clicks DESC LIMIT 20"
)


def show_result(output: Output, result: Mapping[str, Any]) -> None:
    """Print the table, the verdict, and where everything is; nothing under ``--json``."""
    if output.as_json:
        return
    table = result["table"]
    if table["categories"]:
        stdout.print(Text(f"\nThe largest categories of the Hive table {table['table']}\n"))
        stdout.print(_table(table["categories"]))
    for line in _lines(result):
        # Not folded: addresses and commands are there to be copied.
        stdout.print(line, soft_wrap=True)


def _table(categories: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("category", justify="right")
    table.add_column("clicks", justify="right")
    table.add_column("", width=_BAR_WIDTH)
    table.add_column("publishers", justify="right")
    most = max(each["clicks"] for each in categories)
    for each in categories:
        known = each["category_id"] is not None
        bar = "█" * max(1, round(_BAR_WIDTH * each["clicks"] / most))
        table.add_row(
            Text(str(each["category_id"])) if known else Text("not known", style="dim"),
            f"{each['clicks']:,}",
            Text(bar, style="cyan"),
            f"{each['publishers']:,}",
        )
    return table


def _lines(result: Mapping[str, Any]) -> Iterator[Text]:
    yield Text.assemble("\n", (result["verdict"], STYLES[result["verdict"]]), f"  {result['reason']}\n")
    for name, value in _places(result):
        yield Text.assemble((f"{name:<10}", "bold"), value)
    files = f"{result['table']['folder']}/date=*/hour=*/*"
    code = _CODE.format(query=QUERY.format(files=files))
    yield Text(f"\nTo look at the table:\n\n  {shlex.quote(sys.executable)} -c {shlex.quote(code)}")
    yield Text("\nThe same as a Dag, with a form: `streamproof up --airflow`, then trigger rehearse_click_stream_lake.")
    if result["stack_left_running"]:
        yield Text("Kafka and the registry run on; `streamproof down` stops them.")
    else:
        yield Text("Kafka and the registry are stopped again; `streamproof up` starts them with these topics.")


def _places(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sent = ", ".join(f"{feed['acknowledged']:,} {feed['topic']}" for feed in result["feeds"])
    yield "sent", sent
    yield "run", result["run_id"]
    yield "lake", str(Path(result["lake"]["lake"]).absolute())
    yield "table", result["table"]["folder"]
    yield "seconds", f"{result['seconds']:.0f}"

"""Showing how real data is: rules with their violations, and figures beside what is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streamproof.console import Output, stderr

_SHOWN_EXAMPLES = 3
_WORDS = {True: ("as declared", "green"), False: ("off", "bold yellow"), None: ("too little data", "dim")}


@contextmanager
def shown_rules(as_json: bool) -> Iterator[Callable[[Any], None] | None]:
    """Show which rule is being checked, where somebody looks."""
    if as_json or not stderr.is_terminal:
        yield None
        return
    with stderr.status("reading the events") as status:
        yield lambda rule: status.update(Text(f"{rule.id} {rule.text}", no_wrap=True, overflow="ellipsis"))


def show_realism(output: Output, document: dict[str, Any]) -> None:
    """Show every rule and every figure; what breaks a rule is named below it."""
    rules, broken = document["rules"], document["violations"]
    head = Text.assemble(
        (f"{broken:,} violations" if broken else "no violation", "bold red" if broken else "bold green"),
        f" of {len(rules)} rules in {document['events']:,} events: {document['violations_per_million']:,g} per million",
    )
    parts: list[RenderableType] = [
        head,
        Text(document.get("run_id") or document.get("file", ""), style="dim"),
        Text(),
        _rules(rules),
    ]
    if document["figures"]:
        parts += [Text(), _figures(document["figures"])]
    output.show(Group(*parts))


def _rules(rules: list[dict[str, Any]]) -> Table:
    table = _table()
    table.add_column("rule", no_wrap=True)
    table.add_column("violations", justify="right")
    table.add_column("per million", justify="right")
    table.add_column("what must hold")
    for rule in rules:
        number = rule["violations"]
        text = Text(rule["text"], style="" if number else "dim", no_wrap=not number, overflow="ellipsis")
        if number:
            text.append("".join(f"\n{event_id}" for event_id in rule["examples"][:_SHOWN_EXAMPLES]), style="cyan")
        style = "bold red" if number else "green"
        table.add_row(rule["rule"], Text(f"{number:,}", style=style), f"{rule['per_million']:,g}", text)
    return table


def _figures(figures: list[dict[str, Any]]) -> Table:
    table = _table()
    table.add_column("figure", min_width=14)  # the one that gives way on a narrow terminal
    for name in ("declared", "found", "tolerance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for figure in figures:
        word, style = _WORDS[figure["within"]]
        found = "-" if figure["found"] is None else f"{figure['found']:,.3f}"
        tolerance = f"±{figure['tolerance']:,.3f}" if figure["found"] is not None else ""
        table.add_row(figure["name"], f"{figure['declared']:,.3f}", found, tolerance, Text(word, style=style))
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))

"""Showing a verdict, check results and where things are to a person."""

from __future__ import annotations

from typing import Literal

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from consumer.proof.checks import CheckReport
from consumer.proof.found import CLASSES, Example, ShardAudit
from consumer.proof.result import AuditResult
from schemas.faults import KINDS
from streamproof.console import Output, stdout

SHOWN_EXAMPLES = 3
SHOWN_SHARDS = 16

STYLES = {"PASSED": "bold green", "FAILED": "bold red", "UNKNOWN": "bold yellow"}


def show_audit(output: Output, result: AuditResult) -> None:
    """Show the verdict, the table of findings with their first identities, and the shards."""
    output.show(
        Group(
            Text.assemble((result.verdict, STYLES[result.verdict]), "  ", result.reason),
            Text(f"run {result.run_id}  ·  topic {result.topic}  ·  {result.seconds:.1f} s", style="dim"),
        )
    )
    output.show("", _findings(result))
    if result.faults:
        output.show("", _faults(result))
    if result.versions:
        output.show("", _versions(result))
    output.show("", show_shards(result.shards))
    for note in result.notes:
        output.show(Text(f"note  {note}", style="yellow"))


def show_checks(output: Output, report: CheckReport) -> None:
    """Show every check with its result; what offends is below its promise."""
    table = _table()
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("offending", justify="right")
    table.add_column("promise")
    for result in report.results:
        # What holds takes one line; what does not is told whole.
        promise = Text(result.description, style="dim", no_wrap=result.passed is True, overflow="ellipsis")
        if result.passed is not True:
            promise.append(f"\n{result.detail}", style="not dim")
        name = result.check + (" (warning)" if result.severity == "warning" else "")
        table.add_row(
            name, _state(result.passed, result.severity), f"{result.offending:,}" if result.offending else "", promise
        )
    about = f"run {escape(report.run_id)}" if report.run_id is not None else "no run is known: checks of the topic only"
    output.show(f"[dim]{about}[/]", table)


def show_line(output: Output, label: str, value: object) -> None:
    """Show a label and something to copy, on one line whatever the width of the terminal."""
    if not output.as_json:
        stdout.print(Text.assemble((f"  {label:<10}", "dim"), str(value)), soft_wrap=True)


def findings_table() -> Table:
    """Return the table in which classes of damage are shown: finding, events, and what they are."""
    table = _table()
    table.add_column("finding")
    table.add_column("events", justify="right")
    table.add_column("first ones, or what it means", overflow="fold")
    return table


def _findings(result: AuditResult) -> Table:
    table = findings_table()
    table.add_row("acknowledged", f"{result.expected:,}", Text("by Kafka, as the manifests say", style="dim"))
    table.add_row("loaded", f"{result.loaded:,}", Text("into the warehouse", style="dim"))
    if result.awaited:
        table.add_row(
            "awaited", Text(f"{result.awaited:,}", style="yellow"), example_lines(result.located.get("awaited", []))
        )
    for name, meaning in CLASSES.items():
        number = int(getattr(result, name))
        examples = result.located.get(name, [])
        said = example_lines(examples) if number and examples else Text(meaning, style="dim")
        table.add_row(name, Text(f"{number:,}", style=_colour(result, number)), said)
    for name, meaning in (("missed", "injected, and not found"), ("false_alarm", "found, and not injected")):
        if result.located.get(name):
            table.add_row(Text(name.replace("_", " ")), "", example_lines(result.located[name], meaning))
    return table


def _colour(result: AuditResult, number: int) -> str:
    """Return how a count of damage is shown; in a run that passed, all of it was injected."""
    if not number:
        return "green"
    return "" if result.verdict == "PASSED" else "bold red"


def _faults(result: AuditResult) -> Table:
    """Show what was found of what was injected."""
    table = _table()
    table.add_column("injected fault")
    for name in ("injected", "found", "false alarms"):
        table.add_column(name, justify="right")
    table.add_column("what it is")
    for score in result.faults:
        table.add_row(
            Text(score.kind),
            f"{score.injected:,}",
            Text(f"{score.found:,}", style="bold red" if score.missed else "green"),
            Text(f"{score.false_alarms:,}", style="bold red" if score.false_alarms else "green"),
            Text(KINDS.get(score.kind, "not a kind that is injected"), style="dim"),
        )
    return table


def _versions(result: AuditResult) -> Table:
    table = _table()
    table.add_column("schema version", justify="right")
    for name in ("schema id", "acknowledged", "loaded"):
        table.add_column(name, justify="right")
    for row in result.versions:
        table.add_row(f"{row.version}", f"{row.schema_id}", f"{row.acknowledged:,}", f"{row.loaded:,}")
    return table


def example_lines(examples: list[Example], meaning: str = "") -> Text:
    """Return the first few events of a finding, a line each."""
    lines = [meaning] if meaning else []
    for example in examples[:SHOWN_EXAMPLES]:
        place = [f"shard {example.shard}, sequence {example.sequence}"] if example.shard is not None else []
        if example.offset is not None:
            place.append(f"partition {example.partition}, offset {example.offset}")
        if example.note:
            place.append(example.note)
        lines.append(f"{example.event_id}  {'; '.join(place)}".strip())
    if len(examples) > SHOWN_EXAMPLES:
        lines.append("and more: --json gives them, and lost ranges per shard")
    return Text("\n".join(lines))


def show_shards(shards: list[ShardAudit]) -> Table:
    """Show the shards; of many, those that matter and as many others as fit."""
    table = _table()
    table.add_column("shard", justify="right")
    table.add_column("manifest")
    for name in ("generated", "acknowledged", "refused", "unknown", "stored", "missing"):
        table.add_column(name, justify="right")
    ordered = sorted(shards, key=lambda shard: (shard.status == "finished" and not shard.lost, shard.shard))
    for shard in sorted(ordered[:SHOWN_SHARDS], key=lambda shard: shard.shard):
        counts = (shard.generated, shard.acknowledged, shard.failed, shard.unknown, shard.stored)
        table.add_row(
            str(shard.shard),
            Text(shard.status, style="" if shard.status == "finished" else "yellow"),
            *(f"{count:,}" for count in counts),
            Text(f"{shard.lost:,}", style="red" if shard.lost else ""),
        )
    if len(shards) > SHOWN_SHARDS:
        table.caption = f"and {len(shards) - SHOWN_SHARDS} more shards without a finding"
    return table


def _state(passed: bool | None, severity: str) -> Text:
    if passed is None:
        return Text("- not applicable", style="dim")
    colour: Literal["red", "yellow"] = "red" if severity == "blocking" else "yellow"
    return Text("✓ passed", style="green") if passed else Text("✕ failed", style=f"bold {colour}")


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")

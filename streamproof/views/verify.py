"""Showing a verification to a person: one row for each proof, and what does not hold below it."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from consumer.verify import Proof, Verification
from streamproof.console import Output
from streamproof.views.verdict import STYLES

_SIGNS = {"PASSED": ("✓ holds", "green"), "FAILED": ("✕ fails", "bold red"), "UNKNOWN": ("? unknown", "bold yellow")}


def show_verification(output: Output, found: Verification) -> None:
    """Show the verdict, what it was held against, and every proof with how much was looked at."""
    output.show(
        Group(
            Text.assemble((found.verdict, STYLES[found.verdict]), "  ", found.reason),
            Text(f"{found.kind} {found.path}  ·  against {found.against}  ·  {found.seconds:.1f} s", style="dim"),
        )
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("proof", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("looked at")
    table.add_column("promise", overflow="fold")
    for proof in found.proofs:
        sign, style = _SIGNS[proof.verdict]
        table.add_row(proof.name, Text(sign, style=style), Text(proof.looked_at), _said(proof))
    output.show("", table)


def _said(proof: Proof) -> Text:
    text = Text(proof.promise, style="dim")
    for lines, style in ((proof.faults, "not dim red"), (proof.unknown, "not dim yellow"), (proof.notes, "dim")):
        for line in lines:
            text.append(f"\n{line}", style=style)
    if proof.more:
        text.append(f"\nand {proof.more:,} more", style="not dim")
    return text

"""What the gate saw of a subject: each version, what changed, what blocks it, and what somebody should know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from streamproof.console import plain

if TYPE_CHECKING:
    from schemas.registry.diff import Change
    from schemas.registry.gate import GateResult, UnknownVersion, VersionResult

_COLOUR = {
    "added": "green",
    "removed": "red",
    "renamed": "cyan",
    "type_changed": "red",
    "default_changed": "yellow",
}


def gate_lines(result: GateResult) -> Iterator[RenderableType]:
    """Yield what a person reads of a gate's result. ``local`` is a file, ``registry`` is what the registry holds."""
    held = "" if result.level_held == result.level else f" (the subject has {result.level_held or 'none of its own'})"
    yield Text.assemble("subject ", (result.subject, "bold"), f", compatibility {result.level}{held}")
    for version in result.versions:
        yield plain(_headline(version))
        yield from _changes(version.changes, version.compared_with or "registry", f"local v{version.version}")
        yield from _said(version.reasons, version.remarks)
    compared = {version.compared_with for version in result.versions}
    for stranger in result.unknown:
        yield from _stranger(stranger, f"local v{result.versions[-1].version}", compared)
    if result.level_conflict:
        yield Text(f"refused: {result.level_conflict}", style="red")


def _headline(version: VersionResult) -> str:
    name = f"local v{version.version}"
    if version.used is None:
        since = f"; changes from {version.compared_with}:" if version.changes else ""
        return f"{name} is not registered{since}"
    verb = "was registered now" if version.status == "registered" else "is registered"
    differs = "; the registry holds it with other words:" if version.status == "present" and version.changes else ""
    return f"{name} {verb} (registry version {version.used.version}, id {version.used.id}){differs}"


def _stranger(stranger: UnknownVersion, ours: str, compared: set[str | None]) -> Iterator[RenderableType]:
    name = f"registry version {stranger.used.version}"
    headline = f"{name} (id {stranger.used.id}) is in no local file"
    if f"{name} (id {stranger.used.id})" in compared or not stranger.changes:
        yield plain(headline)  # the table of the version that follows it says how they differ
    else:
        yield plain(f"{headline}; where it differs from {ours}:")
        yield from _changes(stranger.changes, ours, name)
    yield from _said(stranger.reasons, ())


def _said(reasons: Iterable[str], remarks: Iterable[str]) -> Iterator[RenderableType]:
    for reason in reasons:
        yield Text(f"  refused: {reason}", style="red")
    for remark in remarks:
        yield Text(f"  note: {remark}", style="yellow")


def _changes(changes: Iterable[Change], old: str, new: str) -> Iterator[RenderableType]:
    rows = list(changes)
    if not rows:
        return
    table = Table("field", "change", old, new, box=None, header_style="dim", pad_edge=True)
    for change in rows:
        table.add_row(
            plain(change.path),
            Text(change.kind.replace("_", " "), style=_COLOUR.get(change.kind, "dim")),
            plain(change.old or "-"),
            plain(change.new or "-"),
        )
    yield table

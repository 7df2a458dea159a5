"""One row of the table: our figure, what it is compared to, their ratio, and the goal that was set for it."""

from __future__ import annotations

from typing import Any

import psutil


def row(
    name: str, events: int, seconds: float, cpu_s: float | None = None, *, value_bytes: float | None = None
) -> dict[str, Any]:
    """Return one measurement. ``cpu_s`` and the resident memory are of this process."""
    measured: dict[str, Any] = {
        "name": name,
        "events": events,
        "seconds": round(seconds, 3),
        "events_per_s": round(events / seconds),
    }
    if value_bytes is not None:
        measured["value_bytes"] = round(value_bytes)
        measured["mb_per_s"] = round(events / seconds * value_bytes / 1e6, 1)
    if cpu_s is not None:
        measured["cpu_us_per_event"] = round(cpu_s / events * 1e6, 2)
        measured["rss_mb"] = round(psutil.Process().memory_info().rss / 1e6)
    return measured


def compared(
    path: str, ours: list[dict[str, Any]], reference: str, theirs: list[dict[str, Any]], *, goal: float | None
) -> dict[str, Any]:
    """Return a row of the table: the better of our rounds against the better of theirs."""
    best, other = (max(rounds, key=lambda measured: measured["events_per_s"]) for rounds in (ours, theirs))
    return {
        "path": path,
        "ours_per_s": best["events_per_s"],
        "ours_mb_per_s": best.get("mb_per_s"),
        "reference": reference,
        "reference_per_s": other["events_per_s"],
        "reference_mb_per_s": other.get("mb_per_s"),
        "ratio": best["events_per_s"] / other["events_per_s"],
        "goal": goal,
        "value_bytes": best.get("value_bytes"),
        "details": [*ours, *theirs],
    }


def within(path: str, ours: float, limit: float, unit: str, details: Any) -> dict[str, Any]:
    """Return a row of the table for a figure that is to stay below a limit: the ratio is the limit over the figure."""
    return {
        "path": path,
        "ours": f"{ours:,.3g} {unit}" if ours < 100 else f"{ours:,.0f} {unit}",
        "reference": "the limit",
        "limit": f"{limit:,g} {unit}",
        "ratio": limit / ours,
        "goal": 1.0,
        "details": details,
    }

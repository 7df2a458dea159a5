"""How values read: numbers, durations, sizes, moments, and strings that came from somewhere else."""

from __future__ import annotations

from datetime import UTC, datetime

from cluster.text.visible import visible

__all__ = ["clock", "compact", "milliseconds", "moment", "number", "percent", "seconds", "shortened", "size", "visible"]


def shortened(text: str, limit: int) -> str:
    """Return at most ``limit`` characters, visible, with an ellipsis where something was left out."""
    clean = visible(text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "\u2026"


def sentence(text: str) -> str:
    """Return text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def number(value: float) -> str:
    """Return a count with thousands separated: 200,000."""
    return f"{value:,.0f}"


def compact(value: float) -> str:
    """Return a number in at most four characters or so: 950, 1.2k, 34k, 5.6M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            scaled = value / size
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def percent(value: float, digits: int = 1) -> str:
    """Return a share that is given in percent."""
    return f"{value:.{digits}f}\u202f%"


def milliseconds(value: float) -> str:
    """Return a delay, in ms below a second and in s above."""
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def seconds(value: float) -> str:
    """Return a duration: 9.5 s, 2 min 5 s, 1 h 2 min."""
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(value: float) -> str:
    """Return a position on a time axis: 45 s, 2:05."""
    whole = round(value)
    return f"{whole} s" if whole < 120 else f"{whole // 60}:{whole % 60:02d}"


def size(value_bytes: float) -> str:
    """Return a size in decimal units: 112 MB."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value_bytes >= limit:
            return (
                f"{value_bytes / limit:.1f} {unit}"
                if value_bytes < 100 * limit
                else f"{value_bytes / limit:.0f} {unit}"
            )
    return f"{value_bytes:.0f} B"


def moment(value: datetime | str | None) -> str:
    """Return a moment in UTC, to the second: 20 November 2026, 10:00:00 UTC."""
    if value is None:
        return "\u2013"
    at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"

"""A load shape drawn in the terminal: the rate over time as an area of braille dots."""

from __future__ import annotations

from rich.text import Text

from producer.shapes import Outline

_ROWS = 8
_DOTS_PER_ROW = 4
_BRAILLE = 0x2800
# The dots of a character's two columns, from the bottom up.
_COLUMNS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_MINUTE_S, _HOUR_S = 60, 3600


def shape_plot(outline: Outline) -> Text:
    """Return the plot, with its scale, the shape's text above and its figures below."""
    top = _round_up(outline.highest)
    heights = [_height(rate, top) for rate in outline.rates]
    labels = {0: _compact(top), _ROWS // 2: _compact(top / 2)}
    margin = max(map(len, labels.values()))
    plot = Text(f"{outline.shape}\n", style="bold")
    for row in range(_ROWS):
        plot.append(f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}", style="dim")
        plot.append(_line(heights, (_ROWS - 1 - row) * _DOTS_PER_ROW) + "\n", style="cyan not bold")
    width = len(heights) // 2
    middle, end = spoken_s(outline.seconds / 2), spoken_s(outline.seconds)
    axis = f"0{middle:^{width - 1}}"
    plot.append(f"{'0':>{margin}} └{'─' * width}\n", style="dim not bold")
    plot.append(f"{'':>{margin}}  {axis[: width - len(end)]}{end}\n", style="dim not bold")
    plot.append(sentence(outline), style="not bold")
    return plot


def sentence(outline: Outline) -> str:
    """Return the figures of a shape in words."""
    span = f"in {spoken_s(outline.seconds)}" if outline.ends else f"in the first {spoken_s(outline.seconds)}, no end"
    return (
        f"{outline.events:,} events planned {span}\n{_rate(outline.mean)} on average, {_rate(outline.highest)} at most"
    )


def spoken_s(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.3g} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.3g} min"
    return f"{seconds / _HOUR_S:.3g} h"


def _height(rate: float, top: float) -> int:
    """Return how many dots a rate is high; one that is above 0 has one at least."""
    dots = round(rate / top * _ROWS * _DOTS_PER_ROW)
    return max(dots, 1) if rate > 0 else 0


def _line(heights: list[int], floor: int) -> str:
    characters = []
    for left in range(0, len(heights) - 1, 2):
        dots = 0
        for column, marks in enumerate(_COLUMNS):
            for mark in marks[: max(0, min(_DOTS_PER_ROW, heights[left + column] - floor))]:
                dots |= mark
        characters.append(chr(_BRAILLE + dots))
    return "".join(characters)


def _round_up(value: float) -> float:
    """Return the next number of the form 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    power: float = 10.0 ** (len(str(int(value))) - 1)
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next((step * power for step in steps if value <= step * power), value)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def _compact(rate: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{rate / size:.3g}{unit}/s"
    return f"{rate:.3g}/s"

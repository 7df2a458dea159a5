"""Charts as inline SVG: no script, no network, text at its own size on any width.

Marks are placed in percent of the width, so that a chart fills a phone or a page without scaling its letters; where a
shape needs a scale of its own, it is a nested ``<svg>`` with ``preserveAspectRatio="none"``. Colours are classes of
``style.css``, and follow light and dark. Everything is built as a tree, so that no text can become markup.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from markupsafe import Markup

from consumer.report.text import compact, shortened, visible

_LABEL_LETTERS = 34
_CELL_LETTERS = 12
_ROW_PX = 42
_CELL_PX = 32
_PLOT_PX = 190
_AXIS_PX = 26
_TOP_PX = 8
_BAND_PX = 18
# Of the width of a drawing on a phone, for a letter of a band's name.
_LETTER_SHARE = 0.022
_MAX_COLUMNS = 120
_MAX_POINTS = 600
_MAX_LABELS = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart. ``text`` is what stands at its end."""

    label: str
    value: float
    text: str
    tone: str = "a"


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of a time axis that is shaded behind the drawing, in seconds, with its name above.

    :param after_s: until when a lighter shade goes on, for what it leaves behind.
    """

    name: str
    start_s: float
    end_s: float
    after_s: float | None = None

    def __str__(self) -> str:
        return f"{self.name} from {self.start_s:.1f} s to {self.end_s:.1f} s"


def bars(
    name: str, title: str, rows: Sequence[Bar], *, full: float | None = None, marker: float | None = None
) -> Markup:
    """Draw horizontal bars, each below its label.

    :param full: the value of a full-width bar; the largest one when omitted.
    :param marker: a value that is marked across every bar, such as an even share.
    """
    height = _ROW_PX * len(rows)
    chart = _chart(name, title, ", ".join(f"{row.label} {row.text}" for row in rows), height)
    scale = full or max((row.value for row in rows), default=0) or 1
    for number, row in enumerate(rows):
        top = number * _ROW_PX
        _text(chart, shortened(row.label, _LABEL_LETTERS), x="0", y=top + 16, class_="label")
        _text(chart, row.text, x="100%", y=top + 16, class_="value", text_anchor="end")
        _rect(chart, x="0", y=top + 24, width="100%", height=8, rx=4, class_="track")
        if row.value > 0:
            share = _percent(min(1.0, row.value / scale))
            _rect(chart, x="0", y=top + 24, width=share, height=8, rx=4, class_=f"fill-{row.tone}")
        if marker is not None:
            _rect(chart, x=_percent(marker / scale), y=top + 22, width=2, height=12, class_="marker")
    return _markup(chart)


def columns(
    name: str,
    title: str,
    points: Sequence[tuple[float, float]],
    *,
    line: Sequence[tuple[float, float]] = (),
    bands: Sequence[Band] = (),
    unit: str,
    longest: bool = False,
) -> Markup:
    """Draw a value per second as columns (an area, where they are many), with another one as a line across.

    :param points: (second, value), ascending; a second that is not there is 0.
    :param line: (second, value) of the line, on the same axes.
    :param bands: stretches that are shaded behind it.
    :param longest: where seconds share a column, show the largest of them and not their mean.
    """
    first, last = int(points[0][0]), int(points[-1][0])
    known, wanted = dict(points), dict(line)
    bucket = max(1, math.ceil((last - first + 1) / _MAX_POINTS))
    starts = range(first, last + 1, bucket)
    joined = _largest if longest else _mean
    values = [joined(known, start, bucket, last) for start in starts]
    across = [_mean(wanted, start, bucket, last) for start in starts] if line else []
    top, ticks = _scale(max([*values, *across, 1]))
    rows = _rows(bands, first, last + 1)
    above = _TOP_PX + _BAND_PX * (max(rows, default=-1) + 1)
    told = f"{len(values)} values from {compact(min(values))} to {compact(max(values))} {unit}"
    shaded = f"; shaded: {', '.join(map(str, bands))}" if bands else ""
    chart = _chart(name, title, told + shaded, above + _PLOT_PX + _AXIS_PX, kind="chart plot")
    _shade(chart, bands, rows, (first, last + 1), above)
    for tick in ticks:
        y = above + _PLOT_PX * (1 - tick / top)
        _rect(chart, x="0", y=round(y, 1), width="100%", height=1, class_="rule" if tick else "axis")
        if tick:
            _text(chart, compact(tick), x="-9", y=round(y + 4, 1), class_="tick", text_anchor="end")
    plot = ET.SubElement(
        chart, "svg",
        {"x": "0", "y": str(above), "width": "100%", "height": str(_PLOT_PX), "viewBox": f"0 0 {len(values)} 1000",
         "preserveAspectRatio": "none", "overflow": "visible"},
    )  # fmt: skip
    heights = [1000 - 1000 * value / top for value in values]
    if len(values) <= _MAX_COLUMNS:
        for number, (value, y) in enumerate(zip(values, heights, strict=True)):
            mark = _rect(plot, x=number + 0.08, y=round(y, 1), width=0.84, height=round(1000 - y, 1), class_="fill-a")
            ET.SubElement(mark, "title").text = f"second {starts[number]}: {value:,.0f} {unit}"
    else:
        ET.SubElement(plot, "path", {"class": "area-a", "d": f"M0 1000 {_steps(heights)} V1000 Z"})
        ET.SubElement(plot, "path", {"class": "line-a", "d": f"M0 {heights[0]:.1f} {_steps(heights)}"})
    if across:
        levels = [1000 - 1000 * value / top for value in across]
        ET.SubElement(plot, "path", {"class": "line-b", "d": f"M0 {levels[0]:.1f} {_steps(levels)}"})
    _time_axis(chart, first, last + 1, above + _PLOT_PX + 18)
    return _markup(chart)


def _rows(bands: Sequence[Band], first: int, after: int) -> list[int]:
    """Return the row of each band's name above the drawing, so that none lies on another even on a phone."""
    ends: list[float] = []
    rows = []
    for band in bands:
        start = (band.start_s - first) / (after - first)
        row = next((number for number, end in enumerate(ends) if end <= start), len(ends))
        ends[row:] = [start + _LETTER_SHARE * len(band.name), *ends[row + 1 :]]
        rows.append(row)
    return rows


def _shade(chart: ET.Element, bands: Sequence[Band], rows: Sequence[int], axis: tuple[int, int], above: int) -> None:
    first, after = axis

    def share(second: float) -> float:
        return min(1.0, max(0.0, (second - first) / (after - first)))

    for band, row in zip(bands, rows, strict=True):
        start, end = share(band.start_s), share(band.end_s)
        top = _TOP_PX + _BAND_PX * row
        shade = _rect(
            chart, x=_percent(start), y=top, width=_percent(end - start), height=above + _PLOT_PX - top, class_="band"
        )
        ET.SubElement(shade, "title").text = visible(str(band))
        if band.after_s is not None and share(band.after_s) > end:
            rest = _percent(share(band.after_s) - end)
            _rect(chart, x=_percent(end), y=above, width=rest, height=_PLOT_PX, class_="band-after")
        # Where the name would leave the drawing, it ends where the band begins to.
        late = start + _LETTER_SHARE * len(band.name) / 2 > 1
        _text(
            chart, band.name, x=_percent(end if late else start), y=top + 13, class_="tick",
            text_anchor="end" if late else "start",
        )  # fmt: skip


def compared(
    name: str, title: str, labels: Sequence[str], found: Sequence[float], declared: Sequence[float], *, axis: str
) -> Markup:
    """Draw a share for each class as a column, with what is declared for it as a line across.

    :param axis: what the classes are, written below them.
    """
    top, ticks = _scale(max([*found, *declared, 1e-6]) * 100)
    chart = _chart(
        name, title, f"{len(labels)} shares, found and declared, by {axis}", _TOP_PX + _PLOT_PX + 2 * _AXIS_PX,
        kind="chart plot",
    )  # fmt: skip
    for tick in ticks:
        y = _TOP_PX + _PLOT_PX * (1 - tick / top)
        _rect(chart, x="0", y=round(y, 1), width="100%", height=1, class_="rule" if tick else "axis")
        if tick:
            _text(chart, f"{tick:g}%", x="-9", y=round(y + 4, 1), class_="tick", text_anchor="end")
    plot = ET.SubElement(
        chart, "svg",
        {"x": "0", "y": str(_TOP_PX), "width": "100%", "height": str(_PLOT_PX), "viewBox": f"0 0 {len(labels)} 1000",
         "preserveAspectRatio": "none", "overflow": "visible"},
    )  # fmt: skip
    for number, (label, share, aim) in enumerate(zip(labels, found, declared, strict=True)):
        y = 1000 - 100_000 * share / top
        mark = _rect(plot, x=number + 0.12, y=round(y, 1), width=0.76, height=round(1000 - y, 1), class_="fill-a")
        ET.SubElement(mark, "title").text = visible(f"{axis} {label}: {share:.2%} found, {aim:.2%} declared")
    levels = [1000 - 100_000 * share / top for share in declared]
    ET.SubElement(plot, "path", {"class": "line-b", "d": f"M0 {levels[0]:.1f} {_steps(levels)}"})
    step = math.ceil(len(labels) / _MAX_LABELS)
    for number in range(0, len(labels), step):
        middle = _percent((number + 0.5) / len(labels))
        _text(
            chart, shortened(labels[number], _CELL_LETTERS), x=middle, y=_TOP_PX + _PLOT_PX + 18, class_="tick",
            text_anchor="middle",
        )  # fmt: skip
    _text(chart, axis, x="50%", y=_TOP_PX + _PLOT_PX + _AXIS_PX + 16, class_="tick", text_anchor="middle")
    return _markup(chart)


def heatmap(
    name: str, title: str, row_names: Sequence[str], column_names: Sequence[str], counts: dict[tuple[str, str], float]
) -> Markup:
    """Draw a table of numbers whose cells are the darker the larger they are."""
    label_share = 0.27
    share = (1 - label_share) / max(1, len(column_names))
    chart = _chart(
        name, title, f"{len(row_names)} rows by {len(column_names)} columns", _CELL_PX * (len(row_names) + 1)
    )
    most = max(counts.values(), default=0) or 1
    for at, column in enumerate(column_names):
        middle = _percent(label_share + share * (at + 0.5))
        _text(chart, shortened(column, _CELL_LETTERS), x=middle, y=20, class_="tick across", text_anchor="middle")
    for row_at, row in enumerate(row_names):
        top = _CELL_PX * (row_at + 1)
        _text(chart, shortened(row, 16), x="0", y=top + 20, class_="label down")
        for at, column in enumerate(column_names):
            value = counts.get((row, column), 0)
            depth = round(0.06 + 0.94 * value / most, 3)
            cell = _rect(
                chart, x=_percent(label_share + share * at), y=top, width=_percent(share), height=_CELL_PX, rx=4,
                class_="cell", fill_opacity=depth,
            )  # fmt: skip
            ET.SubElement(cell, "title").text = visible(f"{row}, {column}: {value:,.0f}")
            # Where ink stops reading on the cell differs between light and dark: see style.css.
            kind = "cell-strong" if depth > 0.75 else "cell-middle" if depth > 0.66 else "cell-weak"
            middle = _percent(label_share + share * (at + 0.5))
            _text(chart, compact(value), x=middle, y=top + 21, class_=kind, text_anchor="middle")
    return _markup(chart)


def _chart(name: str, title: str, description: str, height: int, *, kind: str = "chart") -> ET.Element:
    chart = ET.Element(
        "svg",
        {
            "class": kind,
            "width": "100%",
            "height": str(height),
            "role": "img",
            "aria-labelledby": f"{name}-t {name}-d",
        },
    )
    ET.SubElement(chart, "title", {"id": f"{name}-t"}).text = visible(title)
    ET.SubElement(chart, "desc", {"id": f"{name}-d"}).text = visible(description)
    return chart


def _rect(parent: ET.Element, **attributes: object) -> ET.Element:
    return ET.SubElement(parent, "rect", _named(attributes))


def _text(parent: ET.Element, content: str, **attributes: object) -> None:
    ET.SubElement(parent, "text", _named(attributes)).text = visible(content)


def _named(attributes: dict[str, object]) -> dict[str, str]:
    return {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}


def _markup(chart: ET.Element) -> Markup:
    # ElementTree has escaped every text and attribute.
    return Markup(ET.tostring(chart, encoding="unicode", short_empty_elements=True))  # noqa: S704


def _percent(share: float) -> str:
    return f"{100 * share:.3f}%"


def _mean(values: dict[float, float], start: int, bucket: int, last: int) -> float:
    seconds = range(start, min(start + bucket, last + 1))
    return sum(values.get(second, 0) for second in seconds) / len(seconds)


def _largest(values: dict[float, float], start: int, bucket: int, last: int) -> float:
    return max(values.get(second, 0) for second in range(start, min(start + bucket, last + 1)))


def _steps(heights: Sequence[float]) -> str:
    """Return path commands that hold each value for its whole second."""
    return " ".join(f"V{height:.1f} H{number + 1}" for number, height in enumerate(heights))


def _scale(most: float) -> tuple[float, list[float]]:
    """Return the top of an axis and its ticks: 1, 2 or 5 times a power of ten apart, two to five of them."""
    raw = most / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    count = math.ceil(most / step - 1e-9)
    return step * count, [step * number for number in range(count + 1)]


def _time_axis(chart: ET.Element, first: int, after: int, y: int) -> None:
    from consumer.report.text import clock

    span = after - first
    step = next(
        step
        for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 10800, 86400 * 365)
        if span / step <= 6
    )
    for second in range(first, after + 1, step):
        share = (second - first) / span
        if share > 0.94 and second != after:
            continue
        anchor = "start" if second == first else "end" if share > 0.94 else "middle"
        _text(chart, clock(second), x=_percent(share), y=y, class_="tick", text_anchor=anchor)

"""The steps of a demo as they go: one moving line on a terminal, one line for each that ended, with its seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from streamproof.console import stderr

_NAME_WIDTH = 9
# Redrawn as often as an eye sees a clock move.
_DRAWN_PER_S = 8


@dataclass(slots=True)
class Step:
    """One step while it goes. ``said`` is what it does at the moment, and at its end what it did."""

    name: str
    began: float = field(default_factory=time.monotonic)
    said: str = ""

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return time.monotonic() - self.began


@dataclass(slots=True)
class Steps:
    """The steps of one demo, with how long each took, seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, *, moving: bool = True) -> Iterator[Step]:
        """Show a step while it goes; then its line stays. One that fails says so, and its error is not of this."""
        step = Step(name)
        try:
            if moving and stderr.is_terminal:
                with Live(_Moving(step), console=stderr, refresh_per_second=_DRAWN_PER_S, transient=True):
                    yield step
            else:
                yield step
        except BaseException:
            _ended("✗", "red", step)
            raise
        self.seconds[name] = round(step.seconds, 1)
        _ended("✓", "green", step)


class _Moving:
    """A line that is drawn anew with what its step says."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._spinner = Spinner("dots", style="cyan")

    def __rich__(self) -> RenderableType:
        line = Table.grid(padding=(0, 1))
        line.add_row(self._spinner, _words(self._step))
        return line


def _ended(mark: str, colour: str, step: Step) -> None:
    """Leave a line behind. It is not folded: what is in it is there to be copied."""
    stderr.print(Text.assemble((mark, colour), " ", _words(step)), soft_wrap=True)


def _words(step: Step) -> Text:
    """Return name, seconds and what is said, in columns that stand one below the other over all steps."""
    return Text.assemble((f"{step.name:<{_NAME_WIDTH}}", "bold"), f"{step.seconds:>6.1f} s  ", step.said)

"""A feed: files, and the topic that their rows go to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from cluster.errors import DataRejected, Misconfigured
from producer.scenarios import find_scenario
from producer.scenarios.options import filled, fitted
from producer.scenarios.replay.options import ALONGSIDE, CLOCK_FROM, LONGEST_GAP, ORDER, SPEED, TIME_ORDER
from producer.scenarios.replay.scenario import ReplayScenario, Sources
from producer.scenarios.replay.staged.copy import Staged
from producer.scenarios.replay.staged.make import Progress

_SHOWN_REASONS = 3
_OF_LINES = 5


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: a scenario that replays files, by its name or the path of its file, its topic and its options."""

    scenario: str
    topic: str
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return Path(self.scenario).stem

    def found(self) -> ReplayScenario:
        """Return its scenario.

        :raises Misconfigured: there is none, or it does not replay files.
        """
        scenario = find_scenario(self.scenario)
        if not isinstance(scenario, ReplayScenario):
            raise Misconfigured(
                f"{self.scenario} is a scenario that replays no files",
                hint="Name a YAML file with kind: replay; `streamproof produce` sends the others",
            )
        return scenario

    def sources(self) -> Sources:
        """Return which files it has, and how they are read.

        :raises Misconfigured: its options do not say it.
        """
        scenario = self.found()
        return scenario.sources(filled(scenario.options, fitted(scenario.options, self.options, self.name)))


@dataclass(frozen=True, slots=True)
class Timing:
    """When the rows of a run are sent, by their own times; ``speed`` is ``None`` where something else says it.

    :param longest_gap_s: seconds of event time, to which longer gaps are cut.
    :param clock_from: event time of second 0; ``None`` for the earliest of ``feeds`` in the run that count for it.
    :param first_feed: second 0 is the earliest time of the first feed: what the others have from before is due then.
    :param order: ``file`` or ``time``; by time with a speed, unless it is told.
    """

    speed: float | None = None
    longest_gap_s: float | None = None
    clock_from: str | None = None
    first_feed: bool = False
    order: str | None = None

    @property
    def told(self) -> dict[str, object]:
        """The options of every feed that are known before its files are read."""
        if self.speed is None:
            return {} if self.order is None else {ORDER: self.order}
        told = {
            SPEED: self.speed,
            LONGEST_GAP: self.longest_gap_s,
            CLOCK_FROM: self.clock_from,
            ORDER: self.order or TIME_ORDER,
        }
        return {name: value for name, value in told.items() if value is not None}

    def applied(self, feed: Feed) -> Feed:
        """Return a feed with these options."""
        return replace(feed, options={**feed.options, **self.told})


@dataclass(frozen=True, slots=True)
class StagedFeed:
    """A feed whose files were read."""

    feed: Feed
    staged: Staged

    @property
    def share_set_aside(self) -> float:
        """Share of the rows that were set aside."""
        there = self.staged.rows + self.staged.set_aside
        return self.staged.set_aside / there if there else 0.0

    def first_reasons(self, most: int = _OF_LINES) -> list[dict[str, Any]]:
        """Return the first rows that were set aside: file, line, reason and detail of each."""
        first = islice((each for each in self.staged.read_aside() if not each.aside.part), most)
        return [
            {
                "file": each.file,
                "line": each.aside.line,
                "reason": each.aside.reason,
                "detail": each.aside.detail,
            }
            for each in first
        ]

    def document(self) -> dict[str, Any]:
        """Return what is known before a row is sent."""
        return {
            "feed": self.feed.name,
            "topic": self.feed.topic,
            "files": len(self.staged.index.files),
            "rows": self.staged.rows,
            "set_aside": self.staged.set_aside,
            "set_aside_by_reason": dict(self.staged.index.set_aside),
            "first_set_aside": self.first_reasons() if self.staged.set_aside else [],
        }


def stage_feeds(
    feeds: Sequence[Feed],
    *,
    timing: Timing = Timing(),
    told: Callable[[Feed, Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> list[StagedFeed]:
    """Read the files of each feed, or find what was read of them before, and let them share a clock if they have one.

    :param told: is told how far a feed is, four times a second.
    :raises Misconfigured: a feed has no files, or has no event time and there is a speed.
    :raises StreamproofError: as ``ReplayScenario`` reads files.
    """
    feeds = [timing.applied(feed) for feed in feeds]
    sources = [feed.sources() for feed in feeds]
    for each in sources:
        each.files.find()  # before the first is read, which may take long
    staged = [
        each.stage(told=None if told is None else lambda said, feed=feed: told(feed, said), stop=stop)  # type: ignore[misc]
        for feed, each in zip(feeds, sources, strict=True)
    ]
    return [
        StagedFeed(replace(feed, options={**feed.options, **_shared_clock(timing, own, staged)}), own)
        for feed, own in zip(feeds, staged, strict=True)
    ]


def refuse_set_aside(feeds: Sequence[StagedFeed], most: float | None) -> None:
    """Refuse a run of which more was set aside than may be.

    :param most: a share of the rows of each feed below 1, or a number of rows; ``None`` for any, if others are taken.
    :raises DataRejected: a feed has more; the first rows are named.
    """
    for each in feeds:
        aside, taken = each.staged.set_aside, each.staged.rows
        any_number = aside if taken else 0
        allowed = any_number if most is None else most if most >= 1 else most * (taken + aside)
        if aside > allowed:
            first = [f"{row['file']} line {row['line']}: {row['reason']}" for row in each.first_reasons(_SHOWN_REASONS)]
            none = "" if taken else ", and none was taken"
            raise DataRejected(
                f"{aside:,} row{'s were' if aside > 1 else ' was'} set aside{none} ({'; '.join(first)})",
                where=f"feed {each.feed.name}, {each.staged.folder / 'set_aside.jsonl'}",
                hint="Nothing was sent. Mend the files, or allow more with --most-set-aside",
            )


def _shared_clock(timing: Timing, own: Staged, all_staged: Sequence[Staged]) -> dict[str, object]:
    """Return the options of one feed that let it share a clock with the others, whose files are read by now."""
    if timing.speed is None:
        return {}
    shared: dict[str, object] = {}
    others = [staged.content for staged in all_staged if staged is not own]
    if others:
        shared[ALONGSIDE] = ",".join(others)
    earliest = all_staged[0].whole.event_time_range if timing.first_feed and timing.clock_from is None else None
    if earliest is not None:
        shared[CLOCK_FROM] = str(earliest[0])
    return shared

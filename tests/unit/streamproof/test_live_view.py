"""How topics look in a terminal: unknown is never 0, nothing of a record is obeyed, and lines end where it ends."""

from __future__ import annotations

import io

import pytest

from consumer.live.snapshot import (
    COUNTS,
    IN_TOPIC,
    STAGES,
    GroupSight,
    GroupsSight,
    History,
    LastKnown,
    MemberSight,
    NameTotal,
    NewestSight,
    PartitionSight,
    PartitionsSight,
    RecordSight,
    Snapshot,
    Stage,
    TopicSight,
    TotalsSight,
)
from streamproof.console import VisibleConsole
from streamproof.views.watching import blocks, lines_of, sparkline

AT = "2026-01-01T12:34:56.000Z"
EVIL = "\x1b[2J\x1b]0;title\x07[bold]\n\u202e"


def snapshot(*topics: TopicSight, problem: str = "") -> Snapshot:
    return Snapshot(1, AT, "localhost:9092", topics, problem=problem)


def drawn(what: Snapshot, width: int = 120, height: int = 60) -> list[str]:
    out = io.StringIO()
    VisibleConsole(file=out, width=width, height=height, force_terminal=False).print(blocks(what, width, height))
    return out.getvalue().rstrip("\n").split("\n")


def topic(**more) -> TopicSight:
    stages = tuple(Stage(name, COUNTS[name], 1_000, 99.5, 0, AT) for name in STAGES)
    return TopicSight("t", exists=True, **{"stages": stages, **more})


def test_what_is_unknown_is_called_so_with_its_reason_and_what_was_known_last() -> None:
    stages = tuple(Stage(name, "", unknown="no broker answers", last=LastKnown(7_654, AT)) for name in STAGES)
    shown = drawn(snapshot(topic(stages=stages)))

    lines = [line for line in shown if line.strip().startswith(STAGES)]
    assert len(lines) == len(STAGES)
    assert all("unknown  no broker answers  (7,654 at 12:34:56)" in line for line in lines)
    (line,) = lines_of(snapshot(topic(stages=stages)))
    assert line.count("unknown (no broker answers)") == len(STAGES)


def test_stages_have_count_rate_gap_and_a_plot() -> None:
    stages = tuple(Stage(name, "", 1_234_567, 9_999.6, 12, AT) for name in STAGES)
    history = History((1.0, 2.0, 3.0), dict.fromkeys(STAGES, (0.0, None, 10.0)))

    line = next(line for line in drawn(snapshot(topic(stages=stages, history=history))) if IN_TOPIC in line)

    assert line.split() == ["in", "the", "topic", "1,234,567", "10,000/s", "gap", "12", "▁", "█"]


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int) -> None:
    record = RecordSight(0, 1, AT, "k" * 300, 1, 1, "s v1 (id 1)", "avro", "v" * 400)
    shown = drawn(snapshot(topic(newest=NewestSight((record,), AT))), width=width)

    assert max(map(len, shown)) <= width
    assert any("…" in line for line in shown)


@pytest.mark.parametrize("height", [8, 12, 20, 40])
def test_what_matters_less_is_left_out_where_there_is_little_room_and_stages_never_are(height: int) -> None:
    records = tuple(RecordSight(0, n, AT, "k", 1, 1, "", "avro", "v") for n in range(20))
    partitions = PartitionsSight(tuple(PartitionSight(n, 0, 5) for n in range(6)), AT)
    full = topic(newest=NewestSight(records, AT), partitions=partitions, totals=TotalsSight(unknown="x"))

    shown = drawn(snapshot(full), height=height)

    assert len(shown) <= height
    assert sum(line.strip().startswith(STAGES) for line in shown) == len(STAGES)


def test_nothing_that_came_from_outside_reaches_the_terminal_as_a_command() -> None:
    record = RecordSight(0, 1, AT, EVIL, 1, 1, EVIL, "avro", EVIL, "")
    group = GroupSight(EVIL, "classic", "stable", (MemberSight("m", EVIL, EVIL, (0,), (1,)),), lag=5, rate=1.0)
    evil = topic(
        newest=NewestSight((record,), AT),
        groups=GroupsSight((group,), AT),
        totals=TotalsSight((NameTotal(EVIL, 3),), field=EVIL, sampled=3, as_of=AT),
    )

    for text in ("\n".join(drawn(snapshot(evil, problem=EVIL))), "\n".join(lines_of(snapshot(evil, problem=EVIL)))):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert "[bold]" in text


def test_members_show_what_they_own_what_they_are_to_have_and_that_they_are_idle() -> None:
    members = (
        MemberSight("a", "one", "h", (0, 1), (0,)),
        MemberSight("b", "two", "h", (2,), (2,)),
        MemberSight("c", "three", "h", idle=True),
    )
    group = GroupSight("g", "consumer", "stable", members, lag=1_000, rate=150.0, zero_lag_s=20.0)

    shown = "\n".join(drawn(snapshot(topic(groups=GroupsSight((group,), AT)))))

    assert "g  consumer, stable  lag 1,000, none in 20 s  150/s" in shown
    assert "one  partitions 0, 1, to have 0" in shown
    assert "two  partitions 2\n" in shown
    assert "three  idle" in shown


def test_a_sample_is_called_one_and_a_counter_says_how_far_it_is() -> None:
    sample = TotalsSight((NameTotal("purchase", 3),), sampled=20, field="eventName", as_of=AT)
    counter = TotalsSight(
        (NameTotal("purchase", 3),), source="counter", source_topic="unique", field="eventName", behind=7, as_of=AT
    )

    assert "of eventName, in a sample of the newest 20" in "\n".join(drawn(snapshot(topic(totals=sample))))
    assert "counted in unique, 7 not counted yet" in "\n".join(drawn(snapshot(topic(totals=counter))))


def test_a_sparkline_has_a_blank_where_nothing_was_known_and_takes_the_last_that_fit() -> None:
    assert sparkline([5.0, None, 10.0, 0.0], 4) == "▅ █▁"
    assert sparkline([1.0, 2.0, 3.0], 2) == "▆█"
    assert sparkline([0.0, 0.0], 5) == "▁▁"
    assert sparkline([], 5) == ""


def test_where_there_is_no_topic_it_is_said_what_makes_one() -> None:
    assert any("no topic has a control topic yet" in line for line in drawn(snapshot()))

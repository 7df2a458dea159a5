"""What lines of progress say, by a clock of the test's own: Kafka answers in batches, looks fall between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from producer.send.meter import Progress
from producer.standing import Standing

LINGER_S = 0.02
LOOK_S = 0.2


def run(
    rate: float,
    seconds: float,
    *,
    shard: int = 0,
    capacity: float | None = None,
    frozen: tuple[float, float] = (1e9, 1e9),
    lag_s: float = 0.03,
) -> Iterator[Progress]:
    """A shard whose events are due evenly, and are acknowledged every 20 ms, 30 ms later, unless it is frozen."""
    acknowledged, answered_s, sent, batch_s = 0, 0.0, 0, LINGER_S
    look = 0
    while (at_s := look * LOOK_S + 0.007) <= seconds:
        look += 1
        while batch_s + lag_s <= at_s:
            batch_s += LINGER_S
            if frozen[0] <= batch_s + lag_s < frozen[1]:
                continue
            sent = int(rate * batch_s) + 1
            if capacity is not None:
                sent = min(sent, int(capacity * batch_s))
            if sent > acknowledged:
                acknowledged, answered_s = sent, batch_s + lag_s
        due = int(rate * at_s) + 1
        behind = due - acknowledged
        yield Progress(
            shard=shard,
            elapsed_s=at_s,
            answered_s=answered_s,
            generated=due,
            acknowledged=acknowledged,
            queued=behind,
            asked=rate * at_s,
            behind=behind,
            behind_s=max(0.0, at_s - acknowledged / rate) if behind else 0.0,
            delay_ms=lag_s * 1000,
            target=100_000,
        )


def lines(progress: Iterator[Progress], every_s: float, standing: Standing | None = None) -> list[str]:
    standing = standing or Standing([100_000])
    said, next_s = [], every_s
    for each in progress:
        standing.add(each)
        if each.elapsed_s >= next_s:
            next_s += every_s
            said.append(standing.line().words())
    return said


@pytest.mark.parametrize("every_s", [1.0, 5.0])
def test_an_exact_rate_is_shown_as_itself_in_every_line(every_s):
    said = lines(run(500, 20.5), every_s)
    assert len(said) == 20 / every_s
    assert all("500/s as asked, on schedule, delay up to 30 ms" in line for line in said)
    assert all(" of 100,000 acknowledged" in line for line in said)


def test_a_slow_rate_is_neither_nothing_nor_ten_times_as_much():
    said = lines(run(0.5, 30.5), 1.0)
    assert all("0.5/s as asked" in line for line in said[3:])
    # Nothing is said of a rate before two acknowledgements.
    assert said[0] == "1 of 100,000 acknowledged, on schedule, delay up to 30 ms"


def test_a_rate_that_is_missed_is_told_beside_the_one_that_was_asked_for_and_how_far_behind_it_is():
    said = lines(run(1000, 10.5, capacity=600), 5.0)
    assert said[1].startswith("5,987 of 100,000 acknowledged, 600/s of 1,000/s asked, 4.0 s behind, ")


def test_who_is_late_is_held_against_what_was_asked_while_something_was_and_a_pause_asks_for_nothing():
    def progress(at_s: float, acknowledged: int, asked: float, *, over: bool = False) -> Progress:
        return Progress(
            shard=0, elapsed_s=at_s, answered_s=at_s, generated=2000, acknowledged=acknowledged, queued=1, asked=asked,
            over=over, behind_s=2.0,
        )  # fmt: skip

    late, paused = Standing([2000]), Standing([2000])
    for step in range(1, 31):
        at_s = step / 5
        late.add(progress(at_s, int(300 * at_s), min(2000, 1000 * at_s), over=at_s >= 2))
        paused.add(progress(at_s, int(300 * at_s), min(2000, 1000 * at_s)))
        if step % 10 == 0:
            said = late.line().short_pace(), paused.line().short_pace()
    assert said == ("300 of 1,000/s", "300/s")


def test_a_stall_is_a_rate_of_nothing_in_its_lines_and_is_caught_up_in_the_next():
    said = lines(run(1000, 6.5, frozen=(2.0, 4.1)), 1.0)
    assert "0/s of 1,000/s asked, 1.0 s behind" in said[2]
    assert "0/s of 1,000/s asked, 2.0 s behind" in said[3]
    caught_up = said[4]
    assert "on schedule" in caught_up
    assert "/s of 1,000/s asked" in caught_up
    assert "1,000/s as asked" in said[5]


def test_the_live_rate_of_a_steady_run_is_steady():
    standing, seen = Standing([100_000]), []
    for each in run(20_000, 20):
        standing.add(each)
        seen.append(standing.live())
    rates = [line.rate for line in seen if line.rate is not None and line.acknowledged > 20_000]
    assert max(rates) / min(rates) < 1.05
    assert seen[-1].short_pace() == "20,000/s"


def test_shards_are_summed_and_the_latest_is_the_one_that_is_behind():
    standing = Standing([100_000, 100_000])
    for first, second in zip(run(500, 6), run(1500, 6, shard=1, capacity=1000), strict=True):
        standing.add(first)
        standing.add(second)
        if 2.9 < first.elapsed_s < 3.1:
            standing.line()
    line = standing.line()
    assert line.target == 200_000
    assert line.asked == pytest.approx(2000)
    assert line.rate == pytest.approx(1500, rel=0.02)
    assert line.behind_s == pytest.approx(2.0, abs=0.1)
    assert line.words().startswith(
        "8,669 of 200,000 acknowledged, 1,499/s of 2,000/s asked, 2.0 s behind, 2,946 events"
    )


def test_a_target_that_one_shard_does_not_know_is_not_told():
    standing = Standing([1000, None])
    for each in run(100, 2):
        standing.add(each)
    assert " of " not in standing.line().words().split(",")[0]

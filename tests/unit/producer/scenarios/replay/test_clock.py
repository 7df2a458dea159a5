"""The original timing: rows in the order of their times, each due when it happened, on a clock that feeds share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import DataRejected, Misconfigured, StoreFull
from cluster.machine.disk import no_space
from producer.feeds import Feed, Timing, stage_feeds
from producer.feeds.feed import refuse_set_aside
from producer.scenarios import Asked, find_scenario
from producer.scenarios.options import filled, fitted
from producer.scenarios.replay.clock import epoch_ms
from producer.scenarios.replay.scenario import copies_home
from producer.scenarios.replay.staged import writing
from producer.scenarios.replay.stream import ReplayStream
from tests.kit import ROOT

SAMPLES = ROOT / "samples" / "click_stream"
CLICKS, ARTICLES = "click_stream", "click_stream_metadata"


def opened(name: str = CLICKS, *, shard: int = 0, shards: int = 1, **options: Any) -> ReplayStream:
    scenario = find_scenario(name)
    told = fitted(scenario.options, {"folder": str(SAMPLES), **options}, name)
    asked = Asked(shards, shard, 0.0, filled(scenario.options, told))
    settings = {**told, **scenario.settings(None, 0, asked)}
    stream = scenario.open(1, shard, settings)
    assert isinstance(stream, ReplayStream)
    return stream


def rows(stream: ReplayStream) -> pa.Table:
    blocks = -(-stream.limit // stream.block_events)
    return pa.Table.from_batches([stream.block(number) for number in range(blocks)])


def times(table: pa.Table, name: str = "click_timestamp") -> np.ndarray:
    return table.column(name).cast(pa.int64()).to_numpy()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BLOCK_EVENTS", 300)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("shards", [1, 3])
def test_in_the_order_of_time_the_rows_of_a_shard_are_the_same_and_those_of_one_time_as_in_the_files(shards):
    for shard in range(shards):
        in_files, by_time = (opened(shard=shard, shards=shards, order=order) for order in ("file", "time"))
        assert by_time.limit // by_time.block_events >= 3
        expected = rows(in_files)
        order = np.argsort(times(expected), kind="stable")
        assert rows(by_time).equals(expected.take(pa.array(order)))
        assert by_time.block(2).equals(rows(by_time).to_batches()[2])


@pytest.mark.parametrize("shards", [1, 2])
def test_each_row_is_due_when_it_happened(shards):
    begin = min(times(rows(opened())))
    for shard in range(shards):
        stream = opened(shard=shard, shards=shards, speed=60, order="time", clock_from=str(begin))
        due = stream.due
        assert due is not None
        expected = (times(rows(stream)) - begin) / 60_000
        assert [due.at(number) for number in range(stream.limit)] == pytest.approx(expected)


def test_a_row_that_lies_behind_a_later_one_is_due_with_that_one():
    stream = opened(speed=1, order="file", clock_from="2017-10-01T03:00:00Z")
    due = stream.due
    assert due is not None
    found = np.array([due.at(number) for number in range(stream.limit)])
    in_files = times(rows(stream))
    expected = (np.maximum.accumulate(in_files) - 1_506_826_800_000) / 1000
    assert found == pytest.approx(np.maximum(expected, 0))
    assert (found > (in_files - 1_506_826_800_000) / 1000 + 1).mean() > 0.5, "sessions are not in order of time"


def test_feeds_share_a_clock_whose_beginning_is_the_first_click():
    feeds = [Feed(CLICKS, "a", {"folder": str(SAMPLES)}), Feed(ARTICLES, "b", {"folder": str(SAMPLES)})]
    staged = stage_feeds(feeds, timing=Timing(speed=10.0, first_feed=True, longest_gap_s=20.0))
    clicks, articles = (opened(each.feed.scenario, **each.feed.options) for each in staged)
    assert clicks.due is not None
    assert articles.due is not None
    assert clicks.due.at(0) == 0
    created = times(rows(articles), "created_at_ts")
    begin = times(rows(clicks))[0]
    archive = int((created < begin).sum())
    assert articles.due.at(archive - 1) == 0 < articles.due.at(archive)
    # A moment of both is one second of the clock, gaps cut or not.
    both = np.sort(np.concatenate([times(rows(clicks)), created[archive:]]))
    steps = np.minimum(np.diff(both), 20_000)
    at = {int(time_ms): second for time_ms, second in zip(both[1:], np.cumsum(steps) / 10_000, strict=True)}
    assert articles.due.at(articles.limit - 1) == pytest.approx(at[int(created.max())])
    assert clicks.due.at(clicks.limit - 1) == pytest.approx(at[int(times(rows(clicks)).max())])


def test_a_feed_may_be_named_instead_of_staged():
    named = opened(speed=10, alongside=ARTICLES)
    assert named.due is not None
    assert named.due.at(0) > 1000, "the archive of the articles is older"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"longest_gap": 5}, "longest_gap without a speed"),
        ({"speed": 1, "clock_from": "yesterday"}, "'yesterday', which is no time"),
        ({"speed": 1, "alongside": "clickstream"}, "clickstream replays no files"),
        ({"speed": 1, "alongside": "0123456789abcdef0123456789abcdef"}, "shares the clock are not here"),
        ({"speed": 1, "clock_from": "--5"}, "'--5', which is no time"),
        ({"speed": 1, "clock_from": "²"}, "'²', which is no time"),
        ({"speed": 1, "clock_from": "9" * 30}, "which is no time"),
        ({"speed": 0}, r"must be 0\.0001 or more"),
        ({"speed": 1e-320}, r"must be 0\.0001 or more"),
    ],
)
def test_a_clock_that_cannot_be_is_told(options, says):
    with pytest.raises(Misconfigured, match=says):
        opened(**options)


def test_without_an_event_time_there_is_no_original_timing(tmp_path: Path):
    (tmp_path / "rows-1.csv").write_text("id\n1\n2\n")
    (tmp_path / "feed.yaml").write_text("kind: replay\nprefix: rows-\nkey: id\n")
    with pytest.raises(Misconfigured, match="no field is known to be the event's time"):
        opened(str(tmp_path / "feed.yaml"), folder=str(tmp_path), speed=1, order="time")


def test_times_are_iso_in_utc_or_milliseconds():
    assert epoch_ms("2017-10-01T03:00:00Z") == epoch_ms("2017-10-01T03:00:00") == epoch_ms("1506826800000")
    assert epoch_ms("2017-10-01T00:00:00-03:00") == 1_506_826_800_000


def far(tmp_path: Path, **options: Any) -> ReplayStream:
    """Open rows whose times are as far from each other as a long allows."""
    least, most = -(2**63), 2**63 - 1
    (tmp_path / "rows-1.csv").write_text(f"id,at\n1,{most}\n2,{least}\n3,0\n4,5000\n")
    (tmp_path / "feed.yaml").write_text("kind: replay\nprefix: rows-\nkey: id\nevent_time: at\n")
    return opened(str(tmp_path / "feed.yaml"), folder=str(tmp_path), **options)


@pytest.mark.parametrize("gap", [None, 10])
def test_times_beyond_all_years_are_in_order_and_due_in_it(tmp_path: Path, gap: int | None):
    stream = far(tmp_path, speed=1, order="time", longest_gap=gap)
    assert rows(stream).column("id").to_pylist() == [2, 3, 4, 1]
    assert stream.due is not None
    due = [stream.due.at(number) for number in range(4)]
    assert due == sorted(due)
    assert due[0] == 0
    assert due[2] - due[1] == pytest.approx(5, abs=1)
    assert [stream.due.due(second) for second in due] == [1, 2, 3, 4]


def test_an_order_that_is_not_whole_is_made_again(tmp_path: Path):
    def order() -> list[int]:
        return rows(far(tmp_path, order="time")).column("id").to_pylist()

    assert order() == [2, 3, 4, 1]
    (kept,) = copies_home().rglob("order-0-of-1.i64")
    kept.write_bytes(kept.read_bytes()[:16])
    assert order() == [2, 3, 4, 1]
    kept.write_bytes(b"")
    assert order() == [2, 3, 4, 1]


def test_no_room_for_an_order_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: Path) -> None:
        raise no_space("no space")

    monkeypatch.setattr("producer.scenarios.replay.clock.sync", full)
    with pytest.raises(StoreFull):
        far(tmp_path, order="time")
    assert not [*copies_home().rglob(".order*")]


@pytest.mark.parametrize(
    ("most", "refused"), [(None, False), (0.0, True), (1, True), (2, False), (0.1, True), (0.5, False)]
)
def test_more_rows_than_may_be_set_aside_are_refused_before_anything_is_sent(tmp_path: Path, most, refused):
    (tmp_path / "rows-1.csv").write_text("id,at\n1,2026-01-01\n2\n3\n" + "4,2026-01-01\n" * 7)
    (tmp_path / "feed.yaml").write_text("kind: replay\nprefix: rows-\nkey: id\n")
    staged = stage_feeds([Feed(str(tmp_path / "feed.yaml"), "rows")])
    if not refused:
        refuse_set_aside(staged, most)
        return
    with pytest.raises(Exception, match=r"2 rows were set aside \(rows-1.csv line 3: .*rows-1.csv line 4"):
        refuse_set_aside(staged, most)


@pytest.mark.parametrize(("most", "refused"), [(None, True), (0.5, True), (1, True), (2, False)])
def test_a_feed_of_which_no_row_is_taken_is_refused_unless_that_is_allowed(tmp_path: Path, most, refused):
    (tmp_path / "rows-1.csv").write_text("id,at\n2\n3\n")
    (tmp_path / "feed.yaml").write_text("kind: replay\nprefix: rows-\n")
    staged = stage_feeds([Feed(str(tmp_path / "feed.yaml"), "rows")])
    if refused:
        with pytest.raises(DataRejected, match="2 rows were set aside, and none was taken"):
            refuse_set_aside(staged, most)
    else:
        refuse_set_aside(staged, most)
    # Files without any row are no fault of theirs.
    (tmp_path / "rows-1.csv").write_text("id,at\n")
    refuse_set_aside(stage_feeds([Feed(str(tmp_path / "feed.yaml"), "rows")]), most)

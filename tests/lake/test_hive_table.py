"""The Hive table of clicks by category: exact after every run, twice is once, and a killed run is done again."""

from __future__ import annotations

import contextlib
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cluster.errors import DependencyDown, Interrupted, Misconfigured, PlaceMissing, WarehouseLocked
from consumer.lake.hive.table import TableRequest, fill_table
from consumer.lake.lock import lake_locked
from stack.parts.spark import find_spark
from tests.kit.clicks import Article, Click, Counted, article_rows, click_rows, counted, some_clicks
from tests.kit.depth import DEEP, HIVE_KILLS
from tests.kit.lake_folder import append_batch

CONF = {"spark.sql.shuffle.partitions": "1"}
CLICKS, ARTICLES = "click_stream", "click_stream_metadata"


class Flow:
    """A lake of both topics, and what was put into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clicks: list[Click] = []
        self.articles: list[Article] = []
        self.dice = random.Random(5)

    def click(self, number: int, hours: tuple[int, ...]) -> None:
        more = some_clicks(self.dice, number, articles=30, hours=hours)
        self.clicks += more
        append_batch(self.folder, CLICKS, click_rows(more), [click.hour for click in more])

    def write(self, *articles: Article) -> None:
        self.articles += articles
        append_batch(self.folder, ARTICLES, article_rows(articles), ["2026-11-26/00"] * len(articles))

    @property
    def expected(self) -> Counted:
        return counted(self.clicks, self.articles)

    @property
    def table(self) -> Path:
        return self.folder / "hive" / "warehouse" / "click_stream_by_category"

    def fill(
        self, progress: Callable[[str], None] = lambda _: None, stop: threading.Event | None = None, **how: object
    ):
        request = TableRequest(self.folder, CLICKS, ARTICLES, **{"master": "local[1]", "conf": CONF} | how)
        return fill_table(request, home=find_spark(), stop=stop or threading.Event(), progress=progress)

    def stored(self) -> Counted:
        """Read the table as anybody reads it: its folder, without Hive."""
        rows = duckdb.sql(
            "SELECT category_id, publisher_id, device_group, CAST(date AS VARCHAR), CAST(hour AS INTEGER), clicks, "
            f"users, sessions FROM read_parquet('{self.table}/date=*/hour=*/*.parquet', hive_partitioning = true)"
        ).fetchall()
        assert len({row[:5] for row in rows}) == len(rows)
        return {row[:5]: row[5:] for row in rows}


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    flow = Flow(tmp_path / "lake")
    flow.click(400, (0, 1, 5))
    flow.write(*(Article(n, n % 5, n % 3) for n in range(25)))
    return flow


def test_the_table_is_always_all_that_is_published_also_after_a_kill(flow: Flow) -> None:
    """One test, as each start of Spark is dear."""
    first = flow.fill()
    assert flow.stored() == flow.expected
    assert (first.hours, first.computed, first.clicks, first.folder) == (3, 3, 400, str(flow.table))
    assert sum(each["clicks"] for each in first.categories) == 400
    # New clicks, an article that was not known, and one that says nothing new; killed at a step of it, however often.
    flow.click(50, (5, 7))
    flow.write(Article(2, 2, 2), Article(26, 9, 9))
    for step in HIVE_KILLS:
        stop = threading.Event()
        with contextlib.suppress(Interrupted):  # a job that was quicker than its end has done it
            flow.fill(lambda said, step=step, stop=stop: stop.set() if step in said else None, stop)
        assert stop.is_set() or step == "written"  # a run before it left nothing to write
    second = flow.fill()
    assert flow.stored() == flow.expected
    if DEEP:
        return  # what is left to compute depends on how far the killed ones came
    touched = {click.hour for click in flow.clicks[400:]} | {c.hour for c in flow.clicks if c.article == 26}
    assert (second.computed, second.articles) == (len(touched), 1)
    files = {path: path.stat().st_mtime_ns for path in flow.table.rglob("*.parquet")}
    again = flow.fill()
    assert (again.computed, again.rows, again.clicks) == (0, second.rows, 450)
    assert {path: path.stat().st_mtime_ns for path in flow.table.rglob("*.parquet")} == files


def test_what_stands_in_the_way_is_said_in_words_before_spark_starts(flow: Flow, tmp_path: Path) -> None:
    with lake_locked(flow.folder), pytest.raises(WarehouseLocked, match="another job is at work in this lake"):
        flow.fill()
    with pytest.raises(Misconfigured, match="not the name of a table"):
        flow.fill(table="a.b.c; DROP")
    with pytest.raises(Misconfigured, match="no address of a metastore"):
        flow.fill(metastore="somewhere:9083")
    with pytest.raises(DependencyDown, match="metastore is not reached"):
        flow.fill(metastore="thrift://127.0.0.1:1")
    shutil.rmtree(flow.folder / ARTICLES)
    with pytest.raises(PlaceMissing, match="nothing is committed"):
        flow.fill()

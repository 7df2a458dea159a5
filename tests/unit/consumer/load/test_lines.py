"""Lines about a load: the rate of each is that since the line before, not of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.load.progress import LoadLines, LoadProgress, LoadResult, Meter


def test_the_rate_of_a_line_is_that_since_the_line_before():
    lines = LoadLines()
    first = LoadProgress(rows=100_000, offsets_total=300_000, seconds=1.0)
    slower = LoadProgress(rows=150_000, quarantined=10, offsets_total=300_000, seconds=3.0)
    assert lines.words(first) == "100,000 of 300,000 records stored, 100,000 rows/s, 2 s left"
    assert lines.words(slower) == "150,010 of 300,000 records stored, 25,000 rows/s, 10 quarantined, 3 s left"


def test_how_much_there_is_is_told_before_the_first_batch():
    told: list[LoadProgress] = []
    Meter(300_000, told.append)
    assert [(each.offsets_done, each.offsets_total) for each in told] == [(0, 300_000)]
    assert LoadLines().words(told[0]) == "0 of 300,000 records stored, 0 rows/s"


@pytest.mark.parametrize(("rows", "rate"), [(50_000, 25_000.0), (0, 0.0)])
def test_a_result_says_rows_a_second_of_loading_and_start_up_apart(rows, rate):
    result = LoadResult("t", Path("t.duckdb"), rows, 0, 0, 0, [], 2.0 if rows else 0.0, 1.25, "id")
    document = result.document()
    assert (document["rows_per_second"], document["startup_seconds"]) == (rate, 1.25)

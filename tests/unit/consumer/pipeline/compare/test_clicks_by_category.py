"""The table of clicks by category is held against clicks and articles that were sent to two topics."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.errors import Misconfigured
from consumer.pipeline.asked import Asked, also_of
from consumer.pipeline.claims import Also, Claims
from consumer.pipeline.look import Work, look
from consumer.pipeline.result import PipelineResult
from consumer.pipeline.session import proof_session
from consumer.pipeline.stored import StoredRows
from consumer.pipeline.stored.naming import stored_at
from schemas.manifest import FaultTruth, Manifest
from tests.kit.clicks import Article, Counted, article_rows, click_rows, counted, some_clicks
from tests.unit.consumer.pipeline.lab import Lab, LabRows

DICE = random.Random(11)
ARTICLES = [Article(n, n % 4, n % 3) for n in range(20)] + [Article(3, 9, 9), Article(5, 1, 2)]
CLICKS = some_clicks(DICE, 400, articles=24, hours=(0, 1, 5))
RUN = "run/1"


@dataclass
class ListTruth:
    """Rows, told again."""

    table: pa.Table
    key = None

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def events(self, shard: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        (batch,) = self.table.slice(first, end - first).combine_chunks().to_batches()
        yield batch.add_column(0, "_sequence", pa.array(range(first, end), pa.int64()))


def manifest(topic: str, rows: int, **said: Any) -> Manifest:
    lab = Lab(per_shard=rows, shards=1)
    return lab.manifest(0, topic=topic, run_id=RUN, **said)


CLICKED, WRITTEN = manifest("clicks", len(CLICKS)), manifest("articles", len(ARTICLES))


def stored(rows: Counted) -> pa.Table:
    return pa.Table.from_pylist(
        [
            dict(
                zip(
                    ("category_id", "publisher_id", "device_group", "date", "hour"),
                    (*key[:4], str(key[4])),
                    strict=True,
                )
            )
            | dict(zip(("clicks", "users", "sessions"), figures, strict=True))
            for key, figures in rows.items()
        ]
    )


def audited(
    table: pa.Table | StoredRows, clicks: Sequence[Manifest] = (CLICKED,), articles: Sequence[Manifest] = (WRITTEN,)
) -> PipelineResult:
    truths = {"clicks": ListTruth(click_rows(CLICKS)), "articles": ListTruth(article_rows(ARTICLES))}
    asked = Asked(expectations=(Path("clicks_by_category"),), also=also_of(["articles=articles"]))
    work = Work(None, "clicks", asked, lambda manifests: truths[manifests[0].topic], threading.Event())
    also = [Also("articles", "articles", Claims(RUN, list(articles)))]
    with proof_session(threading.Event()) as session:
        rows = LabRows(table) if isinstance(table, pa.Table) else table
        return look(session, Claims(RUN, list(clicks)), rows, work, also=also, last=True)


def test_a_table_of_all_clicks_passes_and_says_what_is_proved() -> None:
    result = audited(stored(counted(CLICKS, ARTICLES)))
    assert result.verdict == "PASSED", result.reason
    assert "has clicks, users and sessions of all 400 clicks that were sent" in result.reason


@pytest.mark.parametrize("damage", ["a row gone", "a row twice", "clicks", "users", "sessions", "category_id", "hour"])
def test_each_damage_to_the_table_is_named(damage: str) -> None:
    rows = stored(counted(CLICKS, ARTICLES)).to_pylist()
    if damage == "a row gone":
        del rows[7]
    elif damage == "a row twice":
        rows.append(rows[7])
    else:
        rows[7][damage] = 77 if damage != "hour" else "22"
    result = audited(pa.Table.from_pylist(rows))
    (expectation,) = result.findings.expectations
    assert (result.verdict, expectation.disagreeing) == ("FAILED", 2 if damage in {"category_id", "hour"} else 1)


def lay_table(folder: Path, table: pa.Table) -> list[Path]:
    """Write the table as Hive leaves it: a folder for each hour, whose names are the last two columns."""
    files = []
    for day, hour in sorted({(row["date"], int(row["hour"])) for row in table.to_pylist()}):
        rows = [row for row in table.to_pylist() if (row["date"], int(row["hour"])) == (day, hour)]
        path = folder / f"date={day}" / f"hour={hour}" / "part-0.c000.snappy.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows).drop(["date", "hour"]), path)
        (path.parent / f".{path.name}.crc").write_text("")
        files.append(path)
    (folder / "_SUCCESS").write_text("")
    return files


def test_files_of_the_table_that_are_gone_copied_or_edited_are_named_by_their_rows(tmp_path: Path) -> None:
    files = lay_table(tmp_path / "table", stored(counted(CLICKS, ARTICLES)))
    place = stored_at(str(tmp_path / "table"))

    def disagreeing() -> list[dict[str, Any]]:
        with place.open() as rows:
            return audited(rows).findings.expectations[0].rows

    assert disagreeing() == []
    whole, number = files[1].read_bytes(), pq.read_metadata(files[1]).num_rows
    hour = dict(part.split("=") for part in files[1].relative_to(tmp_path / "table").parts[:2])
    copy = files[1].with_name("part-1.parquet")
    copy.write_bytes(whole)
    assert {(row["date"], row["hour"]) for row in disagreeing()} == {(hour["date"], hour["hour"])}
    assert all(row["stored"].endswith("in rows 2") for row in disagreeing())
    copy.unlink()
    files[1].unlink()
    with place.open() as rows:
        gone = audited(rows)
    assert (gone.verdict, gone.findings.expectations[0].disagreeing) == ("FAILED", number)
    table = pq.read_table(io.BytesIO(whole), partitioning=None)
    clicks = [table.column("clicks")[0].as_py() + 1, *table.column("clicks").to_pylist()[1:]]
    pq.write_table(table.set_column(table.schema.get_field_index("clicks"), "clicks", pa.array(clicks)), files[1])
    (edited,) = disagreeing()
    assert (edited["date"], edited["hour"], edited["category_id"]) == (
        hour["date"], hour["hour"], str(table.column("category_id")[0].as_py())
    )  # fmt: skip


def test_articles_that_were_not_accepted_or_cannot_be_read_count_for_nothing() -> None:
    away = [len(ARTICLES) - 2, len(ARTICLES) - 1]  # the newer ones of articles 3 and 5
    unread = manifest(
        "articles", len(ARTICLES), failed=[(away[0], away[0] + 1)],
        faults=[FaultTruth(kind="undecodable.truncated", sequences=[(away[1], away[1] + 1)])],
    )  # fmt: skip
    table = stored(counted(CLICKS, ARTICLES[:-2]))
    assert audited(table, articles=[unread]).verdict == "PASSED"
    assert audited(table).verdict == "FAILED"


def test_an_unfinished_run_of_the_other_topic_proves_nothing() -> None:
    begun = manifest("articles", len(ARTICLES)).model_copy(update={"status": "running"})
    result = audited(stored(counted(CLICKS, ARTICLES)), articles=[begun])
    assert result.verdict == "UNKNOWN"
    assert "articles: shard 0 of run run/1 has only begun" in result.reason


def test_events_that_nobody_answered_for_leave_a_doubt() -> None:
    unsure = manifest("articles", len(ARTICLES), unknown=[(0, 1)])
    result = audited(stored(counted(CLICKS, ARTICLES[1:])), articles=[unsure])
    assert (result.verdict, "articles: 1 events were sent" in result.reason) == ("UNKNOWN", True)


def test_a_second_topic_is_named_as_the_flag_says() -> None:
    (also,) = also_of(["Articles = click_stream_metadata @ ledger/a@b"])
    assert (also.name, also.topic, also.run_id) == ("articles", "click_stream_metadata", "ledger/a@b")
    for wrong in ("articles", "articles=", "truth=t", "1=t", "a b=t"):
        with pytest.raises(Misconfigured, match="--also"):
            also_of([wrong])
    with pytest.raises(Misconfigured, match="taken"):
        also_of(["a=t", "A=u"])
    with pytest.raises(Misconfigured, match="Add --expectation"):
        Asked(also=also_of(["a=t"]))

"""What a job of a lake begins with, without Spark: the list decides; what contradicts it is refused or made anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from cluster.connection import Connection
from cluster.errors import Misconfigured, StoreFailed, TopicMissing, TopicRecreated, WarehouseDamaged
from consumer.lake.job.beginning import open_list, sweep
from consumer.lake.job.checkpoint import CHECKPOINT, agreed_checkpoint, checkpoint_of, planned_ends
from consumer.lake.published import Batch, PartitionRange, Published, read_published, uncovered
from tests.kit.filled_topic import FilledTopic, fill_topic


@pytest.fixture
def topic(connection: Connection, topic_name: Callable[[str], str]) -> FilledTopic:
    topic = fill_topic(connection, topic_name("begin"))
    topic.send([b"value"] * 10)
    return topic


@pytest.fixture
def begin(topic: FilledTopic, tmp_path: Path) -> Callable[..., Published]:
    """Open the list of the topic's folder."""

    def opened(**told: Any) -> Published:
        settings = {"table_format": "parquet", "event_time": None, "accept_gap": False, "set_aside": False} | told
        return open_list(tmp_path / topic.name, topic.connection.kafka, topic.name, **settings)[0]

    return opened


def with_batch(published: Published, folder: Path, end: int) -> Published:
    """Return the list with one more batch, as a job writes it."""
    number = len(published.batches)
    start = published.next_offsets[0]
    files = [f"events/date=2026-01-01/hour=00/batch_id={number}/part-0.parquet"]
    batch = Batch(number, [PartitionRange(0, start, end, end - start, 0, 0, 0)], files)
    grown = replace(published, next_offsets={0: end}, batches=[*published.batches, batch])
    (folder / files[0]).parent.mkdir(parents=True)
    (folder / files[0]).touch()
    grown.write(folder)
    return grown


def plan(folder: Path, topic: str, number: int, end: int) -> None:
    """Write what Spark notes before a batch."""
    offsets = folder / CHECKPOINT / "offsets"
    offsets.mkdir(exist_ok=True)
    (offsets / str(number)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{{"{topic}":{{"0":{end}}}}}')


def test_a_lake_begins_where_the_topic_does_and_has_a_list_before_its_first_file(begin, topic, tmp_path):
    published = begin(event_time="at")
    assert (published.first_offsets, published.next_offsets, published.event_time) == ({0: 0}, {0: 0}, "at")
    assert read_published(tmp_path / topic.name) == published
    assert begin() == published


def test_a_topic_that_is_not_there_is_named(connection, topic_name, tmp_path):
    with pytest.raises(TopicMissing):
        open_list(
            tmp_path / "none", connection.kafka, topic_name("none"),
            table_format="parquet", event_time=None, accept_gap=False, set_aside=False,
        )  # fmt: skip
    assert not (tmp_path / "none").exists()


def test_a_lake_of_another_topic_of_this_name_is_refused_and_set_aside_when_told(begin, topic, tmp_path):
    folder = tmp_path / topic.name
    replace(with_batch(begin(), folder, 5), topic_id="another/one").write(folder)
    with pytest.raises(TopicRecreated, match="--set-aside"):
        begin()
    assert begin(set_aside=True).batches == []
    assert len(read_published(tmp_path / f"{topic.name}.another_one").batches) == 1


def test_what_retention_took_is_refused_and_noted_when_accepted(begin, topic, tmp_path):
    with_batch(begin(), tmp_path / topic.name, 2)
    admin = AdminClient(topic.connection.kafka.as_librdkafka())
    (deleted,) = admin.delete_records([TopicPartition(topic.name, 0, 6)]).values()
    deleted.result(20)
    with pytest.raises(TopicRecreated, match="retention deleted 4 offsets"):
        begin()
    published = begin(accept_gap=True)
    assert published.next_offsets == {0: 6}
    assert published.batches[-1].partitions == [PartitionRange(0, 2, 6, 0, 0, 0, 0, expired=4)]
    assert list(uncovered(published)) == []


def test_a_topic_whose_log_was_cut_is_refused(begin, topic, tmp_path):
    with_batch(begin(), tmp_path / topic.name, 11)
    with pytest.raises(TopicRecreated, match="holds less"):
        begin()


def test_data_without_a_list_is_never_swept(begin, topic, tmp_path):
    folder = tmp_path / topic.name
    with_batch(begin(), folder, 5)
    (folder / "committed.json").unlink()
    with pytest.raises(WarehouseDamaged, match="no list"):
        begin()
    assert list(folder.rglob("*.parquet"))


@pytest.mark.parametrize(("told", "said"), [({"table_format": "delta"}, "is parquet"), ({"event_time": "x"}, "go by")])
def test_a_lake_keeps_its_form(begin, told, said):
    begin()
    with pytest.raises(Misconfigured, match=said):
        begin(**told)


def test_a_checkpoint_that_agrees_is_kept_and_any_other_is_made_anew(begin, topic, tmp_path):
    folder = tmp_path / topic.name
    published = begin()
    assert agreed_checkpoint(folder, published, folder / CHECKPOINT).first_batch == 0
    plan(folder, topic.name, 0, 4)  # planned, not listed: Spark does it again
    assert agreed_checkpoint(folder, published, folder / CHECKPOINT).first_batch == 0
    assert planned_ends(folder / CHECKPOINT, topic.name, 0) == {0: 4}
    published = with_batch(published, folder, 4)  # listed, whether or not Spark noted that it is done
    assert agreed_checkpoint(folder, published, folder / CHECKPOINT).first_batch == 0
    # An older copy, a newer one, one of other offsets, one that nobody can read, none: the list knows.
    for spoil in (
        lambda: with_batch(read_published(folder), folder, 7),
        lambda: plan(folder, topic.name, 1, 10),
        lambda: plan(folder, topic.name, 0, 3),
        lambda: (folder / CHECKPOINT / "begun.json").write_text("{"),
        lambda: (folder / CHECKPOINT).rename(tmp_path / "gone"),
    ):
        spoil()
        published = read_published(folder)
        begun = agreed_checkpoint(folder, published, folder / CHECKPOINT)
        assert begun.first_batch == len(published.batches)
        assert begun.offsets == published.next_offsets
        assert not (folder / CHECKPOINT / "offsets").exists()
        assert json.loads((folder / CHECKPOINT / "begun.json").read_text())["first_batch"] == begun.first_batch
        plan(folder, topic.name, 0, 9)


def test_a_checkpoint_elsewhere_replaces_nothing_that_is_not_its_own(begin, topic, tmp_path):
    folder, elsewhere = tmp_path / topic.name, tmp_path / "checkpoints"
    published = begin()
    checkpoint = checkpoint_of(folder, elsewhere)
    assert agreed_checkpoint(folder, published, checkpoint).first_batch == 0
    assert not (folder / CHECKPOINT).exists()
    published = with_batch(published, folder, 4)
    assert agreed_checkpoint(folder, published, checkpoint).first_batch == 1  # it is this lake's: made anew
    with pytest.raises(Misconfigured, match="the checkpoint of"):
        agreed_checkpoint(tmp_path / "other" / topic.name, published, checkpoint)
    (checkpoint / "begun.json").write_text("{")
    with pytest.raises(Misconfigured, match="no checkpoint of a lake"):
        agreed_checkpoint(folder, published, checkpoint)
    assert checkpoint.exists()
    elsewhere.rename(tmp_path / "moved")
    elsewhere.write_text("a file")
    with pytest.raises(StoreFailed, match="cannot be written"):
        agreed_checkpoint(folder, published, checkpoint)


def test_a_sweep_takes_what_is_not_listed_and_nothing_else(begin, topic, tmp_path):
    folder = tmp_path / topic.name
    published = with_batch(begin(), folder, 5)
    for left in ("events/date=2026-01-01/hour=00/batch_id=1", "events/date=2026-01-02/hour=05/batch_id=1",
                 "quarantine/batch_id=1", ".staging/1-abc/events"):  # fmt: skip
        (folder / left).mkdir(parents=True)
        (folder / left / "part.parquet").touch()
    assert sweep(folder, published) == 3
    assert [str(path.relative_to(folder)) for path in folder.rglob("*.parquet")] == published.batches[0].events
    assert not (folder / "events" / "date=2026-01-02").exists()

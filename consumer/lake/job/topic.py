"""One topic of a lake: a Structured Streaming query, and what is done with each of its batches."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.connection import Connection
from cluster.errors import StoreFailed, StoreFull, WarehouseDamaged
from cluster.machine.disk import is_full
from cluster.reading import look_at_topic
from cluster.reading.group_note import group_of, tell_group
from cluster.topics import admin_client, describe
from consumer.lake.duckdb_view import VIEW_FILE, view_sql
from consumer.lake.job.beginning import STAGING, open_list, same_topic, sweep
from consumer.lake.job.checkpoint import agreed_checkpoint, checkpoint_of, planned_ends
from consumer.lake.job.delta import DeltaEvents
from consumer.lake.job.request import JobRequest, Voice
from consumer.lake.job.shelf import Shelf, swap
from consumer.lake.job.task import SAID, BatchPlan, run_task
from consumer.lake.published import Batch, PartitionRange, last_batch
from consumer.load.naming import finder
from consumer.load.readers import SchemaSource

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

# Headers as text: Spark asks after each row how large its batch is, which is a walk over the whole of a nested column.
_TELL_S = 2.0
_COLUMNS = ("partition", "offset", "timestamp", "key", "value", "to_json(headers) AS headers")


class TopicJob:
    """Takes one topic into the lake.

    1. begin: the list decides where; a checkpoint that says something else is made anew, leftovers are swept
    2. read: Spark notes the offsets of a batch in its checkpoint, then gives it to :meth:`_put`
    3. decode and write: the workers, into a folder of this attempt alone, in one pass
    4. learn: where they met a schema that nobody had judged, judge it and do 3 again
    5. move: complete files go to their places by renames; Delta's table is written by Spark instead
    6. publish: the list is swapped. Only now is the batch there for readers
    7. tell: the consumer group hears how far it is, so that lag tools see it (best effort)

    Killed at any moment, a batch is either in the list or done again from 3.
    """

    def __init__(
        self, request: JobRequest, topic: str, connection: Connection, registry: SchemaSource, voice: Voice
    ) -> None:
        self.topic = topic
        self.error: BaseException | None = None
        self.busy = threading.Lock()  # held while a batch is at work
        self._request = request
        self._connection = connection
        self._voice = voice
        self._admin = admin_client(connection.kafka)
        self._group = request.group or group_of("lake", topic)
        self._folder = Path(request.folder) / topic
        self._delta: DeltaEvents | None = None
        delta = request.table_format == "delta"
        # 1. begin
        self._list, marks = open_list(
            self._folder,
            connection.kafka,
            topic,
            table_format="delta" if delta else "parquet",
            event_time=request.event_times.get(topic),
            accept_gap=request.accept_gap,
            set_aside=request.set_aside,
        )
        checkpoints = None if request.checkpoints is None else Path(request.checkpoints)
        self._checkpoint = checkpoint_of(self._folder, checkpoints)
        self._begun = agreed_checkpoint(self._folder, self._list, self._checkpoint)
        swept = sweep(self._folder, self._list)
        if not delta:
            swap(self._folder / VIEW_FILE, view_sql(self._folder).encode())
        self._shelf = Shelf(self._folder, topic, registry, event_time=self._list.event_time, widen=not delta)
        self._find_plain = finder(
            request.plain_schema(), None, connection.kafka, topic, list(self._shelf.kept.values())
        )
        self._plain_asked = False
        starts, ends = self._list.next_offsets, {partition: mark.high for partition, mark in marks.items()}
        self.is_behind = any(starts[partition] < end for partition, end in ends.items())
        said = {"starts": _keyed(starts), "ends": _keyed(ends), "last_batch": last_batch(self._list), "swept": swept}
        voice.say("begin", topic=topic, **said)

    def start(self, spark: SparkSession) -> StreamingQuery:
        """Start the query."""
        self._shelf.begin()
        if self._request.table_format == "delta":
            self._delta = DeltaEvents(spark, self._folder)
            self._delta.sweep(last_batch(self._list))
        reader: Any = spark.readStream.format("kafka").option("subscribe", self.topic).option("includeHeaders", "true")
        for name, value in self._request.java.items():
            reader = reader.option(f"kafka.{name}", value)
        reader = reader.option("startingOffsets", json.dumps({self.topic: _keyed(self._begun.offsets)}))
        reader = reader.option("failOnDataLoss", "true").option("kafka.isolation.level", "read_committed")
        reader = reader.option("maxOffsetsPerTrigger", self._request.max_records)
        reader = reader.option(
            "minPartitions", max(len(self._list.next_offsets), spark.sparkContext.defaultParallelism)
        )
        # Who gives up when: a broker that is away for a moment is waited for, one that is gone ends the job.
        reader = reader.option("kafkaConsumer.pollTimeoutMs", 30_000).option("fetchOffset.numRetries", 2)
        reader = reader.option("kafka.default.api.timeout.ms", 30_000).option("kafka.request.timeout.ms", 20_000)
        writer: Any = reader.load().writeStream.foreachBatch(self._put).queryName(self.topic)
        writer = writer.option("checkpointLocation", str(self._checkpoint))
        if self._request.follow:
            writer = writer.trigger(processingTime=f"{max(1, round(self._request.every_s * 1000))} milliseconds")
        else:
            writer = writer.trigger(availableNow=True)
        query: StreamingQuery = writer.start()
        return query

    def _put(self, rows: DataFrame, number: int) -> None:
        """Take one batch of Spark's."""
        with self.busy:
            try:
                self._take(rows, number)
            except BaseException as error:
                self.error = self.error or error
                raise

    def _take(self, rows: DataFrame, number: int) -> None:
        began = time.monotonic()
        batch_id = self._begun.first_batch + number
        # 2. read
        ends = planned_ends(self._checkpoint, self.topic, number)
        if ends is None:
            raise WarehouseDamaged(
                f"the checkpoint does not say where batch {number} ends",
                where=str(self._checkpoint),
                hint="Remove the checkpoint: the job goes on by the published list",
            )
        if batch_id <= last_batch(self._list):
            self._check_again(batch_id, ends)
            return
        starts = self._starts(ends)
        staged = self._folder / STAGING / f"{batch_id}-{uuid.uuid4().hex[:8]}"
        # 3. decode and write, 4. learn
        said = self._done(rows, batch_id, staged)
        ranges = _ranges(said, starts, ends, where=f"{self.topic}, batch {batch_id}")
        files = sorted((path, hour) for one in said for path, hour in one["files"])
        rejected = sorted(path for one in said for path in one["quarantine"])
        # Of a topic that took its place no record is listed.
        same_topic(self._list, describe(self._admin, self.topic), self._folder)
        # 5. move
        version = None
        paths = [path for path, _ in files]
        if self._delta is not None:
            version = self._delta.append(staged, paths, batch_id)
            paths = []
        self._move(staged, [*paths, *rejected])
        # 6. publish
        batch = Batch(batch_id, ranges, paths, rejected, sorted({hour for _, hour in files}), version)
        listed = replace(self._list, next_offsets=self._list.next_offsets | ends, batches=[*self._list.batches, batch])
        listed.write(self._folder)
        self._list = listed
        shutil.rmtree(staged, ignore_errors=True)
        # 7. tell
        tell_group(self._admin, self._group, self.topic, listed.next_offsets, timeout_s=_TELL_S)
        self._voice.say(
            "batch",
            topic=self.topic,
            batch_id=batch_id,
            rows=batch.rows,
            quarantined=batch.quarantined,
            tombstones=sum(one.tombstones for one in ranges),
            offsets=sum(one.end - one.start for one in ranges),
            next_offsets=_keyed(listed.next_offsets),
            hours=batch.hours,
            seconds=round(time.monotonic() - began, 3),
        )

    def _done(self, rows: DataFrame, batch_id: int, staged: Path) -> list[dict[str, Any]]:
        """Have the workers do a batch, until every schema in it is known, and return what they said."""
        while True:
            plan = BatchPlan(
                str(staged),
                batch_id,
                self._shelf.columns,
                dict(self._shelf.judged),
                self._shelf.plain,
                self._plain_asked,
                dict(self._shelf.guids),
                dict(self._shelf.keys),
                self._shelf.key_schemas.settled,
            )
            task: Any = partial(run_task, plan)
            found = rows.selectExpr(*_COLUMNS).mapInArrow(task, f"{SAID} string").collect()
            said = [json.loads(one[SAID]) for one in found]
            for one in said:
                if "failed" in one:
                    kind = StoreFull if one["failed"]["full"] else StoreFailed
                    raise kind(
                        f"the lake cannot be written: {one['failed']['why']}",
                        where=str(self._folder),
                        hint="What is published stays as it is; make room, and the same command continues",
                    )
            unknown = {schema_id for one in said for schema_id in one.get("unknown", ())}
            guids = {uuid.UUID(guid) for one in said for guid in one.get("guids", ())}
            plain = any(one.get("plain") for one in said)
            read = {schema_id for one in said for schema_id in one.get("read", ())}
            keys = {(schema_id, in_header) for one in said for schema_id, in_header in one.get("keys", ())}
            if not (unknown or read or guids or keys or plain):
                return said
            shutil.rmtree(staged, ignore_errors=True)
            if plain:
                self._plain_asked = True
                self._shelf.learn_plain(self._find_plain())
            self._shelf.learn_guids(sorted(guids))
            self._shelf.learn_keys(sorted(keys))
            self._shelf.learn(sorted(unknown))
            for schema_id in sorted(read):
                self._shelf.place(schema_id)

    def _starts(self, ends: dict[int, int]) -> dict[int, int]:
        """Return where a batch begins: the listed positions; a partition that came since begins at its first record."""
        new = [partition for partition in ends if partition not in self._list.next_offsets]
        if new:
            _, marks = look_at_topic(self._connection.kafka, self.topic)
            lows = {partition: min(marks[partition].low, ends[partition]) for partition in new}
            self._list = replace(
                self._list,
                first_offsets=self._list.first_offsets | lows,
                next_offsets=self._list.next_offsets | lows,
            )
        return self._list.next_offsets

    def _check_again(self, batch_id: int, ends: dict[int, int]) -> None:
        """Leave a batch as it is that is in the list; Spark had not noted that it is done."""
        listed = next((batch for batch in self._list.batches if batch.batch_id == batch_id), None)
        if listed is None or any(ends.get(one.partition) != one.end for one in listed.partitions):
            raise WarehouseDamaged(
                f"the checkpoint gives batch {batch_id} other offsets than the list",
                where=str(self._folder),
                hint="Remove the checkpoint: the job goes on by the published list",
            )

    def _move(self, staged: Path, paths: Iterable[str]) -> None:
        """Rename complete files to their places, so that they survive a loss of power."""
        folders: set[Path] = set()
        try:
            for path in paths:
                target = self._folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                (staged / path).rename(target)
                folders.update(each for each in target.parents if each.is_relative_to(self._folder))
            for folder in folders:
                _keep(folder)
        except OSError as error:
            kind = StoreFull if is_full(error) else StoreFailed
            raise kind(f"the lake cannot be written: {error.strerror}", where=str(self._folder)) from error


def _ranges(
    said: list[dict[str, Any]], starts: dict[int, int], ends: dict[int, int], *, where: str
) -> list[PartitionRange]:
    """Add up what became of the records between the positions, and hold it against them."""
    ranges = []
    for partition, end in sorted(ends.items()):
        start = starts[partition]
        counts = [one["counts"][str(partition)] for one in said if str(partition) in one["counts"]]
        rows, quarantined, tombstones, crc_sum = (sum(each[at] for each in counts) for at in range(4))
        outside = any(each[4] < start or each[5] >= end for each in counts)
        if outside or rows + quarantined + tombstones > end - start:
            raise WarehouseDamaged(
                f"Spark gave records outside of offsets {start:,} to {end:,} of partition {partition}",
                where=where,
                hint="Remove the checkpoint: the job goes on by the published list",
            )
        if end > start:
            ranges.append(PartitionRange(partition, start, end, rows, quarantined, tombstones, crc_sum))
    return ranges


def _keyed(offsets: dict[int, int]) -> dict[str, int]:
    return {str(partition): offset for partition, offset in sorted(offsets.items())}


def _keep(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

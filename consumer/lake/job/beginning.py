"""What a job begins with: the published list, and the topic that it was read from.

The list decides. Files of batches that are not in it are swept.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured, PlaceMissing, TopicRecreated, WarehouseDamaged
from cluster.reading import Watermarks, look_at_topic
from cluster.topics import TopicInfo
from consumer.lake.published import Batch, PartitionRange, Published, TableFormat, last_batch, read_published

STAGING = ".staging"
EVENTS = "events"
QUARANTINE = "quarantine"
_BATCH = "batch_id="


def open_list(
    folder: Path,
    kafka: KafkaSettings,
    topic: str,
    *,
    table_format: TableFormat,
    event_time: str | None,
    accept_gap: bool,
    set_aside: bool,
) -> tuple[Published, dict[int, Watermarks]]:
    """Return the list of a topic, which goes on at what is there to read, and the topic's watermarks.

    A list is there before the first file, so that files without one are never swept.

    :param event_time: ``None`` takes what the list says, and the time of the record in a new one.
    :raises TopicRecreated: the positions belong to another topic, or lie outside what the topic holds.
    :raises Misconfigured: the lake is of another format, or goes by another time.
    :raises WarehouseDamaged: there is data, and no list.
    """
    info, marks = look_at_topic(kafka, topic)
    lows = {partition: mark.low for partition, mark in marks.items()}
    try:
        published = read_published(folder)
    except PlaceMissing:
        _refuse_data_without_list(folder)
        published = None
    if published is not None:
        try:
            _check(published, info, marks, folder)
        except TopicRecreated:
            if not set_aside:
                raise
            folder.rename(folder.with_name(f"{topic}.{published.topic_id.replace('/', '_')}"))
            published = None
    if published is None:
        folder.mkdir(parents=True, exist_ok=True)
        begun = Published(topic, info.cluster_id, info.topic_id, table_format, event_time or "", lows, lows)
        begun.write(folder)
        return begun, marks
    _refuse_other_form(published, table_format, event_time, folder)
    going_on = _with_gap(_with_new_partitions(published, lows), lows, folder, accept_gap=accept_gap)
    if going_on != published:
        going_on.write(folder)
    return going_on, marks


def same_topic(published: Published, info: TopicInfo, folder: Path) -> None:
    """Check that the topic is the one that the lake was filled from.

    :raises TopicRecreated: it is another one of the same name.
    """
    if (published.cluster_id, published.topic_id) == (info.cluster_id, info.topic_id):
        return
    if published.cluster_id != info.cluster_id:
        what = f"the lake was filled from cluster {published.cluster_id}, this is cluster {info.cluster_id}"
    else:
        what = f"the topic was deleted and created again: listed id {published.topic_id}, id there {info.topic_id}"
    raise TopicRecreated(
        what,
        where=f"{info.name}, {folder}",
        hint="Give --set-aside to keep this folder under another name and begin a new one",
    )


def _check(published: Published, info: TopicInfo, marks: Mapping[int, Watermarks], folder: Path) -> None:
    same_topic(published, info, folder)
    ahead = [p for p, at in published.next_offsets.items() if p not in marks or at > marks[p].high]
    if ahead:
        cut = ", ".join(f"partition {p}: listed {published.next_offsets[p]}" for p in ahead[:3])
        raise TopicRecreated(
            f"the topic holds less than was taken from it: {cut}",
            where=f"{info.name}, {folder}",
            hint="Its log was cut. Give --set-aside to keep this folder under another name and begin a new one",
        )


def _refuse_data_without_list(folder: Path) -> None:
    if any((folder / name).exists() for name in (EVENTS, QUARANTINE)):
        raise WarehouseDamaged(
            "there is data, and no list of what is committed: nobody can tell what is whole",
            where=str(folder),
            hint="Put committed.json back, or give another folder",
        )


def _refuse_other_form(published: Published, table_format: str, event_time: str | None, folder: Path) -> None:
    if published.table_format != table_format:
        raise Misconfigured(
            f"the lake is {published.table_format}, and not {table_format}",
            where=str(folder),
            hint=f"Give --format {published.table_format}, or another folder",
        )
    if event_time is not None and published.event_time != event_time:
        said = published.event_time or "the time of the Kafka record"
        raise Misconfigured(
            f"the folders go by {said}, and not by {event_time or 'the time of the Kafka record'}",
            where=str(folder),
            hint="Leave --event-time out, or give another folder",
        )


def _with_new_partitions(published: Published, lows: Mapping[int, int]) -> Published:
    new = {partition: low for partition, low in lows.items() if partition not in published.next_offsets}
    if not new:
        return published
    return replace(published, first_offsets=published.first_offsets | new, next_offsets=published.next_offsets | new)


def _with_gap(published: Published, lows: Mapping[int, int], folder: Path, *, accept_gap: bool) -> Published:
    """Return the list with what retention took before it was read as a batch without rows."""
    gaps = {p: (at, lows[p]) for p, at in published.next_offsets.items() if at < lows[p]}
    if not gaps:
        return published
    if not accept_gap:
        said = "; ".join(f"partition {p}: listed {at}, first record {low}" for p, (at, low) in list(gaps.items())[:3])
        raise TopicRecreated(
            f"retention deleted {sum(low - at for at, low in gaps.values())} offsets before they were read: {said}",
            where=f"{published.topic}, {folder}",
            hint="Give --accept-gap to note the gap in the list and go on behind it",
        )
    ranges = [PartitionRange(p, at, low, 0, 0, 0, 0, expired=low - at) for p, (at, low) in sorted(gaps.items())]
    return replace(
        published,
        next_offsets=published.next_offsets | {p: low for p, (_, low) in gaps.items()},
        batches=[*published.batches, Batch(last_batch(published) + 1, ranges)],
    )


def sweep(folder: Path, published: Published) -> int:
    """Remove what killed jobs left: half-written files, and files of batches that are not in the list.

    Returns how many folders of batches were removed.
    """
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    listed = {batch.batch_id for batch in published.batches}
    removed = 0
    for place in _batch_folders(folder, delta=published.table_format == "delta"):
        number = place.name.removeprefix(_BATCH)
        if number.isdecimal() and int(number) not in listed:
            shutil.rmtree(place)
            removed += 1
            _remove_if_empty(place.parent, place.parent.parent)
    return removed


def _batch_folders(folder: Path, *, delta: bool) -> Iterator[Path]:
    yield from folder.glob(f"{QUARANTINE}/{_BATCH}*")
    if not delta:
        yield from folder.glob(f"{EVENTS}/date=*/hour=*/{_BATCH}*")


def _remove_if_empty(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return

"""Writing the files: articles, and for each hour the clicks of the sessions that begin in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from cluster.errors import Interrupted, Misconfigured, StoreFailed, StoreFull
from cluster.machine.disk import is_full
from producer.samples.catalogue import make_catalogue
from producer.samples.readers import Numbers
from producer.samples.visits import TURNS, Part, clicks_of, most_sessions, weights

CLICKS = "clicks_hour_"
ARTICLES = "articles_metadata"
# 2017-10-01T03:00:00Z, midnight in Brasilia: the public files are of these days.
BEGIN_MS = 1_506_826_800_000
MOST_HOURS = 5_000
MOST_ARTICLES = 10_000_000
_PART_CLICKS = 200_000
_HOUR_MS = 3_600_000
# The public files have nine clicks for each user.
_CLICKS_A_USER = 9
_OPTIONS: Any = {"quoting_header": "none", "batch_size": 8192}  # of which the stubs know one


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is made: clicks, articles, hours from :data:`BEGIN_MS` on, and the seed of it all.

    :raises Misconfigured: one of them is out of bounds.
    """

    clicks: int = 5_000
    articles: int = 400
    hours: int = 6
    seed: int = 1

    def __post_init__(self) -> None:
        bounds = {
            "clicks": (self.clicks, 1, 10**12),
            "articles": (self.articles, 1, MOST_ARTICLES),
            "hours": (self.hours, 1, MOST_HOURS),
            "seed": (self.seed, 0, 2**31 - 1),
        }
        wrong = [
            f"{name} is {value:,}, it must be {least:,} to {most:,}"
            for name, (value, least, most) in bounds.items()
            if not least <= value <= most
        ]
        if wrong:
            raise Misconfigured("; ".join(wrong), hint="See `streamproof samples --help`")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how many files of clicks, with their rows, and how many bytes in all."""

    folder: Path
    files: int
    clicks: int
    articles: int
    size_bytes: int


def write_samples(
    folder: Path,
    sizes: Sizes,
    *,
    replace: bool = False,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Write ``articles_metadata.csv`` and ``clicks_hour_NNN.csv`` for every hour into a folder.

    Each file is there whole or not at all; when it is stopped, those of before are left.

    :param replace: remove files of an earlier time first; without it there may be none.
    :param progress: told the clicks that are written by now.
    :raises Misconfigured: there are such files already, or the folder cannot be one.
    :raises Interrupted: stopped.
    :raises StoreFailed: the disk does not take it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder, replace=replace)
        return _write(folder, sizes, stop or threading.Event(), progress or (lambda _: None))
    except (FileExistsError, NotADirectoryError):
        raise Misconfigured("this is no folder", where=str(folder), hint="Name a folder, or one to be made") from None
    except OSError as error:
        kind = StoreFull if is_full(error) else StoreFailed
        raise kind(
            f"the files cannot be written: {error.strerror or error}",
            where=str(folder),
            hint="Make room, or name another",
        ) from error


def _make_room(folder: Path, *, replace: bool) -> None:
    there = [path for prefix in (CLICKS, ARTICLES) for path in sorted(folder.glob(f"{prefix}*.csv*"))]
    if there and not replace:
        raise Misconfigured(
            f"the folder has {len(there)} such files already, the first is {there[0].name}",
            where=str(folder),
            hint="Name another folder, or say --replace to remove them",
        )
    for path in there:
        path.unlink()


def _write(folder: Path, sizes: Sizes, stop: threading.Event, progress: Callable[[int], None]) -> Written:
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([sizes.seed])))
    catalogue = make_catalogue(sizes.articles, begin_ms=BEGIN_MS, hours=sizes.hours, random=random)
    quotas = _shared_out(sizes)
    users = _users(sizes, quotas)
    written = size_bytes = 0
    size_bytes += _write_file(folder / f"{ARTICLES}.csv", iter([catalogue.columns]))
    digits = max(3, len(str(sizes.hours - 1)))
    for hour, clicks in enumerate(quotas.tolist()):
        parts = _parts(clicks)
        shares = np.diff(np.arange(parts + 1) * clicks // parts).tolist()

        def columns(hour: int = hour, shares: list[int] = shares) -> Iterator[Mapping[str, Numbers]]:
            nonlocal written
            for number, share in enumerate(shares):
                if stop.is_set():
                    raise Interrupted(
                        "stopped while files were written",
                        where=str(folder),
                        hint="The same command starts anew, with --replace",
                    )
                part = Part(hour, BEGIN_MS + hour * _HOUR_MS, number, len(shares), share)
                yield clicks_of(part, seed=sizes.seed, users=users, catalogue=catalogue)
                written += share
                progress(written)

        size_bytes += _write_file(folder / f"{CLICKS}{hour:0{digits}}.csv", columns())
    return Written(folder, len(quotas), written, sizes.articles, size_bytes)


def _write_file(path: Path, parts: Iterator[Mapping[str, Numbers]]) -> int:
    """Write one file under another name, and give it its own when it is whole; return its bytes."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        writer: csv.CSVWriter | None = None
        for columns in parts:
            batch = pa.RecordBatch.from_arrays([pa.array(values) for values in columns.values()], names=list(columns))
            writer = writer or csv.CSVWriter(str(unfinished), batch.schema, write_options=csv.WriteOptions(**_OPTIONS))
            writer.write_batch(batch)
        if writer is not None:
            writer.close()
        unfinished.replace(path)
        return path.stat().st_size
    finally:
        unfinished.unlink(missing_ok=True)


def _shared_out(sizes: Sizes) -> Numbers:
    """Return how many clicks belong to sessions of each hour; they add up, and an hour has one at least if it can."""
    least = 1 if sizes.clicks >= sizes.hours else 0
    rhythm = weights(BEGIN_MS, sizes.hours, sizes.seed)
    edges = np.round(np.cumsum(rhythm) / rhythm.sum() * (sizes.clicks - least * sizes.hours)).astype(np.int64)
    return np.asarray(np.diff(edges, prepend=0) + least)


def _parts(clicks: int) -> int:
    return max(1, -(-clicks // _PART_CLICKS))


def _users(sizes: Sizes, quotas: Numbers) -> int:
    """Return how many users there are: nine clicks each, and enough for the sessions of the busiest hour."""
    busiest = int(quotas.max())
    # Of all users, those whose turn it is must be twice as many as sessions can begin.
    needed = 2 * TURNS * _parts(busiest) * (most_sessions(-(-busiest // _parts(busiest))) + 1)
    return max(sizes.clicks // _CLICKS_A_USER, needed)

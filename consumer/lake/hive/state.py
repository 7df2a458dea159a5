"""Which batches of a lake are in a Hive table: a file beside it, swapped after the table is written.

A job that is killed before the swap leaves the state of before, so that the same hours are computed again. Standard
library alone: the job inside Spark imports it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cluster.errors import StoreFailed, StoreFull, WarehouseDamaged
from cluster.machine.disk import is_full
from consumer.lake.published import Published

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table was last computed from.

    :ivar sql: a digest of the query.
    :ivar folder: where the files of the table lie: two metastores may have tables of one name.
    :ivar topic_ids: of each topic; ``batches`` the numbers of its batches, as ranges from first to last.
    """

    sql: str
    folder: str = ""
    topic_ids: dict[str, str] = field(default_factory=dict)
    batches: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Swap the file.

        :raises StoreFailed: it cannot be written; the one of before stands.
        """
        draft = path.with_name(f".{path.name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"format": _FORMAT, **asdict(self)}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            kind = StoreFull if is_full(error) else StoreFailed
            raise kind(
                f"the state of the table cannot be written: {error.strerror}",
                where=str(path),
                hint="The table is written; the same command computes the same hours again",
            ) from error


def read_state(path: Path) -> TableState | None:
    """Read the state of a table; ``None`` where there is none.

    :raises WarehouseDamaged: it is not one of ours.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        {_FORMAT: None}[said["format"]]  # another one is none of ours
        batches = {topic: [(int(a), int(b)) for a, b in ranges] for topic, ranges in said["batches"].items()}
        topic_ids = {str(topic): str(topic_id) for topic, topic_id in said["topic_ids"].items()}
        return TableState(str(said["sql"]), str(said["folder"]), topic_ids, batches)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise WarehouseDamaged(
            f"the state of the table is not one of ours: {type(error).__name__}",
            where=str(path),
            hint="Take the file away: everything is then computed again",
        ) from error


def state_of(query: str, topics: Mapping[str, Published], folder: str = "") -> TableState:
    """Return the state of a table that is computed from what is published."""
    return TableState(
        hashlib.sha256(query.encode()).hexdigest(),
        folder,
        {topic: published.topic_id for topic, published in topics.items()},
        {topic: _ranges(batch.batch_id for batch in published.batches) for topic, published in topics.items()},
    )


def new_batches(before: TableState | None, now: TableState) -> dict[str, set[int]] | None:
    """Return which batches of each topic are not in the table yet; ``None`` where everything has to be computed.

    So it is without a state, with another query, topic or place of the table, and where a batch of before is not listed
    any more.
    """
    if before is None or (before.sql, before.folder, before.topic_ids) != (now.sql, now.folder, now.topic_ids):
        return None
    found = {}
    for topic, ranges in now.batches.items():
        old, new = _numbers(before.batches.get(topic, [])), _numbers(ranges)
        if old - new:
            return None
        found[topic] = new - old
    return found


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _numbers(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}

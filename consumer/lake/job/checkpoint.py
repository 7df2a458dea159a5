"""The checkpoint of Spark, which plans the batches of a topic; the published list decides whether it counts.

One that does not lead to the listed positions, or that is gone, is made anew there.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured, StoreFailed, StoreFull
from cluster.machine.disk import is_full
from consumer.lake.published import Published, last_batch

CHECKPOINT = "checkpoint"
_BEGUN = "begun.json"


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the checkpoint of Spark begins: its batch ``n`` is ``first_batch + n`` of the list."""

    first_batch: int
    offsets: dict[int, int]


def checkpoint_of(folder: Path, checkpoints: Path | None) -> Path:
    """Return where the checkpoint of a topic lies.

    :param folder: ``LAKE/<topic>``.
    :param checkpoints: a folder for the checkpoints of all topics; ``None`` for beside the data.
    """
    return folder / CHECKPOINT if checkpoints is None else checkpoints / f"{folder.name}.{CHECKPOINT}"


def agreed_checkpoint(folder: Path, published: Published, checkpoint: Path) -> Begun:
    """Return where the checkpoint begins. One that does not lead to the listed positions is made anew.

    :raises Misconfigured: it is the checkpoint of another lake, or a folder of something else.
    :raises StoreFailed: it cannot be written; :class:`StoreFull` where there is no space left.
    """
    begun = _read_begun(checkpoint, folder)
    if begun is not None and _agrees(checkpoint, begun, published):
        return begun
    begun = Begun(last_batch(published) + 1, dict(published.next_offsets))
    said = {"first_batch": begun.first_batch, "offsets": {str(p): at for p, at in begun.offsets.items()}}
    if checkpoint.parent != folder:
        said["lake"] = str(folder)
    draft = checkpoint.with_name(f".{checkpoint.name}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with (draft / _BEGUN).open("w") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        shutil.rmtree(checkpoint, ignore_errors=True)
        draft.rename(checkpoint)
    except OSError as error:
        kind = StoreFull if is_full(error) else StoreFailed
        raise kind(
            f"the checkpoint cannot be written: {error.strerror}",
            where=str(checkpoint),
            hint="Give another --checkpoint",
        ) from error
    return begun


def _read_begun(checkpoint: Path, folder: Path) -> Begun | None:
    """Return what a checkpoint says; ``None`` where there is none that can be read.

    Beside the data it is this lake's, whatever it holds. Elsewhere nothing is replaced that is not.
    """
    elsewhere = checkpoint.parent != folder
    try:
        said = json.loads((checkpoint / _BEGUN).read_text())
        begun = Begun(int(said["first_batch"]), {int(p): int(at) for p, at in said["offsets"].items()})
        lake = said.get("lake")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        if elsewhere and (checkpoint.is_file() or (checkpoint.is_dir() and any(checkpoint.iterdir()))):
            raise Misconfigured(
                "this is no checkpoint of a lake",
                where=str(checkpoint),
                hint="Give another --checkpoint, or remove it: the job goes on by the published list",
            ) from None
        return None
    if elsewhere and lake != str(folder):
        raise Misconfigured(
            f"this is the checkpoint of {lake or 'another lake'}",
            where=str(checkpoint),
            hint=f"Give each lake a --checkpoint of its own. If {folder} was moved here, remove it: the list decides",
        )
    return begun


def _agrees(checkpoint: Path, begun: Begun, published: Published) -> bool:
    planned = sorted(int(path.name) for path in (checkpoint / "offsets").glob("[0-9]*") if path.name.isdecimal())
    last, listed = (planned[-1] if planned else -1), last_batch(published)
    if begun.first_batch + last == listed:
        before = last
    elif begun.first_batch + last == listed + 1:
        before = last - 1
        planned_next = planned_ends(checkpoint, published.topic, last) or {}
        if any(planned_next.get(p, 0) < at for p, at in published.next_offsets.items()):
            return False
    else:
        return False
    ends = begun.offsets if before < 0 else planned_ends(checkpoint, published.topic, before)
    return ends is not None and all(ends.get(p, 0) == at for p, at in published.next_offsets.items())


def planned_ends(checkpoint: Path, topic: str, number: int) -> dict[int, int] | None:
    """Return where a batch of Spark ends, as its log says before the batch is done; ``None`` if it cannot be read."""
    try:
        lines = (checkpoint / "offsets" / str(number)).read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        said = _json(line)
        if isinstance(said, dict) and isinstance(said.get(topic), dict):
            return {int(partition): int(at) for partition, at in said[topic].items()}
    return None


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None

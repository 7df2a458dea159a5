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

from consumer.lake.published import Published, last_batch

CHECKPOINT = "checkpoint"
_BEGUN = "begun.json"


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the checkpoint of Spark begins: its batch ``n`` is ``first_batch + n`` of the list."""

    first_batch: int
    offsets: dict[int, int]


def agreed_checkpoint(folder: Path, published: Published) -> Begun:
    """Return where the checkpoint begins. One that does not lead to the listed positions is made anew."""
    checkpoint = folder / CHECKPOINT
    begun = _read_begun(checkpoint)
    if begun is not None and _agrees(checkpoint, begun, published):
        return begun
    begun = Begun(last_batch(published) + 1, dict(published.next_offsets))
    draft = folder / f".{CHECKPOINT}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with (draft / _BEGUN).open("w") as file:
        json.dump({"first_batch": begun.first_batch, "offsets": {str(p): at for p, at in begun.offsets.items()}}, file)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(checkpoint, ignore_errors=True)
    draft.rename(checkpoint)
    return begun


def _read_begun(checkpoint: Path) -> Begun | None:
    try:
        said = json.loads((checkpoint / _BEGUN).read_text())
        return Begun(int(said["first_batch"]), {int(p): int(at) for p, at in said["offsets"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


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

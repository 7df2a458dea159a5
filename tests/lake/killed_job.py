"""The job of a lake that kills itself with all of its process group, as ``kill -9`` does, at a point that it is told.

``KILL_AT`` is ``point:batch``. The points are between the steps of a batch, which no clock from outside would meet:

==============  ==========================================================================
planned         Spark has noted the offsets of the batch, and nothing was read
written         the workers have written their files into the folder of the attempt
half-moved      some files are in their places
moved           all are, and Delta's commit is done; the list does not name them
listed          the list names them; Spark has not noted that the batch is done
half-begun      a new checkpoint lies beside the old one, which is gone
==============  ==========================================================================
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

from consumer.lake.job import checkpoint, topic
from consumer.lake.job.__main__ import main
from consumer.lake.published import Published

POINT, _, NUMBER = os.environ["KILL_AT"].partition(":")
BATCH = int(NUMBER or 0)


def kill() -> None:
    """End at once."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


def arm() -> None:  # noqa: C901 - one small function for each point
    """Put the kill where it is to be."""
    job = topic.TopicJob
    done, move, write, take = job._done, job._move, Published.write, job._take

    def take_or_die(self: Any, rows: Any, number: int) -> None:
        if POINT == "planned" and self._begun.first_batch + number == BATCH:
            kill()
        take(self, rows, number)

    def done_and_die(self: Any, rows: Any, batch_id: int, staged: Path) -> Any:
        said = done(self, rows, batch_id, staged)
        if POINT == "written" and batch_id == BATCH:
            kill()
        return said

    def move_and_die(self: Any, staged: Path, paths: Any) -> None:
        wanted, here = list(paths), int(staged.name.partition("-")[0]) == BATCH
        if POINT == "half-moved" and here:
            move(self, staged, wanted[: max(1, len(wanted) // 2)])
            kill()
        move(self, staged, wanted)
        if POINT == "moved" and here:
            kill()

    def write_and_die(self: Published, folder: Path) -> None:
        write(self, folder)
        if POINT == "listed" and self.batches and self.batches[-1].batch_id == BATCH:
            kill()

    def rmtree_and_die(path: Any, **how: Any) -> None:
        shutil_rmtree(path, **how)
        if POINT == "half-begun" and Path(path).name == checkpoint.CHECKPOINT:
            kill()

    shutil_rmtree = shutil.rmtree
    job._take, job._done, job._move = take_or_die, done_and_die, move_and_die  # type: ignore[method-assign]
    Published.write = write_and_die  # type: ignore[method-assign]
    if POINT == "half-begun":
        checkpoint.shutil.rmtree = rmtree_and_die  # type: ignore[attr-defined, assignment]


if __name__ == "__main__":
    arm()
    raise SystemExit(main())

"""A page that never claims more than the newest: who finds something out about a run writes its page again.

An audit, a round of checks and a publication are each kept in the warehouse, and the page of the run is older from then
on. :func:`page_kept` is wrapped around such work. A file beside the page marks it as outdated while that goes on; a
process that is killed leaves the mark behind, and readers are told (:func:`outdated`). The mark is locked by the one
who made it. So a page that is written removes the marks of those who are gone, whose work it has seen, and no other.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cluster.errors import StreamproofError
from cluster.machine.turns import take_turn, try_turn
from consumer.report.place import PAGE, report_folder
from consumer.sinks import DEFAULT_WAIT_S, Place

log = logging.getLogger(__name__)

_MARK = "outdated-"
_MARK_WAIT_S = 10.0  # somebody may be looking whether the mark is left behind: that takes no time


@dataclass(slots=True)
class Looked:
    """Which run somebody finds something out about; set when that is known."""

    run_id: str | None


@contextmanager
def page_kept(
    place: Path | Place, topic: str, run_id: str | None, publications: Path, *, wait_s: float = DEFAULT_WAIT_S
) -> Iterator[Looked]:
    """Keep the page of a run as new as what is known of it, while somebody finds out more.

    1. mark: the page, if there is one, is outdated
    2. the work of the caller, who sets ``run_id`` if it was ``None``
    3. write the page again, whatever became of the work, and take the mark away

    A run without a page gets none. A page that cannot be written stays marked, with a warning: the work itself is done.
    """
    looked = Looked(run_id)
    mark = None if run_id is None else _mark(report_folder(publications, topic, run_id))
    try:
        yield looked
    finally:
        if looked.run_id is not None and (report_folder(publications, topic, looked.run_id) / PAGE).is_file():
            _write_again(place, topic, looked.run_id, publications, wait_s=wait_s, mark=mark)


def outdated(folder: Path) -> bool:
    """Tell whether something was found out, or is being found out, that the page in this folder does not tell."""
    return any(folder.glob(f"{_MARK}*"))


def left_behind(folder: Path) -> list[Path]:
    """Return the marks whose makers are gone. What they did is in the warehouse by now, or never will be."""
    return [mark for mark in folder.glob(f"{_MARK}*") if _alone(mark)]


def _mark(folder: Path) -> IO[str] | None:
    if not (folder / PAGE).is_file():
        return None
    try:
        mark = (folder / f"{_MARK}{os.getpid()}-{os.urandom(4).hex()}").open("w")
        take_turn(mark, wait_s=_MARK_WAIT_S, busy=TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
    except OSError as error:
        log.warning("The page of the run cannot be marked as outdated: %s (%s)", error.strerror, folder)
        return None
    return mark


def _write_again(
    place: Path | Place, topic: str, run_id: str, publications: Path, *, wait_s: float, mark: IO[str] | None
) -> None:
    from consumer.report import write_report  # it asks this module for the marks that are left behind

    try:
        write_report(place, topic, run_id, publications, even_if_unknown=True, wait_s=wait_s)
    except StreamproofError as error:
        log.warning("The page of the run is outdated, and cannot be written again: %s", error)
        if mark is not None:
            mark.close()
        return
    if mark is not None:
        Path(mark.name).unlink(missing_ok=True)
        mark.close()


def _alone(mark: Path) -> bool:
    """Tell whether nobody holds a mark."""
    with suppress(OSError), mark.open("r") as file:
        return try_turn(file)
    return False

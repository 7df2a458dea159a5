"""Taking copies away that nobody needs: those of makers that died, and those that were not opened for two weeks."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from cluster.machine.turns import try_turn
from producer.scenarios.replay.staged.index import INDEX

KEPT_DAYS = 14
MAKING, LOCK = ".making-", ".lock-"


def sweep(home: Path, *, now_s: float | None = None) -> list[str]:
    """Take old copies away, and what is left of half made ones; return their names.

    What cannot be taken away is left: sweeping is never a reason to fail.
    """
    now_s = time.time() if now_s is None else now_s
    gone = []
    with suppress(OSError):
        for folder in list(home.iterdir()):
            with suppress(OSError):
                if folder.name.startswith(MAKING):
                    if _nobody_makes(home / (LOCK + folder.name.removeprefix(MAKING))):
                        shutil.rmtree(folder, ignore_errors=True)
                        gone.append(folder.name)
                elif folder.is_dir() and now_s - (folder / INDEX).stat().st_mtime > KEPT_DAYS * 86_400:
                    shutil.rmtree(folder, ignore_errors=True)
                    gone.append(folder.name)
    return gone


def _nobody_makes(lock: Path) -> bool:
    with lock.open("a") as file:
        return try_turn(file)

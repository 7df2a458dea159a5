"""Which machine this is, and whether a process of it still lives: what is known without asking anybody else."""

from __future__ import annotations

import os
import platform
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

VARIABLE = "STREAMPROOF_MACHINE"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")
# On Linux the clock that goes on while the machine is asleep. Other systems have no other than this.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def this_machine(env: Mapping[str, str] = os.environ) -> str:
    """Return a text that two processes have in common if a name (``turns.py``) that one holds is refused to the other.

    Host, boot and network namespace: containers of one host may share all but the last. ``STREAMPROOF_MACHINE`` says
    otherwise, so that two workers on one machine count as two.
    """
    if named := env.get(VARIABLE):
        return named
    known = [platform.node() or "unknown host"]
    with suppress(OSError):
        known.append(_BOOT.read_text().strip())
        known.append(str(_NETWORK.readlink()))
    if len(known) == 1:  # no Linux
        known.append(f"{uuid.getnode():x}")
    return " ".join(known)


def has_ended(pid: int) -> bool:
    """Return whether no process of this machine has this number; one that has may be another by now."""
    if sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def lease_clock() -> float:
    """Return seconds since some moment: never set back, and going on while a process, or the machine, stands still."""
    return time.clock_gettime(_CLOCK)

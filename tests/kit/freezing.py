"""Freezing a process, and being sure that it is frozen."""

from __future__ import annotations

import os
import signal

import psutil

from tests.kit.waiting import wait_until


def freeze_process(pid: int) -> None:
    """Stop a process, and wait until the kernel says that it has: on a busy machine it may still answer meanwhile."""
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, f"process {pid} to stand still", poll_s=0.002)

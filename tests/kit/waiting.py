"""Waiting for something to become true, with a deadline. No test sleeps and hopes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    what: str,
    *,
    timeout_s: float = 20.0,
    poll_s: float = 0.02,
    while_runs: subprocess.Popen[Any] | None = None,
) -> T:
    """Return the first true answer of ``condition``.

    :param what: what is waited for, as it reads after "waited 20 s for".
    :param while_runs: a process that has to run meanwhile; when it ends, its output is the failure.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        if while_runs is not None and while_runs.poll() is not None:
            raise AssertionError(f"the process ended before {what}: {while_runs.communicate()}")
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}; the last answer: {answer!r}"
        time.sleep(poll_s)
    return answer

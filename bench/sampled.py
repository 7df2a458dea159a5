"""The resident memory of a command while it runs."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from statistics import mean

import psutil

_EVERY_S = 0.25
_START_S = 30.0


def sampled(command: Sequence[str], ends_after_s: float) -> tuple[list[tuple[float, float]], str]:
    """Run a command that ends by itself, and return seconds and megabytes, and what it wrote on standard output.

    :param ends_after_s: how long it works; its start and end may take some more.
    :raises RuntimeError: it failed, or did not end.
    """
    # A file: a pipe that nobody empties would stop the command.
    with (
        tempfile.TemporaryFile("w+") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as process,
    ):
        watched, began, samples = psutil.Process(process.pid), time.perf_counter(), []
        while process.poll() is None:
            elapsed = time.perf_counter() - began
            if elapsed > ends_after_s + _START_S:
                process.kill()
                raise RuntimeError(f"{command[3]} did not end")
            try:
                samples.append((elapsed, watched.memory_info().rss / 1e6))
            except psutil.NoSuchProcess:
                break
            time.sleep(_EVERY_S)
        if process.wait(timeout=10) != 0:
            raise RuntimeError(f"{command[3]} ended with {process.returncode}")
        out.seek(0)
        return [sample for sample in samples if sample[1] > 0], out.read()


def growth(sizes: Sequence[float]) -> float:
    """Return the mean of the last quarter over that of the second: the first is a start."""
    quarter = len(sizes) // 4
    return mean(sizes[-quarter:]) / mean(sizes[quarter : 2 * quarter])

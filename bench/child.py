"""A command in a process of its own: its JSON document, the processor time that it took, and its peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# Between the benchmark and the command: a child's peak memory starts at what its parent had when it forked.
_MEASURED = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
ended = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
document = json.loads(ended.stdout or "{}")
about = {"exit": ended.returncode, "whole_s": seconds, "cpu_s": used.ru_utime + used.ru_stime}
print(json.dumps(document | about | {"peak_rss_mb": round(used.ru_maxrss * 1024 / 1e6)}))
"""


def measured(command: Sequence[str], env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command that prints one JSON document, and return that with what the process used.

    :return: the document, and ``whole_s`` (from start to end, seconds), ``cpu_s`` and ``peak_rss_mb`` (megabytes).
    :raises RuntimeError: it failed; what it said is told.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command], capture_output=True, text=True, check=False, env=env
    )
    document: dict[str, Any] = json.loads(ended.stdout) if ended.returncode == 0 else {"exit": ended.returncode}
    if document.pop("exit") != 0:
        raise RuntimeError(f"{' '.join(command[:6])} failed: {ended.stdout[-1500:]} {ended.stderr[-1500:]}")
    return document

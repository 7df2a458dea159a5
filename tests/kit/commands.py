"""Typing commands: in this process, or in one of their own where the process itself is what is promised.

A process of its own is for signals, kills, what a shell sees of exit codes and streams, and memory. It takes three
quarters of a second of a core before it does anything.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streamproof.cli import run

COMMAND = (sys.executable, "-m", "streamproof")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Everything that was printed."""
        return self.stdout + self.stderr

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        lines = self.stdout.strip().splitlines()
        assert len(lines) == 1, f"one JSON document on stdout, not {self.stdout!r}; {self.exit_code}: {self.stderr}"
        found: dict[str, Any] = json.loads(lines[0])
        return found


def streamproof(*words: object, env: Mapping[str, str] = {}) -> Ended:
    """Run one command in this process, with more environment if it is given."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        for name, value in env.items():
            patch.setenv(name, value)
        exit_code = run([str(word) for word in words])
    return Ended(exit_code, out.getvalue(), err.getvalue())


def command_line(*words: object) -> list[str]:
    """Return the arguments of a process that runs one command."""
    return [*COMMAND, *map(str, words)]


def streamproof_process(*words: object, env: Mapping[str, str] = {}, timeout_s: float = 120) -> Ended:
    """Run one command in a process of its own, as a shell would."""
    done = subprocess.run(
        command_line(*words),
        env=os.environ | dict(env),
        cwd=Path.cwd(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)

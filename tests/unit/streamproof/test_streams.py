"""Whatever becomes of standard output and standard error, a command does its work and tells how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamproof.streams import TolerantStream

STREAMPROOF = f"{sys.executable} -m streamproof"
PREVIEW = f"{STREAMPROOF} preview clickstream --events 300"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")


def shell(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False, env=os.environ | variables
    )


def test_a_stream_whose_reader_has_left_goes_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    stream = TolerantStream(os.fdopen(writer, "wb"), encoding="utf-8")
    for _ in range(3):
        stream.write("x" * 100_000)
        stream.flush()
    assert stream.failure is None
    stream.close()


@pytest.mark.parametrize("flags", ["", "--json"])
def test_a_reader_that_leaves_early_changes_nothing(flags):
    ran = shell(f"{PREVIEW} {flags} | head -c 5; echo ${{PIPESTATUS[0]}} >&2")
    assert len(ran.stdout) == 5
    assert ran.stderr == "0\n"


def test_the_exit_code_is_that_of_the_work_even_if_nobody_reads():
    ran = shell(f"{STREAMPROOF} preview nothing --json | true; exit ${{PIPESTATUS[0]}}")
    assert ran.returncode == 78
    assert "unknown scenario 'nothing'" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_reason_to_fail(closed):
    assert shell(f"{PREVIEW} {closed}").returncode == 0
    assert shell(f"{STREAMPROOF} preview nothing {closed}").returncode == 78


@needs_full
@pytest.mark.parametrize("flags", ["", "--json"])
def test_a_result_that_could_not_be_written_is_a_failure(flags):
    ran = shell(f"{PREVIEW} {flags} >/dev/full")
    assert ran.returncode == 74
    assert "could not be written to standard output" in ran.stderr


@needs_full
def test_a_log_that_cannot_be_written_ends_nothing():
    assert shell(f"{PREVIEW} 2>/dev/full").returncode == 0


def test_signs_that_the_encoding_lacks_are_replaced():
    ran = shell(f"{PREVIEW} --rate 10", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0, ran.stderr
    assert "share of partition 2" in ran.stdout

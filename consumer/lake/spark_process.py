"""A process of the lake's Python with Spark in it: started, heard, and ended with everything that it started."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

import cluster.errors
from cluster.errors import DependencyDown, Interrupted, StoreFailed, StoreFull, StreamproofError
from cluster.local import PROJECT_ROOT
from cluster.machine.disk import is_full, says_full
from cluster.machine.spark_home import SparkHome

_LOOK_S = 0.1
_TAIL_BYTES = 20_000
_KEPT_LOGS = 5
_GONE_S = 2.0


class RunJob(Protocol):
    """Runs a job of Spark; :func:`run_job` says what is expected of it."""

    def __call__(
        self,
        home: SparkHome,
        module: str,
        request_line: str,
        *,
        log: Path,
        stop: threading.Event,
        heard: Callable[[dict[str, Any]], None],
        inherited: Sequence[int] = (),
    ) -> None:
        """Run it to its end."""
        ...


def run_job(
    home: SparkHome,
    module: str,
    request_line: str,
    *,
    log: Path,
    stop: threading.Event,
    heard: Callable[[dict[str, Any]], None],
    inherited: Sequence[int] = (),
) -> None:
    """Run ``python -m module`` with the lake's Python until it ends.

    It gets the request as the first line of its standard input, which stays open: when this process dies, however,
    the job ends too. It says lines of JSON, each with its ``kind``; one of kind ``error`` is raised here.

    :param log: what the job and Spark write to standard error.
    :param stop: ends the job, with the JVM and its workers, within two seconds.
    :param heard: called with every line that is no error.
    :param inherited: descriptors that the job keeps, such as that of a lock.
    :raises Interrupted: ``stop`` was set.
    :raises StreamproofError: what the job said; where it ended without a word, what its log shows.
    """
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    failed: StreamproofError | None = None
    with _opened(log) as written:
        process = subprocess.Popen(
            [str(home.python), "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            env=_environment(home),
            cwd=log.parent,
            pass_fds=inherited,
            start_new_session=True,  # Ctrl-C goes to us alone
        )
        threading.Thread(target=_read, args=(process, lines), daemon=True, name="spark-lines").start()
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(request_line)
                process.stdin.flush()
            for said in _until_end(lines, stop):
                if said["kind"] == "error":
                    failed = failed or error_said(said["error"], log)
                else:
                    heard(said)
            if not stop.is_set():
                process.wait(timeout=10)
        finally:
            _end(process)
    if failed is not None:
        raise failed
    if stop.is_set() and process.returncode:
        raise _stopped()
    if process.returncode:
        raise _without_a_word(process.returncode, log)


def new_log(folder: Path) -> Path:
    """Return where a new job writes its log, and remove the oldest ones."""
    logs = folder / ".logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        for old in sorted(logs.glob("spark-*.log"))[: -(_KEPT_LOGS - 1)]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise StoreFailed(
            f"the folder of the lake cannot be written: {error.strerror}", where=str(logs), hint="Give another --to"
        ) from error
    return logs / f"spark-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.log"


def _opened(log: Path) -> Any:
    try:
        return log.open("w")
    except OSError as error:
        kind = StoreFull if is_full(error) else StoreFailed
        raise kind(f"the log cannot be written: {error.strerror}", where=str(log)) from error


def _environment(home: SparkHome) -> dict[str, str]:
    """Return the environment of the job: ours without our settings, which may be secrets, and without another Spark."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STREAMPROOF_", "SPARK_", "PYSPARK_", "JAVA_"))
    }
    return kept | {
        "JAVA_HOME": str(home.java_home),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYSPARK_PYTHON": str(home.python),
        "PYSPARK_DRIVER_PYTHON": str(home.python),
    }


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _until_end(lines: queue.SimpleQueue[str | None], stop: threading.Event) -> Any:
    while True:
        try:
            line = lines.get(timeout=_LOOK_S)
        except queue.Empty:
            if stop.is_set():
                return
            continue
        if line is None:
            return
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict) and "kind" in said:
                yield said
        if stop.is_set():
            return


def kill_tree(leader: int) -> None:
    """Kill a job, its JVM and the JVM's workers: nothing of the lake depends on how they end.

    :param leader: the process that leads the job's session.
    """
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(leader).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for one in family:  # the workers have a process group of their own
        with contextlib.suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(family, timeout=_GONE_S)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the job with all that it started, and close its pipes."""
    kill_tree(process.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_GONE_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def error_said(said: dict[str, Any], log: Path) -> StreamproofError:
    """Return what a job said in a line of kind ``error``, as our error."""
    kind = getattr(cluster.errors, str(said.get("kind")), StreamproofError)
    hint = str(said.get("hint", ""))
    where = str(said.get("where", "")) or f"log {log}"
    if kind is StreamproofError or "log" in hint:
        where = f"log {log}"
    error: StreamproofError = kind(str(said.get("message")), where=where, hint=hint)
    return error


def _without_a_word(code: int, log: Path) -> StreamproofError:
    tail = _tail(log)
    if says_full(tail):
        return StoreFull("no space left for the lake, or for Spark's work", where=f"log {log}", hint="Make room")
    how = f"it was killed by {signal.Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"
    last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
    return DependencyDown(
        f"the job ended without a result: {how}{'; it last wrote: ' + last[:200] if last else ''}",
        where=f"log {log}",
        hint="What is published stays as it is, and the same command continues",
    )


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return file.read().decode(errors="replace")
    return ""


def _stopped() -> Interrupted:
    return Interrupted("stopped; the batch at hand was not published", hint="The same command continues")

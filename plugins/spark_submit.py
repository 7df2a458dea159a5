"""Spark by a connection of Airflow: its address, and, where the Spark provider is installed, its hook that submits.

The provider (``apache-airflow-providers-apache-spark``) is an extra: it is not in the lock, and nothing of it is
imported before a task asks. What is submitted is the job that ``streamproof lake`` starts, with the same request.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from cluster.errors import DependencyDown, Interrupted, Misconfigured, StreamproofError
from cluster.local import PROJECT_ROOT

if TYPE_CHECKING:
    from cluster.machine.spark_home import SparkHome
    from consumer.lake.spark_process import RunJob

_LOOK_S = 0.2
_TAIL = 20
# Spark runs a file: this one is the module.
_SCRIPT = "import runpy\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"


def master_of(conn_id: str) -> str:
    """Return the address of a connection of type ``spark``, as the provider reads it.

    :raises Misconfigured: Airflow has no such connection, or it leads to no master that is taken here.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise Misconfigured(
            f"Airflow has no connection {conn_id!r}",
            hint=f"Create it under Admin > Connections, or set AIRFLOW_CONN_{conn_id.upper()}",
        ) from None
    host = connection.host or ""
    whole = "://" in host or not connection.port
    master = host if whole else f"{connection.conn_type}://{host}"
    if connection.port:
        master = f"{master}:{connection.port}"
    if not master.startswith(("local", "spark://")):
        raise Misconfigured(
            f"the connection {conn_id!r} leads to {master!r}",
            hint="The lake's tasks take local[2] and spark://host:port",
        )
    if connection.extra_dejson.get("deploy-mode") not in {None, "", "client"}:
        raise Misconfigured(
            f"the connection {conn_id!r} asks for a driver on the cluster",
            hint="Take deploy-mode out of its extra: the driver publishes the lake, and runs in the task",
        )
    return master


def submitting(conn_id: str) -> RunJob | None:
    """Return what submits a job by the provider's hook; ``None`` where the provider is not installed."""
    try:
        from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
    except ImportError:
        return None

    class Submission(SparkSubmitHook):  # type: ignore[misc]  # without the provider it is not known
        """The provider's hook, whose log is lines of our job between those of Spark."""

        take: Callable[[Iterable[str]], None]

        def _process_spark_submit_log(self, itr: Iterator[Any]) -> None:
            self.take(itr)

        @property
        def pid(self) -> int | None:
            """Of ``spark-submit``, once it runs; it leads a process group of its own."""
            return None if self._submit_sp is None else int(self._submit_sp.pid)

    def run(
        home: SparkHome,
        module: str,
        request_line: str,
        *,
        log: Path,
        stop: threading.Event,
        heard: Callable[[dict[str, Any]], None],
        inherited: Sequence[int] = (),
    ) -> None:
        asked = json.loads(request_line)
        with _files(module, request_line) as (script, request):
            hook = Submission(
                conn_id=conn_id,
                conf=asked["conf"] | {"spark.ui.showConsoleProgress": "false"},
                jars=",".join(asked["jars"]) or None,
                # In the builder of the job's session it would come too late: the JVM runs by then.
                driver_memory=asked["memory"],
                executor_memory=asked["memory"],
                spark_binary=str(home.python.with_name("spark-submit")),
                env_vars={
                    "JAVA_HOME": str(home.java_home),
                    "PYTHONPATH": str(PROJECT_ROOT),
                    "PYSPARK_PYTHON": str(home.python),
                    "PYSPARK_DRIVER_PYTHON": str(home.python),
                },
                application_args=["--request", str(request)],
                name=f"streamproof {module.rpartition('.')[0]}",
            )
            said = _Said(log, heard)
            hook.take = said.take
            with _ended_by(stop, lambda: hook.pid):
                try:
                    hook.submit(str(script), start_new_session=True, pass_fds=tuple(inherited), cwd=log.parent)
                except AirflowException as error:
                    said.ended_badly = str(error).splitlines()[0]
            said.judge(stop)

    return run


class _Said:
    """What a submitted job says: our lines are heard, Spark's go into the log."""

    def __init__(self, log: Path, heard: Callable[[dict[str, Any]], None]) -> None:
        self._log, self._heard = log, heard
        self._error: StreamproofError | None = None
        self.ended_badly = ""

    def take(self, lines: Iterable[str]) -> None:
        from consumer.lake.spark_process import error_said

        with self._log.open("w") as log:
            for line in lines:
                said = _line_of_ours(line)
                if said is None:
                    log.write(line)
                elif said["kind"] == "error":
                    self._error = self._error or error_said(said["error"], self._log)
                else:
                    self._heard(said)

    def judge(self, stop: threading.Event) -> None:
        """Raise what the job said, or how it ended without a word."""
        if self._error is not None:
            raise self._error
        if self.ended_badly and stop.is_set():
            raise Interrupted("stopped; the batch at hand was not published", hint="A retry goes on from there")
        if self.ended_badly:
            raise DependencyDown(
                "the submitted job ended without a result",
                where=f"log {self._log}",
                hint="What is published stays as it is, and a retry goes on from there",
            )


def _line_of_ours(line: str) -> dict[str, Any] | None:
    if line.startswith('{"kind"'):
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict):
                return said
    return None


@contextmanager
def _files(module: str, request_line: str) -> Iterator[tuple[Path, Path]]:
    """Give the file that Spark runs and that of the request, in a folder that only this user reads."""
    with tempfile.TemporaryDirectory(prefix="streamproof-submit-") as folder:
        script, request = Path(folder) / "job.py", Path(folder) / "request.json"
        script.write_text(_SCRIPT.format(module=module))
        request.touch(mode=0o600)
        request.write_text(request_line)
        yield script, request


@contextmanager
def _ended_by(stop: threading.Event, leader: Callable[[], int | None]) -> Iterator[None]:
    """End ``spark-submit`` with all that it started once ``stop`` is set.

    The provider's ``on_kill`` ends its process alone, and leaves the Python of the driver.
    """
    from consumer.lake.spark_process import kill_tree

    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            if stop.is_set() and (pid := leader()) is not None:
                kill_tree(pid)
                return

    thread = threading.Thread(target=watch, daemon=True, name="spark-submit")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if (pid := leader()) is not None:
            kill_tree(pid)

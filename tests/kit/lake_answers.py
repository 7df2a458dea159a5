"""What the operators of the lake do: answers of ``airflow_answers.py``.

Spark is not here, but for a task that is ended (``tests/lake``). The provider of Spark stands in by the part of its
hook that is used; processes are real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import psutil

from cluster import errors
from cluster.machine.spark_home import SparkHome

PROVIDER = "airflow.providers.apache.spark.hooks.spark_submit"
# A driver as the provider starts it: a JVM that has a Python as its child, which does not end by itself.
DRIVER = """#!/bin/sh
echo 'INFO SparkContext: starting'
echo '{"kind": "ready"}'
%s -c 'import time; time.sleep(600)' >/dev/null 2>&1 &
echo $$ $! > "%s/pids.new"
echo "$@" > "%s/said"
mv "%s/pids.new" "%s/pids"
%s
"""


def lake_wrote(
    settings: dict[str, Any], params: dict[str, Any] | None = None, error: str | None = None
) -> dict[str, Any]:
    """What a task of the given settings asks of the packages, returns and publishes, or raises."""
    from plugins.lake import LAKES

    operator = _rendered(settings, params or {})
    asked: dict[str, Any] = {}
    published: list[Any] = []

    def lake(_: Any, request: Any, *, home: Any, stop: threading.Event, progress: Any, run: Any) -> Any:
        asked.update(
            topics=request.topics,
            folder=str(request.folder),
            master=request.master,
            format=request.table_format,
            memory=request.memory,
            event_times=dict(request.event_times),
            run=getattr(run, "__qualname__", "?"),
        )
        if error is not None:
            raise getattr(errors, error)("it ended")
        topic = SimpleNamespace(topic="t", rows=7, batches=1, quarantined=2)
        return SimpleNamespace(
            lake=str(request.folder), table_format="parquet", topics=[topic], seconds=3.0, startup_seconds=2.0
        )

    context: Any = {
        "ti": SimpleNamespace(xcom_push=lambda *_: None),
        "outlet_events": {LAKES: SimpleNamespace(add=lambda asset, extra: published.append([asset.uri, extra]))},
    }
    with _packages(lake):
        try:
            return {"asked": asked, "returned": operator.execute(context), "published": published}
        except errors.StreamproofError as raised:
            return {"asked": asked, "raised": f"{type(raised).__name__}: {raised}"}


def lake_killed() -> dict[str, Any]:
    """Whether the work of a task that is killed is told to stop, and how the task ends."""
    operator = _rendered({"topics": ["t"]}, {})
    began = threading.Event()

    def lake(*_: Any, stop: threading.Event, **__: Any) -> Any:
        began.set()
        if not stop.wait(20):
            raise AssertionError("nobody told it to stop")
        raise errors.Interrupted("stopped")

    def kill() -> None:
        began.wait(20)
        operator.on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda *_: None)}
    with _packages(lake):
        try:
            operator.execute(context)
        except errors.StreamproofError as raised:
            return {"raised": type(raised).__name__}
        finally:
            killer.join()
    return {"raised": ""}


def spark_masters(connections: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The master that each connection leads to, or why there is none."""
    from plugins.spark_submit import master_of

    found = {}
    for name, connection in connections.items():
        with mock.patch.dict(os.environ, {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection)}):
            try:
                found[name] = master_of(name)
            except errors.Misconfigured as error:
                found[name] = str(error)
    return found


def submitting_without_the_provider() -> bool:
    """Whether a job is submitted where the provider is not installed."""
    from plugins.spark_submit import submitting

    return submitting("spark_default") is not None


def submitted(folder: str, ending: str) -> dict[str, Any]:
    """What becomes of a job that the provider submits, and which of its processes are left.

    :param ending: shell commands by which the driver ends; ``wait`` for one that does not by itself, which is stopped.
    """
    from plugins.spark_submit import submitting

    home = Path(folder)
    (home / "bin").mkdir()
    driver = home / "bin" / "spark-submit"
    driver.write_text(DRIVER % (sys.executable, *[folder] * 4, ending))
    driver.chmod(0o755)
    stop, heard, pids = threading.Event(), list[dict[str, Any]](), home / "pids"

    def stop_it() -> None:
        deadline = time.monotonic() + 20
        while not pids.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        if ending == "wait":
            stop.set()

    spark = SparkHome(home / "bin" / "python", home / "java", (Path("a.jar"), Path("b.jar")), ())
    request = json.dumps({"jars": ["a.jar", "b.jar"], "conf": {"x": "y"}, "memory": "900m", "secret": "s3cret"}) + "\n"
    raised = ""
    watcher = threading.Thread(target=stop_it)
    with _provider() as seen:
        run = submitting("spark_default")
        assert run is not None
        watcher.start()
        try:
            run(spark, "consumer.lake.job", request, log=home / "log", stop=stop, heard=heard.append)
        except errors.StreamproofError as error:
            raised = f"{type(error).__name__}: {error.message}"
        watcher.join()
    started = pids.read_text().split()
    return {
        "heard": heard,
        "raised": raised,
        "started": len(started),
        "left": [pid for pid in started if _lives(int(pid))],
        "hook": seen,
        "told": (home / "said").read_text(),
        "log": (home / "log").read_text(),
    }


def _lives(pid: int) -> bool:
    """Tell whether a process is there that nobody has ended: one that waits to be buried is not."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.02)
    return True


def _rendered(settings: dict[str, Any], params: dict[str, Any]) -> Any:
    """Return the operator with its templates filled in, as Airflow does before it runs."""
    from airflow.sdk import DAG

    from plugins.lake import LakeOperator

    with DAG("lakes", schedule=None) as dag:
        operator = LakeOperator(task_id="lake", **settings)
    operator.render_template_fields({"params": params, "dag": dag, "run_id": "r"})  # type: ignore[arg-type]
    object.__setattr__(operator, "connection", lambda: None)
    return operator


@contextmanager
def _packages(lake: Any) -> Iterator[None]:
    with (
        mock.patch("consumer.lake.lake.lake", lake),
        mock.patch("stack.parts.spark.find_spark", return_value=None),
    ):
        yield


@contextmanager
def _provider() -> Iterator[dict[str, Any]]:
    """Put the provider's hook in place, with what of it is used; give what it was made with."""
    from airflow.sdk.exceptions import AirflowException

    seen: dict[str, Any] = {}

    class SparkSubmitHook:
        def __init__(self, **told: Any) -> None:
            request = Path(told["application_args"][1])
            mode = oct(request.stat().st_mode & 0o777)
            seen.update(told, request=json.loads(request.read_text()), mode=mode)
            self._submit_sp: subprocess.Popen[str] | None = None
            self._binary, self._arguments = told["spark_binary"], told["application_args"]

        def submit(self, application: str, **how: Any) -> None:
            seen["application"] = Path(application).read_text()
            self._submit_sp = subprocess.Popen(
                [self._binary, application, *self._arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                **how,
            )
            self._process_spark_submit_log(iter(self._submit_sp.stdout))
            if code := self._submit_sp.wait():
                raise AirflowException(f"Cannot execute: spark-submit. Error code is: {code}.")

        def _process_spark_submit_log(self, itr: Iterator[Any]) -> None:
            raise NotImplementedError

    module = ModuleType(PROVIDER)
    module.SparkSubmitHook = SparkSubmitHook  # type: ignore[attr-defined]
    parents = {name: ModuleType(name) for name in (PROVIDER.rsplit(".", count)[0] for count in (1, 2))}
    with mock.patch.dict(sys.modules, parents | {PROVIDER: module}):
        yield seen


def lake_task_ended(topic: str, folder: str, memory: str) -> dict[str, Any]:
    """How a task ends that is told to once Spark's JVM runs, how long that takes, and what is left of Spark."""
    from plugins.lake import LakeOperator

    operator = LakeOperator(
        task_id="lake", topics=[topic], lake=folder, master="local[1]", memory=memory, table_format="parquet"
    )
    operator.run_id, operator.spark_conn_id = "r", ""
    family, names = list[psutil.Process](), list[str]()
    told_at, over = list[float](), threading.Event()

    def end() -> None:
        while not over.is_set():
            family[:] = psutil.Process().children(recursive=True)
            names[:] = map(_name, family)
            if "java" in names:
                told_at.append(time.monotonic())
                operator.on_kill()
                return
            time.sleep(0.05)

    killer = threading.Thread(target=end)
    killer.start()
    raised, context = "", {"ti": SimpleNamespace(xcom_push=lambda *_: None)}
    try:
        operator.execute(context)  # type: ignore[arg-type]
    except errors.StreamproofError as error:
        raised = type(error).__name__
    finally:
        ended_at = time.monotonic()
        over.set()
        killer.join()
    _, left = psutil.wait_procs(family, timeout=5)
    return {
        "raised": raised,
        "names": names,
        "left": [each.pid for each in left],
        "seconds": ended_at - told_at[0] if told_at else None,
    }


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""

"""A Hive table of a lake: started here, computed inside Spark (``aggregate.py``)."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.errors import DependencyDown, Misconfigured, StreamproofError
from cluster.machine.spark_home import SparkHome
from consumer.lake.hive.aggregate import QUERY, TableResult
from consumer.lake.hive.request import TableJob
from consumer.lake.lock import lake_locked
from consumer.lake.published import read_published
from consumer.lake.spark_process import new_log, run_job

JOB = "consumer.lake.hive"
TABLE = "click_stream_by_category"
MEMORY = "700m"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REACH_S = 5.0
# Up to so many rows, Java's better compiler works longer than what it makes faster.
_MANY_ROWS = 2_000_000


@dataclass(frozen=True, slots=True)
class TableRequest:
    """A table that is to be brought up to what its lake publishes.

    :ivar folder: the lake.
    :ivar table: ``table`` or ``database.table``.
    :ivar metastore: ``thrift://host:port``; the one in the lake unless given.
    :ivar conf: further settings of Spark.
    """

    folder: Path
    clicks: str
    articles: str
    table: str = TABLE
    metastore: str | None = None
    master: str = "local[*]"
    memory: str = MEMORY
    conf: Mapping[str, str] = field(default_factory=dict)


def fill_table(
    request: TableRequest,
    *,
    home: SparkHome,
    stop: threading.Event,
    progress: Callable[[str], None] = lambda _: None,
    run: Callable[..., None] = run_job,
) -> TableResult:
    """Count clicks of the lake into a Hive table: only hours that new batches or changed metadata touch.

    :param progress: told what is done, a line each.
    :param run: what starts the job: takes what :func:`consumer.lake.spark_process.run_job` takes.
    :raises Interrupted: ``stop`` was set; the same call computes the same hours again.
    :raises WarehouseLocked: another job is at work in the lake, or has its metastore open.
    :raises StreamproofError: a topic publishes nothing, the metastore does not answer, or Spark failed.
    """
    check_request(request)
    found: list[dict[str, Any]] = []

    def heard(said: dict[str, Any]) -> None:
        if said["kind"] == "table":
            progress(str(said["said"]))
        elif said["kind"] == "result":
            found.append({name: value for name, value in said.items() if name != "kind"})

    with lake_locked(request.folder) as lock:
        job = _job(request, home)
        run(home, JOB, job.line(), log=new_log(request.folder), stop=stop, heard=heard, inherited=(lock,))
    if not found:
        raise StreamproofError("the job ended without a result", where=str(request.folder))
    return TableResult(**found[-1])


def check_request(request: TableRequest) -> None:
    """Look whether a table can be filled, before anything is done.

    :raises Misconfigured: a name or an address is none.
    :raises DependencyDown: nobody listens at the address of the metastore.
    """
    for name in _names(request):
        if not _NAME.fullmatch(name):
            raise Misconfigured(
                f"{request.table!r} is not the name of a table", hint="Give table or database.table: letters, digits, _"
            )
    if ";" in str(request.folder.absolute()):
        raise Misconfigured(
            "the path of the lake has a semicolon in it, which ends the address of its metastore",
            where=str(request.folder),
        )
    if request.metastore is not None:
        _reach(request.metastore)


def _names(request: TableRequest) -> tuple[str, str]:
    """Return database and table."""
    database, dot, table = request.table.rpartition(".")
    return (database if dot else "default"), table


def _job(request: TableRequest, home: SparkHome) -> TableJob:
    """Return what the job is told.

    :raises PlaceMissing: a topic publishes nothing yet.
    """
    database, table = _names(request)
    published = [read_published(request.folder / topic) for topic in (request.clicks, request.articles)]
    formats = {each.table_format for each in published}
    rows = sum(batch.rows for each in published for batch in each.batches)
    compiler = {} if rows > _MANY_ROWS else {"spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1"}
    return TableJob(
        str(request.folder.absolute()),
        request.clicks,
        request.articles,
        database,
        table,
        QUERY.read_text(encoding="utf-8"),
        request.metastore or "",
        request.master,
        request.memory,
        [str(jar) for jar in (*home.jars, *(home.delta_jars if "delta" in formats else ()))],
        compiler | dict(request.conf),
        delta="delta" in formats,
    )


def _reach(metastore: str) -> None:
    """Make sure that somebody listens at the address of a metastore: Hive's client would try for minutes.

    :raises Misconfigured: it is no address.
    :raises DependencyDown: nobody does.
    """
    try:
        parts = urlsplit(metastore)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not metastore.startswith("thrift://") or not host or not port:
        raise Misconfigured(f"{metastore!r} is no address of a metastore", hint="Give thrift://host:port")
    try:
        with socket.create_connection((host, port), timeout=_REACH_S):
            return
    except OSError as error:
        raise DependencyDown(
            f"the metastore is not reached: {error}", where=metastore, hint="Start it, or leave --metastore out"
        ) from error

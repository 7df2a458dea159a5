"""``python -m consumer.lake.hive``: the job of a Hive table; request and answers as in ``consumer/lake/job``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cluster.errors import DependencyDown, Misconfigured, StreamproofError, WarehouseLocked
from consumer.lake.hive.aggregate import TableAsked, aggregate
from consumer.lake.hive.request import TableJob
from consumer.lake.job.__main__ import run_with_voice
from consumer.lake.job.delta import CONF as DELTA_CONF
from consumer.lake.job.request import Voice
from consumer.lake.job.session import open_session, reach_master


def run(text: str, voice: Voice) -> None:
    """Bring a table up to what its lake publishes."""
    job = TableJob.read(text)
    reach_master(job.master)
    conf = dict(job.spark_conf()) | (DELTA_CONF if job.delta else {})
    job.hive.mkdir(parents=True, exist_ok=True)
    spark = open_session(job.master, job.memory, job.jars, conf, work=job.hive)
    voice.say("ready")
    asked = TableAsked(
        Path(job.folder), job.clicks, job.articles, job.database, job.table, job.query, embedded=not job.metastore
    )
    try:
        result = aggregate(spark, asked, lambda said: voice.say("table", said=said))
    except StreamproofError:
        raise
    except Exception as error:
        known = _known(error, job)
        if known is None:
            raise
        raise known from error
    voice.say("result", **result.document())


def _known(error: Exception, job: TableJob) -> StreamproofError | None:
    """Return what Spark's words mean here; ``None`` where they mean nothing of Hive."""
    said = _words(error)
    if "XSDB6" in said or "Another instance of Derby" in said:
        return WarehouseLocked(
            "another process has the metastore of the lake open",
            where=str(job.hive / "metastore_db"),
            hint="Derby serves one process at a time: end the other one, or use a metastore of its own (--metastore)",
        )
    if job.metastore and ("Could not connect to meta store" in said or "TTransportException" in said):
        return DependencyDown(
            "the metastore does not answer", where=job.metastore, hint="Start it, or leave --metastore out"
        )
    if "UNRESOLVED_COLUMN" in said or "TABLE_OR_VIEW_NOT_FOUND" in said:
        first = said.splitlines()[0][:200]
        return Misconfigured(
            f"the query does not fit the topics: {first}",
            where=f"{job.clicks}, {job.articles}",
            hint="The topic of the clicks is named first, then that of the articles",
        )
    return None


def _words(error: Exception) -> str:
    """Return what an error of Spark says, what caused it included."""
    parts = [str(error)]
    java = getattr(error, "_origin", None) or getattr(error, "java_exception", None)
    for _ in range(20):
        if java is None:
            break
        parts.append(str(java.toString()))
        java = java.getCause()
    return "\n".join(parts)


if __name__ == "__main__":
    code = run_with_voice(run)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Spark's threads and its JVM are not waited for

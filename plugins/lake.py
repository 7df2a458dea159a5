"""The lake as operators: Spark writes topics to files, and counts them into a Hive table.

Both call what ``streamproof lake`` calls. Spark runs in an environment and in processes of its own, which end when the
task does. Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""
# ruff: noqa: D102 - every work() is given a context, and the class says what it does

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, Context

from plugins.step import LOG_EVERY_S, StoppableOperator, StreamproofOperator, every

if TYPE_CHECKING:
    from consumer.lake.lake import LakeRequest
    from consumer.lake.progress import LakeProgress
    from consumer.lake.spark_process import RunJob

LAKE_POOL = "lake"
# Which topics a run writes is known when it runs: they are fields of the form.
LAKES = AssetAlias("streamproof-lakes")
_FORMATS = ("parquet", "delta")


class SparkOperator(StoppableOperator):
    """A step that Spark does: one at a time, by a pool of one slot, and in processes that end with the task.

    :param lake: folder of the lake; ``lake`` in the state folder when empty.
    :param master: where Spark computes: ``local[2]`` in the task, ``spark://host:port`` on a cluster.
    :param memory: heap of the driver, such as ``1g``.
    :param spark_conn_id: connection of type ``spark``, in place of ``master``; its job is submitted by the hook of
        ``apache-airflow-providers-apache-spark`` where that is installed. None when empty.
    """

    template_fields: Sequence[str] = (
        *StreamproofOperator.template_fields,
        *("lake", "master", "memory", "spark_conn_id"),
    )
    ui_color = "#fde9e1"

    def __init__(
        self,
        *,
        lake: str = "{{ params.get('lake') or '' }}",
        master: str = "{{ params.get('master') or 'local[2]' }}",
        memory: str = "{{ params.get('memory') or '1g' }}",
        spark_conn_id: str = "{{ params.get('spark_conn_id') or '' }}",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("pool", LAKE_POOL)
        kwargs.setdefault("topic", "")  # it has several, or none
        super().__init__(**kwargs)
        self.lake = lake
        self.master = master
        self.memory = memory
        self.spark_conn_id = spark_conn_id

    def folder(self) -> Path:
        """Return the folder of the lake."""
        from cluster.local import state_dir

        return Path(self.lake).expanduser() if self.lake else state_dir() / "lake"

    def spark(self) -> tuple[str, RunJob]:
        """Return the master, and what starts a job there."""
        from consumer.lake.spark_process import run_job

        if not self.spark_conn_id:
            self.log.info("Spark at %s", self.master)
            return self.master, run_job
        from plugins.spark_submit import master_of, submitting

        master, submit = master_of(self.spark_conn_id), submitting(self.spark_conn_id)
        how = "started by this task" if submit is None else "submitted by the provider's hook"
        self.log.info("Spark at %s, as the connection %s says; %s", master, self.spark_conn_id, how)
        return master, submit or run_job


class LakeOperator(SparkOperator):
    """Write what topics hold now to the lake, each record once.

    Returns where the lake is, and for each topic how many events were written and set aside. A retry, or another run,
    goes on where the published list of the lake stands. Success is an event of ``streamproof://lakes/<topic>``.

    :param topics: their names.
    :param event_times: for a topic, the field whose hour its folders go by; the time of the Kafka record unless given.
    :param table_format: ``parquet`` or ``delta``.
    """

    template_fields: Sequence[str] = (*SparkOperator.template_fields, "topics", "event_times", "table_format")

    def __init__(
        self,
        *,
        topics: Sequence[str],
        event_times: Mapping[str, str] | None = None,
        table_format: str = "{{ params.get('table_format') or 'parquet' }}",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("outlets", [LAKES])
        super().__init__(**kwargs)
        self.topics = topics
        # Pairs, because Airflow fills in the values of a mapping, and these have the names of topics as keys.
        self.event_times = [[topic, field] for topic, field in (event_times or {}).items()]
        self.table_format = table_format

    def work(self, context: Context) -> dict[str, Any]:
        from consumer.lake.lake import lake
        from stack.parts.spark import find_spark

        connection = self.connection()
        master, run = self.spark()
        request = self._request(master)
        say = every(LOG_EVERY_S, self._say)
        with self.stopping() as stop:
            result = lake(connection, request, home=find_spark(stop=stop), stop=stop, progress=say, run=run)
        self.log.info("Done in %.1f s, of which Spark took %.1f to start", result.seconds, result.startup_seconds)
        for topic in result.topics:
            self.log.info(
                "%s: %s events in %s batches, %s quarantined",
                topic.topic,
                f"{topic.rows:,}",
                topic.batches,
                f"{topic.quarantined:,}",
            )
            facts: dict[str, Any] = {"run_id": self.run_id, "lake": result.lake, "events": topic.rows}
            context["outlet_events"][LAKES].add(Asset(f"streamproof://lakes/{topic.topic}"), extra=facts)
        return {
            "lake": result.lake,
            "format": result.table_format,
            "rows": sum(topic.rows for topic in result.topics),
            "quarantined": sum(topic.quarantined for topic in result.topics),
            "topics": {topic.topic: topic.rows for topic in result.topics},
            "seconds": round(result.seconds, 1),
        }

    def _request(self, master: str) -> LakeRequest:
        from cluster.errors import Misconfigured
        from consumer.lake.lake import LakeRequest

        if self.table_format not in _FORMATS:
            raise Misconfigured(
                f"there is no format {self.table_format!r} of a lake", hint=f"It is {' or '.join(_FORMATS)}"
            )
        return LakeRequest(
            tuple(self.topics),
            self.folder(),
            master=master,
            memory=self.memory,
            table_format="delta" if self.table_format == "delta" else "parquet",
            event_times=dict(self.event_times),
        )

    def _say(self, progress: LakeProgress) -> None:
        if progress.ready_at is None:
            self.log.info("Spark is starting")
            return
        self.log.info(
            "%s of %s records are published, %s events at %s/s",
            f"{progress.offsets:,}",
            f"{progress.offsets_total:,}",
            f"{progress.rows:,}",
            f"{progress.rate:,.0f}",
        )


class AggregateOperator(SparkOperator):
    """Count clicks, joined with the newest metadata of their articles, into a Hive table.

    Only hours that new batches or changed metadata touch are counted anew. Returns the table, its folder, and figures.

    :param clicks: topic of the clicks in the lake; ``articles`` that of the metadata.
    :param table: ``table`` or ``database.table``.
    :param metastore: ``thrift://host:port``; one in the lake when empty.
    """

    template_fields: Sequence[str] = (*SparkOperator.template_fields, "clicks", "articles", "table", "metastore")

    def __init__(
        self,
        *,
        clicks: str = "{{ params.topic }}",
        articles: str = "{{ params.metadata_topic }}",
        table: str = "{{ params.table }}",
        metastore: str = "{{ params.get('metastore') or '' }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.clicks = clicks
        self.articles = articles
        self.table = table
        self.metastore = metastore

    def work(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        from consumer.lake.hive.table import TableRequest, fill_table
        from stack.parts.spark import find_spark

        master, run = self.spark()
        request = TableRequest(
            self.folder(),
            self.clicks,
            self.articles,
            self.table,
            self.metastore or None,
            master=master,
            memory=self.memory,
        )
        with self.stopping() as stop:
            result = fill_table(
                request, home=find_spark(stop=stop), stop=stop, progress=lambda said: self.log.info("%s", said), run=run
            )
        self.log.info(
            "%s has %s rows of %s clicks in %s hours, of which %s were counted now",
            result.table,
            f"{result.rows:,}",
            f"{result.clicks:,}",
            result.hours,
            result.computed,
        )
        for each in result.categories:
            self.log.info("  category %s: %s clicks", each["category_id"], f"{each['clicks']:,}")
        return result.document()

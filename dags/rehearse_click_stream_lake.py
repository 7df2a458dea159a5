"""
### Rehearse the click stream lake

Replays files of clicks and of articles, row by row, to two Kafka topics. Spark writes both to a **lake** of Parquet (or
Delta), joins each click with the newest metadata of its article, and counts clicks, users and sessions by category,
publisher, hour and device into a **Hive table**. Then lake and table are proved against what was sent.

Without a folder, the sample files of the project are replayed. Each run goes on where the lake stands: rows are neither
lost nor doubled, whatever ended the runs before. `report` writes the page that the *Report* tab shows, and is red
unless all three audits passed.

Spark is in an environment of its own: `make lake` installs it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from plugins.form.form_texts import TOPIC_PATTERN
from plugins.generation import DAG_SETTINGS
from plugins.lake import AggregateOperator, LakeOperator
from plugins.operators import EnsureTopicsOperator, GenerateShardOperator, SchemaGateOperator
from plugins.pipeline import AuditSinkOperator
from plugins.pipeline_report import PipelineReportOperator
from plugins.replay import ARTICLES, CLICKS, PlanReplayOperator

FILES, SPARK = "Files", "Spark"
TOPICS = {CLICKS: "{{ params.topic }}", ARTICLES: "{{ params.metadata_topic }}"}
AUDITS = ("audit_clicks", "audit_articles", "audit_aggregate")
FORM = {
    "folder": Param(
        None,
        title="Folder of files",
        description_md="Where the files are, on the machine that generates. Empty for the sample files of the project.",
        type=["null", "string"],
    ),
    "rate": Param(
        None,
        title="Rate",
        description_md="Clicks a second. Empty for as fast as possible, or where the speed below decides.",
        type=["null", "number"],
        allOf=[{"exclusiveMinimum": 0}],
    ),
    "speed": Param(
        None,
        title="Times the original speed",
        description_md="1 sends rows as far apart as they happened, 60 sends an hour of them in a minute. Empty for "
        "the rate above.",
        type=["null", "number"],
        allOf=[{"exclusiveMinimum": 0}],
    ),
    "shards": Param(
        1,
        title="Shards",
        description_md="Generators of clicks side by side, which share the files among them; one sends the articles.",
        type="integer",
        allOf=[{"minimum": 1, "maximum": 16}],
    ),
    "topic": Param(
        CLICKS,
        title="Topic of the clicks",
        description_md="Created when it is missing.",
        type="string",
        pattern=TOPIC_PATTERN,
    ),
    "metadata_topic": Param(
        ARTICLES,
        title="Topic of the articles",
        description_md="Created when it is missing.",
        type="string",
        pattern=TOPIC_PATTERN,
    ),
    "lake": Param(
        None,
        title="Lake",
        description_md="Folder of the lake. Empty for one in the state folder of the project.",
        type=["null", "string"],
    ),
    "prefix": Param(
        "clicks_hour_",
        title="Files of clicks",
        description_md="How their names begin.",
        type="string",
        section=FILES,
    ),
    "metadata_prefix": Param(
        "articles_metadata",
        title="Files of articles",
        description_md="How their names begin.",
        type="string",
        section=FILES,
    ),
    "suffix": Param(
        ".csv",
        title="Suffix",
        description_md="How the names of the files end.",
        type="string",
        section=FILES,
    ),
    "table_format": Param(
        "parquet",
        title="Format of the lake",
        description_md="A lake keeps the format that it began with.",
        type="string",
        enum=["parquet", "delta"],
        section=SPARK,
    ),
    "table": Param(
        "click_stream_by_category",
        title="Hive table",
        description_md="The aggregate: a table, or database.table.",
        type="string",
        section=SPARK,
    ),
    "metastore": Param(
        None,
        title="Hive metastore",
        description_md="Such as thrift://host:9083. Empty for one that lies in the lake.",
        type=["null", "string"],
        section=SPARK,
    ),
    "master": Param(
        "local[2]",
        title="Spark master",
        description_md="local[2] runs Spark in the task; a cluster is spark://host:7077.",
        type="string",
        section=SPARK,
    ),
    "memory": Param(
        "1g",
        title="Memory",
        description_md="Heap of Spark's driver, such as 700m or 2g.",
        type="string",
        pattern=r"^[1-9][0-9]*[mg]$",
        section=SPARK,
    ),
    "spark_conn_id": Param(
        None,
        title="Spark connection",
        description_md="Id of an Airflow connection of type spark, whose address takes the place of the master. "
        "Empty for none.",
        type=["null", "string"],
        section=SPARK,
    ),
}

with DAG(
    "rehearse_click_stream_lake",
    description="Files of clicks to Kafka, by Spark into a lake and an aggregate in Hive; both proved.",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    tags={"streamproof", "rehearsal", "lake", "click_stream"},
    params=FORM,
    **DAG_SETTINGS,
) as dag:
    plan = PlanReplayOperator(
        task_id="plan",
        doc_md="Reads and checks the files of both feeds, and splits them among the generators. Rows that cannot be "
        "taken are set aside whole, and told by file and line.",
    )
    generate = GenerateShardOperator.partial(
        task_id="generate",
        map_index_template="{{ task.topic }}, shard {{ task.shard['shard'] + 1 }} of {{ task.shard['shards'] }}",
        execution_timeout=timedelta(hours=7),
        doc_md="One generator for each shard of each feed. A retry goes on at the row where the acknowledged ones end.",
    ).expand_kwargs(plan.output)
    for scenario, topic in TOPICS.items():
        topics = EnsureTopicsOperator(
            task_id=f"ensure_{scenario}",
            topic=topic,
            doc_md="Creates the topic and its control topic as `cluster/topics.yaml` declares them.",
        )
        schemas = SchemaGateOperator(
            task_id=f"gate_{scenario}",
            topic=topic,
            scenario=scenario,
            doc_md="Shows how the local schema versions differ from the registry's, and registers them or refuses.",
        )
        plan >> topics >> schemas >> generate
    lake = LakeOperator(
        task_id="lake",
        topics=list(TOPICS.values()),
        event_times={TOPICS[CLICKS]: "click_timestamp"},
        execution_timeout=timedelta(hours=4),
        doc_md="Writes both topics to the lake with Spark, up to where they end now, each record once. A retry goes on "
        "where the published list of the lake stands. Whoever ends this task ends Spark.",
    )
    aggregate = AggregateOperator(
        task_id="aggregate",
        execution_timeout=timedelta(hours=2),
        doc_md="Joins the clicks with the newest metadata and writes the touched hours of the Hive table anew.",
    )
    audits = [
        AuditSinkOperator(
            task_id="audit_clicks",
            topic=TOPICS[CLICKS],
            at="lake:{{ ti.xcom_pull('lake')['lake'] }}",
            compare=True,
            doc_md="Each click that was sent is in the lake, once and unaltered.",
        ),
        AuditSinkOperator(
            task_id="audit_articles",
            topic=TOPICS[ARTICLES],
            at="lake:{{ ti.xcom_pull('lake')['lake'] }}",
            compare=True,
            doc_md="Each article that was sent is in the lake, once and unaltered.",
        ),
        AuditSinkOperator(
            task_id="audit_aggregate",
            topic=TOPICS[CLICKS],
            at="{{ ti.xcom_pull('aggregate')['folder'] }}",
            expectations=["clicks_by_category"],
            also=[f"articles={TOPICS[ARTICLES]}"],
            all_runs=True,
            doc_md="Counts clicks, users and sessions of what all runs of both topics sent, and compares the table.",
        ),
    ]

    report = PipelineReportOperator(
        task_id="report",
        audits=list(AUDITS),
        shown={
            "lake": ["rows", "quarantined", "topics", "format", "lake", "seconds"],
            "aggregate": ["table", "rows", "clicks", "hours", "computed", "categories", "folder"],
        },
        doc_md="Writes the page of the run: the verdicts, the largest categories and the rates. It is red unless lake "
        "and table were proved.",
    )

    generate >> lake >> aggregate >> audits[-1]
    lake >> audits[:-1]
    audits >> report

"""
### Rehearse a pipeline of your own

Generates `customer_events` on a Kafka topic, lets **your** pipeline store them, and proves by identity and by value
what arrived there: nothing of this project loads, and nothing is written where you store.

`your_consumer` stands for your pipeline: a small consumer (`dags/your_consumer.py`) that fills a DuckDB file. Put your
own in its place; or say in *Where it stores* what a pipeline fills that runs elsewhere, such as
`postgresql://user@host:5432/db#public.events`: then this task leaves it alone, and `audit_sink` waits for it.

**What goes wrong** makes the consumer lose, double or round some of the events. The audit must name exactly those.
`report` writes the page that the *Report* tab shows, and is red unless the audit passed.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from plugins.form.settings import INCIDENTS, LOAD, Rehearsal
from plugins.generation import (
    DAG_SETTINGS,
    gate_task,
    generators,
    incidents_over,
    incidents_task,
    plan_task,
    topics_task,
)
from plugins.pipeline import AuditSinkOperator
from plugins.pipeline_report import PipelineReportOperator
from plugins.rehearsal import form

SCENARIO = "customer_events"
# What `your_consumer` makes of an event. A pipeline that stores other columns is compared in those that it has.
COLUMNS = {
    "customer": "user_id",
    "kind": "event_type",
    "happened_at": "timestamp",
    "watched": "details.play_percentage",
}
OWN = {
    "consumer_fault": Param(
        "none",
        title="What goes wrong",
        description_md="In the consumer of this Dag, to one event in a hundred of each kind.",
        type="string",
        enum=["none", "lose", "double", "round", "all"],
        values_display={
            "none": "Nothing",
            "lose": "Events are lost",
            "double": "Events are stored twice",
            "round": "Times are rounded to the minute",
            "all": "All three",
        },
    ),
    "at": Param(
        None,
        title="Where it stores",
        description_md="What a pipeline of your own fills, as audit --at takes it. Empty for the consumer of this Dag.",
        type=["null", "string"],
    ),
    "conn_id": Param(
        None,
        title="PostgreSQL connection",
        description_md="Id of an Airflow connection that has the address, login and password of where it stores. "
        "Empty for none.",
        type=["null", "string"],
    ),
    "wait": Param(
        "2m",
        title="How long to wait",
        description_md="For what has not arrived when the last event is sent: a number and s, m or h.",
        type="string",
    ),
}

with DAG(
    "rehearse_your_pipeline",
    description="Your pipeline: customer_events to Kafka, stored by a consumer of yours, proved by identity and value.",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    tags={"streamproof", "rehearsal", "your pipeline", SCENARIO},
    **DAG_SETTINGS,
) as dag:
    plan, topics, schemas = plan_task(SCENARIO, besides=OWN), topics_task(), gate_task(SCENARIO)
    generate = generators(plan)

    @task(doc_md="Stands for your pipeline: stores what is in the topic. Put your own in its place.")
    def your_consumer(params: dict[str, Any]) -> str:
        """Store the topic in a DuckDB file, and return where, as ``audit --at`` takes it."""
        from your_consumer import consume

        from cluster.local import state_dir
        from plugins.hooks import connect, for_confluent

        if params["at"] or params["conn_id"]:
            return str(params["at"] or "")
        connection = connect()
        file = state_dir() / "your_pipeline" / f"{params['topic']}.duckdb"
        file.parent.mkdir(parents=True, exist_ok=True)
        kafka, registry = connection.kafka.as_librdkafka(), for_confluent(connection.registry)
        consume(kafka, registry, params["topic"], file, params["consumer_fault"])
        return f"{file}#events"

    stored = your_consumer()
    audit = AuditSinkOperator(
        task_id="audit_sink",
        at=stored,
        conn_id="{{ params.conn_id or '' }}",
        id_column="id",
        columns=COLUMNS,
        compare=True,
        wait="{{ params.wait }}",
        deferrable=True,
        doc_md="Compares what was stored with what was sent, event by event and column by column, and writes nothing. "
        "Waits, without a worker, for what has not arrived yet.",
    )
    report = PipelineReportOperator(
        task_id="report",
        audits=["audit_sink"],
        doc_md="Writes the page of the run: verdict, figures and rates. It is red unless the audit passed.",
    )
    plan >> topics >> schemas >> generate >> stored >> audit >> report
    schemas >> incidents_task() >> incidents_over() >> stored

# Of the form of the other Dags, what says which events are sent, how fast, and what happens meanwhile. No warehouse of
# ours is filled.
asked = form(Rehearsal(topic="your_pipeline", rate=2000, seconds=10))
dag.params.update(
    {name: param for name, param in asked.items() if param.schema.get("section") in {None, LOAD, INCIDENTS}} | OWN
)

"""
### Count the events of a web shop

Generates `shop_events` (views, baskets, purchases) on a Kafka topic, and **beside the generators** keeps running totals
of them by name, published to another topic: `{productview, purchase, addtobasket, removefrombasket, receiveAt}`.

Consuming, counting and publishing are Kafka transactions: end `count` while it is at work, and its retry goes on where
the last output stands. `audit_totals` then holds the newest totals against what all runs of the topic sent; `report`
writes the page that the *Report* tab shows, and is red unless they were proved.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from plugins.counting import CountOperator
from plugins.form.scenario_settings import rehearsal_for
from plugins.form.settings import INCIDENTS, LOAD
from plugins.form.settings import SCENARIO as OF_SCENARIO
from plugins.generation import DAG_SETTINGS, generators, incidents_over, incidents_task, plan_task, topics_task
from plugins.operators import EnsureTopicsOperator
from plugins.pipeline import AuditSinkOperator
from plugins.pipeline_report import PipelineReportOperator
from plugins.rehearsal import form

SCENARIO = "shop_events"
FIELD = "eventName"
OWN = {
    "totals_topic": Param(
        "unique-event-topic",
        title="Topic of the totals",
        description_md="Where the running totals are published.",
        type="string",
    ),
    "every": Param(
        "event",
        title="When totals are published",
        description_md="**event**: after every event. A number and ms, s or m, as 500ms: so often, if anything came.",
        type="string",
    ),
    "count_for": Param(
        "10m",
        title="How long to count at most",
        description_md="It ends sooner, when everything that the generators sent is counted: a number and s, m or h.",
        type="string",
    ),
}

with DAG(
    "count_events",
    description="Running totals by event name, counted exactly once while shop_events are generated, and proved.",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    tags={"streamproof", "rehearsal", "running totals", SCENARIO},
    **DAG_SETTINGS,
) as dag:
    plan, topics = plan_task(SCENARIO, besides=OWN), topics_task()
    totals = EnsureTopicsOperator(
        task_id="ensure_totals_topic",
        topic="{{ params.totals_topic }}",
        doc_md="Creates the topic of the totals.",
    )
    generate, incidents, over = generators(plan), incidents_task(), incidents_over()
    count = CountOperator(
        task_id="count",
        by=FIELD,
        to="{{ params.totals_topic }}",
        every="{{ params.every }}",
        lasting="{{ params.count_for }}",
        execution_timeout=timedelta(hours=8),
        doc_md="Keeps running totals beside the generators. A retry goes on at the last output.",
    )
    audit = AuditSinkOperator(
        task_id="audit_totals",
        run_id="",
        at="kafka:{{ params.totals_topic }}",
        expectations=["totals_by_event_name"],
        all_runs=True,
        wait="30s",
        doc_md="Makes the events of all runs of the topic again, and holds the newest totals against their counts.",
    )

    report = PipelineReportOperator(
        task_id="report",
        audits=["audit_totals"],
        shown={
            "count": [
                "events_in_totals",
                "went_on_from",
                "events",
                "outputs",
                "events_per_second",
                "lag",
                "apart",
                "totals",
            ]
        },
        doc_md="Writes the page of the run: the verdict, the totals and the rates. It is red unless they were proved.",
    )

    plan >> [topics, totals]
    [topics, totals] >> generate
    [topics, totals] >> count
    [topics, totals] >> incidents
    incidents >> over
    [generate, count, over] >> audit >> report

# Of the form of the other Dags, what says which events are sent, how fast, and what happens meanwhile. No warehouse of
# ours is filled.
asked = form(rehearsal_for(SCENARIO)(topic="event-topic", rate=1000, seconds=20))
wanted = {None, LOAD, OF_SCENARIO, INCIDENTS}
dag.params.update({name: param for name, param in asked.items() if param.schema.get("section") in wanted} | OWN)

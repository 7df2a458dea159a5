"""
### Rehearse two applications of one stream

Generates the scenario `journey` on a Kafka topic: what people do on a web site. Beside the generators, two consumer
groups read it: **Journey**, three instances that store every event of each user in order, and **Analytic**, two that
count the videos that each user played. Then each is held against what was sent: Journey by identity and order, Analytic
by the total of every user.

They store in PostgreSQL: that of the local stack (`streamproof up --postgres`), or a connection. Each run has groups of
its own. **Kill an instance** kills one of Journey's while events come: its partitions go to the others, and the audit
must not notice. `report` writes the page that the *Report* tab shows, and is red unless both audits passed.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from plugins.form.settings import INCIDENTS, LOAD, MAX_SECONDS, Rehearsal
from plugins.generation import (
    DAG_SETTINGS,
    gate_task,
    generators,
    incidents_over,
    incidents_task,
    plan_task,
    topics_task,
)
from plugins.journeys import GROUP, BeginGroupsOperator, ConsumeOperator
from plugins.pipeline import AuditSinkOperator
from plugins.pipeline_report import PipelineReportOperator
from plugins.rehearsal import form

SCENARIO = "journey"
GROUPS = {application: GROUP.format(application=application) for application in ("journey", "analytic")}
KEPT = "SELECT * FROM streamproof_groups.{view} WHERE group_name = '{group}'"
OWN = {
    "journey_instances": Param(
        3,
        title="Instances of Journey",
        description_md="Those beyond the partitions are idle.",
        type="integer",
        minimum=1,
        maximum=16,
    ),
    "analytic_instances": Param(
        2,
        title="Instances of Analytic",
        description_md="Those beyond the partitions are idle.",
        type="integer",
        minimum=1,
        maximum=16,
    ),
    "kill_after": Param(
        None,
        title="Kill an instance",
        description_md="Seconds after which one of Journey's instances is killed. Empty for none.",
        type=["null", "number"],
    ),
    "consume_seconds": Param(
        600,
        title="How long to consume",
        description_md="Seconds at most. The groups end sooner, when all is stored that the generators sent.",
        type="integer",
        minimum=1,
        maximum=MAX_SECONDS,
    ),
    "protocol": Param(
        "consumer",
        title="Group protocol",
        description_md="Kafka's newer one, or the classic one with cooperative rebalancing.",
        type="string",
        enum=["consumer", "classic"],
    ),
    "conn_id": Param(
        None,
        title="PostgreSQL connection",
        description_md="Id of an Airflow connection to the database that the groups store in. Empty for that of the "
        "local stack.",
        type=["null", "string"],
    ),
}

with DAG(
    "rehearse_journeys",
    description="Two consumer groups of one topic: journeys of users in order, and totals; proved.",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    tags={"streamproof", "rehearsal", "consumer groups", SCENARIO},
    **DAG_SETTINGS,
) as dag:
    plan, topics, schemas = plan_task(SCENARIO, besides=OWN), topics_task(), gate_task(SCENARIO)
    begin = BeginGroupsOperator(
        task_id="begin_groups",
        groups=GROUPS,
        doc_md="Notes that the groups of this run begin where the topic ends now: they keep what this run sends.",
    )
    generate, incidents, over = generators(plan), incidents_task(), incidents_over()
    journey = ConsumeOperator(
        task_id="journey",
        application="journey",
        group=GROUPS["journey"],
        instances="{{ params.journey_instances }}",
        kill_after="{{ params.kill_after or '' }}",
        execution_timeout=timedelta(hours=7),
        doc_md="Stores every event of each user, beside the generators, until they have ended and all is stored.",
    )
    analytic = ConsumeOperator(
        task_id="analytic",
        application="analytic",
        group=GROUPS["analytic"],
        instances="{{ params.analytic_instances }}",
        execution_timeout=timedelta(hours=7),
        doc_md="Counts the videos of each user, beside the generators, until they have ended and all is counted.",
    )
    audit_journey = AuditSinkOperator(
        task_id="audit_journey",
        at=begin.output,
        conn_id="{{ params.conn_id or '' }}",
        query=KEPT.format(view="journeys", group=GROUPS["journey"]),
        id_column="event_id",
        order="kafka_offset",
        doc_md="Each event that was sent is there once, and those of a user in the order in which they were sent.",
    )
    audit_analytic = AuditSinkOperator(
        task_id="audit_analytic",
        at=begin.output,
        conn_id="{{ params.conn_id or '' }}",
        query=KEPT.format(view="totals", group=GROUPS["analytic"]),
        expectations=["videos_per_user"],
        doc_md="Each user has as many videos as were sent.",
    )
    figures = ["events", "aside", "idle", "died", "handover_s"]
    report = PipelineReportOperator(
        task_id="report",
        audits=["audit_journey", "audit_analytic"],
        shown={"journey": figures, "analytic": figures},
        doc_md="Writes the page of the run: both verdicts, what the groups stored and the rates. It is red unless both "
        "audits passed.",
    )
    plan >> topics >> schemas >> begin >> [generate, journey, analytic, incidents]
    incidents >> over
    [generate, journey, over] >> audit_journey
    [generate, analytic, over] >> audit_analytic
    [audit_journey, audit_analytic] >> report

# Of the form of the other Dags, what says which events are sent, how fast, and what happens meanwhile. No warehouse of
# ours is filled.
asked = form(Rehearsal(topic="journey", rate=200, seconds=20, shards=1))
dag.params.update(
    {name: param for name, param in asked.items() if param.schema.get("section") in {None, LOAD, INCIDENTS}} | OWN
)

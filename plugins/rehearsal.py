"""One rehearsal as a Dag: the wiring that the Dags of ``dags/`` share.

::

    plan > ensure_topics > schema_gate > generate[shards] > load > audit > check > publish
                                                                                 > report

``plan`` comes first, so that settings that cannot be are refused before anything is made.

Airflow judges a run by its leaves, which are ``publish`` and ``report``. ``publish`` needs every shard, the audit and
the checks, so a failure of any of them makes the run red. ``report`` comes after these whatever became of them.
A failed shard does not keep the rest from being loaded and audited, so that the report can say what is missing.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TriggerRule

from plugins.operators import (
    AuditOperator,
    CheckOperator,
    EnsureTopicsOperator,
    GenerateShardOperator,
    LoadOperator,
    PlanOperator,
    PublishOperator,
    ReportOperator,
    SchemaGateOperator,
)
from plugins.scenarios import DEFAULT_SCENARIO
from plugins.settings import Rehearsal

_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "pattern", "enum"}

DEFAULT_ARGS = {
    "owner": "streamproof",
    "retries": 2,
    "retry_delay": timedelta(seconds=5),
    "execution_timeout": timedelta(minutes=5),
}


def rehearsal_dag(
    dag_id: str,
    *,
    doc_md: str,
    scenario: str = DEFAULT_SCENARIO,
    defaults: Rehearsal | None = None,
    schedule: str | None = None,
    tags: tuple[str, ...] = (),
    paused: bool = True,
) -> DAG:
    """Return the Dag of a rehearsal.

    :param scenario: name of a scenario, or the path of its file.
    :param defaults: values that the form starts with, and that scheduled runs use.
    :param schedule: cron expression in UTC, or ``None`` for runs by hand.
    :param paused: whether the Dag starts paused when Airflow first sees it.
    """
    with DAG(
        dag_id,
        doc_md=doc_md,
        schedule=schedule,
        catchup=False,
        is_paused_upon_creation=paused,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=12),
        default_args=DEFAULT_ARGS,
        params=form(defaults or Rehearsal()),
        tags={"streamproof", "rehearsal", Path(scenario).stem, *tags},
    ) as dag:
        plan = PlanOperator(
            task_id="plan",
            scenario=scenario,
            doc_md="Splits the run into shards, and refuses settings that contradict each other or that the scenario "
            "does not take.",
        )
        topics = EnsureTopicsOperator(
            task_id="ensure_topics",
            doc_md="Creates the topic and its control topic as `cluster/topics.yaml` declares them.",
        )
        schemas = SchemaGateOperator(
            task_id="schema_gate",
            scenario=scenario,
            doc_md="Shows how the local schema versions differ from the registry's, and registers them or refuses.",
        )
        generate = GenerateShardOperator.partial(
            task_id="generate",
            map_index_template="shard {{ task.shard['shard'] + 1 }} of {{ task.shard['shards'] }}",
            execution_timeout=timedelta(hours=7),
            doc_md="One time-bounded generator for each shard. A retry goes on where the acknowledged events end.",
        ).expand(shard=plan.output)
        load = LoadOperator(
            task_id="load",
            # The schemas are there, so something was produced: load it even when a shard failed.
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
            execution_timeout=timedelta(hours=4),
            doc_md="Loads the topic into its DuckDB warehouse, up to where it ended when the load began, exactly once.",
        )
        audit = AuditOperator(
            task_id="audit",
            doc_md="Compares what the generators say they delivered with what is in the warehouse, event by event.",
        )
        check = CheckOperator(
            task_id="check",
            # After the audit, which stores the manifests, and whatever it says.
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
            doc_md="Runs the SQL checks of `consumer/checks`; a blocking one that does not hold fails the task.",
        )
        publish = PublishOperator(
            task_id="publish",
            # It and the report wait for the same pool: first, so that the report knows of it.
            priority_weight=2,
            doc_md="Swaps a new snapshot in for readers. Needs every shard, the audit and the blocking checks.",
        )
        report = ReportOperator(
            task_id="report",
            # Whatever became of the rest, as long as something was produced.
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
            doc_md="Writes the page that the *Report* tab of the run shows, whatever the verdict.",
        )

        plan >> topics >> schemas >> generate >> load >> audit >> check >> [publish, report]
        schemas >> [load, report]
        load >> check
        [generate, audit] >> publish
    return dag


def form(defaults: Rehearsal) -> dict[str, Param]:
    """Return the trigger form: the settings' own bounds, titles and descriptions."""
    properties = Rehearsal.model_json_schema()["properties"]
    return {
        name: Param(
            getattr(defaults, name),
            title=field["title"],
            description_md=field["description"],
            section=field.get("section"),
            **_bounds(field),
        )
        for name, field in properties.items()
    }


def _bounds(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field's JSON Schema, its alternatives folded into one: the form knows ``type`` as a list only."""
    alternatives = field.get("anyOf", [field])
    bounds: dict[str, Any] = {}
    for alternative in alternatives:
        bounds |= {key: value for key, value in alternative.items() if key in _BOUNDS}
    types = [alternative["type"] for alternative in alternatives]
    return bounds | {"type": types if len(types) > 1 else types[0]}

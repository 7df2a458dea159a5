"""One rehearsal as a Dag: the wiring that the Dags of ``dags/`` share.

::

    ensure_topics > schema_gate > plan > generate[shards] > load > audit > check > publish
                                                                                 > report

Airflow judges a run by its leaves, which are ``publish`` and ``report``. ``publish`` needs every shard, the audit and
the checks, so a failure of any of them makes the run red. ``report`` comes after these whatever became of them.
A failed shard does not keep the rest from being loaded and audited, so that the report can say what is missing.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, task

from cluster.errors import Misconfigured
from plugins.operators import (
    AuditOperator,
    CheckOperator,
    EnsureTopicsOperator,
    GenerateShardOperator,
    LoadOperator,
    PublishOperator,
    ReportOperator,
    SchemaGateOperator,
)
from plugins.profiles import FAULT_FIELDS, Rehearsal

log = logging.getLogger(__name__)

# The form shows fields without a section; those with one are folded away.
MAIN_FIELDS = ("rate", "seconds", "shards", "seed", "topic")
MORE = "More settings"
FAULTS = "Faults"
_BOUNDS = {"minimum", "maximum", "pattern", "enum"}

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
    defaults: Rehearsal | None = None,
    schedule: str | None = None,
    tags: tuple[str, ...] = (),
    paused: bool = True,
) -> DAG:
    """Return the Dag of a rehearsal.

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
        tags={"streamproof", "rehearsal", *tags},
    ) as dag:
        topics = EnsureTopicsOperator(
            task_id="ensure_topics",
            doc_md="Creates the topic and its control topic as `cluster/topics.yaml` declares them.",
        )
        schemas = SchemaGateOperator(
            task_id="schema_gate",
            doc_md="Shows how the local schema versions differ from the registry's, and registers them or refuses.",
        )
        shards = plan()
        generate = GenerateShardOperator.partial(
            task_id="generate",
            map_index_template="shard {{ task.shard['shard'] + 1 }} of {{ task.shard['shards'] }}",
            execution_timeout=timedelta(hours=7),
            doc_md="One time-bounded generator for each shard. A retry goes on where the acknowledged events end.",
        ).expand(shard=shards)
        load = LoadOperator(
            task_id="load",
            # The plan succeeded, so something was produced: load it even when a shard failed.
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

        topics >> schemas >> shards >> generate >> load >> audit >> check >> [publish, report]
        shards >> [load, report]
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
            section=_section(name),
            **_bounds(field),
        )
        for name, field in properties.items()
    }


def _section(name: str) -> str | None:
    if name in MAIN_FIELDS:
        return None
    return FAULTS if name == "faults" or name.startswith(FAULT_FIELDS) else MORE


def _bounds(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field's JSON Schema, its alternatives folded into one: the form knows ``type`` as a list only."""
    alternatives = field.get("anyOf", [field])
    bounds: dict[str, Any] = {}
    for alternative in alternatives:
        bounds |= {key: value for key, value in alternative.items() if key in _BOUNDS}
    types = [alternative["type"] for alternative in alternatives]
    return bounds | {"type": types if len(types) > 1 else types[0]}


@task(retries=0, doc_md="Splits the run into shards, and refuses settings that contradict each other.")
def plan(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return what each shard is told."""
    from pydantic import ValidationError

    try:
        rehearsal = Rehearsal.model_validate(dict(params or {}))
    except ValidationError as error:
        raise Misconfigured(f"the settings of the run are not valid: {error}") from None
    settings = rehearsal.request()
    how_many = f"{rehearsal.events:,} events" if rehearsal.events else "events"
    until = "until the shape ends" if settings["seconds"] is None else f"{settings['seconds']} s at most"
    log.info("Plan: %s on %s in %s shards, %s", how_many, rehearsal.topic, rehearsal.shards, until)
    if settings["faults"]:
        log.info("Injected faults: %s", " ".join(settings["faults"]))
    if rehearsal.shape is not None:
        log.info("Load shape: %s", rehearsal.shape)
    return [settings | {"shard": shard} for shard in range(rehearsal.shards)]

"""One rehearsal as a Dag: the wiring that the Dags of ``dags/`` share.

::

    plan > ensure_topics > schema_gate > generate[shards], incidents > load > audit > check > publish > report

What comes before the load is ``generation.py``.

Airflow judges a run by its leaf, ``report``: it is green when readers have what was audited last, and red else.
``publish`` needs every shard, the audit and the checks.

``schema_gate`` is a setup, and ``load``, ``audit`` and ``check`` are its teardowns. Airflow runs those whatever became
of the rest, as long as the setup succeeded: when a shard fails, when the load does, and when somebody marks the run as
failed. What was sent is judged in any case. ``report`` is a teardown of nothing and so comes last in every run. Without
it a run that is marked as failed before it has begun would end green, as all of its tasks are skipped.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param

from plugins.form.scenario_settings import rehearsal_for
from plugins.form.scenarios import DEFAULT_SCENARIO
from plugins.form.settings import HEADINGS, Rehearsal
from plugins.generation import (
    ANY_WORKER,
    DAG_SETTINGS,
    Workers,
    gate_task,
    generators,
    incidents_task,
    plan_task,
    topics_task,
)
from plugins.operators import AuditOperator, CheckOperator, LoadOperator, PublishOperator, ReportOperator

_NUMBERS = {"minimum", "maximum", "exclusiveMinimum"}
_SAID = {"pattern", "enum"}


def rehearsal_dag(
    dag_id: str,
    *,
    description: str,
    doc_md: str,
    scenario: str = DEFAULT_SCENARIO,
    defaults: Rehearsal | None = None,
    schedule: str | None = None,
    tags: tuple[str, ...] = (),
    paused: bool = True,
    workers: Workers = ANY_WORKER,
) -> DAG:
    """Return the Dag of a rehearsal.

    :param description: what it is for, one line of the list of Dags.
    :param scenario: name of a scenario, or the path of its file.
    :param defaults: values that the form starts with, and that scheduled runs use.
    :param schedule: cron expression in UTC, or ``None`` for runs by hand.
    :param paused: whether the Dag starts paused when Airflow first sees it.
    :param workers: which of Airflow's workers do its tasks.
    """
    with DAG(
        dag_id,
        description=description,
        doc_md=doc_md,
        schedule=schedule,
        is_paused_upon_creation=paused,
        tags={"streamproof", "rehearsal", Path(scenario).stem, *tags},
        **DAG_SETTINGS,
    ) as dag:
        plan, topics, schemas = plan_task(scenario), topics_task(), gate_task(scenario)
        generate, incidents = generators(plan, workers), incidents_task()
        on_one_machine = workers.warehouse()
        load = LoadOperator(
            task_id="load",
            **on_one_machine,
            execution_timeout=timedelta(hours=4),
            doc_md="Loads the topic into its DuckDB warehouse, up to where it ended when the load began, exactly once. "
            "Waits until the generators say that they ended, and for its turn in the pool `warehouse`.",
        ).as_teardown()
        audit = AuditOperator(
            task_id="audit",
            **on_one_machine,
            doc_md="Compares what the generators say they delivered with what is in the warehouse, event by event.",
        ).as_teardown()
        check = CheckOperator(
            task_id="check",
            **on_one_machine,
            # After the audit, which stores the manifests, and whatever it says.
            doc_md="Runs the SQL checks of every run and of the scenario's pack; a blocking one that does not hold "
            "fails the task.",
        ).as_teardown()
        publish = PublishOperator(
            task_id="publish",
            **on_one_machine,
            doc_md="Swaps a new snapshot in for readers. Needs every shard, the audit and the blocking checks.",
        )
        report = ReportOperator(
            task_id="report",
            **on_one_machine,
            doc_md="Writes the page that the *Report* tab of the run shows, whatever the verdict. Then it fails, "
            "unless the run is published: so it is red when the run is, and the page is written all the same.",
        ).as_teardown(on_failure_fail_dagrun=True)

        schemas.as_setup()  # type: ignore[no-untyped-call]
        plan >> topics >> schemas >> generate >> load >> audit >> check >> publish >> report
        schemas >> incidents >> load
        schemas >> [load, audit, check]
        [generate, audit] >> publish
        check >> report
    # Only now: each task made before would keep a copy of the form, which Airflow validates again and again as it reads
    # the Dag. A run takes its settings from here.
    model = rehearsal_for(scenario)
    dag.params.update(form(model(**dict(defaults or Rehearsal()))))
    return dag


def form(defaults: Rehearsal) -> dict[str, Param]:
    """Return the trigger form: the settings' own bounds, titles and descriptions, a heading's fields together."""
    fields = type(defaults).model_json_schema()["properties"].items()
    properties = dict(sorted(fields, key=lambda field: HEADINGS.index(field[1].get("section"))))
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
    """Return a field's JSON Schema, its alternatives folded into one: the form knows ``type`` as a list only.

    Bounds of numbers stand one level down. The form would move what is out of bounds to the bound without a word, so
    that -5 events a second become 1, and 5,000 shards 16; so it leaves the number, and Airflow refuses it.
    """
    alternatives = field.get("anyOf", [field])
    bounds: dict[str, Any] = {}
    for alternative in alternatives:
        bounds |= {key: value for key, value in alternative.items() if key in _SAID}
        numbers = {key: value for key, value in alternative.items() if key in _NUMBERS}
        bounds |= {"allOf": [numbers]} if numbers else {}
    types = [alternative["type"] for alternative in alternatives]
    return bounds | {"type": types if len(types) > 1 else types[0]}

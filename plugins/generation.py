"""The first tasks of every rehearsal, whoever reads the topic: to be made inside a Dag.

::

    plan > ensure_topics > schema_gate > generate[shards]

``plan`` comes first, so that settings that cannot be are refused before anything is made. ``incidents`` goes beside the
generators, and does to the local stack what the form asks for, as a rule nothing. It has the first slot that is free,
as four generators would leave none. What became of it decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TriggerRule

from plugins.operators import (
    EnsureTopicsOperator,
    GenerateShardOperator,
    IncidentsOperator,
    PlanOperator,
    SchemaGateOperator,
)

DEFAULT_ARGS = {
    "owner": "streamproof",
    # 5, 10, 20, 40, 80 and 120 s at least: a broker that is restarted, or a registry, is back by then.
    "retries": 6,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
    "execution_timeout": timedelta(minutes=5),
}
# What every Dag of a rehearsal says of itself, beside its name, words, schedule and tags.
DAG_SETTINGS: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "dagrun_timeout": timedelta(hours=12),
    "default_args": DEFAULT_ARGS,
}


@dataclass(frozen=True, slots=True)
class Workers:
    """Which workers of Airflow's do the tasks of a rehearsal; what is not said is as Airflow has it.

    :param queue: of the generators. They share nothing but Kafka, so any worker of the queue may have any of them.
    :param pool: of the generators.
    :param warehouse_queue: of the tasks that share a warehouse and the publications. A DuckDB file is on one machine's
        disk, so one worker listens to it.
    """

    queue: str | None = None
    pool: str | None = None
    warehouse_queue: str | None = None

    def generator(self) -> dict[str, str]:
        """Return the arguments of a generator's task."""
        return {name: value for name, value in (("queue", self.queue), ("pool", self.pool)) if value}

    def warehouse(self) -> dict[str, str]:
        """Return the arguments of a task on the warehouse."""
        return {"queue": self.warehouse_queue} if self.warehouse_queue else {}


ANY_WORKER = Workers()


def plan_task(scenario: str, besides: Sequence[str] = ()) -> PlanOperator:
    """Return the task that comes first.

    :param besides: fields of the form that are not of the run.
    """
    return PlanOperator(
        task_id="plan",
        scenario=scenario,
        besides=tuple(besides),
        doc_md="Splits the run into shards, and refuses settings that contradict each other or that the scenario does "
        "not take.",
    )


def topics_task() -> EnsureTopicsOperator:
    """Return the task that makes the topic of the events."""
    return EnsureTopicsOperator(
        task_id="ensure_topics",
        doc_md="Creates the topic and its control topic as `cluster/topics.yaml` declares them.",
    )


def gate_task(scenario: str) -> SchemaGateOperator:
    """Return the task that lets the schemas pass, or not."""
    return SchemaGateOperator(
        task_id="schema_gate",
        scenario=scenario,
        doc_md="Shows how the local schema versions differ from the registry's, and registers them or refuses.",
    )


def generators(plan: PlanOperator, workers: Workers = ANY_WORKER) -> Any:
    """Return the generators, one for each shard of the plan."""
    return GenerateShardOperator.partial(
        task_id="generate",
        map_index_template="shard {{ task.shard['shard'] + 1 }} of {{ task.shard['shards'] }}",
        execution_timeout=timedelta(hours=7),
        doc_md="One time-bounded generator for each shard. A retry goes on where the acknowledged events end.",
        **workers.generator(),
    ).expand(shard=plan.output)


def incidents_over() -> EmptyOperator:
    """Return what stands between the incidents and the tasks that wait for their end: it decides nothing."""
    return EmptyOperator(
        task_id="incidents_over",
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="What comes behind waits for the end of the incidents, whatever became of them.",
    )


def incidents_task() -> IncidentsOperator:
    """Return the task that does the incidents of a run, beside its generators."""
    return IncidentsOperator(
        task_id="incidents",
        # Before generators take all the slots that there are: it has to be there when they begin.
        priority_weight=100,
        execution_timeout=timedelta(hours=7),
        doc_md="Takes a broker or the registry of the local stack away while the generators run, as the form asks for, "
        "and gives it back. Whoever ends this task ends the incidents too.",
    )

"""What Airflow knows of a run: whether it goes on, which tasks failed, and what they said.

Read from Airflow's own tables, in the api-server, which is where the pages are served. They are not a public interface;
this module, ``report_app.py`` and ``live_page.py`` are the only ones that use what is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from plugins.form.form_texts import TOPIC_PATTERN
from plugins.step import FAILURE

# Fields of a form, or of a task, that name a topic; so do those that end in ``_topic``.
TOPIC_FIELDS = ("topic", "to")
ENDED = frozenset({"success", "failed"})
_STATES = {
    "scheduled": "waits for its turn in the pool {pool}",
    "queued": "waits for a worker",
    "up_for_retry": "failed, and is tried again soon",
    "restarting": "is told to stop",
    "deferred": "waits",
}


@dataclass(frozen=True, slots=True)
class TaskSight:
    """A task that is worth telling about: it failed, or it is at work. ``said`` is why it failed, if it said so."""

    label: str
    state: str
    words: str
    said: str
    log: str


@dataclass(frozen=True, slots=True)
class RunSight:
    """A run as Airflow has it. ``unmet`` counts the tasks that did not run because of others."""

    dag_id: str
    run_id: str
    state: str
    failed: tuple[TaskSight, ...]
    going: tuple[TaskSight, ...]
    unmet: int
    address: str

    @property
    def ended(self) -> bool:
        """Whether it is over; a task that is cleared sets it going again."""
        return self.state in ENDED


def see_run(session: Session, base_path: str, dag_id: str, run_id: str) -> RunSight | None:
    """Return what Airflow knows of a run, or ``None`` when it knows none."""
    state = session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    if state is None:
        return None
    address = f"{base_path}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"
    columns = (TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state, TaskInstance.pool)
    labels = TaskInstance._rendered_map_index  # noqa: SLF001 - the property of the same name reads the Dag
    found = session.execute(
        select(*columns, TaskInstance.try_number, labels)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        .order_by(TaskInstance.start_date, TaskInstance.task_id, TaskInstance.map_index)
    ).all()
    said = _said(session, dag_id, run_id)
    tasks = []
    for task_id, map_index, task_state, pool, tries, label in found:
        name = f"{task_id} {label or map_index}" if map_index >= 0 else task_id
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        words = _STATES.get(_value(task_state), "is at work").format(pool=pool)
        log = f"{address}/tasks/{quote(task_id, safe='')}{mapped}?try_number={max(tries, 1)}"
        tasks.append(TaskSight(name, _value(task_state), words, said.get((task_id, map_index), ""), log))
    at_work = (task for task in tasks if task.state in {"running", *_STATES})
    return RunSight(
        dag_id,
        run_id,
        _value(state),
        failed=tuple(task for task in tasks if task.state == "failed"),
        going=tuple(at_work) if _value(state) not in ENDED else (),
        unmet=sum(task.state in {"upstream_failed", "skipped"} for task in tasks),
        address=address,
    )


def run_topics(session: Session, dag_id: str, run_id: str) -> frozenset[str] | None:
    """Return the topics that a run works on, by what its tasks were given and, while it goes on, its form.

    ``None`` when Airflow knows no such run; empty when nothing of it names a topic.
    """
    known = select(DagRun.conf, DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    row = session.execute(known).first()
    if row is None:
        return None
    rendered = select(RenderedTaskInstanceFields.rendered_fields).where(
        RenderedTaskInstanceFields.dag_id == dag_id, RenderedTaskInstanceFields.run_id == run_id
    )
    # What tasks were given holds, also when the Dag has other defaults today.
    found = [_topics_in(fields) for fields in session.scalars(rendered)]
    if not any(found) or _value(row.state) not in ENDED:
        dag = SerializedDagModel.get_dag(dag_id, session=session)
        found.append(_topics_in(dict(dag.params.dump() if dag is not None else {}) | dict(row.conf or {})))
    return frozenset().union(*found)


def run_kinds(session: Session, runs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return Airflow's state and kind (manual, scheduled ...) of each run, by Dag id and run id; of those it knows."""
    wanted = list(runs)
    if not wanted:
        return {}
    key = tuple_(DagRun.dag_id, DagRun.run_id)
    query = select(DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.run_type).where(key.in_(wanted))
    return {(dag, run): (_value(state), _value(kind)) for dag, run, state, kind in session.execute(query)}


def known_dags(session: Session) -> set[str]:
    """Return the ids of all Dags, also of those that are gone from their files."""
    return set(session.scalars(select(DagModel.dag_id)))


def _value(member: object) -> str:
    """Return what a column of states holds, whether as text or as a member of the enumeration."""
    return str(getattr(member, "value", member))


def _topics_in(told: Mapping[str, object]) -> set[str]:
    values = (value for name, value in told.items() if name in TOPIC_FIELDS or name.endswith("_topic"))
    # What is no name of a topic, such as a template that was not rendered, is none.
    return {value for value in values if isinstance(value, str) and re.fullmatch(TOPIC_PATTERN, value)}


def _said(session: Session, dag_id: str, run_id: str) -> dict[tuple[str, int], str]:
    kept = session.execute(
        select(XComModel.task_id, XComModel.map_index, XComModel.value).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == FAILURE
        )
    )
    return {(task_id, map_index): _text(value) for task_id, map_index, value in kept}


def _text(value: object) -> str:
    found = XComModel.deserialize_value(type("Row", (), {"value": value}))
    return found if isinstance(found, str) else ""

"""One Dag run over Airflow's REST API: trigger it, follow its tasks, read what they returned and logged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx

from cluster.errors import DependencyDown, Interrupted, Misconfigured, Refused
from cluster.settings.hosts import shown_address
from cluster.text.names import DEFAULT_NAME

DAG_ID = f"rehearse_{DEFAULT_NAME}"
# As the Dag has them, one after another.
TASKS = ("plan", "ensure_topics", "schema_gate", "incidents", "generate", "load", "audit", "check", "publish", "report")

# The first request of a part of the API can take seconds: Airflow loads that part then.
TIMEOUT_S = 60.0
# From a start of Airflow until its Dag processor has read the Dags.
DAG_TIMEOUT_S = 60.0
POLL_S = 0.5
ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task of a run, or one shard of a mapped task."""

    task_id: str
    label: str
    state: str
    map_index: int
    tries: int
    started_at: datetime | None
    ended_at: datetime | None

    def seconds(self, now: datetime) -> float | None:
        """Return how long it took, or takes so far."""
        if self.started_at is None:
            return None
        return ((self.ended_at or now) - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class RunState:
    """A run and its tasks at one moment."""

    state: str
    started_at: datetime | None
    ended_at: datetime | None
    tasks: tuple[TaskState, ...]

    @property
    def ended(self) -> bool:
        """Tell whether the run is over."""
        return self.state in ENDED

    def failed_tasks(self) -> list[TaskState]:
        """Return the tasks that failed by themselves, not those that could not start because of it."""
        return [task for task in self.tasks if task.state == "failed"]


class Airflow:
    """A client of one Airflow, signed in. Every call may raise DependencyDown, and Refused.

    :param transport: what carries the requests; the network unless given.
    """

    def __init__(self, url: str, user: str, password: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url, self.shown = url, shown_address(url)
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S, transport=transport)
        token = self._call("POST", "/auth/token", json={"username": user, "password": password})["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def wait_for_dag(self, dag_id: str, stop: threading.Event) -> None:
        """Wait until Airflow knows the Dag, and unpause it.

        :raises Misconfigured: it does not appear; import errors are named.
        :raises Interrupted: ``stop`` was set.
        """
        deadline = time.monotonic() + DAG_TIMEOUT_S
        while self._get(f"/api/v2/dags/{dag_id}", missing=None) is None:
            if time.monotonic() > deadline:
                errors = self._get("/api/v2/importErrors")["import_errors"]
                faults = "; ".join(f"{error['filename']}: {error['stack_trace'].strip()[-300:]}" for error in errors)
                raise Misconfigured(f"Airflow does not know the Dag {dag_id!r}", where=self.shown, hint=faults)
            _pause(stop)
        self._call("PATCH", f"/api/v2/dags/{dag_id}", params={"update_mask": "is_paused"}, json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id.

        :raises Misconfigured: a value is not one that the Dag's form takes.
        """
        body = {"logical_date": None, "conf": conf}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def give_up(self, dag_id: str, run_id: str) -> None:
        """End a run as failed: Airflow tells its generators to stop. What they sent is judged, after a restart too."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})

    def follow(self, dag_id: str, run_id: str, stop: threading.Event) -> Iterator[RunState]:
        """Yield the run's state twice a second until it has ended; the last one is final.

        :raises Interrupted: ``stop`` was set; the run goes on.
        """
        while True:
            state = self.state(dag_id, run_id)
            yield state
            if state.ended:
                return
            _pause(stop)

    def state(self, dag_id: str, run_id: str) -> RunState:
        """Return the run as it is."""
        run = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        tasks = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 200})
        return RunState(
            state=run["state"],
            started_at=_moment(run["start_date"]),
            ended_at=_moment(run["end_date"]),
            tasks=tuple(map(_task, tasks["task_instances"])),
        )

    def returned(self, dag_id: str, run_id: str, task: TaskState) -> dict[str, Any]:
        """Return what a task handed over, empty when it has not."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/xcomEntries/return_value"
        entry = self._get(path, params={"map_index": task.map_index}, missing=None)
        value = entry["value"] if entry else None
        return value if isinstance(value, dict) else {}

    def log_tail(self, dag_id: str, run_id: str, task: TaskState, lines: int = 15) -> list[str]:
        """Return the last lines that a task logged in its last try."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{max(task.tries, 1)}"
        content = self._get(path, params={"map_index": task.map_index, "full_content": "true"})["content"]
        return [line for line in _said(content) if line][-lines:]

    def _get(self, path: str, missing: Any = ..., **more: Any) -> Any:
        """GET a document; ``missing`` is returned for a 404 when given."""
        return self._call("GET", path, missing=missing, **more)

    def _call(self, method: str, path: str, missing: Any = ..., **more: Any) -> Any:
        try:
            response = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise DependencyDown(
                f"Airflow does not answer: {str(error) or type(error).__name__}",
                where=self.shown,
                hint="`streamproof status` tells what runs",
            ) from None
        if response.status_code == httpx.codes.NOT_FOUND and missing is not ...:
            return missing
        if response.is_success:
            return response.json()
        fault = f"Airflow answered {response.status_code} to {method} {path}: {_detail(response)}"
        if response.status_code in {401, 403}:
            raise Refused(fault, where=self.shown)
        if response.is_client_error:
            raise Misconfigured(fault, where=self.shown)
        raise DependencyDown(fault, where=self.shown)


def _pause(stop: threading.Event) -> None:
    if stop.wait(POLL_S):
        raise Interrupted("interrupted while a run was going on")


def _task(document: dict[str, Any]) -> TaskState:
    label = document["task_display_name"]
    if document["map_index"] >= 0:
        # Until the task has begun, Airflow has the number only.
        rendered = document["rendered_map_index"] or ""
        label = (
            f"{label} {rendered}" if not rendered.isdecimal() and rendered else f"{label} {document['map_index'] + 1}"
        )
    return TaskState(
        task_id=document["task_id"],
        label=label,
        state=document["state"] or "waiting",
        map_index=document["map_index"],
        tries=document["try_number"],
        started_at=_moment(document["start_date"]),
        ended_at=_moment(document["end_date"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _said(content: list[Any]) -> Iterator[str]:
    """Yield what the task itself logged: what Airflow does before and after it comes in groups that the UI folds."""
    folded = False
    for entry in content:
        event = str(entry.get("event", "")) if isinstance(entry, dict) else ""
        if event.startswith(("::group::", "::endgroup::")):
            folded = event.startswith("::group::")
        elif isinstance(entry, dict) and entry.get("logger") and not folded:
            yield event
            for detail in entry.get("error_detail") or []:
                yield f"{detail.get('exc_type')}: {detail.get('exc_value')}"


def _detail(response: httpx.Response) -> str:
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return response.text[:300]
    if isinstance(detail, list):
        return "; ".join(str(fault.get("msg", fault)) for fault in detail)
    return " ".join(str(detail).split())

"""The live page in Airflow: the *Live* entry shows all topics, the *Live* tab of a Dag run shows its own.

Whoever may read Dags at all may open the one, and whoever may read the Dag the other; page and stream ask at each
opening. Kafka is reached by Airflow's own two connections, from the api-server. Imported with the first request, by
``report_app.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI

from cluster.connection import Connection
from cluster.errors import StreamproofError
from consumer.live.page.app import Door, Shown, Watching, build
from consumer.live.poller import shared_poller
from plugins.hooks import connect
from plugins.pages.run_sight import run_topics

_RUN = "/runs/{dag_id}/{run_id}/"


def build_live(base_path: str, publications: Path) -> FastAPI:
    """Return the application.

    :param base_path: path under which it is reached, without a slash at its end.
    :param publications: the folder that readers see.
    """
    source = AirflowSource(publications, connect)
    may_read = [Depends(requires_access_dag("GET"))]

    def all_topics() -> Shown:
        return Shown(missing=source.reach())

    def of_run(dag_id: str, run_id: str) -> Shown:
        with create_session() as session:
            topics = run_topics(session, dag_id, run_id)
        if topics is None:
            return Shown(missing=f"Airflow knows no run {run_id} of a Dag {dag_id}.")
        if not topics:
            return Shown(missing=f"The run {run_id} names no topic: the Dag {dag_id} has no parameter for one.")
        return Shown(topics, f"{dag_id}/{run_id}", source.reach())

    doors = (Door("/", all_topics, may_read), Door(_RUN, of_run, may_read))
    return build(source, base_path=base_path, doors=doors)


class AirflowSource:
    """The poller of this process for what Airflow's connections lead to, read anew at each opening."""

    def __init__(self, publications: Path, connecting: Callable[[], Connection]) -> None:
        self._publications, self._connecting = publications, connecting
        self._connection: Connection | None = None

    def reach(self) -> str:
        """Read the connections; return why Kafka cannot be asked, empty if it can. Waits for Airflow's database."""
        try:
            connection = self._connecting()
            _ = connection.kafka
        except StreamproofError as error:
            return f"{error}."
        self._connection = connection
        return ""

    def subscribe(self, topics: frozenset[str], /) -> AbstractContextManager[Watching]:
        """Begin to look; only after :meth:`reach` found a connection."""
        if self._connection is None:
            raise RuntimeError("no connection was read")
        return shared_poller(self._connection, self._publications).subscribe(topics)

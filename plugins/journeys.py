"""Journey and Analytic as operators: consumer groups beside the generators, time-bounded, each a step of the Dag.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""
# ruff: noqa: D102 - every work() is given a context, and the class says what it does

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from cluster.errors import Interrupted, Misconfigured, StreamproofError
from plugins.step import LOG_EVERY_S, StoppableOperator, StreamproofOperator, every

if TYPE_CHECKING:
    from cluster.connection import Connection
    from consumer.journey.request import ConsumeRequest, GroupProgress
    from consumer.journey.store import StorePlace

_LOOK_AGAIN_S = 2.0
# A group of its own for each run: what it keeps is what the run sent.
GROUP = "{application}-{{{{ run_id }}}}"


class _GroupOperator(StreamproofOperator):
    """A step of groups, and where they keep what they make.

    :param conn_id: connection of a PostgreSQL database; that of the local stack when empty.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "conn_id")

    def __init__(self, *, conn_id: str = "{{ params.get('conn_id') or '' }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def store(self, instances: int) -> StorePlace:
        """Return where groups keep what they make.

        :raises Misconfigured: no connection is named, and no PostgreSQL runs here.
        """
        from consumer.journey.store.naming import usual_store

        if not self.conn_id:
            return usual_store("journeys", instances)
        from consumer.journey.store.postgres import PostgresPlace
        from plugins.hooks import database_at

        return PostgresPlace(database_at(self.conn_id))


class BeginGroupsOperator(_GroupOperator):
    """Note that the groups of this run begin where the topic ends now, so that they keep what this run sends.

    Returns where they are kept, as ``audit --at`` takes it; empty where a connection says it.

    :param groups: the name of the group of each application.
    """

    template_fields: Sequence[str] = (*_GroupOperator.template_fields, "groups")

    def __init__(self, *, groups: dict[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.groups = groups

    def work(self, context: Context) -> str:  # noqa: ARG002
        from consumer.journey.consume import begin_at_end
        from consumer.journey.events import Application
        from consumer.journey.request import ConsumeRequest
        from consumer.journey.store.naming import local_postgres

        connection, store = self.connection(), self.store(instances=2)
        for application, group in self.groups.items():
            begin_at_end(connection, ConsumeRequest(Application(application), self.topic, store, group))
            self.log.info("Group %s begins at the end of %s, and is kept in %s", group, self.topic, store.shown)
        return "" if self.conn_id else local_postgres() or ""


class ConsumeOperator(_GroupOperator, StoppableOperator):
    """Run the instances of a group, until the generators of the run have ended and all is stored.

    A task that is ended, or whose time is over, stores what is in its hands; a retry goes on from there.

    :param application: ``journey`` or ``analytic``.
    :param group: name of the consumer group.
    :param instances: processes.
    :param seconds: how long at most.
    :param shards: how many generators the run has.
    :param kill_after: kill an instance after so many seconds; never when empty.
    :param protocol: ``consumer`` or ``classic``.
    """

    template_fields: Sequence[str] = (
        *_GroupOperator.template_fields,
        *("application", "group", "instances", "seconds", "shards", "kill_after", "protocol"),
    )
    ui_color = "#fdf3e1"

    def __init__(
        self,
        *,
        application: str,
        group: str,
        instances: int | str = 1,
        seconds: float | str = "{{ params.consume_seconds }}",
        shards: int | str = "{{ params.shards }}",
        kill_after: float | str = "",
        protocol: str = "{{ params.protocol }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.application = application
        self.group = group
        self.instances = instances
        self.seconds = seconds
        self.shards = shards
        self.kill_after = kill_after
        self.protocol = protocol

    def work(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        from consumer.journey.consume import consume

        connection, request = self.connection(), self._request()
        self.log.info(
            "%s: %s instances of group %s, for %g s at most",
            self.application,
            request.instances,
            self.group,
            request.seconds,
        )
        with self.stopping() as stop, self._generators_ended(connection) as closing:
            result = consume(connection, request, stop=stop, closing=closing, progress=every(LOG_EVERY_S, self._say))
        self.log.info(
            "Stored %s events, %s kept aside, in %.1f s; %s still to read",
            f"{result.events:,}",
            f"{result.aside:,}",
            result.seconds,
            result.left,
        )
        for each in result.instances:
            how = f", died: {each.died}" if each.died else ", idle" if each.idle else ""
            self.log.info("Instance %s: %s records%s", each.state.instance, f"{each.state.processed:,}", how)
        if result.left != 0:
            raise Interrupted(
                f"the time is over, and {result.left} records are not stored",
                where=f"{self.topic}, group {self.group}",
                hint="A retry goes on from there; or give the consumers more time",
            )
        return {
            "events": result.events,
            "aside": result.aside,
            "idle": result.idle,
            "died": [each.state.instance for each in result.instances if each.died],
            "handover_s": result.handover_s,
        }

    def _request(self) -> ConsumeRequest:
        from consumer.journey.events import Application
        from consumer.journey.request import ConsumeRequest

        if self.protocol not in {"consumer", "classic"}:
            raise Misconfigured(f"there is no group protocol {self.protocol}", hint="It is consumer or classic")
        kill_after = str(self.kill_after).strip()
        return ConsumeRequest(
            application=Application(self.application),
            topic=self.topic,
            store=self.store(int(self.instances)),
            group=self.group,
            instances=int(self.instances),
            protocol="classic" if self.protocol == "classic" else "consumer",
            seconds=float(self.seconds),
            kill_after_s=float(kill_after) if kill_after not in {"", "None"} else None,
        )

    def _say(self, progress: GroupProgress) -> None:
        lag = "unknown" if progress.lag is None else f"{progress.lag:,}"
        self.log.info("%s processed, %s/s, lag %s", f"{progress.processed:,}", f"{progress.rate:,.0f}", lag)

    @contextmanager
    def _generators_ended(self, connection: Connection) -> Iterator[threading.Event]:
        """Give out what is set once the manifests say that all generators of the run have ended."""
        from schemas.control_topic import read_control_topic

        closing, over = threading.Event(), threading.Event()

        def look() -> None:
            while not over.wait(_LOOK_AGAIN_S):
                try:
                    said = read_control_topic(connection.kafka, self.topic).manifests
                except StreamproofError as error:
                    self.log.debug("The manifests cannot be read at the moment: %s", error)
                    continue
                mine = [manifest.status for (run, _), manifest in said.items() if run == self.run_id]
                if len(mine) >= int(self.shards) and "running" not in mine:
                    closing.set()
                    return

        thread = threading.Thread(target=look, daemon=True, name="generators")
        thread.start()
        try:
            yield closing
        finally:
            over.set()
            thread.join(timeout=_LOOK_AGAIN_S)

"""What the steps of a rehearsal share as operators: connections, retries, stopping, the warehouse.

An error of the tree decides about a retry by its kind: ``Transient`` is tried again, ``Terminal`` fails the task
at once. The sentence of an error is kept beside the task, so that the run's page can say why it failed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context, ExceptionRetryPolicy, RetryAction, RetryRule

from cluster.errors import StreamproofError, Terminal, VerdictUnknown
from cluster.local import publications_dir

if TYPE_CHECKING:
    from cluster.connection import Connection
    from consumer.sinks import Place
    from schemas.columns.at_hand import AtHand

RUN_ID = "{{ dag.dag_id }}/{{ run_id }}"
WAREHOUSE_POOL = "warehouse"
# Runs of before the form had it have no such parameter.
WAREHOUSE_CONN_ID = "{{ params.get('warehouse_conn_id') or '' }}"

# Generators have ended when an audit starts, so a manifest that is missing then stays missing.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[RetryRule([Terminal, VerdictUnknown], RetryAction.FAIL, reason="Trying again would not help")]
)
LOG_EVERY_S = 5.0
# Under which key a task that failed keeps why.
FAILURE = "failure"
# A task that is told to end has 5 s; one that runs out of time is told this long before Airflow interrupts it.
STOP_BEFORE_TIMEOUT_S = 15.0


class StreamproofOperator(BaseOperator):
    """What all steps share: the topic, the run, and how to reach Kafka and the registry.

    :param topic: topic to work on.
    :param run_id: identity of the run in manifests, audits and reports.
    :param kafka_conn_id: connection of type ``kafka``.
    :param registry_conn_id: connection of type ``schema_registry`` or ``http``.
    """

    template_fields: Sequence[str] = ("topic", "run_id")
    ui_color = "#e8f1fb"

    def __init__(
        self,
        *,
        topic: str = "{{ params.topic }}",
        run_id: str = RUN_ID,
        kafka_conn_id: str = "kafka_default",
        registry_conn_id: str = "schema_registry_default",
        **kwargs: Any,
    ) -> None:
        # Airflow hands a mapped task None for what nobody set.
        super().__init__(**kwargs | {"retry_policy": kwargs.get("retry_policy") or RETRY_POLICY})
        self.topic = topic
        self.run_id = run_id
        self.kafka_conn_id = kafka_conn_id
        self.registry_conn_id = registry_conn_id

    def execute(self, context: Context) -> Any:
        """Do the step. Why it failed is kept for the run's page, in the words of the error."""
        return self.done(context, self.work)

    def done(self, context: Context, work: Callable[[Context], Any]) -> Any:
        """Do a piece of work, of a step that begins or of one that goes on after it waited, and keep why it failed."""
        try:
            return work(context)
        except StreamproofError as error:
            error.hint = self._in_airflow(error.hint)
            self._keep(context, self._why(error))
            # Its sentence says what failed and where: the lines of code that led to it would bury it.
            self.log.debug("Where it was raised", exc_info=True)
            error.__traceback__ = None
            raise
        except Exception as error:
            self._keep(context, type(error).__name__)
            raise

    def work(self, context: Context) -> Any:
        """Do what the class says, and return what the next steps need of it."""
        raise NotImplementedError

    def connection(self) -> Connection:
        """Return the typed setting made of the two Airflow connections; the log says which broker and registry."""
        from plugins.hooks import connect

        connection = connect(self.kafka_conn_id, self.registry_conn_id)
        known = (("Kafka", connection.known_kafka), ("registry", connection.known_registry))
        self.log.info("%s", ", ".join(f"{name} at {half.shown}" for name, half in known if half is not None))
        return connection

    def _in_airflow(self, hint: str) -> str:
        """Return advice to type a command again as what to do in Airflow instead."""
        typed = f"he same command with --run-id {self.run_id}"
        clear = "learing the task with what is downstream"
        return hint.replace(f"T{typed}", f"C{clear}").replace(f"t{typed}", f"c{clear}")

    def _why(self, error: StreamproofError) -> str:
        """Return an error in words for the run's page, without the run's name."""
        where = f" ({error.where})" if error.where and self.run_id not in error.where else ""
        return f"{error.message}{where}. {error.hint}".removesuffix(". ")

    def _keep(self, context: Context, why: str) -> None:
        try:
            context["ti"].xcom_push(FAILURE, why)
        except Exception as refused:  # noqa: BLE001 - whatever Airflow says: the error at hand is the one to raise
            # A task that somebody ended may not say anything any more.
            self.log.debug("Airflow does not take why the task failed: %s", refused)


class StoppableOperator(StreamproofOperator):
    """A step that takes long: it stops cleanly when Airflow ends the task, and before its timeout cuts it off."""

    @cached_property
    def stop(self) -> threading.Event:
        """Set when the work has to end. Made on demand: operators are copied, and a lock cannot be."""
        return threading.Event()

    def on_kill(self) -> None:
        """Ask the work to end; it does within 4 s, and a retry goes on from there."""
        self.log.info("Told to stop: finishing what is in flight")
        self.stop.set()

    @contextmanager
    def stopping(self) -> Iterator[threading.Event]:
        """Give out ``stop``, which the approaching ``execution_timeout`` sets too."""
        if self.execution_timeout is None:
            yield self.stop
            return
        left_s = self.execution_timeout.total_seconds() - STOP_BEFORE_TIMEOUT_S
        timer = threading.Timer(max(left_s, 0.0), self.stop.set)
        timer.daemon = True
        timer.start()
        try:
            yield self.stop
        finally:
            timer.cancel()


class OfWarehouseOperator(StreamproofOperator):
    """A step that knows where the topic's warehouse is, or is to be.

    :param warehouse: DuckDB file, or address of a PostgreSQL database without a password; when empty, that of
        ``STREAMPROOF_WAREHOUSE``, or else the topic's file.
    :param warehouse_conn_id: connection of a PostgreSQL database, in place of ``warehouse``; none when empty.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "warehouse", "warehouse_conn_id")

    def __init__(self, *, warehouse: str = "", warehouse_conn_id: str = WAREHOUSE_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse = warehouse
        self.warehouse_conn_id = warehouse_conn_id

    def place(self) -> Place:
        """Return where the topic's warehouse is."""
        return place_of_topic(self.topic, self.warehouse, self.warehouse_conn_id)

    def table_at_hand(self) -> AtHand | None:
        """Return what the warehouse holds, without waiting for whoever loads into it; the log says if it was not asked.

        Nothing of it has to be there, nor on this machine: then there is nothing to ask.
        """
        from consumer.sinks import asked_place, table_at_hand

        def unasked(line: str) -> None:
            self.log.warning("%s", line)

        if self.warehouse_conn_id:
            return asked_place(self.place(), self.topic, unasked)
        return table_at_hand(self.warehouse or None, self.topic, unasked)


class WarehouseOperator(OfWarehouseOperator, StoppableOperator):
    """A step on the topic's warehouse: one at a time, by a pool of one slot.

    :param publications: folder for snapshots and reports; the default folder when empty.
    """

    template_fields: Sequence[str] = (*OfWarehouseOperator.template_fields, "publications")

    def __init__(self, *, publications: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("pool", WAREHOUSE_POOL)
        super().__init__(**kwargs)
        self.publications = publications

    def publications_folder(self) -> Path:
        """Return the folder that readers see."""
        return Path(self.publications) if self.publications else publications_dir()


def place_of_topic(topic: str, warehouse: str, warehouse_conn_id: str) -> Place:
    """Return where the warehouse of a topic is; the parameters are those of :class:`OfWarehouseOperator`."""
    from consumer.sinks import place_named

    if warehouse_conn_id:
        from plugins.hooks import warehouse_at

        return warehouse_at(warehouse_conn_id, topic)
    return place_named(warehouse or None, topic)


def every(interval_s: float, say: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return ``say``, made silent unless ``interval_s`` went by since it last spoke."""
    spoke_at = time.monotonic()

    def throttled(progress: Any) -> None:
        nonlocal spoke_at
        now = time.monotonic()
        if now - spoke_at >= interval_s:
            spoke_at = now
            say(progress)

    return throttled

"""Waiting, without a worker, until a topic holds records that its warehouse has not stored.

A look compares the ends of the topic with the stored positions; no record is read, and no consumer group is asked. The
warehouse is opened for a moment, where the other steps open it too; the trigger asks Kafka alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, conf
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from cluster.errors import Busy, Interrupted, Misconfigured, Transient
from cluster.text.durations import seconds_in
from plugins.step import WarehouseOperator

if TYPE_CHECKING:
    from consumer.load.ahead import Ahead

# Kafka is asked this often: two requests, whatever the topic holds. Not sooner after a task was put off, as in
# ``pipeline.py``.
POLL_S = 10.0


class NewRecordsTrigger(BaseTrigger):
    """Fires when so many offsets lie behind the positions, or when the time is over.

    :param positions: the next offset of each partition, by its number as text, as a trigger is kept as JSON.
    :param until: when to give up, ISO 8601.
    """

    def __init__(
        self,
        topic: str,
        *,
        kafka_conn_id: str,
        positions: Mapping[str, int],
        at_least: int,
        until: str,
        poll_s: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.topic = topic
        self.kafka_conn_id = kafka_conn_id
        self.positions = dict(positions)
        self.at_least = at_least
        self.until = until
        self.poll_s = poll_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes it again in the triggerer."""
        names = ("topic", "kafka_conn_id", "positions", "at_least", "until", "poll_s")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask Kafka, and again, until there is enough or it is too late. A broker that is away is waited for."""
        positions = {int(partition): at for partition, at in self.positions.items()}
        until = datetime.fromisoformat(self.until)
        while True:
            await asyncio.sleep(self.poll_s)  # the task has just looked
            try:
                behind = await asyncio.to_thread(self._behind, positions)
            except Transient as error:
                self.log.warning("Asking again in %.0f s: %s", self.poll_s, error)
                behind = 0
            if behind >= self.at_least or datetime.now(UTC) >= until:
                yield TriggerEvent(behind)  # type: ignore[no-untyped-call]
                return

    def _behind(self, positions: Mapping[int, int]) -> int:
        from consumer.load.ahead import offsets_behind
        from plugins.hooks import connect

        return offsets_behind(connect(self.kafka_conn_id).kafka, self.topic, positions)


class NewRecordsSensor(WarehouseOperator):
    """Wait until a topic holds records that its warehouse has not stored.

    Returns how many offsets are not stored. When the time is over the task is skipped, and what is behind it with it.

    :param at_least: how many offsets must not be stored yet.
    :param wait: how long to wait, such as ``30m``.
    :param poll: how often Kafka is asked.
    :param fail: fail in place of being skipped when nothing came.
    :param deferrable: wait in the triggerer, not in a worker; as ``[operators] default_deferrable`` says unless given.
    """

    template_fields: Sequence[str] = (*WarehouseOperator.template_fields, "at_least", "wait")
    ui_color = "#e8f7ee"

    def __init__(
        self,
        *,
        at_least: int | str = 1,
        wait: str = "1h",
        poll: str = f"{POLL_S:g}s",
        fail: bool = False,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.at_least = at_least
        self.wait = wait
        self.poll = poll
        self.fail = fail
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )

    def work(self, context: Context) -> int:  # noqa: ARG002 - Airflow's form
        """Look, and wait if there is not enough."""
        return self._look_or_wait(datetime.now(UTC) + timedelta(seconds=seconds_in(self.wait)))

    def look_again(self, context: Context, event: Any, until: str) -> int:  # noqa: ARG002 - Airflow's form
        """Look again, with the positions of now: a loader may have been faster than this task."""
        return self.done(context, lambda _: self._look_or_wait(datetime.fromisoformat(until)))  # type: ignore[no-any-return]

    def _look_or_wait(self, until: datetime) -> int:
        enough, poll_s = self._enough(), seconds_in(self.poll)
        while True:
            ahead = self._look()
            if ahead is not None and ahead.offsets >= enough:
                self.log.info("%s offsets of %s are not stored", f"{ahead.offsets:,}", self.topic)
                return ahead.offsets
            if datetime.now(UTC) >= until:
                self._give_up(ahead)
            if self.deferrable and ahead is not None:
                self._defer(ahead, until)
            if self.stop.wait(poll_s):
                raise Interrupted("told to stop while waiting for records", where=self.topic)

    def _look(self) -> Ahead | None:
        """Return what is not stored; ``None`` while somebody has the warehouse, or does not answer."""
        from consumer.load.ahead import stored_positions

        try:
            return stored_positions(self.connection().kafka, self.topic, self.place())
        except Transient as error:
            self.log.warning("Looking again: %s", error)
            return None

    def _defer(self, ahead: Ahead, until: datetime) -> None:
        self.log.info("%s offsets of %s are not stored: waiting in the triggerer", ahead.offsets, self.topic)
        positions = {str(partition): at for partition, at in ahead.positions.items()}
        trigger = NewRecordsTrigger(
            self.topic,
            kafka_conn_id=self.kafka_conn_id,
            positions=positions,
            at_least=self._enough(),
            until=until.isoformat(),
            poll_s=seconds_in(self.poll),
        )
        self.defer(trigger=trigger, method_name=self.look_again.__name__, kwargs={"until": until.isoformat()})

    def _give_up(self, ahead: Ahead | None) -> None:
        said = "nobody could say what is stored" if ahead is None else f"{ahead.offsets:,} offsets are not stored"
        said = f"{said} after {self.wait}, and {self._enough():,} are waited for"
        if self.fail or ahead is None:
            raise Busy(said, where=self.topic, hint="Check that somebody sends, or wait longer")
        raise AirflowSkipException(f"{self.topic}: {said}")

    def _enough(self) -> int:
        """Return how many offsets are waited for.

        :raises Misconfigured: it is no number above 0.
        """
        said = str(self.at_least).strip()
        if not said.isdecimal() or int(said) < 1:
            raise Misconfigured(f"at_least is {self.at_least!r}", hint="It is a number from 1 on")
        return int(said)

"""Sending: the generators of a run, and what is done to the local stack beside them.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""
# ruff: noqa: ARG002, D102 - every work() is given a context, and the class says what it does

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from plugins.step import LOG_EVERY_S, OfWarehouseOperator, StoppableOperator, StreamproofOperator, every

# Generators begin within moments, unless the tasks of other runs have all the slots.
BEGIN_TIMEOUT_S = 900.0


class GenerateShardOperator(OfWarehouseOperator, StoppableOperator):
    """Produce one shard of a run and return what its manifest says.

    A schema whose fields the table that is loaded cannot hold is refused before the first event, as the gate does it:
    the warehouse is asked, whether or not a gate was before.

    :param shard: what ``ProduceRequest`` takes beside topic and run id; map the operator over these.
    """

    template_fields: Sequence[str] = (*OfWarehouseOperator.template_fields, "shard")
    ui_color = "#e9f7ea"

    def __init__(self, *, shard: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def work(self, context: Context) -> dict[str, Any]:
        from producer.emit import produce_shard
        from producer.judgement import too_slow
        from producer.plan.request import ProduceRequest
        from producer.standing import Standing
        from schemas.manifest import count
        from schemas.rates import rate_reached

        request = ProduceRequest(topic=self.topic, run_id=self.run_id, table=self.table_at_hand(), **self.shard)
        target = "as many events as fit" if request.plan.target is None else f"{request.plan.target:,} events"
        self.log.info("Shard %s of %s: %s, %s", request.shard + 1, request.shards, target, request.plan.pace)
        standing = Standing([request.plan.target])
        say = every(LOG_EVERY_S, lambda _: self.log.info("%s", standing.line().words()))

        def heard(progress: Any) -> None:
            standing.add(progress)
            say(progress)

        with self.stopping() as stop:
            manifest = produce_shard(self.connection(), request, stop=stop, progress=heard)
        rate = rate_reached([manifest])
        self.log.info("Kafka acknowledged %s events, at %s", f"{manifest.acknowledged:,}", rate or "a rate not known")
        if manifest.resumed:
            self.log.info("%s earlier attempts at this shard were continued", manifest.resumed)
        slow = too_slow(rate, request.require_rate, run_id=self.run_id, where=f"shard {request.shard}, {self.topic}")
        if slow is not None:
            raise slow
        if rate is not None and rate.missed:
            self.log.warning("%s", rate.warning())
        return {
            "acknowledged": manifest.acknowledged,
            "failed": count(manifest.failed),
            "unknown": count(manifest.unknown),
        }


class IncidentsOperator(StoppableOperator):
    """Do the incidents of a run to the local stack, beside its generators and once for all of them.

    The run begins when its first event is in the topic. When every shard has ended, what goes on is ended too. Who ends
    the task ends the incidents; a retry does not do again what had begun.

    :param incidents: as ``--incident`` takes them, several with ``;`` between them; empty for none.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "incidents")

    def __init__(self, *, incidents: str = "{{ params.get('incidents') or '' }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.incidents = incidents

    def work(self, context: Context) -> list[dict[str, Any]]:
        from producer.incidents.clocks import TopicClock
        from producer.incidents.performance import Performance
        from producer.incidents.stage import stage_of
        from producer.plan.incidents import parse_incidents

        planned = parse_incidents([self.incidents])
        if not planned:
            self.log.info("No incidents are asked for")
            return []
        kafka = self.connection().kafka
        clock = TopicClock(kafka, self.topic, self.run_id)
        performance = Performance(
            kafka, self.topic, self.run_id, planned, stage_of(self.connection(), planned), run_clock=clock
        )
        begin_by = time.monotonic() + BEGIN_TIMEOUT_S

        def over() -> bool:
            return clock.is_over() or (clock() is None and time.monotonic() > begin_by)

        with self.stopping() as stop:
            done = performance.perform(over, hurry=stop.is_set)
        for incident in done:
            at = "not at all" if incident.began_s is None else f"at {incident.began_s:.1f} s"
            self.log.info("%s: began %s%s", incident.text, at, f"; {incident.fault}" if incident.fault else "")
        return [incident.model_dump() for incident in done]

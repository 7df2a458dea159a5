"""What comes before the first event: the topics, the plan of the run, and the schemas that it writes with.

Packages are imported in ``work``: the Dag processor reads this module every few seconds.
"""
# ruff: noqa: ARG002, D102 - every work() is given a context, and the class says what it does

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from airflow.sdk import Context

from plugins.form.scenario_settings import rehearsal_of
from plugins.form.scenarios import DEFAULT_SCENARIO
from plugins.step import OfWarehouseOperator, StreamproofOperator


class EnsureTopicsOperator(StreamproofOperator):
    """Create the topic and its control topic as declared; say how existing ones differ, and change nothing."""

    def work(self, context: Context) -> dict[str, Any]:
        from cluster.topics import admin_client, apply_topics, specs_for

        results = apply_topics(admin_client(self.connection().kafka), specs_for(self.topic))
        for result in results:
            self.log.info("Topic %s %s, %s partitions", result.name, result.action, result.info.partitions)
            for change in result.changes:
                self.log.warning("  %s is %s, declared as %s", change.setting, change.actual, change.declared)
        return {result.name: result.action for result in results}


class PlanOperator(StreamproofOperator):
    """Split the run into shards; refuse settings that contradict each other, or that the scenario does not take.

    Returns what each shard is told: what ``ProduceRequest`` takes beside topic and run id. Incidents are of no shard:
    :class:`IncidentsOperator` does them.

    :param scenario: name of a scenario, or the path of its file.
    :param besides: parameters of the Dag that say nothing of the events, and are others' to judge.
    """

    template_fields: Sequence[str] = (*StreamproofOperator.template_fields, "scenario")

    def __init__(self, *, scenario: str = DEFAULT_SCENARIO, besides: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self.besides = besides

    def work(self, context: Context) -> list[dict[str, Any]]:
        from producer.plan.acceptance import accept
        from producer.plan.request import ProduceRequest
        from producer.plan.rules import rate_or_own
        from producer.scenarios import find_scenario, own_rate

        params = {name: value for name, value in context["params"].items() if name not in self.besides}
        rehearsal = rehearsal_of(params, self.scenario)
        settings = rehearsal.request() | {"scenario": self.scenario}
        scenario = find_scenario(self.scenario, registry=self.connection().registry)
        own = partial(own_rate, scenario, rehearsal.shards, settings["options"])
        settings["rate"] = rate_or_own(settings["rate"], settings["shape"], own)
        request = ProduceRequest(topic=self.topic, run_id=self.run_id, **settings)
        accept(request.plan, scenario)
        if request.plan.incidents:
            from producer.incidents.stage import stage_of

            stage = stage_of(self.connection(), request.plan.incidents)
            for warning in stage.warnings(request.plan.incidents, request.delivery_timeout_s):
                self.log.warning("%s", warning)
        settings.pop("incidents", None)
        how_many = f"{rehearsal.events:,} events" if rehearsal.events else "events"
        until = "until the shape ends" if request.seconds is None else f"{request.seconds} s at most"
        what = f"{how_many} of {scenario.name} in {request.shards} shards"
        self.log.info("Plan: %s, %s, %s", what, request.plan.pace, until)
        if request.faults:
            self.log.info("Injected faults: %s", " ".join(request.faults))
        return [settings | {"options": dict(request.plan.options), "shard": shard} for shard in range(request.shards)]


class SchemaGateOperator(OfWarehouseOperator):
    """Register the versions of a contract for the topic, or refuse with the reasons.

    A run that writes another version than the active one has it registered; one that mixes two versions has both. The
    warehouse that is to be loaded is asked what it holds, without waiting for whoever loads into it.

    :param scenario: whose contract it is: a name, or the path of a file.
    :param contract: another one: a folder below ``schemas/``, or an ``.avsc`` file.
    """

    template_fields: Sequence[str] = (*OfWarehouseOperator.template_fields, "scenario", "contract")

    def __init__(self, *, scenario: str = DEFAULT_SCENARIO, contract: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self.contract = contract

    def work(self, context: Context) -> dict[str, Any]:
        from producer.scenarios import contract_of, find_scenario
        from schemas.formats import FRAMED
        from schemas.registry.contract import load_contract, subject_for
        from schemas.registry.gate import Registry, gate

        settings = self.connection().registry
        scenario = find_scenario(self.scenario, registry=settings)
        contract = load_contract(self.contract) if self.contract else contract_of(scenario)
        if scenario.format not in FRAMED:
            self.log.info("values of %s name no schema: nothing is registered", scenario.name)
            return {"subject": None, "schema_id": None}
        params = context.get("params") or {}
        # No event goes out before all versions that the run writes are registered.
        mixing = bool(params.get("next_version_share") or params.get("next_version_ramp"))
        up_to = params.get("schema_version")
        with Registry(settings) as registry:
            subject, written = subject_for(self.topic), scenario.format
            table = self.table_at_hand()
            result = gate(registry, contract, subject, up_to=up_to, mixing=mixing, written=written, table=table)
        for version in result.versions:
            self.log.info("%s v%s: %s", result.subject, version.version, version.status)
            for change in version.changes:
                self.log.info("  %s %s: %s -> %s", change.path, change.kind, change.old, change.new)
            for remark in version.remarks:
                self.log.warning("  %s", remark)
        return {"subject": result.subject, "schema_id": result.current.id if result.current else None}

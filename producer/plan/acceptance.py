"""Whether a scenario can do what a run asks for, found out before any broker is asked and anything is made."""

from __future__ import annotations

import datetime as dt

from producer.plan.agreement import refuse_endless_ramp, refuse_options
from producer.plan.injection import agreed_targets, make_injector
from producer.plan.request import ProduceRequest
from producer.scenarios import Asked, Scenario, contract_of


def accept(request: ProduceRequest, scenario: Scenario) -> None:
    """Return if nothing of the scenario, its contract or its fault targets speaks against the request.

    :raises Misconfigured: an option or a fault that the scenario does not take, a version that the contract does not
        have, or more events than the scenario holds.
    """
    refuse_options(scenario, request.options())
    contract = contract_of(scenario)
    version = contract.version(request.schema_version or contract.active).version
    if request.next_version_share or request.next_version_ramp:
        contract.version(version + 1)
    refuse_endless_ramp(request)
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    asked = Asked(request.shards, request.shard, request.mean_rate, request.options())
    settings = scenario.settings(request.target, now_ms, asked)
    if request.faults:
        make_injector(request, scenario, targets=agreed_targets(request, scenario, settings))

"""Whether a scenario can do what a run asks for, found out before any broker is asked and anything is made."""

from __future__ import annotations

import datetime as dt

from producer.plan.agreement import asked_of, next_version
from producer.plan.injection import agreed_targets, make_injector
from producer.plan.request import ProduceRequest
from producer.scenarios import Scenario, contract_of


def accept(request: ProduceRequest, scenario: Scenario) -> None:
    """Return if nothing of the scenario, its contract or its fault targets speaks against the request.

    :raises Misconfigured: a fault that the scenario does not take, options that contradict the rest of the request, a
        version that the contract does not have, or more events than the scenario holds.
    """
    contract = contract_of(scenario)
    contract.version(request.schema_version or contract.active)
    next_version(request, contract)
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    settings = scenario.settings(request.target, now_ms, asked_of(request, scenario))
    if request.faults:
        make_injector(request, scenario, targets=agreed_targets(request, scenario, settings))

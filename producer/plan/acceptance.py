"""Whether a scenario can do what a run asks for, found out before any broker is asked and anything is made."""

from __future__ import annotations

import datetime as dt

from producer.plan.agreement import asked_of, next_version
from producer.plan.injection import agreed_targets, make_injector
from producer.plan.plan import Plan
from producer.scenarios import Scenario, contract_of


def accept(plan: Plan, scenario: Scenario) -> None:
    """Return if nothing of the scenario, its contract or its fault targets speaks against the plan.

    :raises Misconfigured: a fault that the scenario does not take, options that contradict the rest of the plan, a
        version that the contract does not have, or more events than the scenario holds.
    """
    contract = contract_of(scenario)
    contract.version(plan.schema_version or contract.active)
    next_version(plan, contract)
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    settings = scenario.settings(plan.target, now_ms, asked_of(plan, scenario))
    if plan.faults:
        make_injector(plan, scenario, targets=agreed_targets(plan, scenario, settings))

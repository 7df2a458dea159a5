"""What of the faults that a run asks for can be put in and told afterwards, settled before the first event."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import pyarrow.compute as pc

from cluster.errors import Misconfigured
from cluster.topics import Admin, topic_configuration
from producer.faults import Fault, FaultTargets, Injector
from producer.faults.targets import fitting, possible
from producer.plan.plan import Plan
from producer.scenarios import Scenario, Settings, contract_of
from schemas.fault_targets import KeySample
from schemas.faults import CLOCK_SKEW, HOT_KEY
from schemas.formats import value_format
from schemas.registry.contract import ContractVersion
from schemas.types.tree import parse

_SAMPLE_EVENTS = 65_536


def make_injector(
    plan: Plan,
    scenario: Scenario,
    *,
    targets: FaultTargets | None = None,
    schemas: Mapping[int, ContractVersion] | None = None,
) -> Injector | None:
    """Return what injects the faults of a shard, ``None`` when none are asked for.

    :param targets: those that the run was begun with, or were agreed on.
    :param schemas: what values are written with, by id.
    :raises Misconfigured: the scenario cannot have one of them.
    """
    faults = plan.faults
    if not faults:
        return None
    targets = targets or targets_of(scenario, plan.schema_version)
    written = {number: version.schema for number, version in (schemas or {}).items()}
    return Injector(
        faults,
        targets,
        scenario=scenario.name,
        key=scenario.key,
        seed=plan.seed,
        shard=plan.shard,
        shards=plan.shards,
        target=plan.target,
        break_value=value_format(scenario.format).breaker(written, targets.text),
        breaks=value_format(scenario.format).breaks,
    )


def targets_of(scenario: Scenario, schema_version: int | None = None) -> FaultTargets:
    """Return what a scenario declares, so far as its schema can hold it; without a declaration, its event time.

    :raises Misconfigured: it names a field that the schema does not have.
    """
    contract = contract_of(scenario)
    root = parse(contract.version(schema_version or contract.active).text)
    declared = scenario.fault_targets
    if declared is None:
        node = dict(root.fields).get(scenario.event_time or "")
        declared = FaultTargets(event_time=None if node is None or node.nullable else scenario.event_time)
    return fitting(declared, root, scenario.key)


def agreed_targets(plan: Plan, scenario: Scenario, settings: Settings) -> FaultTargets:
    """Return what the faults of a run that begins are put into, with how busy its keys are if one is to be hot.

    :param settings: of shard 0, so that every shard comes to the same.
    :raises Misconfigured: a fault is impossible in this scenario, or a hot key would have no more events than others.
    """
    faults, targets = plan.faults, targets_of(scenario, plan.schema_version)
    breaks = value_format(scenario.format).breaks
    possible(faults, targets, scenario.name, breaks=breaks, has_key=scenario.key is not None)
    for fault in faults:
        if fault.name == HOT_KEY:
            first = plan.for_shard(0)
            targets = targets.model_copy(update={"keys": sample_keys(scenario, first, settings)})
            _refuse_lukewarm(fault, targets.keys, first)
    return targets


def sample_keys(scenario: Scenario, plan: Plan, settings: Settings) -> KeySample | None:
    """Return how busy the busiest key of a shard is in its first events, 65,536 at most; ``None`` without events."""
    stream = scenario.open(plan.seed, plan.shard, settings)
    wanted = min(_SAMPLE_EVENTS, stream.limit, stream.limit if plan.target is None else plan.target)
    seen: Counter[object] = Counter()
    events = 0
    while events < wanted:
        block = stream.block(events // stream.block_events)
        block = block.slice(0, wanted - events)
        counts = pc.value_counts(block.column(scenario.key or "").drop_null())
        seen.update(dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)))
        events += len(block)
    return KeySample(events=events, most=max(seen.values(), default=0)) if events else None


def _refuse_lukewarm(fault: Fault, sample: KeySample | None, plan: Plan) -> None:
    if sample is None:
        return
    total = sample.events if plan.target is None else plan.target * plan.shards
    count = fault.count if fault.count is not None else (fault.share or 0.0) * total
    least = sample.least(total)
    if count >= least:
        return
    without = f"without the fault the busiest key has {sample.most:,} of {sample.events:,} events"
    if least > total:
        raise Misconfigured(f"no key could be told to be hot: {without}", hint="Leave hot_key out")
    raise Misconfigured(
        f"{fault} is too few events to stand out of {total:,}: {without}, "
        f"and a key is called hot above {sample.limit(total):,}",
        hint=f"Ask for at least {least:,}, or a share of {_percent(least / total)}",
    )


def _percent(share: float) -> str:
    """Return a share as a percentage of two digits, rounded up."""
    step = 10.0 ** (math.floor(math.log10(100 * share)) - 1)
    return f"{min(100.0, math.ceil(100 * share / step) * step):.3g}%"


def refuse_hidden_clock(admin: Admin, plan: Plan) -> None:
    """Refuse a wrong clock that records would not show, or for which the topic would refuse them.

    :raises Misconfigured: the topic stamps records itself, or bounds their time more narrowly.
    """
    for fault in plan.faults:
        if fault.name == CLOCK_SKEW:
            _refuse_hidden_clock(topic_configuration(admin, plan.topic), plan, fault)


def _refuse_hidden_clock(topic: Mapping[str, str | None], plan: Plan, fault: Fault) -> None:
    if topic.get("message.timestamp.type") == "LogAppendTime":
        raise Misconfigured(
            "a wrong clock would not show: the broker stamps the records itself (message.timestamp.type=LogAppendTime)",
            where=f"topic {plan.topic}",
            hint=f"Leave {CLOCK_SKEW} out, or use a topic with message.timestamp.type=CreateTime",
        )
    ahead_ms = 1000 * (fault.seconds or 0.0)
    bound = "message.timestamp.after.max.ms" if ahead_ms > 0 else "message.timestamp.before.max.ms"
    most_ms = topic.get(bound)
    if most_ms is not None and abs(ahead_ms) > int(most_ms):
        raise Misconfigured(
            f"the topic would refuse the records of {fault}: {bound} is {int(most_ms):,}",
            where=f"topic {plan.topic}",
            hint=f"Ask for a smaller skew, or raise {bound}",
        )

"""Whether a run is what it was begun with: refused in words, by what its manifests say."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.errors import Misconfigured
from producer.plan.plan import OF_ALL_SHARDS, Plan
from producer.scenarios import DECLARATION, Scenario
from schemas.manifest import Manifest, SchemaUsed, Terms, control_topic_of


def refuse_other_settings(plan: Plan, scenario: Scenario, used: SchemaUsed, earlier: Manifest) -> None:
    """Refuse to continue a run with anything else than what it was begun with.

    What the scenario derived (start of event time, block size) is taken over, not compared; the versions of the
    libraries that draw the numbers are compared.
    """
    now: dict[str, object] = {
        "topic": plan.topic,
        "scenario": scenario.name,
        "scenario version": scenario.version,
        "shards": plan.shards,
        "seed": plan.seed,
        "schema id": used.id,
        "format": scenario.format,
        "schema fingerprint": used.fingerprint,
        **plan.settings(),
        **scenario.libraries(),
    }
    now |= {name: value for name, value in _not_asked(plan, scenario).items() if name in earlier.common}
    before = earlier.agreed([name for name in now if name in earlier.settings])
    if used.fingerprint is None or "schema fingerprint" not in before:
        now.pop("schema fingerprint")
    _refuse(
        plan.run_id,
        plan.topic,
        [_changed(name, before.get(name), value) for name, value in now.items() if before.get(name) != value],
    )


def refuse_other_events(scenario: Scenario, terms: Terms) -> None:
    """Refuse to make the events of a shard again with anything else than what made them.

    What a manifest of an earlier version does not say is not compared.

    :raises Misconfigured: scenario, format or a library is another one.
    """
    now: dict[str, object] = {
        "scenario": scenario.name,
        "scenario version": scenario.version,
        "format": scenario.format,
        **scenario.libraries(),
    }
    before = terms.agreed([name for name in now if name in terms.settings])
    differing = [_changed(name, before[name], now[name]) for name in now if before.get(name, now[name]) != now[name]]
    if differing:
        raise Misconfigured(
            f"the events of run {terms.run_id} cannot be made again: " + "; ".join(differing),
            where=f"shard {terms.shard}, topic {control_topic_of(terms.topic)}",
            hint="Use the program, the libraries and the scenario's file that the run was sent with",
        )


def _not_asked(plan: Plan, scenario: Scenario) -> dict[str, object]:
    """Return the options that the plan leaves as they are by themselves: the run may have been begun with others."""
    left = [option for option in scenario.options if option.name not in plan.options]
    return {(OF_ALL_SHARDS if option.over_shards else "") + option.name: option.unasked for option in left}


def _changed(name: str, before: object, value: object) -> str:
    if name == DECLARATION:
        return "the scenario file or its schema was changed since then"
    if name == "schema fingerprint":
        return "the registry gives another schema for its id, as one that was made anew does"
    return f"{name} was {before}, is now {value}"


def refuse_other_run(announced: Manifest, others: Sequence[Terms]) -> None:
    """Refuse a shard that was asked for in another way than the shards that there are."""
    for other in others:
        names = {*announced.common, *other.common}
        before, now = other.agreed(sorted(names)), announced.agreed(sorted(names))
        _refuse(
            announced.run_id,
            announced.topic,
            [
                _changed(name, f"{before[name]} for shard {other.shard}", value)
                for name, value in now.items()
                if before.get(name, value) != value
            ],
        )


def _refuse(run_id: str, topic: str, differing: list[str]) -> None:
    if differing:
        raise Misconfigured(
            f"run {run_id} was begun with other settings: " + "; ".join(differing),
            where=f"topic {control_topic_of(topic)}",
            hint="Use the settings it was begun with, or a new run id",
        )

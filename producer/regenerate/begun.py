"""What a shard was begun with, as its manifest says it: the plan, the scenario and the schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cluster.connection import Connection
from cluster.errors import Misconfigured
from producer.faults import parse_faults
from producer.plan.plan import Plan
from producer.scenarios import Scenario, contract_of, find_scenario
from producer.scenarios.find import locate
from producer.shapes import parse
from schemas.fingerprint import fingerprint
from schemas.manifest import Manifest, SchemaUsed, Terms
from schemas.registry.client import Registry
from schemas.registry.contract import ContractVersion
from schemas.undecodable import UnsupportedSchema

_NEXT_SCHEMA = "next schema id"


def scenario_of(
    terms: Terms, reference: str | None, folders: Sequence[Path], connection: Connection | None
) -> Scenario:
    """Return the scenario that a run was begun with.

    :param reference: a name, or the path of a file; what the manifest calls it unless given.
    :param folders: where else a scenario of that name is looked for.
    :raises Misconfigured: it is not found.
    """
    registry = None if connection is None else connection.known_registry
    try:
        return find_scenario(reference or locate(terms.scenario, folders), registry=registry)
    except Misconfigured as error:
        if reference is not None:
            raise
        raise Misconfigured(
            f"the events of run {terms.run_id} cannot be made again: {error.message}",
            where=error.where or f"shard {terms.shard}, topic {terms.topic}",
            hint=f"Say where scenario {terms.scenario} is: --scenario FILE, or STREAMPROOF_SCENARIO_PATH",
        ) from None


def plan_of(manifest: Manifest) -> Plan:
    """Return the plan that a shard was begun with, so far as its events depend on it."""
    said = manifest.settings
    shape, faults, newer = said.get("shape"), said.get("faults"), said.get("next_version")
    events, seconds = said.get("events"), said.get("seconds")
    return Plan(
        topic=manifest.topic,
        run_id=manifest.run_id,
        new_run_id=False,
        scenario=manifest.scenario,
        options={},
        shared=(),
        places=(),
        ends_by_itself=False,
        own_times=False,
        shard=manifest.shard,
        shards=manifest.shards,
        seed=manifest.seed,
        events=None if events is None else int(events),
        seconds=None if seconds is None else float(seconds),
        endless=bool(said.get("endless")),
        rate=0.0,
        shape=None if shape is None else parse(str(shape)),
        catch_up=str(said.get("catch_up") or "report"),
        require_rate=None,
        schema_version=None,
        next_version="ramp" if newer == "ramp" else None if newer is None else float(newer),
        incidents=(),
        faults=() if faults is None else parse_faults(str(faults).split()),
        event_log=None,
        delivery_timeout_s=0.0,
    )


def schemas_of(manifest: Manifest, scenario: Scenario, connection: Connection | None) -> dict[int, ContractVersion]:
    """Return the contracts that the values of a shard were written with, by id: one, or an older and a newer one.

    :raises Misconfigured: neither the scenario's contract on disk nor the registry has one of them.
    """
    if manifest.contract is not None:
        return {manifest.schema_used.id: _version(manifest.contract)}
    newer = manifest.settings.get(_NEXT_SCHEMA)
    used = [manifest.schema_used]
    if newer is not None:
        told = [each.schema_used for each in manifest.versions if each.schema_used.id == newer]
        used += told or [SchemaUsed(subject=manifest.schema_used.subject, version=0, id=int(newer))]
    return {schema.id: _find(schema, scenario, connection) for schema in used}


def _find(used: SchemaUsed, scenario: Scenario, connection: Connection | None) -> ContractVersion:
    if used.fingerprint is not None:
        for version in contract_of(scenario).versions:
            if fingerprint(version.text) == used.fingerprint:
                return version
    return _version(_text_of_registry(used, scenario, connection))


def _version(text: str) -> ContractVersion:
    return ContractVersion(0, Path(), json.loads(text), text)


def _text_of_registry(used: SchemaUsed, scenario: Scenario, connection: Connection | None) -> str:
    known = None if connection is None else connection.known_registry
    if known is None:
        raise Misconfigured(
            f"no version of the scenario's contract on disk is schema {used.id} that the values were written with",
            where=f"subject {used.subject}",
            hint="Give --registry-url: the registry has it",
        )
    try:
        with Registry(known) as registry:
            found = registry.schema(used.id)
    except UnsupportedSchema as error:
        raise Misconfigured(
            f"the schema that the values were written with cannot be had: {error.message}", where=known.shown
        ) from None
    other = used.fingerprint is not None and fingerprint(found.text) != used.fingerprint
    if other or found.format != scenario.format:
        raise Misconfigured(
            f"the registry gives id {used.id} to another schema than the one that the values were written with",
            where=known.shown,
            hint="Give the address of the registry that the run was sent with",
        )
    return found.text

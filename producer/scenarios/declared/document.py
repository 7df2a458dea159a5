"""Reading a scenario file: every fault is found before anything is generated, and all are told at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured
from cluster.text.yaml_files import read_yaml
from producer.scenarios.declared.checking import Checking
from producer.scenarios.declared.defaults import Defaults, defaults_of
from producer.scenarios.declared.field_paths import Place, places
from producer.scenarios.declared.rules import NULLS, File, Pool, Rule, Timestamp
from producer.scenarios.declared.targets import fault_targets
from schemas.fault_targets import FaultTargets
from schemas.registry.contract import Contract, ContractVersion, load_contract
from schemas.registry.gate import Registry
from schemas.types import schema_text
from schemas.types.tree import Node, parse
from schemas.undecodable import UnsupportedSchema


@dataclass(frozen=True, slots=True)
class Declaration:
    """A file that was checked against its schema. ``rules`` has one for every place of the schema, by path."""

    name: str
    contract: Contract
    root: Node
    rules: Mapping[str, Rule]
    pools: Mapping[str, Pool]
    key: str | None
    mix: str | None
    event_time: str | None
    spacing_ms: float
    digest: str
    fault_targets: FaultTargets
    format: str
    remarks: tuple[str, ...]


def read_declaration(path: Path, *, registry: RegistrySettings | None) -> Declaration:
    """Read and check a file.

    :raises Misconfigured: the file or its schema cannot be read, or there are faults in it: all are named at once.
    """
    raw = _yaml(path)
    checking = Checking()
    head = checking.model(File, {key: value for key, value in raw.items() if key not in ("pools", "fields")}, "")
    pools = checking.pools(_mapping(raw, "pools", checking))
    named = checking.rules(_mapping(raw, "fields", checking), "fields")
    contract = _contract(path, head or raw, registry, checking)
    if contract is None:
        raise checking.error(path)
    version = contract.version(contract.active)
    root = parse(version.text)
    there = {place.path: place for place in places(root)}
    checking.fields(named, there, pools)
    unsaid = defaults_of(root, there, named)
    rules = {where: _rule(place, named.get(where), unsaid) for where, place in there.items()}
    pools |= _used(unsaid.pools, rules)
    checking.ways(rules, there, pools)
    checking.columns(raw, root, rules, pools)
    if checking.faults or head is None:
        raise checking.error(path)
    return Declaration(
        name=head.name or path.stem,
        contract=contract,
        root=root,
        rules=rules,
        pools=pools,
        key=head.key,
        mix=head.mix or _first(root, lambda name, node: node.kind == "enum" or rules[name].choice is not None),
        event_time=head.event_time or _event_time(root, rules),
        spacing_ms=head.spacing_ms,
        digest=_digest(version.text, head, rules, pools),
        fault_targets=fault_targets(root, rules, pools, key=head.key, event_time=head.event_time),
        format=head.format,
        remarks=unsaid.remarks,
    )


def _digest(schema: str, head: File, rules: Mapping[str, Rule], pools: Mapping[str, Pool]) -> str:
    """Return what changes when the events change: comments and layout of the file do not count."""
    parts = [schema, str(head.key), str(head.spacing_ms)]
    parts += [f"{name} {part.model_dump_json()}" for known in (rules, pools) for name, part in sorted(known.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _yaml(path: Path) -> dict[str, Any]:
    document = read_yaml(path, "the scenario file")
    if not isinstance(document, dict):
        raise Misconfigured(
            "the scenario file is not a mapping", where=str(path), hint="docs/scenarios.md has examples"
        )
    return {str(key): value for key, value in document.items()}


def _mapping(raw: Mapping[str, Any], key: str, checking: Checking) -> dict[str, Any]:
    value = raw.get(key) or {}
    if not isinstance(value, dict):
        checking.faults.append(f"{key}: must be a mapping")
        return {}
    checking.faults += [
        f"{key}: a name that YAML reads as {name!r}: put it in quotes" for name in value if not isinstance(name, str)
    ]
    return {name: rule for name, rule in value.items() if isinstance(name, str)}


def _contract(
    path: Path, head: File | Mapping[str, Any], registry: RegistrySettings | None, checking: Checking
) -> Contract | None:
    """Return the schema that the file names, from a file beside it or from the registry."""
    told = head if isinstance(head, Mapping) else {"schema": head.schema_file, "subject": head.subject}
    schema, subject = told.get("schema"), told.get("subject")
    try:
        if isinstance(schema, str):
            return load_contract(schema if not schema.endswith(".avsc") else str(path.parent / schema))
        if isinstance(subject, str):
            return _of_subject(subject, registry)
    except Misconfigured as error:
        checking.faults.append(f"{'schema' if isinstance(schema, str) else 'subject'}: {error}")
    return None


def _of_subject(subject: str, registry: RegistrySettings | None) -> Contract:
    if registry is None:
        raise Misconfigured(f"{subject} is a subject, and no registry is known", hint="Give --registry-url")
    with Registry(registry) as known:
        used = known.latest(subject)
        if used is None:
            raise Misconfigured(f"the registry has no subject {subject}", where=registry.url)
        try:
            text = known.schema_text(used.id)
            parse(text)
        except UnsupportedSchema as error:
            raise Misconfigured(
                f"subject {subject} has no schema that can be produced: {error.message}",
                where=registry.url,
                hint="Name a subject of Avro, or a schema file",
            ) from None
    return Contract(subject, (ContractVersion(1, Path(subject), schema_text.load(text), text),), subject=subject)


def _rule(place: Place, named: Rule | None, unsaid: Defaults) -> Rule:
    default = unsaid.rules[place.path]
    if named is None:
        return default
    rule = named if named.way is not None else default.model_copy(update={one: getattr(named, one) for one in NULLS})
    return _with_null_branch(rule, named.nulls) if place.node.kind == "union" else rule


def _used(pools: Mapping[str, Pool], rules: Mapping[str, Rule]) -> dict[str, Pool]:
    used = {rule.pool.partition(".")[0] for rule in rules.values() if rule.pool is not None}
    return {name: pool for name, pool in pools.items() if name in used}


def _with_null_branch(rule: Rule, nulls: float | None) -> Rule:
    """Return the rule of a union whose branch null has the share that ``nulls`` says."""
    others = {name: weight for name, weight in (rule.branches or {}).items() if name != "null"}
    total = sum(others.values())
    if nulls is None or not total > 0:
        return rule
    if nulls == 1:
        others, null = dict.fromkeys(others, 0.0), 1.0
    else:
        null = nulls / (1 - nulls) * total
    return rule.model_copy(update={"branches": {"null": null, **others}})


def _event_time(root: Node, rules: Mapping[str, Rule]) -> str | None:
    """Return the first timestamp, or else the first number or text that has the event's own time in its usual form."""
    return _first(root, lambda _, node: node.logical.startswith("timestamp")) or _first(
        root,
        lambda name, node: (
            node.kind in ("long", "string") and not node.logical and rules[name].timestamp == Timestamp()
        ),
    )


def _first(root: Node, wanted: Any) -> str | None:
    return next((name for name, node in root.fields if wanted(name, node)), None)

"""Reading a scenario file: every fault is found before anything is generated, and all are told at once."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured
from producer.scenarios.declared.defaults import default_rule, is_own_id
from producer.scenarios.declared.places import Place, places, scope_of
from producer.scenarios.declared.rules import (
    Choice,
    Distribution,
    Faker,
    File,
    Pool,
    Reference,
    Rule,
    Sequence,
    Timestamp,
)
from producer.scenarios.declared.targets import fault_targets
from producer.scenarios.declared.typing_of_values import takes
from producer.scenarios.declared.values import Kind
from producer.scenarios.declared.vocabulary import faker_faults, simple_kind
from schemas.arrow_types import branch_names
from schemas.avro import Node, parse
from schemas.contract import Contract, ContractVersion, load_contract
from schemas.fault_targets import FaultTargets
from schemas.identity import IDENTITY_FIELD
from schemas.registry import Registry

_NAMES = sorted(
    {
        name
        for model in (Rule, Distribution, Sequence, Faker, Reference, Timestamp, Choice)
        for name in model.model_fields
    }
)
_HEAD = [("schema" if name == "schema_file" else name) for name in File.model_fields]
_NEVER_IN_POOLS = ("reference", "pool", "timestamp", "length", "branches")
_M = TypeVar("_M", bound=BaseModel)


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


def read_declaration(path: Path, *, registry: RegistrySettings | None) -> Declaration:
    """Read and check a file.

    :raises Misconfigured: the file or its schema cannot be read, or there are faults in it: all are named at once.
    """
    raw = _yaml(path)
    checking = _Checking()
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
    rules = {
        where: _rule(place, named.get(where), own_id=is_own_id(place, str(version.schema.get("name", ""))))
        for where, place in there.items()
    }
    checking.ways(rules, there, pools)
    checking.columns(raw, root)
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
        event_time=head.event_time or _first(root, lambda _, node: node.logical.startswith("timestamp")),
        spacing_ms=head.spacing_ms,
        digest=_digest(version.text, head, rules, pools),
        fault_targets=fault_targets(root, rules, pools, key=head.key, event_time=head.event_time),
    )


def _digest(schema: str, head: File, rules: Mapping[str, Rule], pools: Mapping[str, Pool]) -> str:
    """Return what changes when the events change: comments and layout of the file do not count."""
    parts = [schema, str(head.key), str(head.spacing_ms)]
    parts += [f"{name} {part.model_dump_json()}" for known in (rules, pools) for name, part in sorted(known.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"the scenario file cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise Misconfigured("the scenario file is not UTF-8", where=str(path)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise Misconfigured(f"the scenario file is not YAML{line}", where=str(path)) from None
    if not isinstance(document, dict):
        raise Misconfigured("the scenario file is no mapping", where=str(path), hint="docs/scenarios.md has examples")
    return {str(key): value for key, value in document.items()}


def _mapping(raw: Mapping[str, Any], key: str, checking: _Checking) -> dict[str, Any]:
    value = raw.get(key) or {}
    if isinstance(value, dict):
        return {str(name): rule for name, rule in value.items()}
    checking.faults.append(f"{key}: must be a mapping")
    return {}


def _contract(
    path: Path, head: File | Mapping[str, Any], registry: RegistrySettings | None, checking: _Checking
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
        text = known.schema_text(used.id)
    return Contract(subject, (ContractVersion(1, Path(subject), json.loads(text), text),), source=subject)


def _rule(place: Place, named: Rule | None, *, own_id: bool) -> Rule:
    if named is None or named.way is None:
        rule = default_rule(place, own_id=own_id)
        return rule if named is None else rule.model_copy(update={"nulls": named.nulls})
    return named


def _first(root: Node, wanted: Any) -> str | None:
    return next((name for name, node in root.fields if wanted(name, node)), None)


class _Checking:
    """The checks of one file; what is wrong is collected."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def error(self, path: Path) -> Misconfigured:
        """Return one error that names every fault."""
        many = f"{len(self.faults)} faults: " if len(self.faults) > 1 else ""
        return Misconfigured(many + "; ".join(self.faults), where=str(path), hint="docs/scenarios.md has every key")

    def model(self, model: type[_M], value: Any, where: str) -> _M | None:
        """Validate one part; keys that are unknown are named with the nearest known one."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for fault in error.errors():
                place = ".".join(part for part in (where, *map(str, fault["loc"])) if part)
                if fault["type"] == "extra_forbidden":
                    known = [*_HEAD, "pools", "fields"] if model is File else _NAMES
                    self.faults.append(f"{place}: unknown key{_near(str(fault['loc'][-1]), known)}")
                else:
                    self.faults.append(f"{place or 'the file'}: {fault['msg'].removeprefix('Value error, ')}")
            return None

    def rules(self, raw: Mapping[str, Any], where: str) -> dict[str, Rule]:
        """Validate the rules that the file has, by path."""
        found = {path: self.model(Rule, _nulls(value), f"{where}.{path}") for path, value in raw.items()}
        return {path: rule for path, rule in found.items() if rule is not None}

    def pools(self, raw: Mapping[str, Any]) -> dict[str, Pool]:
        """Validate the pools: their columns cannot refer to anything."""
        found = {}
        for name, value in raw.items():
            pool = self.model(Pool, value, f"pools.{name}")
            for column, rule in (pool.columns if pool else {}).items():
                where = f"pools.{name}.columns.{column}"
                if rule.way in _NEVER_IN_POOLS or rule.way is None:
                    self.faults.append(f"{where}: a pool's column cannot be of {rule.way or 'nulls alone'}")
                self._alone(rule, where)
            if pool is not None:
                found[name] = pool
        return found

    def fields(self, named: Mapping[str, Rule], there: Mapping[str, Place], pools: Mapping[str, Pool]) -> None:
        """Check each rule of the file against its place in the schema."""
        for path, rule in named.items():
            where, place = f"fields.{path}", there.get(path)
            if place is None:
                self.faults.append(f"{where}: the schema has no such field{_near(path, there)}")
                continue
            if path == IDENTITY_FIELD and _holds_identity(place.node):
                self.faults.append(f"{where}: it takes the identity of the event; leave it out")
            if rule.nulls and not place.node.nullable:
                self.faults.append(f"{where}.nulls: the schema allows no null there")
            self._alone(rule, where)
            self._pool(rule, where, pools)

    def _alone(self, rule: Rule, where: str) -> None:
        if rule.faker is not None:
            self.faults += [f"{where}.faker: {fault}" for fault in faker_faults(rule.faker)]
        if rule.choice is not None and simple_kind(rule) is None:
            self.faults.append(f"{where}.choice: its values are of different kinds")

    def _pool(self, rule: Rule, where: str, pools: Mapping[str, Pool]) -> None:
        if rule.pool is None:
            return
        name, _, column = rule.pool.partition(".")
        if name not in pools:
            self.faults.append(f"{where}.pool: there is no pool {name}{_near(name, pools)}")
        elif column not in pools[name].columns:
            self.faults.append(
                f"{where}.pool: pool {name} has no column {column!r}{_near(column, pools[name].columns)}"
            )

    def ways(self, rules: Mapping[str, Rule], there: Mapping[str, Place], pools: Mapping[str, Pool]) -> None:
        """Check that what each rule gives is what its field takes, and that references lead somewhere."""
        for path, place in there.items():
            where, rule, node = f"fields.{path}", rules[path], place.node
            if node.kind == "record":
                if rule.way is not None:
                    self.faults.append(f"{where}: it is a record: give rules to its fields, such as {_child(place)}")
            elif node.kind in ("array", "map"):
                if rule.length is None:
                    self.faults.append(
                        f"{where}: it is of type {node.kind}: its rule is length, and its items are {_child(place)}"
                    )
            elif node.kind == "union":
                self._branches(rule, node, where)
            elif node.kind != "null":
                self._leaf(path, rules, there, pools)

    def _branches(self, rule: Rule, node: Node, where: str) -> None:
        known = branch_names(node)
        if rule.branches is None:
            self.faults.append(f"{where}: it is a union: its rule is branches, with weights of {', '.join(known)}")
            return
        strange = [name for name in rule.branches if name not in known]
        self.faults += [f"{where}.branches: there is no branch {name}{_near(name, known)}" for name in strange]
        weights = rule.branches.values()
        if any(not (weight >= 0 and math.isfinite(weight)) for weight in weights) or not sum(weights) > 0:
            self.faults.append(f"{where}.branches: weights must be numbers of 0 or more, not all 0")

    def _leaf(
        self, path: str, rules: Mapping[str, Rule], there: Mapping[str, Place], pools: Mapping[str, Pool]
    ) -> None:
        where, rule, node = f"fields.{path}", rules[path], there[path].node
        if rule.length is not None or rule.branches is not None:
            self.faults.append(f"{where}.{rule.way}: it is of type {node.logical or node.kind}")
            return
        if rule.reference is not None and (fault := _reference_fault(path, rules, there)):
            self.faults.append(f"{where}.reference: {fault}")
            return
        kind = _kind_of(rule, rules, pools)
        if kind is not None and kind not in takes(node):
            label = node.logical or node.kind
            self.faults.append(f"{where}.{rule.way}: it gives {_SAID[kind]}, the field is of type {label}")
        if node.kind == "enum" and rule.choice is not None:
            strange = [value for value in rule.choice.values if value not in node.symbols]
            self.faults += [
                f"{where}.choice: {value!r} is no symbol{_near(str(value), node.symbols)}" for value in strange
            ]

    def columns(self, head: Mapping[str, Any], root: Node) -> None:
        """Check the columns that the head names: each is a plain field of the event itself."""
        plain = {name: node for name, node in root.fields if takes(node)}
        for key in ("key", "mix", "event_time"):
            name = head.get(key)
            if isinstance(name, str) and name not in plain:
                self.faults.append(f"{key}: there is no plain field {name} at the top{_near(name, plain)}")


_SAID: dict[Kind, str] = {
    "text": "text",
    "number": "numbers",
    "time": "times",
    "truth": "true and false",
    "bytes": "bytes",
}


def _nulls(value: Any) -> Any:
    """Return a rule in which YAML's own word null, written as a key, is what it was meant to be."""
    return {"nulls" if key is None else key: part for key, part in value.items()} if isinstance(value, dict) else value


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _child(place: Place) -> str:
    if place.node.kind == "record":
        return f"{place.path}.{place.node.fields[0][0]}" if place.node.fields else place.path
    return place.path + ("[]" if place.node.kind == "array" else "{}")


def _holds_identity(node: Node) -> bool:
    return node.kind == "string" and not node.nullable


def _kind_of(rule: Rule, rules: Mapping[str, Rule], pools: Mapping[str, Pool]) -> Kind | None:
    """Return what a rule gives; ``None`` when that is not known because of another fault."""
    if rule.reference is not None:
        return _kind_of(rules[rule.reference.field], rules, pools)
    if rule.pool is not None:
        name, _, column = rule.pool.partition(".")
        return simple_kind(pools[name].columns[column]) if name in pools and column in pools[name].columns else None
    if rule.faker is not None and faker_faults(rule.faker):
        return None
    return simple_kind(rule)


def _reference_fault(path: str, rules: Mapping[str, Rule], there: Mapping[str, Place]) -> str | None:
    """Return what is wrong with the chain of references that begins at a field."""
    seen, at = [path], path
    while (rule := rules[at]).reference is not None:
        target = rule.reference.field
        if target not in there:
            return f"the schema has no field {target}{_near(target, there)}"
        if not takes(there[target].node):
            return f"{target} is a {there[target].node.kind}, not a plain field"
        if not at.startswith(scope_of(target)):
            return f"{target} is in a list that {at} is not in"
        if target in seen:
            return f"the references go round in a circle: {' -> '.join([*seen, target])}"
        seen.append(target)
        at = target
    return None

"""The checks of a scenario file against its schema. Faults are collected, so that all are told at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cluster.errors import Misconfigured
from cluster.text.nearest import meant
from producer.scenarios.declared.field_paths import Place, scope_of
from producer.scenarios.declared.relations import circle
from producer.scenarios.declared.rules import NULLS, Computed, Distribution, Pool, Rule
from producer.scenarios.declared.typing_of_values import takes
from producer.scenarios.declared.values import MAP_KEYS, Kind, kind_of
from producer.scenarios.declared.vocabulary import faker_faults, simple_kind
from producer.scenarios.declared.wording import faults_of
from schemas.identity import IDENTITY_FIELD
from schemas.types.node import Node, member_names

_NEVER_IN_POOLS = ("reference", "pool", "timestamp", "length", "options", "branches", "computed")
_SAID: dict[Kind, str] = {
    "text": "text",
    "number": "numbers",
    "time": "times",
    "truth": "true and false",
    "bytes": "bytes",
}
_OPTION = {"array": "list", "map": "mapping"}
_M = TypeVar("_M", bound=BaseModel)


class Checking:
    """The checks of one file; what is wrong is collected."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def error(self, path: Path) -> Misconfigured:
        """Return one error that names every fault."""
        many = len(self.faults) > 1
        said = "\n".join([f"{len(self.faults)} faults:", *(f"  {fault}" for fault in self.faults)])
        return Misconfigured(
            said if many else "".join(self.faults), where=str(path), hint="docs/scenarios.md has every key"
        )

    def model(self, model: type[_M], value: Any, where: str) -> _M | None:
        """Validate one part; keys that are unknown are named with the nearest known one."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.faults += faults_of(error, model, where)
            return None

    def rules(self, raw: Mapping[str, Any], where: str) -> dict[str, Rule]:
        """Validate the rules that the file has, by path."""
        found = {path: self.model(Rule, _as_meant(value), f"{where}.{path}") for path, value in raw.items()}
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
                self.faults.append(f"{where}: the schema has no such field{meant(path, there)}")
                continue
            if path == IDENTITY_FIELD and _holds_identity(place.node):
                self.faults.append(f"{where}: it takes the identity of the event; leave it out")
            decided = next((name for name in NULLS if getattr(rule, name)), None)
            if decided is not None and not place.node.nullable:
                self.faults.append(f"{where}.{decided}: the schema allows no null there")
            if decided not in (None, "nulls") and place.node.kind == "union":
                self.faults.append(f"{where}.{decided}: it is a union: give null a weight in branches")
            if rule.nulls is not None and "null" in (rule.branches or {}):
                self.faults.append(f"{where}: nulls and the weight of the branch null say the same: keep one")
            self._alone(rule, where)
            self._pool(rule, where, pools)

    def _alone(self, rule: Rule, where: str) -> None:
        if rule.faker is not None:
            self.faults += [f"{where}.faker: {fault}" for fault in faker_faults(rule.faker)]
        if (rule.choice is not None or rule.cycle is not None) and simple_kind(rule) is None:
            self.faults.append(f"{where}.{rule.way}: its values are of different kinds")

    def _pool(self, rule: Rule, where: str, pools: Mapping[str, Pool]) -> None:
        if rule.pool is None:
            return
        name, _, column = rule.pool.partition(".")
        if name not in pools:
            self.faults.append(f"{where}.pool: there is no pool {name}{meant(name, pools, listed=True)}")
        elif not column:
            columns = ", ".join(f"{name}.{known}" for known in pools[name].columns)
            self.faults.append(f"{where}.pool: say which column of the pool: {columns}")
        elif column not in pools[name].columns:
            near = meant(column, pools[name].columns, listed=True)
            self.faults.append(f"{where}.pool: pool {name} has no column {column}{near}")

    def ways(self, rules: Mapping[str, Rule], there: Mapping[str, Place], pools: Mapping[str, Pool]) -> None:
        """Check that what each rule gives is what its field takes, and that references lead somewhere."""
        for path, place in there.items():
            where, rule, node = f"fields.{path}", rules[path], place.node
            self._nulls(path, rules, there, pools)
            if node.kind == "record":
                if rule.way is not None:
                    self.faults.append(f"{where}: it is a record: give rules to its fields, such as {_child(place)}")
            elif node.kind in ("array", "map"):
                self._repeated(rule, place, where)
            elif node.kind == "union":
                self._branches(rule, node, where)
            elif node.kind != "null":
                self._leaf(path, rules, there, pools)

    def _repeated(self, rule: Rule, place: Place, where: str) -> None:
        kind = place.node.kind
        if rule.options is not None:
            if not all(isinstance(one, list if kind == "array" else dict) for one in rule.options):
                self.faults.append(f"{where}.options: each must be a {_OPTION[kind]}")
        elif rule.length is None:
            self.faults.append(f"{where}: it is of type {kind}: its rule is length, and its items are {_child(place)}")
        elif kind == "map" and (most := _most(rule.length)) > len(MAP_KEYS):
            self.faults.append(f"{where}.length: it is {most:g}, a map has at most {len(MAP_KEYS)} items")

    def _branches(self, rule: Rule, node: Node, where: str) -> None:
        known = member_names(node)
        if rule.branches is None:
            self.faults.append(f"{where}: it is a union: its rule is branches, with weights of {', '.join(known)}")
            return
        strange = [name for name in rule.branches if name not in known]
        self.faults += [
            f"{where}.branches: there is no branch {name}{meant(name, known, listed=True)}" for name in strange
        ]
        weights = rule.branches.values()
        if any(not (weight >= 0 and math.isfinite(weight)) for weight in weights) or not sum(weights) > 0:
            self.faults.append(f"{where}.branches: weights must be numbers of 0 or more, not all 0")

    def _leaf(
        self, path: str, rules: Mapping[str, Rule], there: Mapping[str, Place], pools: Mapping[str, Pool]
    ) -> None:
        where, rule, node = f"fields.{path}", rules[path], there[path].node
        if rule.length is not None or rule.branches is not None or rule.options is not None:
            self.faults.append(f"{where}.{rule.way}: it is of type {node.logical or node.kind}")
            return
        if self._related(path, rules, there, pools):
            return
        kind = _kind_of(rule, rules, pools)
        if kind is not None and kind not in takes(node):
            label = node.logical or node.kind
            self.faults.append(f"{where}.{rule.way}: it gives {_SAID[kind]}, the field is of type {label}")
        if rule.bytes is not None and _is_plain_fixed(node) and not _is_exactly(rule.bytes, node.size):
            self.faults.append(
                f"{where}.bytes: the field is a fixed of {node.size} bytes: say {node.size}, or leave the rule out"
            )
        if node.kind == "enum" and (listed := rule.cycle or (rule.choice and rule.choice.values)):
            strange = [value for value in listed if value not in node.symbols]
            self.faults += [
                f"{where}.{rule.way}: {value!r} is not a symbol{meant(str(value), node.symbols)}" for value in strange
            ]

    def _related(
        self, path: str, rules: Mapping[str, Rule], there: Mapping[str, Place], pools: Mapping[str, Pool]
    ) -> bool:
        """Check what a rule's values follow from; return whether something is wrong there."""
        where, rule = f"fields.{path}", rules[path]
        fault = None
        if rule.reference is not None:
            fault = _part_fault(path, rule.reference.field, there)
        elif rule.computed is not None:
            fault = _computed_fault(path, rule.computed, there)
        if fault is None and (found := circle(path, "values", rules.get)):
            fault = f"the references go round in a circle: {' -> '.join(found)}"
        if fault is None and rule.computed is not None:
            wanted: Kind = "time" if rule.computed.span else "number"
            kinds = ((part, _kind_of(rules[part], rules, pools)) for part in rule.computed.parts)
            fault = next(
                (f"{part} holds {_SAID[kind]}, not {_SAID[wanted]}" for part, kind in kinds if kind and kind != wanted),
                None,
            )
        if fault is not None:
            self.faults.append(f"{where}.{rule.way}: {fault}")
        return fault is not None

    def _nulls(
        self, path: str, rules: Mapping[str, Rule], there: Mapping[str, Place], pools: Mapping[str, Pool]
    ) -> None:
        """Check what decides which values are null."""
        rule, fault = rules[path], None
        if rule.nulls_with is not None:
            place = there.get(rule.nulls_with)
            if place is None:
                fault = f"the schema has no field {rule.nulls_with}{meant(rule.nulls_with, there)}"
            elif not place.node.nullable or place.node.kind == "union" or place.scope != scope_of(path):
                apart = place.scope != scope_of(path)
                fault = f"{rule.nulls_with} is {'in another list' if apart else 'never null by itself'}"
        for other, values in (rule.nulls_where or {}).items():
            fault = _part_fault(path, other, there)
            known = fault is None and not circle(other, "values", rules.get)
            kind = _kind_of(rules[other], rules, pools) if known else None
            if fault is None and kind is not None and kind_of(values) != kind:
                fault = f"{other} holds {_SAID[kind]}, not {', '.join(map(repr, values))}"
        if fault is None and (found := circle(path, "nulls", rules.get)):
            fault = f"the references go round in a circle: {' -> '.join(found)}"
        if fault is not None:
            self.faults.append(f"fields.{path}.{next(name for name in NULLS if getattr(rule, name))}: {fault}")

    def columns(
        self, head: Mapping[str, Any], root: Node, rules: Mapping[str, Rule], pools: Mapping[str, Pool]
    ) -> None:
        """Check the columns that the head names: each is a plain field of the event itself."""
        plain = {name: node for name, node in root.fields if takes(node)}
        for key in ("key", "mix", "event_time"):
            name = head.get(key)
            if isinstance(name, str) and name not in plain:
                self.faults.append(f"{key}: there is no plain field {name} at the top{meant(name, plain)}")
        name = head.get("event_time")
        if not self.faults and isinstance(name, str) and not _holds_moments(plain[name], rules[name], rules, pools):
            times = [one for one, node in plain.items() if _holds_moments(node, rules[one], rules, pools)]
            known = f": {', '.join(times)} would do" if times else "; give it the rule timestamp"
            self.faults.append(f"event_time: the field {name} holds no time{known}")


def _as_meant(rule: Any) -> Any:
    """Return a rule in which YAML's own word null, written as a key, is what it was meant to be."""
    if not isinstance(rule, dict):
        return rule
    named = {"nulls" if key is None else key: part for key, part in rule.items()}
    if isinstance(branches := named.get("branches"), dict):
        named["branches"] = {"null" if key is None else key: weight for key, weight in branches.items()}
    return named


def _child(place: Place) -> str:
    if place.node.kind == "record":
        return f"{place.path}.{place.node.fields[0][0]}" if place.node.fields else place.path
    return place.path + ("[]" if place.node.kind == "array" else "{}")


def _holds_identity(node: Node) -> bool:
    return node.kind == "string" and not node.nullable


def _kind_of(rule: Rule, rules: Mapping[str, Rule], pools: Mapping[str, Pool]) -> Kind | None:
    """Return what a rule gives; ``None`` when that is not known because of another fault."""
    if rule.reference is not None:
        other = rules.get(rule.reference.field)
        return None if other is None else _kind_of(other, rules, pools)
    if rule.pool is not None:
        name, _, column = rule.pool.partition(".")
        return simple_kind(pools[name].columns[column]) if name in pools and column in pools[name].columns else None
    if rule.faker is not None and faker_faults(rule.faker):
        return None
    return simple_kind(rule)


def _part_fault(path: str, part: str, there: Mapping[str, Place]) -> str | None:
    """Return what is wrong with a field that another one's values, or nulls, follow from."""
    if part not in there:
        return f"the schema has no field {part}{meant(part, there)}"
    node = there[part].node
    if not takes(node):
        return f"{part} is a {node.kind}, not a plain field"
    if not path.startswith(scope_of(part)):
        return f"{part} is in a list that {path} is not in"
    return None


def _computed_fault(path: str, one: Computed, there: Mapping[str, Place]) -> str | None:
    """Return what is wrong with the fields that a computed one is made of."""
    if one.count is not None:
        place = there.get(one.count)
        if place is None:
            return f"the schema has no field {one.count}{meant(one.count, there)}"
        if place.node.kind not in ("array", "map"):
            return f"{one.count} is of type {place.node.kind}, not a list or a map"
        return None if place.scope == scope_of(path) else f"{one.count} is in a list that {path} is not in"
    for part in one.parts:
        within = scope_of(part).removesuffix("[]").removesuffix("{}")
        beside = scope_of(part) != within and scope_of(within) == scope_of(path)
        if one.sum and beside and part in there and takes(there[part].node):
            continue  # the items of a list beside it are summed up
        if fault := _part_fault(path, part, there):
            return fault
    return None


def _holds_moments(node: Node, rule: Rule, rules: Mapping[str, Rule], pools: Mapping[str, Pool]) -> bool:
    """Return whether values are points in time; a whole number without a label may be one."""
    if node.logical.startswith("time-"):
        return False
    if node.kind in ("int", "long"):
        return True
    return "time" in takes(node) and _kind_of(rule, rules, pools) == "time"


def _most(length: Distribution) -> float:
    """Return the largest length that a rule asks for by name; a tail that has no end is cut."""
    asked = {"constant": length.value, "uniform": length.high}.get(length.kind)
    return asked or 0.0


def _is_plain_fixed(node: Node) -> bool:
    return node.kind == "fixed" and not node.logical


def _is_exactly(wanted: Distribution, size: int) -> bool:
    return wanted.kind == "constant" and wanted.value == size

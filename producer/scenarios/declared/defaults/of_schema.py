"""From a schema to the rules of all fields that the file says nothing about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from producer.scenarios.declared.defaults import ids, numbers, text, times
from producer.scenarios.declared.defaults.answers import answer_pools
from producer.scenarios.declared.defaults.codes import FORMS
from producer.scenarios.declared.defaults.field import Field, fields_of
from producer.scenarios.declared.defaults.people import PEOPLE, people_pool
from producer.scenarios.declared.defaults.places import place_pools
from producer.scenarios.declared.defaults.properties import listed_in, range_in, rows_of, said_of, unread_of
from producer.scenarios.declared.defaults.readings import AROUND
from producer.scenarios.declared.defaults.together import follow
from producer.scenarios.declared.field_paths import Place
from producer.scenarios.declared.rules import NULLS, Pool, Rule
from producer.scenarios.declared.texts_of_types import texts_of
from schemas.types.node import RECURSION, Node, member_names

_NULLS = 0.1
_REPEATED = re.compile(r"\[\]|\{\}")
_SEVERAL = 4  # arrays and maps in each other that have several items, or none
_SELDOM = re.compile(
    r"\b(fraud|fraudulent|deleted|error|failed|deceased|refunded|test|bot|anomaly|outlier|banned|blocked|suspended|"
    r"cancelled|canceled|retake|spam|duplicate|critical|emergency|recalled)\b"
)
# Faker fills a pool for each: a few hundred of what nobody tells apart are enough.
_FAKER_POOL = {"sentence": 300, "street_address": 500}
# What a number says by a number, and a text in words.
_IN_WORDS = frozenset(
    ["kind", "flag", "level of ten", "place in a list", "dose", "anything", "score of 100", "tri-state"]
)
# A text that nothing is known of is one of a few words: most texts name kinds.
_FEW_WORDS = {"faker": {"provider": "word", "pool": 24}}
_CODE_ON_CARD = r"\b(expiration|expiry|exp)\b"


@dataclass(frozen=True, slots=True)
class Defaults:
    """Rules by path, and the pools that they draw from; no pool of a file has such a name.

    ``remarks``: what the schema says of its values that is left out, in words.
    """

    rules: Mapping[str, Rule]
    pools: Mapping[str, Pool]
    remarks: tuple[str, ...] = ()


def defaults_of(root: Node, there: Mapping[str, Place], named: Mapping[str, Rule]) -> Defaults:
    """Return a rule for every place of a schema, as if the file named none.

    :param there: the places, by path.
    :param named: the rules of the file: what stands in relation to a field that has one does not follow it.
    """
    fields = fields_of(root, there)
    drawn = _Drawn(fields)
    ways = {path: drawn.way(field) for path, field in fields.items()}
    drawn.take(follow(ways, fields, named))
    ways |= drawn.listed(root, there)
    rules = {}
    for path, way in ways.items():
        node = there[path].node
        decided = any(name in way for name in NULLS)
        some = node.nullable and node.kind != "null" and path not in drawn.own and not decided
        rules[path] = Rule.model_validate(way | ({"nulls": _NULLS} if some else {} if way else {"nulls": 0.0}))
    pools = {name: Pool.model_validate(pool) for name, pool in drawn.pools(ways).items()}
    return Defaults(rules, pools, _remarks(there, named))


def _remarks(there: Mapping[str, Place], named: Mapping[str, Rule]) -> tuple[str, ...]:
    """Return one remark for all that ``arg.properties`` say and that is left out, if the file says nothing instead."""
    ruled = {path for path, rule in named.items() if rule.way is not None}
    left = [f"{what} ({path})" for path, place in there.items() if path not in ruled for what in unread_of(place.node)]
    return (f"arg.properties are not followed in: {', '.join(left)}",) if left else ()


class _Drawn:
    """The ways of one schema's fields, and the pools that they need."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        top = {path: field for path, field in fields.items() if path == field.place.name}
        self.own = ids.own_ids(top)
        self._fields = fields
        self._pools: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, list[str]] = {}

    def way(self, field: Field) -> dict[str, Any]:
        """Return how the values of a field arise."""
        node = field.node
        if said := said_of(node):
            return said
        if node.logical and node.logical != "decimal":
            return times.moment(field)
        match node.kind:
            case "string":
                return self._text(field)
            case "int" | "long" | "float" | "double":
                return self._number(field)
            case "boolean":
                return {"choice": {True: 1.0, False: 19.0} if _SELDOM.search(field.says) else [True, False]}
            case "enum":
                return {"choice": {symbol: round(1 / rank, 3) for rank, symbol in enumerate(node.symbols, 1)}}
            case "array" | "map":
                # Items of items of items multiply: deep in each other each has one.
                return {"length": [0, 3] if len(_REPEATED.findall(field.place.path)) < _SEVERAL else 1}
            case "union":
                return {"branches": dict.fromkeys(member_names(node), 1.0)}
        return self._rest(field)

    def _rest(self, field: Field) -> dict[str, Any]:
        node = field.node
        if node.logical == "decimal":
            return numbers.number_rule(field) or numbers.rule_of("money", field)
        if node.kind in ("bytes", "fixed"):
            return {"bytes": node.size if node.kind == "fixed" else [4, 16]}
        if node.kind == RECURSION:
            return {"choice": self._texts_of(node)}
        return {"nulls": 1.0} if node.kind == "null" else {}  # a record's fields have rules of their own

    def _texts_of(self, node: Node) -> list[str]:
        """Return texts of a type inside itself: made once, however often it is there."""
        if node.name not in self._texts:
            self._texts[node.name] = texts_of(node)
        return self._texts[node.name]

    def _text(self, field: Field) -> dict[str, Any]:
        if field.place.path in self.own:
            return ids.own(field)
        if field.node.uuid:
            return self._reference(field) if ids.is_reference(field) else {"uuid": True}
        if field.place.path.endswith("{}"):  # the keys of a map say what its values are, and nobody knows them
            return {"faker": {"provider": "word", "pool": 300}}
        if times.is_moment(field) and not (
            field.is_named(_CODE_ON_CARD) and field.is_near(r"\b(card|cards|cvv|pan)\b")
        ):
            return times.moment(field)
        if field.is_named(ids.ENTITIES) and not (field.says == "terminal" and field.is_near(AROUND["travel"])):
            return self._reference(field)
        if len(listed := listed_in(field.doc)) > 1:
            return {"choice": listed}
        if found := text.text_rule(field):
            return self._with_pool(found)
        if ids.is_reference(field):
            return self._reference(field)
        kind = numbers.kind_of(field)
        return _FEW_WORDS if kind is None or kind in _IN_WORDS else numbers.rule_of(kind, field)

    def _number(self, field: Field) -> dict[str, Any]:
        if field.place.path in self.own:
            return ids.own(field)
        if times.is_moment(field):
            return times.moment(field)
        whole = field.node.kind in ("int", "long")
        if whole and field.node.kind == "long" and field.is_named(r"\b(card number|pan|credit card)( number)?$"):
            return text.rule_of("checked:card_number_whole", field)
        if (
            whole
            and ids.is_reference(field)
            and not field.is_named(r"\b(process|thread|partition|shard|sequence) (id|key)$")
        ):
            return self._reference(field)
        if field.is_named(r"\b(latitude|longitude)$") and field.is_near(r"\b(city|town)\b"):
            return text.rule_of(f"place:{field.says.split()[-1]}", field)
        return numbers.number_rule(field) or _told_range(field) or numbers.anything(field)

    def _reference(self, field: Field) -> dict[str, Any]:
        name, rows = ids.references(field)
        self._pools[name] = rows
        return {"pool": f"{name}.id"}

    def _with_pool(self, found: dict[str, Any]) -> dict[str, Any]:
        """Keep the pool that a text's rule draws from: that of a form of which some values are met often, or Faker's."""
        if "faker" in found:
            return _of_faker(found["faker"])
        name, _, column = found.get("pool", "").partition(".")
        if column == "value":
            form = name[1:].split(" of ")[0].replace(" ", "_")
            self._pools[name] = {
                "size": 40 if form == "short_code" else 1000,
                "skew": 0.8,
                "columns": {"value": {"pattern": FORMS[form]}},
            }
        return found

    def listed(self, root: Node, there: Mapping[str, Place]) -> dict[str, dict[str, Any]]:
        """Return the ways of the fields of records that the schema lists whole: those of one event are of one of them."""
        found: dict[str, dict[str, Any]] = {}
        for path, node in [("", root), *((path, place.node) for path, place in there.items())]:
            rows = rows_of(node)
            inside = path + "." if path else ""
            columns = {
                name: [row.get(name) for row in rows] for name, child in node.fields if rows and _is_plain(child)
            }
            whole = {
                name: {"cycle": values} for name, values in columns.items() if all(_is_scalar(one) for one in values)
            }
            if whole:
                name = f"(options of {path.replace('.', ' ') or 'the record'})"
                self._pools[name] = {"size": len(rows), "columns": whole}
                found |= {inside + column: {"pool": f"{name}.{column}"} for column in whole}
        return found

    def take(self, pools: Mapping[str, dict[str, Any]]) -> None:
        """Keep pools that the relations between fields need."""
        self._pools |= pools

    def pools(self, ways: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the pools that ways refer to."""
        ready = place_pools() | answer_pools()
        used = {str(way["pool"]).partition(".")[0] for way in ways.values() if "pool" in way}
        known = dict(self._pools)
        for name in used - set(known):
            if name.startswith(PEOPLE):
                known[name] = people_pool()
            else:
                known[name] = ready[next(one for one in ready if name.startswith(one))]
        return {name: known[name] for name in sorted(used)}


def _told_range(field: Field) -> dict[str, Any] | None:
    told = range_in(field.doc)
    if told is None:
        return None
    digits = 0 if field.node.kind in ("int", "long") else 4
    return {"distribution": {"kind": "uniform", "low": told[0], "high": told[1], "round": digits}}


def _of_faker(provider: str) -> dict[str, Any]:
    return {"faker": {"provider": provider, "pool": _FAKER_POOL.get(provider, 1000)}}


def _is_plain(node: Node) -> bool:
    return node.kind in ("string", "int", "long", "float", "double", "boolean", "enum")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)

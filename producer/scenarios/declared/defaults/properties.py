"""What a schema itself says about its values, in the words of others.

``arg.properties`` are those of Confluent's datagen connector, as its generator describes them
(https://github.com/confluentinc/avro-random-generator#schema-annotations). ``connect.parameters`` with ``allowed`` are
the words of an enumeration as Debezium writes it. What is not understood is as if it were not there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from producer.scenarios.declared.defaults.words import search
from producer.scenarios.declared.patterns import UnknownPattern, checked_pattern, texts_within
from producer.scenarios.declared.rules import MAX_BYTES, MAX_LENGTH
from schemas.types.node import Node, member_names

_KINDS: dict[str, dict[str, Any]] = {"uuid": {"uuid": True}, "email": {"faker": "email"}, "name": {"faker": "name"}}
_MOST = {"int": 2**31 - 1, "long": 2**53}
_USUAL_LENGTH = {"min": 8, "max": 16}
_MOST_ITEMS_OF_A_MAP = 22


def said_of(node: Node) -> dict[str, Any] | None:
    """Return the rule that the schema says for a type; ``None`` where it says none, or nothing that is understood."""
    said = node.properties.get("arg.properties")
    if isinstance(said, Mapping):
        return _of_datagen(node, said)
    allowed = _mapping(node.properties.get("connect.parameters")).get("allowed")
    if node.kind == "string" and isinstance(allowed, str) and allowed.strip(", "):
        return {"choice": [one for one in allowed.split(",") if one]}
    return None


def unread_of(node: Node) -> list[str]:
    """Return what a schema says of a type's values that is left out, in words."""
    said = node.properties.get("arg.properties")
    if not isinstance(said, Mapping):
        return []
    found = []
    if isinstance(said.get("options"), Mapping):
        found.append("options from a file")
    if node.kind == "map" and "keys" in said:
        found.append("keys of a map")
    asked = {"options", "range", "regex", "iteration", "odds", "length", "position", "distribution"} & said.keys()
    if not found and asked and said_of(node) is None and not rows_of(node):
        found.append(" and ".join(sorted(asked)))
    if isinstance(said.get("regex"), str) and "length" in said and (said_of(node) or {}).get("pattern"):
        found.append("length beside a regex of which no text is so long")
    return found


def listed_in(doc: str) -> list[str]:
    """Return the words that a description lists: ``One of NEW, PAID or SHIPPED``."""
    found = search(
        r"\b[Oo]ne of:? \(?((?:['\"`]?[A-Za-z][\w-]*['\"`]?(?:, ?(?:or )?| or | ?\| ?|/)){1,30}['\"`]?[A-Za-z][\w-]*['\"`]?)",
        doc,
    )
    return list(dict.fromkeys(re.findall(r"[A-Za-z][\w-]*", re.sub(r"\bor\b", ",", found[1])))) if found else []


def range_in(doc: str) -> tuple[float, float] | None:
    """Return the range that a description names: ``between 0 and 1``, ``from 1 to 5``, ``0-100``."""
    number = r"(-?\d+(?:\.\d+)?)"
    found = search(
        rf"\b(?:between {number} and {number}|from {number} to {number}|(?:range|scale|values?):? {number} ?(?:-|to|\.\.) ?{number})\b",
        doc,
    )
    if found is None:
        return None
    low, high = (float(one) for one in found.groups() if one is not None)
    return (low, high) if low < high else None


def rows_of(node: Node) -> tuple[dict[str, Any], ...]:
    """Return the whole records that a schema lists for a record: of each, its fields come from one."""
    options = _mapping(node.properties.get("arg.properties")).get("options")
    if node.kind != "record" or not isinstance(options, list):
        return ()
    return (
        tuple(one for one in options if isinstance(one, dict)) if all(isinstance(one, dict) for one in options) else ()
    )


def _of_datagen(node: Node, said: Mapping[str, Any]) -> dict[str, Any] | None:
    match node.kind:
        case "string" | "enum" | "bytes" | "fixed" if node.logical != "decimal":
            return _of_text(node, said)
        case "boolean":
            return _of_truth(said)
        case "int" | "long" | "float" | "double" | "bytes" | "fixed":
            return _of_number(node, said)
        case "array" | "map":
            return _of_items(node, said)
        case "union":
            return _of_union(node, said)
    return None


def _of_text(node: Node, said: Mapping[str, Any]) -> dict[str, Any] | None:
    before, after = str(said.get("prefix", "")), str(said.get("suffix", ""))
    if options := _scalars(said):
        return {"choice": [f"{before}{one}{after}" for one in options]}
    if node.kind in ("bytes", "fixed"):
        length = _length(said.get("length"), MAX_BYTES)
        return {"bytes": length} if length and node.kind == "bytes" else None
    if (kind := _KINDS.get(str(said.get("kind")))) and not (before or after):
        return kind
    if node.kind != "string" or not {"regex", "length", "prefix", "suffix"} & set(said):
        return None
    wanted, length = said.get("regex"), _length(said.get("length", _USUAL_LENGTH), MAX_LENGTH) or [8, 15]
    try:
        if wanted is None:
            wanted = f"[A-Za-z0-9]{{{length[0]},{length[1]}}}"
        elif "length" in said and (texts := texts_within(str(wanted), *length)):
            return {"choice": [f"{before}{one}{after}" for one in texts]}
        return {"pattern": checked_pattern(f"{re.escape(before)}({wanted}){re.escape(after)}")}
    except UnknownPattern:
        return None


def _of_truth(said: Mapping[str, Any]) -> dict[str, Any] | None:
    if options := said.get("options"):
        chosen = [one for one in options if isinstance(one, bool)] if isinstance(options, list) else []
        return {"choice": chosen} if chosen else None
    if isinstance(start := _mapping(said.get("iteration")).get("start"), bool | str):
        first = start if isinstance(start, bool) else start.lower() == "true"
        return {"cycle": [first, not first]}
    odds = said.get("odds")
    if isinstance(odds, int | float) and 0 <= odds <= 1:
        return {"choice": {True: float(odds), False: 1.0 - odds}}
    return None


def _of_number(node: Node, said: Mapping[str, Any]) -> dict[str, Any] | None:
    if options := _scalars(said):
        numbers = [one for one in options if isinstance(one, int | float) and not isinstance(one, bool)]
        return {"choice": numbers} if numbers else None
    if steps := _mapping(said.get("iteration")):
        return _iterated(steps)
    bounds = _mapping(said.get("range"))
    low, high = _number(bounds.get("min")), _number(bounds.get("max"))
    if low is None and high is None:
        return None
    most = _MOST.get(node.kind, 1e9)
    low = max(-float(most), min(0.0, high - 1) if low is None and high is not None else low or 0.0)
    high = max(low, float(most) if high is None else min(high, float(most)))
    whole = node.kind in ("int", "long")
    if not whole:
        return {"distribution": {"kind": "uniform", "low": low, "high": high}}
    last = max(math.ceil(low), math.ceil(high) - 1)  # the upper end is not in the range
    return {"distribution": {"kind": "uniform", "low": math.ceil(low), "high": last, "round": 0}}


def _iterated(steps: Mapping[str, Any]) -> dict[str, Any] | None:
    start, restart = _number(steps.get("start")), _number(steps.get("restart"))
    step = _number(steps.get("step"))
    if start is None or restart == start:
        return None
    step = step if step is not None else (-1 if restart is not None and restart < start else 1)
    numbers = [one for one in (start, restart, step) if one is not None]
    if step == 0 or any(one != int(one) for one in numbers) or (restart is not None and (restart - start) * step <= 0):
        return None
    rule: dict[str, Any] = {"start": int(start), "step": int(step)}
    return {"sequence": rule | ({} if restart is None else {"restart": int(restart)})}


def _of_items(node: Node, said: Mapping[str, Any]) -> dict[str, Any] | None:
    options = said.get("options")
    wanted: type = list if node.kind == "array" else dict
    if isinstance(options, list) and options and all(isinstance(one, wanted) for one in options):
        return {"options": options}
    length = _length(said.get("length"), MAX_LENGTH if node.kind == "array" else _MOST_ITEMS_OF_A_MAP)
    return {"length": length} if length else None


def _of_union(node: Node, said: Mapping[str, Any]) -> dict[str, Any] | None:
    names = member_names(node)
    position, shares = said.get("position"), _mapping(said.get("distribution"))
    if isinstance(position, int) and 0 <= position < len(names):
        return {"branches": {names[position]: 1.0}}
    weights = {
        names[int(place)]: float(share)
        for place, share in shares.items()
        if str(place).isdigit() and int(place) < len(names) and isinstance(share, int | float) and share >= 0
    }
    return {"branches": weights} if sum(weights.values()) > 0 else None


def _scalars(said: Mapping[str, Any]) -> list[Any]:
    options = said.get("options")
    return [one for one in options if isinstance(one, str | int | float)] if isinstance(options, list) else []


def _length(said: Any, most: int) -> list[int] | None:
    """Return the least and the largest length: the upper end is not in the range."""
    if isinstance(said, int) and not isinstance(said, bool):
        return [max(0, min(said, most))] * 2
    bounds = _mapping(said)
    low, high = _number(bounds.get("min")), _number(bounds.get("max"))
    if low is None and high is None:
        return None
    least = int(max(0, min(low or 0, most)))
    return [least, int(max(least, min(least + 8 if high is None else high - 1, most)))]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    """Return a number, also one that is written as a text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None

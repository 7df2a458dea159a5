"""Values of a type that holds itself, as the JSON text that its column takes: a few small ones, always the same.

The form is that of ``schemas/formats/avro/json_text``: branches are named, and members are in the order of the schema.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from schemas.types.node import Node

_TRIES = 12
_DEEPEST = 2  # how often a type begins again in a value
_LONGEST = 2000  # characters of a text, where shorter ones are enough
_WORDS = ("alpha", "beta", "gamma", "delta", "omega")
_DAY = 20_454  # 2026-01-01
_PER_DAY = {"millis": 86_400_000, "micros": 86_400_000_000}


def texts_of(node: Node) -> list[str]:
    """Return texts of values of a recursion, all different, the shortest first."""
    found = set()
    for seed in range(_TRIES):
        chance = random.Random(seed)  # noqa: S311 - the same texts every time
        found.add(_value(node.definition, _Making(chance, seed % (_DEEPEST + 1)), frozenset()))
    texts = sorted((text for text in found if text is not None), key=lambda text: (len(text), text))
    return [text for text in texts if len(text) <= _LONGEST] or texts[:1]


@dataclass(slots=True)
class _Making:
    """What decides one value. Once ``left`` is used up, every type takes its shortest way to an end."""

    chance: random.Random
    left: int


def _value(node: Node, making: _Making, closed: frozenset[str]) -> str | None:
    """Return a value that is not null, ``None`` where it would not end.

    :param closed: types that must not begin again.
    """
    match node.kind:
        case "recursion":
            return None if node.name in closed else _again(node, making, closed)
        case "record":
            return _record(node, making, closed)
        case "union":
            return _branch(node.branches, making, closed)
        case "array" | "map":
            return _items(node, making, closed)
    return _leaf(node, making.chance)


def _again(node: Node, making: _Making, closed: frozenset[str]) -> str | None:
    if making.left > 0:
        making.left -= 1
        return _value(node.definition, making, closed)
    return _value(node.definition, making, closed | {node.name})


def _nullable(node: Node, making: _Making, closed: frozenset[str]) -> str | None:
    if node.null_branch is None:
        return _value(node, making, closed)
    return _branch((Node("null"), node), making, closed)


def _branch(branches: tuple[Node, ...], making: _Making, closed: frozenset[str]) -> str | None:
    """Return a value of a branch: the first that ends, in an order by chance, or null first to come to an end."""
    order = making.chance.sample(branches, len(branches))
    if making.left <= 0:
        order.sort(key=lambda branch: branch.kind != "null")
    for branch in order:
        if branch.kind == "null":
            return "null"
        inner = _value(branch, making, closed)
        if inner is not None:
            return f"{{{json.dumps(branch.name or branch.kind)}:{inner}}}"
    return None


def _record(node: Node, making: _Making, closed: frozenset[str]) -> str | None:
    members = []
    for name, child in node.fields:
        value = _nullable(child, making, closed)
        if value is None:
            return None
        members.append(f"{json.dumps(name)}:{value}")
    return f"{{{','.join(members)}}}"


def _items(node: Node, making: _Making, closed: frozenset[str]) -> str:
    keyed = node.kind == "map"
    items = []
    for place in range(making.chance.randrange(1, 3) if making.left > 0 else 0):
        value = _nullable(node.element(), making, closed)
        if value is not None:
            items.append(f'"{_WORDS[place]}":{value}' if keyed else value)
    text = ",".join(items)
    return f"{{{text}}}" if keyed else f"[{text}]"


def _leaf(node: Node, chance: random.Random) -> str:
    family, _, unit = node.logical.rpartition("-")
    if family:
        within = chance.randrange(_PER_DAY[unit])
        return str(within if family == "time" else _DAY * _PER_DAY[unit] + within)
    if node.logical == "date":
        return str(_DAY + chance.randrange(30))
    if node.kind == "enum":
        return json.dumps(chance.choice(node.symbols))
    if node.kind == "fixed":
        return json.dumps("\0" * node.size)
    if node.logical:  # a decimal of one byte
        return json.dumps(chr(1 + chance.randrange(9)))
    return _PLAIN["uuid" if node.uuid else node.kind](chance)


_PLAIN: dict[str, Callable[[random.Random], str]] = {
    "null": lambda _: "null",
    "boolean": lambda chance: chance.choice(("true", "false")),
    "int": lambda chance: str(chance.randrange(1000)),
    "long": lambda chance: str(chance.randrange(1000)),
    "float": lambda chance: str(chance.randrange(1000) / 4),
    "double": lambda chance: str(chance.randrange(1000) / 4),
    "string": lambda chance: json.dumps(chance.choice(_WORDS)),
    "uuid": lambda chance: f'"{uuid.UUID(int=chance.getrandbits(128), version=4)}"',
    "bytes": lambda chance: json.dumps(chance.choice(_WORDS)),
}

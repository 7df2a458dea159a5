"""Values of a type that holds itself, as the JSON text that its column takes: a few small ones, always the same.

The form is that of ``schemas/formats/avro/json_text``: branches are named, and members are in the order of the schema.
"""

from __future__ import annotations

import json
import math
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from cluster.errors import Misconfigured
from schemas.types.node import RECURSION, Node

_TRIES = 12
_DEEPEST = 2  # how often a type begins again in a value
_LONGEST = 2000  # characters of a text, where shorter ones are enough
_MOST_PARTS = 100_000  # of a value that is made at all
_WORDS = ("alpha", "beta", "gamma", "delta", "omega")
_DAY = 20_454  # 2026-01-01
_PER_DAY = {"millis": 86_400_000, "micros": 86_400_000_000}


def texts_of(node: Node) -> list[str]:
    """Return texts of values of a recursion, all different, the shortest first.

    :raises Misconfigured: its smallest value is larger than any that somebody would send.
    """
    smallest = _Smallest(node.definition)
    if (parts := smallest.of(node)) > _MOST_PARTS:
        raise Misconfigured(
            f"no values are made of type {node.name}: its smallest one has {parts:,.0f} parts",
            hint="Give one of its fields a branch null, or a list in place of what it always holds",
        )
    found: set[str] = set()
    for seed in range(_TRIES):
        chance = random.Random(seed)  # noqa: S311 - the same texts every time
        found.add(_value(node.definition, _Making(chance, seed % (_DEEPEST + 1), smallest)))
    texts = sorted(found, key=lambda text: (len(text), text))
    return [text for text in texts if len(text) <= _LONGEST] or texts[:1]


class _Smallest:
    """How many parts the smallest value of each type has, so that a value ends by the shortest way.

    A type inside itself is as large as what it stands for. That is found in rounds: what one round knows of the types
    makes others smaller in the next, until none is.
    """

    def __init__(self, root: Node) -> None:
        self._known: dict[str, float] = {}
        self._met: dict[int, float] = {}
        records = _records_again(root)
        smaller = True
        while smaller:
            self._met.clear()
            now = {name: self.of(record) for name, record in records.items()}
            smaller, self._known = now != self._known, now

    def of(self, node: Node) -> float:
        """Return the parts of a value that is not null."""
        match node.kind:
            case "null":
                return 0
            case "recursion":
                return self._known.get(node.name, math.inf)
            case "record" | "union":
                if id(node) not in self._met:  # a type that is used in many places is one object
                    parts = [0 if each.null_branch is not None else self.of(each) for each in node.below()]
                    self._met[id(node)] = min(parts) if node.kind == "union" else 1 + sum(parts)
                return self._met[id(node)]
        return 1


def _records_again(root: Node) -> dict[str, Node]:
    """Return the records that begin again anywhere below a type, by name."""
    found: dict[str, Node] = {}
    pending, met = [root], {id(root)}
    while pending:
        for each in pending.pop().below():
            node = each.definition if each.kind == RECURSION else each
            if each.kind == RECURSION:
                found[each.name] = node
            if id(node) not in met:
                met.add(id(node))
                pending.append(node)
    return found


@dataclass(slots=True)
class _Making:
    """What decides one value. Once ``left`` is used up, every type takes its shortest way to an end."""

    chance: random.Random
    left: int
    smallest: _Smallest


def _value(node: Node, making: _Making) -> str:
    """Return a value that is not null."""
    match node.kind:
        case "recursion":
            making.left -= 1
            return _value(node.definition, making)
        case "record":
            members = [f"{json.dumps(name)}:{_nullable(child, making)}" for name, child in node.fields]
            return f"{{{','.join(members)}}}"
        case "union":
            return _branch(node.branches, making)
        case "array" | "map":
            return _items(node, making)
    return _leaf(node, making.chance)


def _nullable(node: Node, making: _Making) -> str:
    if node.null_branch is None:
        return _value(node, making)
    return _branch((Node("null"), node), making)


def _branch(branches: tuple[Node, ...], making: _Making) -> str:
    """Return a value of a branch: any, or one of the smallest to come to an end."""
    order = making.chance.sample(branches, len(branches))
    branch = order[0] if making.left > 0 else min(order, key=making.smallest.of)
    if branch.kind == "null":
        return "null"
    return f"{{{json.dumps(branch.name or branch.kind)}:{_value(branch, making)}}}"


def _items(node: Node, making: _Making) -> str:
    several = making.chance.randrange(1, 3) if making.left > 0 else 0
    items = [_nullable(node.element(), making) for _ in range(several)]
    if node.kind == "array":
        return f"[{','.join(items)}]"
    members = [f'"{word}":{item}' for word, item in zip(_WORDS, items, strict=False)]
    return f"{{{','.join(members)}}}"


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

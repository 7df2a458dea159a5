"""From Avro bytes to JSON text, strictly: what is wrong is raised with its place, as by ``strict.py``."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from schemas.formats.avro.wire import Allowance, Reader, bad_branch, block, leaf, string, take, varint
from schemas.types.node import RECURSION, Node
from schemas.undecodable import UndecodableValue

# One step of reading: it takes the payload, the position, the pieces of text so far, and what is still to be done, of
# which the last comes first. It returns the next position.
Step = Callable[[bytes, int, list[str], "list[Task]"], int]
Task = str | Step  # a text stands for itself

_NAN = {"float": b"\x00\x00\xc0\x7f", "double": b"\x00\x00\x00\x00\x00\x00\xf8\x7f"}
_FORMAT = {"float": "<f", "double": "<d"}


def text_reader(node: Node, allowance: Allowance | None = None) -> Reader:
    """Return the reader of a recursion: (payload, position) to its text and the next position.

    Whether the node is nullable does not matter.

    :param allowance: of items without bytes; set anew for each payload by whoever reads it.
    """
    steps = _Steps(allowance or Allowance())
    whole: list[Step] = []

    def read(payload: bytes, at: int) -> tuple[str, int]:
        if not whole:  # deferred: the record is known once the schema has been read to its end
            whole.append(steps.of(node.definition))
        text: list[str] = []
        todo: list[Task] = [whole[0]]
        while todo:
            task = todo.pop()
            if isinstance(task, str):
                text.append(task)
            else:
                at = task(payload, at, text, todo)
        return "".join(text), at

    return read


@dataclass(slots=True)
class _Steps:
    """The steps of one schema; those of a record in itself are made once."""

    allowance: Allowance
    known: dict[str, Step] = field(default_factory=dict)

    def of(self, node: Node) -> Step:
        """Return the step of a type that is not null here."""
        if node.kind == RECURSION:
            return self._again(node)
        if node.kind == "record":
            return self._record(node)
        if node.kind == "union":
            return self._union([self._tagged(branch) for branch in node.branches])
        if node.kind in ("array", "map"):
            return self._items(node)
        return _leaf(node)

    def _nullable(self, node: Node) -> Step:
        if node.null_branch is None:
            return self.of(node)
        branches: list[list[Task]] = [["null"], self._tagged(node)]
        return self._union(branches if node.null_branch == 0 else branches[::-1])

    def _tagged(self, node: Node) -> list[Task]:
        """Return what is to be done for a branch, the last first."""
        if node.kind == "null":
            return ["null"]
        return ["}", self.of(node), f"{{{json.dumps(node.name or node.kind)}:"]

    def _union(self, branches: list[list[Task]]) -> Step:
        def step(payload: bytes, at: int, _: list[str], todo: list[Task]) -> int:
            branch, end = varint(payload, at)
            if not 0 <= branch < len(branches):
                raise bad_branch(branch, len(branches), at)
            todo += branches[branch]
            return end

        return step

    def _again(self, node: Node) -> Step:
        def step(_payload: bytes, at: int, _: list[str], todo: list[Task]) -> int:
            if node.name not in self.known:
                self.known[node.name] = self.of(node.definition)
            todo.append(self.known[node.name])
            return at

        return step

    def _record(self, node: Node) -> Step:
        tasks: list[Task] = ["}"]
        for place, (name, child) in reversed(list(enumerate(node.fields))):
            tasks += [self._nullable(child), f"{',' if place else '{'}{json.dumps(name)}:"]
        if not node.fields:
            tasks = ["{}"]

        def step(_payload: bytes, at: int, _: list[str], todo: list[Task]) -> int:
            todo += tasks
            return at

        return step

    def _items(self, node: Node) -> Step:
        element = node.element()
        item, keyed = self._nullable(element), node.kind == "map"
        allowance = self.allowance if not keyed and element.weightless() else None

        def step(_payload: bytes, at: int, text: list[str], todo: list[Task]) -> int:
            text.append("{" if keyed else "[")
            todo.append(_Items(item, allowance, set() if keyed else None))
            return at

        return step


@dataclass(slots=True)
class _Items:
    """An array, or with ``keys`` a map, while its items are read."""

    item: Step
    allowance: Allowance | None
    keys: set[str] | None
    left: int = 0
    begun: bool = False

    def __call__(self, payload: bytes, at: int, text: list[str], todo: list[Task]) -> int:
        """Begin the next item, or end the whole."""
        if not self.left:
            start = at
            self.left, at = block(payload, at)
            if not self.left:
                text.append("]" if self.keys is None else "}")
                return at
            if self.allowance is not None:
                self.allowance.take(self.left, start)
        self.left -= 1
        if self.begun:
            text.append(",")
        self.begun = True
        if self.keys is not None:
            start = at
            key, at = string(payload, at)
            if key in self.keys:
                raise UndecodableValue("duplicate_key", f"the map key at byte {start} stands there twice")
            self.keys.add(key)
            text.append(f"{_quoted(key)}:")
        todo += [self, self.item]
        return at


def _leaf(node: Node) -> Step:
    if node.kind in _FORMAT:
        return _floating(node.kind)
    read = leaf(node)
    said: Callable[..., str] = json.dumps
    if node.kind in ("bytes", "fixed"):
        said = _of_bytes
    elif node.kind == "string":
        said = _quoted

    def step(payload: bytes, at: int, text: list[str], _: list[Task]) -> int:
        value, at = read(payload, at)
        text.append(said(value))
        return at

    return step


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _of_bytes(value: bytes) -> str:
    return _quoted(value.decode("latin-1"))


def _floating(kind: str) -> Step:
    form = struct.Struct(_FORMAT[kind])

    def step(payload: bytes, at: int, text: list[str], _: list[Task]) -> int:
        raw = take(payload, at, form.size, f"a {kind}")
        (value,) = form.unpack(raw)
        if math.isnan(value):
            text.append('"NaN"' if raw == _NAN[kind] else f'"NaN:{raw.hex()}"')
        elif math.isinf(value):
            text.append('"Infinity"' if value > 0 else '"-Infinity"')
        else:
            short = str(np.float32(value)) if kind == "float" else repr(value)
            text.append(short if form.pack(float(short)) == raw else repr(value))
        return at + form.size

    return step

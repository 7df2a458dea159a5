"""From JSON text, as ``reading.py`` writes it, to Avro bytes: the same bytes that the text was made of.

Arrays and maps are written as one block of items, as every writer of ours does.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented by its use in the module itself

from schemas.types.node import RECURSION, Node

# One step of writing: it takes the text, the position, the pieces of bytes so far, and what is still to be done, of
# which the last comes first. It returns the next position.
Step = Callable[[str, int, list[bytes], "list[Task]"], int]
Task = str | Step  # a text has to stand there

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_FORMAT = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}
_BITS = {"int": 31, "long": 63}
_NOT_FINITE = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}
_ENDS = "]}"


class _Unfit(ValueError):
    """The text is not a value of the type; it is not in the message."""

    def __init__(self, at: int, wanted: str) -> None:
        super().__init__(f"the JSON text of a type in itself: at character {at} has to stand {wanted}")


def text_writer(node: Node) -> Callable[[str], bytes]:
    """Return the writer of a recursion: its text to the bytes of the value; whether it is nullable does not matter.

    The function raises ``ValueError`` for what is not the text of a value.
    """
    steps = _Steps()
    whole: list[Step] = []

    def write(said: str) -> bytes:
        if not whole:
            whole.append(steps.of(node.definition))
        pieces: list[bytes] = []
        todo: list[Task] = [whole[0]]
        at = 0
        while todo:
            task = todo.pop()
            if not isinstance(task, str):
                at = task(said, at, pieces, todo)
            elif said.startswith(task, at):
                at += len(task)
            else:
                raise _Unfit(at, task)
        if at != len(said):
            raise _Unfit(at, "its end")
        return b"".join(pieces)

    return write


@dataclass(slots=True)
class _Steps:
    """The steps of one schema; those of a record in itself are made once."""

    known: dict[str, Step] = field(default_factory=dict)

    def of(self, node: Node) -> Step:
        """Return the step of a type that is not null here."""
        if node.kind == RECURSION:
            return self._again(node)
        if node.kind == "record":
            return self._record(node)
        if node.kind == "union":
            return self._union(list(node.branches))
        if node.kind in ("array", "map"):
            return self._items(node)
        return _LEAVES[node.kind](node)

    def _nullable(self, node: Node) -> Step:
        if node.null_branch is None:
            return self.of(node)
        branches = [Node("null"), node]
        return self._union(branches if node.null_branch == 0 else branches[::-1])

    def _union(self, nodes: list[Node]) -> Step:
        null = next((_varint(place) for place, node in enumerate(nodes) if node.kind == "null"), None)
        branches: dict[str, tuple[bytes, Step]] = {
            node.name or node.kind: (_varint(place), self.of(node))
            for place, node in enumerate(nodes)
            if node.kind != "null"
        }

        def step(said: str, at: int, pieces: list[bytes], todo: list[Task]) -> int:
            if null is not None and said.startswith("null", at):
                pieces.append(null)
                return at + 4
            tag, end = _text(said, _behind(said, at, "{"))
            if tag not in branches:
                raise _Unfit(at, "a branch of the union")
            place, inner = branches[tag]
            pieces.append(place)
            todo += ["}", inner]
            return _behind(said, end, ":")

        return step

    def _again(self, node: Node) -> Step:
        def step(_said: str, at: int, _: list[bytes], todo: list[Task]) -> int:
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

        def step(_said: str, at: int, _: list[bytes], todo: list[Task]) -> int:
            todo += tasks
            return at

        return step

    def _items(self, node: Node) -> Step:
        item, keyed = self._nullable(node.element()), node.kind == "map"

        def step(said: str, at: int, pieces: list[bytes], todo: list[Task]) -> int:
            todo.append(_Items(item, keyed, len(pieces)))
            pieces.append(b"")
            return _behind(said, at, "{" if keyed else "[")

        return step


@dataclass(slots=True)
class _Items:
    """An array or a map while its items are written; their number is known at the end."""

    item: Step
    keyed: bool
    place: int  # of the number among the pieces
    count: int = 0

    def __call__(self, said: str, at: int, pieces: list[bytes], todo: list[Task]) -> int:
        """Begin the next item, or end the whole."""
        if said.startswith(_ENDS[self.keyed], at):
            if self.count:
                pieces[self.place] = _varint(self.count)
            pieces.append(b"\x00")
            return at + 1
        if self.count:
            at = _behind(said, at, ",")
        self.count += 1
        if self.keyed:
            key, at = _text(said, at)
            pieces.append(_sized(_utf8(key, at)))
            at = _behind(said, at, ":")
        todo += [self, self.item]
        return at


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _sized(raw: bytes) -> bytes:
    return _varint(len(raw)) + raw


def _behind(said: str, at: int, mark: str) -> int:
    if not said.startswith(mark, at):
        raise _Unfit(at, mark)
    return at + len(mark)


def _text(said: str, at: int) -> tuple[str, int]:
    if not said.startswith('"', at):
        raise _Unfit(at, "text")
    try:
        value, end = scanstring(said, at + 1, True)
    except ValueError:
        raise _Unfit(at, "text") from None
    return value, end


def _utf8(value: str, at: int) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _Unfit(at, "text that is UTF-8") from None


def _number(said: str, at: int, wanted: str) -> re.Match[str]:
    found = _NUMBER.match(said, at)
    if found is None:
        raise _Unfit(at, wanted)
    return found


def _null(_: Node) -> Step:
    return lambda said, at, _pieces, _todo: _behind(said, at, "null")


def _boolean(_: Node) -> Step:
    def step(said: str, at: int, pieces: list[bytes], _: list[Task]) -> int:
        word = "true" if said.startswith("true", at) else "false"
        pieces.append(b"\x01" if word == "true" else b"\x00")
        return _behind(said, at, word)

    return step


def _whole(node: Node) -> Step:
    most = 1 << _BITS[node.kind]

    def step(said: str, at: int, pieces: list[bytes], _: list[Task]) -> int:
        found = _number(said, at, f"a number ({node.kind})")
        if found[1] or found[2] or len(found[0]) > 20 or not -most <= int(found[0]) < most:
            raise _Unfit(at, f"a number ({node.kind})")
        pieces.append(_varint(int(found[0])))
        return found.end()

    return step


def _floating(node: Node) -> Step:
    form = _FORMAT[node.kind]

    def step(said: str, at: int, pieces: list[bytes], _: list[Task]) -> int:
        if said.startswith('"', at):
            word, end = _text(said, at)
            pieces.append(_not_finite(word, form, at))
            return end
        found = _number(said, at, f"a number ({node.kind})")
        try:
            pieces.append(form.pack(float(found[0])))
        except OverflowError:
            raise _Unfit(at, f"a number ({node.kind})") from None
        return found.end()

    return step


def _not_finite(word: str, form: struct.Struct, at: int) -> bytes:
    if word in _NOT_FINITE:
        return form.pack(float(_NOT_FINITE[word]))
    try:
        raw = bytes.fromhex(word.removeprefix("NaN:"))
    except ValueError:
        raw = b""
    if not word.startswith("NaN:") or len(raw) != form.size or form.unpack(raw)[0] == form.unpack(raw)[0]:
        raise _Unfit(at, "a number")
    return raw


def _string(_: Node) -> Step:
    def step(said: str, at: int, pieces: list[bytes], _: list[Task]) -> int:
        value, end = _text(said, at)
        pieces.append(_sized(_utf8(value, at)))
        return end

    return step


def _bytes(node: Node) -> Step:
    size = node.size if node.kind == "fixed" else None

    def step(said: str, at: int, pieces: list[bytes], _: list[Task]) -> int:
        value, end = _text(said, at)
        try:
            raw = value.encode("latin-1")
        except UnicodeEncodeError:
            raise _Unfit(at, "text of code points up to 255") from None
        if size not in (None, len(raw)):
            raise _Unfit(at, f"text of {size} code points")
        pieces.append(_sized(raw) if size is None else raw)
        return end

    return step


def _enum(node: Node) -> Step:
    places = {symbol: _varint(place) for place, symbol in enumerate(node.symbols)}

    def step(said: str, at: int, pieces: list[bytes], _: list[Task]) -> int:
        value, end = _text(said, at)
        if value not in places:
            raise _Unfit(at, "a symbol of the enum")
        pieces.append(places[value])
        return end

    return step


_LEAVES: dict[str, Callable[[Node], Step]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _whole,
    "long": _whole,
    "float": _floating,
    "double": _floating,
    "string": _string,
    "bytes": _bytes,
    "fixed": _bytes,
    "enum": _enum,
}

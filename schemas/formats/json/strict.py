"""A strict reader of one JSON value by its schema, which names what is wrong and where.

It follows the schema, not the text: what stands where the schema has another type is refused at its first character,
so no value makes it go deeper than its schema does. Values come back raw, as ``schemas/types/arrow.py`` takes them:
logical types as the number or the bytes beneath, maps as lists of pairs, unions as ``(branch, value)``.

It takes more than we write: blanks, escapes, any order of members, times with fewer digits or another zone, decimals
with fewer digits. An absent member is the default of its field, or null where its type allows that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from schemas.formats.json.logical import OutOfRange, base64, converter
from schemas.formats.json.scanning import after, expect, key, number, skip, string, truncated
from schemas.types.defaults import fits
from schemas.types.node import RECURSION, Node, member_names
from schemas.undecodable import UndecodableValue

# (text, position) -> (value, next position)
Reader = Callable[[str, int], tuple[Any, int]]

_MAX_DIGITS = 20  # of a whole number: none of 64 bits has more, sign included
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def compile_reader(root: Node) -> Callable[[bytes], dict[str, Any]]:
    """Return a function that reads one value, all of it, or raises :class:`UndecodableValue`."""
    read = _reader(root)

    def read_all(payload: bytes) -> dict[str, Any]:
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            raise UndecodableValue("invalid_utf8", f"the value is not UTF-8 at byte {error.start}") from None
        value, end = read(text, skip(text, 0))
        end = skip(text, end)
        if end != len(text):
            raise UndecodableValue("trailing_bytes", f"{len(text) - end} characters follow the end at character {end}")
        record: dict[str, Any] = value
        return record

    return read_all


def default_of(node: Node, said: Any) -> Any:  # noqa: PLR0911 - one return for each kind of type
    """Return the default of a field, which a schema writes in Avro's own JSON, as a raw value."""
    if node.kind == "union":
        branch = next(place for place, one in enumerate(node.branches) if fits(one, said))
        return branch, default_of(node.branches[branch], said)
    if said is None:
        return None
    if node.kind in ("bytes", "fixed"):
        return str(said).encode("latin-1")
    if node.kind == RECURSION:
        return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    if node.kind == "record":
        return {name: default_of(child, said.get(name, node.defaults.get(name))) for name, child in node.fields}
    if node.kind == "array":
        return [default_of(node.element(), one) for one in said]
    if node.kind == "map":
        return [(key, default_of(node.element(), one)) for key, one in said.items()]
    return float(said) if node.kind in ("float", "double") else said


def _reader(node: Node) -> Reader:
    plain = _plain_reader(node)
    if node.null_branch is None:
        return plain

    def read(text: str, at: int) -> tuple[Any, int]:
        return (None, at + 4) if text.startswith("null", at) else plain(text, at)

    return read


def _plain_reader(node: Node) -> Reader:
    if node.logical:
        return _of_text(node.logical, converter(node))
    return _KINDS[node.kind](node)


def _constant(words: dict[str, Any], wanted: str) -> Callable[[Node], Reader]:
    def read(text: str, at: int) -> tuple[Any, int]:
        for word, value in words.items():
            if text.startswith(word, at):
                return value, at + len(word)
        rest = text[at : at + 5]
        if any(word.startswith(rest) for word in words):
            raise truncated(text, at, wanted)
        expect(text, at, "", wanted)
        raise AssertionError("unreachable")  # pragma: no cover

    return lambda _: read


def _whole_number(node: Node) -> Reader:
    bits = 31 if node.kind == "int" else 63

    def read(text: str, at: int) -> tuple[int, int]:
        found = number(text, at)
        if found[1] or found[2]:
            raise UndecodableValue("bad_number", f"the number at character {at} is not whole, or not written so")
        if len(found[0]) <= _MAX_DIGITS and -(1 << bits) <= (whole := int(found[0])) < 1 << bits:
            return whole, found.end()
        raise UndecodableValue("out_of_range", f"the number at character {at} has more than {bits + 1} bits")

    return read


def _floating(node: Node) -> Reader:
    single = node.kind == "float"

    def read(text: str, at: int) -> tuple[float, int]:
        if text[at : at + 1] == '"':
            word, end = string(text, at)
            if word not in _NOT_FINITE:
                expect(text, at, "-", "a number")
            return _NOT_FINITE[word], end
        found = number(text, at)
        # Rounded once: by way of a double it would be twice.
        value = pa.scalar(found[0]).cast(pa.float32()).as_py() if single else float(found[0])
        if not math.isfinite(value):
            raise UndecodableValue("out_of_range", f"the number at character {at} is too large for a {node.kind}")
        return value, found.end()

    return read


def _text(_: Node) -> Reader:
    def read(text: str, at: int) -> tuple[str, int]:
        expect(text, at, '"', "text")
        return string(text, at)

    return read


def _of_text(label: str, convert: Callable[[str], Any]) -> Reader:
    """Return the reader of a type that is text in JSON; ``convert`` raises ValueError for what is no value of it."""

    def read(text: str, at: int) -> tuple[Any, int]:
        expect(text, at, '"', f"text ({label})")
        said, end = string(text, at)
        try:
            return convert(said), end
        except OutOfRange as error:
            raise UndecodableValue("out_of_range", f"the {label} at character {at} {error}") from None
        except ValueError:
            raise UndecodableValue("bad_text", f"the text at character {at} is not a {label}") from None

    return read


def _enum(node: Node) -> Reader:
    symbols = frozenset(node.symbols)

    def read(text: str, at: int) -> tuple[str, int]:
        expect(text, at, '"', "text (an enum)")
        symbol, end = string(text, at)
        if symbol not in symbols:
            raise UndecodableValue("bad_enum", f"the text at character {at} is none of {len(symbols)} symbols")
        return symbol, end

    return read


def _bytes(_: Node) -> Reader:
    return _of_text("base64", base64)


def _fixed(node: Node) -> Reader:
    read_bytes = _of_text("base64", base64)

    def read(text: str, at: int) -> tuple[bytes, int]:
        value, end = read_bytes(text, at)
        if len(value) != node.size:
            raise UndecodableValue("bad_length", f"the fixed at character {at} has {len(value)} bytes, not {node.size}")
        return value, end

    return read


def _record(node: Node) -> Reader:
    readers = {name: _reader(child) for name, child in node.fields}
    absent = {
        name: default_of(child, node.defaults.get(name))
        for name, child in node.fields
        if name in node.defaults or child.nullable
    }

    def read(text: str, start: int) -> tuple[dict[str, Any], int]:
        expect(text, start, "{", "an object")
        found: dict[str, Any] = {}
        at = skip(text, start + 1)
        done = text[at : at + 1] == "}"
        at += done
        while not done:
            name, began, at = key(text, at, start)
            if name in found:
                raise UndecodableValue("duplicate_key", f"the member at character {began} stands there twice")
            if name not in readers:
                raise UndecodableValue("unknown_member", f"the schema has no member as the one at character {began}")
            found[name], at = readers[name](text, at)
            done, at = after(text, at, "}", "an object", start)
        for name in readers:
            if name not in found:
                if name not in absent:
                    raise UndecodableValue("missing_member", f"the object at character {start} lacks {name}")
                found[name] = absent[name]
        return found, at

    return read


def _array(node: Node) -> Reader:
    item = _reader(node.element())

    def read(text: str, start: int) -> tuple[list[Any], int]:
        expect(text, start, "[", "an array")
        items: list[Any] = []
        at = skip(text, start + 1)
        done = text[at : at + 1] == "]"
        at += done
        while not done:
            value, at = item(text, skip(text, at))
            items.append(value)
            done, at = after(text, at, "]", "an array", start)
        return items, at

    return read


def _map(node: Node) -> Reader:
    item = _reader(node.element())

    def read(text: str, start: int) -> tuple[list[tuple[str, Any]], int]:
        expect(text, start, "{", "an object")
        items: dict[str, Any] = {}
        at = skip(text, start + 1)
        done = text[at : at + 1] == "}"
        at += done
        while not done:
            name, began, at = key(text, at, start)
            if name in items:
                raise UndecodableValue("duplicate_key", f"the map key at character {began} stands there twice")
            items[name], at = item(text, at)
            done, at = after(text, at, "}", "an object", start)
        return list(items.items()), at

    return read


def _union(node: Node) -> Reader:
    tags = member_names(node)
    readers = {tag: (place, _reader(node.branches[place])) for place, tag in enumerate(tags)}
    null = next((place for place, branch in enumerate(node.branches) if branch.kind == "null"), None)

    def read(text: str, start: int) -> tuple[tuple[int, Any], int]:
        if null is not None and text.startswith("null", start):
            return (null, None), start + 4
        expect(text, start, "{", "an object")
        name, began, at = key(text, start + 1, start)
        if name not in readers or readers[name][0] == null:
            raise UndecodableValue("bad_union", f"the member at character {began} names no branch of the union")
        place, reader = readers[name]
        value, at = reader(text, at)
        done, at = after(text, at, "}", "an object", start)
        if not done:
            raise UndecodableValue("bad_union", f"the object at character {start} has more members than one")
        return (place, value), at

    return read


_KINDS: dict[str, Callable[[Node], Reader]] = {
    "null": _constant({"null": None}, "null"),
    "boolean": _constant({"true": True, "false": False}, "true or false"),
    "int": _whole_number,
    "long": _whole_number,
    "float": _floating,
    "double": _floating,
    "string": _text,
    RECURSION: _text,
    "enum": _enum,
    "bytes": _bytes,
    "fixed": _fixed,
    "record": _record,
    "array": _array,
    "map": _map,
    "union": _union,
}

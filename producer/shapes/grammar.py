"""Shapes as text and as YAML mappings, and back.

::

    shape    = part { "+" part }
    part     = name "(" [ argument { "," argument } ] ")"
    argument = [ field "=" ] ( rate | duration | count | shape )
    rate     = number [ "k" | "M" ]                events a second
    duration = number ( "ms" | "s" | "m" | "h" )
    count    = number

``poisson(1000, 60s)`` is short for ``poisson(constant(1000, 60s))``. A mapping has one key, the shape's name, over its
fields; a list of mappings is a sequence.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from functools import partial
from typing import Any

from cluster.errors import Misconfigured
from producer.shapes.kinds import KINDS, MAX_DURATION_S, MAX_RATE, Constant, Poisson, Sequence, Shape

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z/]*)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<mark>[(),+=])|(?P<end>\Z))"
)
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=")
_OPENING = re.compile(r"\s*(of\s*=\s*)?[A-Za-z_]\w*\s*\(")
_RATE_UNITS = {"": 1.0, "k": 1e3, "M": 1e6}
_DURATION_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
_HINT = 'Write it as in "ramp(1000, 20000, 60s) + constant(20000, 5m)"; docs/shapes.md has them all'
_SHOWN = 24
_Fail = Callable[[str], Misconfigured]


def parse(text: str) -> Shape:
    """Read a shape from its text.

    :raises Misconfigured: names the character at which it goes wrong, and the nearest name that exists.
    """
    return _Parser(text).whole()


def from_setting(value: Any) -> Shape:
    """Read a shape from a YAML value: text, a mapping, or a list of mappings.

    :raises Misconfigured: names the key.
    """
    if isinstance(value, str):
        return parse(value)
    return _worth(_from_tree(value, "shape"), partial(_fault, where="shape"))


def to_text(shape: Shape) -> str:
    """Return the text of a shape; ``parse`` makes the same shape of it."""
    if isinstance(shape, Sequence):
        return " + ".join(map(to_text, shape.shapes))
    values = [
        _written(value, _kind_of(spec))
        for spec in _fields(type(shape)).values()
        if (value := getattr(shape, spec.name)) is not None
    ]
    return f"{shape.name}({', '.join(values)})"


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._inside = False

    def whole(self) -> Shape:
        shape = self._shape()
        self._mark("", "the end or '+'")
        return _worth(shape, self._failing(0))

    def _shape(self) -> Shape:
        start, parts = self._start(), [self._part()]
        while self._peek() == "+":
            self._mark("+", "")
            parts.append(self._part())
        if len(parts) == 1:
            return parts[0]
        return _made(Sequence, {"shapes": tuple(parts)}, self._failing(start))

    def _part(self) -> Shape:
        start, name = self._start(), self._next("name")
        if name is None:
            raise self._fault("expected the name of a shape", start)
        kind = _kind(name, self._failing(start))
        if kind is Poisson and self._inside:
            raise self._fault("poisson takes a shape without poisson in it", start)
        self._mark("(", "'('")
        if kind is Poisson and not self._shape_follows():
            made = _made(Constant, self._arguments(Constant), self._failing(start))
            return Poisson(made)
        return _made(kind, self._arguments(kind), self._failing(start))

    def _arguments(self, kind: type[Shape]) -> dict[str, Any]:
        """Read up to and with the closing parenthesis."""
        known = _fields(kind)
        values: dict[str, Any] = {}
        order = iter(known)
        while self._peek() != ")":
            start = self._start()
            name = self._named()
            if name is None:
                name = next((field for field in order if field not in values), None)
                if name is None:
                    raise self._fault(f"{kind.name} takes at most {len(known)} values: {', '.join(known)}", start)
            elif name not in known:
                raise self._fault(_unknown("field", name, known, f"of {kind.name}"), start)
            if name in values:
                raise self._fault(f"{name} is given twice", start)
            values[name] = self._value(name, _kind_of(known[name]))
            if self._peek() != ")":
                self._mark(",", "',' or ')'")
                if self._peek() == ")":
                    raise self._fault("expected a value after ','", self._start())
        self._mark(")", "')'")
        return values

    def _named(self) -> str | None:
        found = _NAMED.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[1]

    def _value(self, name: str, kind: str) -> Any:
        start = self._start()
        if kind == "shape":
            self._inside = True
            shape = self._shape()
            self._inside = False
            return shape
        found = _TOKEN.match(self._text, self._at)
        if found is None or found["number"] is None:
            raise self._fault(f"expected {_WANTED[kind]} for {name}", start)
        self._at = found.end()
        return _number(name, kind, found["number"], found["unit"], self._failing(start))

    def _shape_follows(self) -> bool:
        return _OPENING.match(self._text, self._at) is not None

    def _start(self) -> int:
        return self._at + len(self._text[self._at :]) - len(self._text[self._at :].lstrip())

    def _peek(self) -> str | None:
        found = _TOKEN.match(self._text, self._at)
        return found["mark"] if found else None

    def _next(self, group: str) -> str | None:
        found = _TOKEN.match(self._text, self._at)
        if found is None or found[group] is None:
            return None
        self._at = found.end()
        return found[group]

    def _mark(self, mark: str, wanted: str) -> None:
        start, found = self._start(), _TOKEN.match(self._text, self._at)
        if found is None or (found["mark"] if mark else found["end"]) != mark:
            raise self._fault(f"expected {wanted}", start)
        self._at = found.end()

    def _failing(self, start: int) -> _Fail:
        return lambda reason: self._fault(reason, start)

    def _fault(self, reason: str, start: int) -> Misconfigured:
        rest = self._text[start : start + _SHOWN]
        there = f"at {rest + ('...' if len(self._text) > start + _SHOWN else '')!r}" if rest else "at the end"
        return _fault(reason, f"character {start + 1}, {there}")


def _from_tree(value: Any, path: str) -> Shape:
    fail = partial(_fault, where=path)
    if isinstance(value, list) and value:
        parts = tuple(_from_tree(part, f"{path}[{place}]") for place, part in enumerate(value))
        return parts[0] if len(parts) == 1 else _made(Sequence, {"shapes": parts}, fail)
    if isinstance(value, str):
        return parse(value)
    if not isinstance(value, Mapping) or len(value) != 1:
        raise fail("expected text, a mapping with one key that names a shape, or a list of these")
    ((name, content),) = value.items()
    kind = _kind(str(name), fail)
    path = f"{path}.{name}"
    fail = partial(_fault, where=path)
    if not isinstance(content, Mapping):
        raise fail(f"expected a mapping with {', '.join(_fields(kind))}")
    if kind is Poisson and "of" not in content:
        return Poisson(_made(Constant, _tree_values(Constant, content, path), fail))
    return _made(kind, _tree_values(kind, content, path), fail)


def _tree_values(kind: type[Shape], content: Mapping[Any, Any], path: str) -> dict[str, Any]:
    known = _fields(kind)
    values: dict[str, Any] = {}
    for name, value in content.items():
        if name not in known:
            raise _fault(_unknown("field", str(name), known, f"of {kind.name}"), path)
        where = f"{path}.{name}"
        wanted = _kind_of(known[name])
        if wanted == "shape":
            values[name] = _from_tree(value, where)
            continue
        found = None if isinstance(value, bool) else _TOKEN.match(str(value))
        if found is None or found["number"] is None or found.end() != len(str(value).rstrip()):
            raise _fault(f"{name} is {value!r}, expected {_WANTED[wanted]}", where)
        values[name] = _number(name, wanted, found["number"], found["unit"], partial(_fault, where=where))
    return values


_WANTED = {
    "rate": "events a second, such as 1000 or 20k",
    "duration": "a duration, such as 60s or 5m",
    "count": "a whole number",
}


def _number(name: str, kind: str, number: str, unit: str, fail: _Fail) -> float | int:
    """Return a number in events a second, seconds or pieces."""
    plain = float(number.replace("_", ""))
    if kind == "count":
        if unit or not plain.is_integer():
            raise fail(f"{name} is {number}{unit}, expected {_WANTED[kind]}")
        return int(plain)
    units, most = (_RATE_UNITS, MAX_RATE) if kind == "rate" else (_DURATION_UNITS, MAX_DURATION_S)
    if unit not in units:
        if kind == "duration" and not unit:
            raise fail(f"{name} is {number} without a unit: write {number}s, or ms, m or h")
        raise fail(f"{name} is {number}{unit}, expected {_WANTED[kind]}")
    value = plain * units[unit]
    if not value <= most:
        raise fail(f"{name} is {number}{unit}, the most is {most:g}")
    if kind == "duration" and value <= 0:
        raise fail(f"{name} is {number}{unit}, it must be above 0")
    return value


def _written(value: Any, kind: str) -> str:
    if kind == "shape":
        return to_text(value)
    if kind == "duration":
        for unit, size in _DURATION_UNITS.items():
            if (value / size).is_integer() and value / size * size == value and unit != "ms":
                return f"{int(value / size)}{unit}"
        return f"{value!r}s"
    return str(int(value)) if float(value).is_integer() else repr(value)


def _fields(kind: type[Shape]) -> dict[str, Field[Any]]:
    return {spec.name: spec for spec in fields(kind)}  # type: ignore[arg-type]  # every shape in KINDS is a dataclass


def _kind_of(spec: Field[Any]) -> str:
    """Return how a field is written: ``rate``, ``duration``, ``count`` or ``shape``."""
    return str(spec.type).removesuffix(" | None").lower()


def _kind(name: str, fail: _Fail) -> type[Shape]:
    if name not in KINDS:
        raise fail(_unknown("shape", name, KINDS, ""))
    return KINDS[name]


def _unknown(what: str, name: str, known: Mapping[str, Any], whose: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return " ".join(filter(None, (f"unknown {what} {name!r}", whose))) + f", {hint}"


def _made(kind: type[Shape], values: dict[str, Any], fail: _Fail) -> Shape:
    lacking = [spec.name for spec in _fields(kind).values() if spec.default is MISSING and spec.name not in values]
    if lacking:
        raise fail(f"{kind.name} lacks {', '.join(lacking)}")
    try:
        return kind(**values)
    except ValueError as error:
        raise fail(f"{kind.name}: {error}") from None


def _worth(shape: Shape, fail: _Fail) -> Shape:
    """Refuse a shape that is all pause."""
    curve = shape.curve()
    if curve.area(curve.duration_s if math.isfinite(curve.duration_s) else MAX_DURATION_S) <= 0:
        raise fail("the shape sends nothing")
    return shape


def _fault(reason: str, where: str) -> Misconfigured:
    return Misconfigured(f"the shape is not valid: {reason}", where=where, hint=_HINT)

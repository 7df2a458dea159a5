"""A schema in normal form: the same for the same schema, however it is written.

Names are full, ``{"type": "string"}`` is ``string``, and a named type is one object wherever it is used: the form is as
large as the schema's text, also where types use each other many times. Everything that a schema says is kept, also what
no reader looks at: a registry tells schemas apart by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from schemas.types.logical import digits_in
from schemas.types.node import full_name, space_of
from schemas.undecodable import UnsupportedSchema

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "string", "bytes"})
_NAMED = frozenset({"record", "error", "enum", "fixed"})
_DECIMAL_PARTS = ("precision", "scale")
# What a type says in its own way, by kind; all else is an attribute.
_STRUCTURE: dict[str, frozenset[str]] = {
    "record": frozenset({"type", "name", "namespace", "aliases", "fields"}),
    "error": frozenset({"type", "name", "namespace", "aliases", "fields"}),
    "enum": frozenset({"type", "name", "namespace", "aliases", "symbols"}),
    "fixed": frozenset({"type", "name", "namespace", "aliases", "size"}),
    "array": frozenset({"type", "items"}),
    "map": frozenset({"type", "values"}),
}


@dataclass(frozen=True, slots=True, eq=False)
class FieldOf:
    """One field of a record. ``said`` is everything but name and type (default, doc, aliases ...), as JSON text."""

    name: str
    type: TypeOf
    aliases: tuple[str, ...]
    said: Mapping[str, str]

    @property
    def has_default(self) -> bool:
        """True if a reader can do without the field."""
        return "default" in self.said


@dataclass(frozen=True, slots=True, eq=False)
class TypeOf:
    """One type. A named type is one object wherever the schema uses it, unless a use of it says more of its own.

    ``name`` and ``aliases`` are full names. ``logical`` is as written, valid or not, with ``parts`` (precision and
    scale, as written). ``said`` is what remains (doc, the default of an enum, custom properties), as JSON text.
    """

    kind: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    fields: list[FieldOf] = field(default_factory=list)
    items: TypeOf | None = None
    branches: tuple[TypeOf, ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0
    logical: str = ""
    parts: Mapping[str, Any] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        """Return the name without its namespace."""
        return self.name.rsplit(".", 1)[-1]

    @property
    def alternatives(self) -> tuple[TypeOf, ...]:
        """Return the branches of a union, and of any other type itself."""
        return self.branches if self.kind == "union" else (self,)

    @property
    def element(self) -> TypeOf:
        """Return the type of an array's items, or of a map's values."""
        if self.items is None:
            raise TypeError(f"{self.kind} has no items")
        return self.items

    @property
    def decimal(self) -> tuple[int, int] | None:
        """Return precision and scale of a decimal that is valid; an invalid one is ignored, as Avro has it."""
        if self.logical != "decimal" or self.kind not in ("bytes", "fixed"):
            return None
        precision, scale = self.parts.get("precision"), self.parts.get("scale", 0)
        if not (_is_int(precision) and _is_int(scale) and precision > 0 and 0 <= scale <= precision):
            return None
        if self.kind == "fixed" and precision > digits_in(self.size):
            return None
        return precision, scale

    def __str__(self) -> str:
        """Return the type in words: ``null | record a.Content``, ``array of string``, ``long (timestamp-millis)``."""
        return self.spelled({})

    def spelled(self, renamed: Mapping[str, str]) -> str:
        """Return the type in words, with other names for named types."""
        name = renamed.get(self.name, self.name)
        match self.kind:
            case "union":
                return " | ".join(branch.spelled(renamed) for branch in self.branches)
            case "record" | "error":
                words = f"{self.kind} {name}"
            case "enum":
                words = f"enum {name} {{{', '.join(self.symbols)}}}"
            case "fixed":
                words = f"fixed {name} of {self.size} bytes"
            case "array" | "map":
                words = f"{self.kind} of {self.element.spelled(renamed)}"
            case _:
                words = self.kind
        if not self.logical:
            return words
        parts = ", ".join(str(self.parts[part]) for part in _DECIMAL_PARTS if part in self.parts)
        return f"{words} ({self.logical}{' ' + parts if parts else ''})"

    def walk(self) -> Iterator[TypeOf]:
        """Yield each type once, in the order of the schema."""
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            here = waiting.pop()
            if id(here) in seen:
                continue
            seen.add(id(here))
            yield here
            below = [one.type for one in here.fields] + list(here.branches) + ([here.items] if here.items else [])
            waiting += reversed(below)


def normal(schema: Any) -> TypeOf:
    """Return the normal form of a schema, in time linear in its text.

    :raises UnsupportedSchema: it is not a schema; a type that it refers to is missing.
    """
    try:
        return _Reading().type_of(schema, "")
    except UnsupportedSchema:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise UnsupportedSchema(f"not an Avro schema: {type(error).__name__}: {error}", kind="invalid_schema") from None
    except RecursionError:
        raise UnsupportedSchema("the schema is nested too deeply") from None


def normal_text(schema: Any) -> str:
    """Return text that two schemas share if they are the same schema, and never otherwise.

    :raises UnsupportedSchema: see :func:`normal`.
    """
    return json.dumps(_told(normal(schema), set()), sort_keys=True)


class _Reading:
    """One pass over a schema's text: ``named`` has the types that were defined so far, by full name."""

    def __init__(self) -> None:
        self.named: dict[str, TypeOf] = {}

    def type_of(self, schema: Any, space: str) -> TypeOf:
        if isinstance(schema, list):
            return TypeOf("union", branches=tuple(self.type_of(branch, space) for branch in schema))
        if isinstance(schema, str):
            return TypeOf(schema) if schema in PRIMITIVES else self._referred(schema, space)
        kind = schema["type"]
        if isinstance(kind, str) and kind in _NAMED:
            return self._defined(kind, schema, space)
        if kind in ("array", "map"):
            inside = self.type_of(schema["items" if kind == "array" else "values"], space)
            return TypeOf(kind, items=inside, **_rest(schema, kind))
        inner = self.type_of(kind, space)
        rest = _rest(schema, inner.kind if inner.kind not in _NAMED else "")
        if not any(rest.values()):
            return inner
        return replace(
            inner,
            logical=rest["logical"] or inner.logical,
            parts=rest["parts"] or inner.parts,
            said={**inner.said, **rest["said"]},
        )

    def _referred(self, name: str, space: str) -> TypeOf:
        full = full_name(name, space)
        found = self.named.get(full) or self.named.get(name)
        if found is None:
            raise UnsupportedSchema(f"not an Avro schema: type {full} is not defined in it", kind="invalid_schema")
        return found

    def _defined(self, kind: str, schema: dict[str, Any], space: str) -> TypeOf:
        name, inside = _full(schema["name"], space_of(schema, space))
        if name in self.named:
            raise UnsupportedSchema(f"not an Avro schema: type {name} is defined twice", kind="invalid_schema")
        aliases = tuple(_full(alias, inside)[0] for alias in schema.get("aliases") or ())
        rest = _rest(schema, kind)
        if kind == "enum":
            found = TypeOf(kind, name, aliases, symbols=tuple(map(str, schema["symbols"])), **rest)
        elif kind == "fixed":
            found = TypeOf(kind, name, aliases, size=int(schema["size"]), **rest)
        else:
            found = TypeOf(kind, name, aliases, **rest)
        self.named[name] = found
        if kind in ("record", "error"):
            found.fields.extend(self._field(one, inside) for one in schema["fields"])
        return found

    def _field(self, one: dict[str, Any], space: str) -> FieldOf:
        said = {key: _text(value) for key, value in one.items() if key not in ("name", "type")}
        return FieldOf(
            str(one["name"]), self.type_of(one["type"], space), tuple(map(str, one.get("aliases") or ())), said
        )


def _full(name: Any, namespace: str) -> tuple[str, str]:
    """Return a full name, and the namespace that it gives to what it holds."""
    if not isinstance(name, str) or not name:
        raise UnsupportedSchema(f"not an Avro schema: {name!r} is not a name", kind="invalid_schema")
    whole = full_name(name, namespace)
    return whole, whole.rpartition(".")[0]


def _rest(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return what a type says beside its structure."""
    known = _STRUCTURE.get(kind, frozenset({"type"}))
    logical = schema.get("logicalType")
    logical = logical if isinstance(logical, str) else ""
    taken = {"logicalType", *_DECIMAL_PARTS} if logical == "decimal" else {"logicalType"} if logical else set()
    return {
        "logical": logical,
        "parts": {part: schema[part] for part in _DECIMAL_PARTS if part in schema and part in taken},
        "said": {key: _text(value) for key, value in schema.items() if key not in known and key not in taken},
    }


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _told(kind: TypeOf, seen: set[int]) -> Any:
    """Return a type as a document in which a named type stands in full once."""
    if id(kind.fields) in seen and kind.name:
        return {"used": kind.name, "logical": kind.logical, "parts": dict(kind.parts), "said": dict(kind.said)}
    if kind.name:
        seen.add(id(kind.fields))
    return {
        "kind": kind.kind,
        "name": kind.name,
        "aliases": list(kind.aliases),
        "fields": [[one.name, _told(one.type, seen), dict(one.said)] for one in kind.fields],
        "items": None if kind.items is None else _told(kind.items, seen),
        "branches": [_told(branch, seen) for branch in kind.branches],
        "symbols": list(kind.symbols),
        "size": kind.size,
        "logical": kind.logical,
        "parts": dict(kind.parts),
        "said": dict(kind.said),
    }

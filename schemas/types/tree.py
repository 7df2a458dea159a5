"""An Avro schema as a small resolved tree: named types in place, nullable unions folded, logical types checked.

The text is read once, in time that grows with its length: a type that is used again is the same object again, and
what the whole would be is counted, not built. What is wrong is said with its place: ``orders[].price``,
``payload<Refund>.reason``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.types import schema_text
from schemas.types.defaults import fits
from schemas.types.limits import MAX_LEVELS, too_deep, within
from schemas.types.logical import labelled
from schemas.types.node import RECURSION, Definition, Node, full_name, space_of
from schemas.types.remarks import Remark, RemarkKind
from schemas.undecodable import UnsupportedSchema

__all__ = ["Node", "Parsed", "Remark", "parse", "parse_with_remarks"]

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "string", "bytes"})
NO_FIELDS = "_"  # the one field of an event without fields: a table has columns
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMED = ("record", "error", "enum", "fixed")
# Attributes that Avro knows; all others are the schema's own.
_KNOWN = frozenset(
    {"type", "name", "namespace", "doc", "aliases", "fields", "symbols", "items", "values", "size", "default"}
    | {"logicalType", "precision", "scale", "order"}
)
_SHOWN = 60  # characters of something strange that a message repeats


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a schema says, and what is to be said about it."""

    root: Node
    remarks: tuple[Remark, ...] = ()


def parse(text: str) -> Node:
    """Return the tree of a record schema.

    :raises UnsupportedSchema: not JSON, not Avro, not a record, or larger than a table holds
        (``schemas/types/limits.py``); the message has the place.
    """
    return parse_with_remarks(text).root


def parse_with_remarks(text: str) -> Parsed:
    """Return the tree of a record schema, and what of it is taken otherwise than it may have been meant.

    :raises UnsupportedSchema: as :func:`parse`.
    """
    try:
        schema = schema_text.load(text)
    except schema_text.NestedTooDeeply:
        raise too_deep("") from None
    except ValueError as error:
        raise _invalid("", f"it is not JSON: {error}") from None
    reading = _Reading()
    root = reading.type(schema, "", "", 0)
    if root.kind != "record" or root.nullable:
        said = "union" if root.null_branch is not None else root.kind
        raise UnsupportedSchema(f"the value is of type {said}; a table needs a record")
    reading.check_ends()
    return Parsed(root, tuple(reading.remarks))


def _invalid(path: str, what: str) -> UnsupportedSchema:
    return UnsupportedSchema(f"not an Avro schema: {path + ': ' if path else ''}{what}", kind="invalid_schema")


def _shown(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."


@dataclass(slots=True)
class _Reading:
    """One schema while it is read: the named types so far, and those that are not closed yet."""

    known: dict[str, Node] = field(default_factory=dict)
    open: dict[str, Definition] = field(default_factory=dict)
    met: dict[str, tuple[Definition, str]] = field(default_factory=dict)  # types in themselves, and the first place
    remarks: list[Remark] = field(default_factory=list)

    def type(self, schema: Any, path: str, namespace: str, depth: int) -> Node:
        """Return the node of a type.

        :param namespace: of the named type around it.
        :param depth: how many types are around it.
        """
        if depth > MAX_LEVELS + 1:
            raise too_deep(path)
        if isinstance(schema, str):
            return Node(schema) if schema in PRIMITIVES else self._named(schema, path, namespace)
        if isinstance(schema, list):
            return within(self._union(schema, path, namespace, depth), path)
        if not isinstance(schema, dict):
            raise _invalid(path, f"{_shown(schema)} is not a type")
        if "type" not in schema:
            raise _invalid(path, "a type without the attribute type")
        kind = schema["type"]
        if isinstance(kind, str) and kind in _NAMED:
            return within(self._definition(schema, kind, path, namespace, depth), path)
        if isinstance(kind, str) and kind in ("array", "map"):
            return within(self._repeated(schema, kind, path, namespace, depth), path)
        node = self.type(kind, path, namespace, depth + 1)
        if isinstance(kind, str) and kind in PRIMITIVES:
            return self._labelled(node, schema, path)
        return replace(node, properties={**node.properties, **_properties(schema)})

    def _labelled(self, node: Node, schema: Mapping[str, Any], path: str) -> Node:
        found, why_not = labelled(node, schema)
        if why_not:
            self._say(path, "logical_type", why_not)
        return replace(found, properties=_properties(schema))

    def _say(self, path: str, kind: RemarkKind, sentence: str) -> None:
        self.remarks.append(Remark(path, kind, sentence))

    def _named(self, name: str, path: str, namespace: str) -> Node:
        """Return a type by its name: that of its own namespace, or else the one without."""
        whole = full_name(name, namespace)
        for one in (whole, name):
            if one in self.open:
                self.met.setdefault(one, (self.open[one], path))
                return Node(RECURSION, name=one, recursive=self.open[one])
            if one in self.known:
                return self.known[one]
        raise _invalid(path, f"type {whole} is defined neither here nor in a schema that is referred to")

    def _union(self, branches: list[Any], path: str, namespace: str, depth: int) -> Node:
        if not branches:
            raise UnsupportedSchema(f"{path or 'the value'}: a union without branches")
        nodes = []
        there: set[str] = set()
        for branch in branches:
            if isinstance(branch, list) or (isinstance(branch, dict) and isinstance(branch.get("type"), list)):
                raise _invalid(path, "a union directly in a union")
            plain = len(branches) == 2 and any(_is_null(one) for one in branches)
            node = self.type(branch, path if plain else f"{path}<{_called(branch)}>", namespace, depth + (not plain))
            called = node.name or node.kind
            if called in there:
                raise _invalid(path, f"a union with {called} twice")
            there.add(called)
            nodes.append(node)
        if len(nodes) == 2:
            for index, (null, other) in enumerate((nodes, nodes[::-1])):
                if null.kind == "null":
                    return replace(other, null_branch=index)
        return Node("union", branches=tuple(nodes), leaves=_leaves(nodes), levels=1 + _levels(nodes))

    def _repeated(self, schema: Mapping[str, Any], kind: str, path: str, namespace: str, depth: int) -> Node:
        key, mark = ("items", "[]") if kind == "array" else ("values", "{}")
        if key not in schema:
            raise _invalid(path, f"a type {kind} without {key}")
        item = self.type(schema[key], path + mark, namespace, depth + (1 if kind == "array" else 2))
        levels = item.levels + (1 if kind == "array" else 2)
        return Node(kind, items=item, properties=_properties(schema), leaves=item.leaves, levels=levels)

    def _definition(self, schema: Mapping[str, Any], kind: str, path: str, namespace: str, depth: int) -> Node:
        """Return the node of a named type, and know it by its name from here on."""
        name, inner = self._own_name(schema, kind, path, namespace)
        if name in self.known or name in self.open:
            raise _invalid(path, f"type {name} is defined twice")
        shared: dict[str, Any] = {
            "name": name,
            "aliases": tuple(full_name(one, inner) for one in _texts(schema, "aliases", path)),
            "properties": _properties(schema),
        }
        if kind == "enum":
            node = Node("enum", symbols=_symbols(schema, path), **shared)
        elif kind == "fixed":
            node = self._labelled(Node("fixed", size=_size(schema, path), **shared), schema, path)
        else:
            definition = self.open[name] = Definition()
            node = self._record(schema, path, inner, depth, shared)
            definition.record = node
            del self.open[name]
        self.known[name] = node
        return node

    def _own_name(self, schema: Mapping[str, Any], kind: str, path: str, namespace: str) -> tuple[str, str]:
        """Return the name of a named type with its namespace, and the namespace of what is in it."""
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise _invalid(path, f"a type {kind} without a name")
        whole = full_name(name, space_of(schema, namespace))
        if not _NAME.fullmatch(whole.rpartition(".")[2]):
            raise _invalid(path, f"the type's name {_shown(name)} is not one of letters, digits and underscores")
        if whole in PRIMITIVES:
            raise _invalid(path, f"a type {kind} has the name of a type of Avro, {whole}")
        return whole, whole.rpartition(".")[0]

    def _record(
        self, schema: Mapping[str, Any], path: str, namespace: str, depth: int, shared: Mapping[str, Any]
    ) -> Node:
        given = schema.get("fields")
        if not isinstance(given, list):
            raise _invalid(path, f"record {shared['name']} without a list of fields")
        fields: dict[str, Node] = {}
        defaults, docs, aliases = {}, {}, {}
        for one in given:
            name, where = _field_name(one, fields, shared["name"], path)
            fields[name] = self.type(one["type"], where, namespace, depth + 1)
            self._remark_label_beside(one, where)
            if known := tuple(_texts(one, "aliases", where)):
                aliases[name] = known
            if isinstance(one.get("doc"), str):
                docs[name] = one["doc"]
            if "default" in one and self._is_default(fields[name], one["default"], where):
                defaults[name] = one["default"]
        if not fields:
            if not path:
                fields[NO_FIELDS] = Node("null")
            said = "true where the record is there" if path else f"one column {NO_FIELDS}, always null"
            self._say(path, "no_fields", f"a record without fields: it is kept as {said}")
        return Node(
            "record",
            fields=tuple(fields.items()),
            defaults=defaults,
            field_docs=docs,
            field_aliases=aliases,
            leaves=max(1, _leaves(fields.values())),
            levels=_levels(fields.values()) + (1 if path else 0),
            **shared,
        )

    def _is_default(self, node: Node, said: Any, path: str) -> bool:
        if not fits(node, said):
            self._say(path, "default", f"its default {_shown(said)} is not of its type: left out")
            return False
        return True

    def _remark_label_beside(self, one: Mapping[str, Any], path: str) -> None:
        label = one.get("logicalType")
        if isinstance(label, str) and not isinstance(one["type"], dict | list):
            self._say(
                path,
                "logical_type",
                f"logicalType {label} stands beside the type {_shown(one['type'])}, not in it: it has no meaning there",
            )

    def check_ends(self) -> None:
        """Refuse types in themselves of which no value ends, and say of the others what becomes of them."""
        records = {**{name: definition.record for name, (definition, _) in self.met.items()}, **self.known}
        ending: set[str] = set()
        grown = True
        while grown:
            now = {name for name, node in records.items() if node is not None and _ends(node, ending)}
            grown, ending = now != ending, now
        for name, (_, path) in self.met.items():
            if name not in ending:
                raise UnsupportedSchema(f"{path}: type {name} always holds itself again: no value of it ends")
            self._say(path, "recursion", f"type {name} holds itself: from here on it is kept as JSON text")


def _ends(node: Node, ending: set[str]) -> bool:
    """Tell whether a value of a type can end, as far as is known: ``ending`` are names of types that can."""
    if node.kind == "record":
        return all(_ends_within(child, ending) for _, child in node.fields)
    return _ends_within(node, ending)


def _ends_within(node: Node, ending: set[str]) -> bool:
    if node.kind in ("record", RECURSION):
        return node.null_branch is not None or node.name in ending
    if node.kind == "union":
        return any(_ends_within(branch, ending) for branch in node.branches)
    return True


def _leaves(nodes: Iterable[Node]) -> int:
    return sum(node.leaves for node in nodes)


def _levels(nodes: Iterable[Node]) -> int:
    return max((node.levels for node in nodes), default=0)


def _field_name(one: Any, fields: Mapping[str, Node], record: str, path: str) -> tuple[str, str]:
    """Return the name of a field and its place.

    :param fields: those before it.
    """
    if not isinstance(one, dict) or not isinstance(one.get("name"), str):
        raise _invalid(path, f"record {record} has a field without a name")
    name = one["name"]
    where = f"{path}.{name}" if path else name
    if not _NAME.fullmatch(name):
        raise _invalid(where, f"the field's name {_shown(name)} is not one of letters, digits and underscores")
    if name in fields:
        raise _invalid(where, "the record has two fields of this name")
    if "type" not in one:
        raise _invalid(where, "a field without a type")
    return name, where


def _is_null(branch: Any) -> bool:
    return branch == "null" or (isinstance(branch, dict) and branch.get("type") == "null")


def _called(branch: Any) -> str:
    """Return what a branch is called in a path, before it is read."""
    if isinstance(branch, dict):
        branch = branch.get("name") or branch.get("type")
    return str(branch).rsplit(".", 1)[-1][:_SHOWN]


def _texts(schema: Mapping[str, Any], key: str, path: str) -> list[str]:
    given = schema.get(key) or []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise _invalid(path, f"{key} is not a list of texts")
    return given


def _symbols(schema: Mapping[str, Any], path: str) -> tuple[str, ...]:
    symbols = _texts(schema, "symbols", path)
    if "symbols" not in schema:
        raise _invalid(path, "an enum without symbols")
    if not symbols:
        raise UnsupportedSchema(f"{path}: an enum of no symbols: it has no value")
    for symbol in symbols:
        if not _NAME.fullmatch(symbol):
            raise _invalid(path, f"the symbol {_shown(symbol)} is not one of letters, digits and underscores")
    if len(set(symbols)) < len(symbols):
        raise _invalid(path, "an enum with a symbol twice")
    if "default" in schema and schema["default"] not in symbols:
        raise _invalid(path, f"the enum's default {_shown(schema['default'])} is none of its symbols")
    return tuple(symbols)


def _size(schema: Mapping[str, Any], path: str) -> int:
    size = schema.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _invalid(path, f"a fixed whose size is {_shown(size)}, not a number of bytes")
    return size


def _properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in _KNOWN}

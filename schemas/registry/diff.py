"""What changed between two schemas, by field path, as a person would say it.

Both schemas are laid flat in normal form: one entry per path (``device.os``, ``actions[].timestamp``, ``tags{}``) with
its type, default, doc, aliases and order. Formatting, the order of keys, and whether a name is written with its
namespace or inherits it, make no difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
from deepdiff import DeepDiff
from fastavro.schema import expand_schema

ROOT = "(record)"
_STRUCTURE = frozenset({"type", "name", "namespace", "fields", "items", "values", "symbols", "size", "logicalType"})
_LOGICAL_PARTS = ("precision", "scale")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    ``kind`` is ``added``, ``removed``, ``type_changed``, ``default_changed``, ``doc_changed``, ``reordered``, or the
    name of another attribute with ``_changed`` (``aliases_changed``). ``old`` and ``new`` are text; ``None`` is absent.
    """

    path: str
    kind: str
    old: str | None
    new: str | None

    def document(self) -> dict[str, str | None]:
        """Return the change as a JSON-ready mapping."""
        return {"path": self.path, "kind": self.kind, "old": self.old, "new": self.new}


def diff_schemas(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return what changed from ``old`` to ``new``, in order of path; empty for the same schema written differently."""
    before, after = flatten(old), flatten(new)
    changes: list[Change] = []
    found = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    for items in found.values():
        for item in items:
            path, *attribute = item.path(output_format="list")
            if not attribute:
                changes.append(_whole_field(path, before, after))
            else:
                name = str(attribute[0])
                kind = f"{name.partition(' of ')[0]}_changed"  # "doc of Device": the type's own
                changes.append(Change(path, kind, before[path].get(name), after[path].get(name)))
    changes += _reordered(old, new)
    whole = {change.path for change in changes if change.kind in ("added", "removed")}
    kept = [change for change in changes if not any(parent in whole for parent in _parents(change.path))]
    return sorted(dict.fromkeys(kept), key=lambda change: (change.path != ROOT, change.path, change.kind))


def flatten(schema: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return path -> attribute -> text, for every field, item, value and record branch of the schema."""
    return dict(_entries(ROOT, expand_schema(fastavro.parse_schema(schema)), {}))


def _entries(path: str, schema: Any, field: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    entry = {"type": spell(schema)}
    for source in ([part for part in _parts(schema) if "fields" in part or "symbols" in part], [field]):
        for part in source:
            for key, value in part.items():
                if key not in _STRUCTURE and not key.startswith("__"):
                    own = key if part is field or path == ROOT else f"{key} of {part['name'].rsplit('.', 1)[-1]}"
                    entry[own] = value if isinstance(value, str) and key == "doc" else json.dumps(value)
    yield path, entry
    base = "" if path == ROOT else path
    records = [part for part in _parts(schema) if "fields" in part]
    for part in _parts(schema):
        branch = f"{base}<{part['name'].rsplit('.', 1)[-1]}>" if len(records) > 1 and part in records else base
        for child in part.get("fields", ()):
            yield from _entries(f"{branch}.{child['name']}".removeprefix("."), child["type"], child)
        for key, mark in (("items", "[]"), ("values", "{}")):
            if key in part and _parts(part[key]):
                yield from _entries(base + mark, part[key], {})


def _parts(schema: Any) -> list[dict[str, Any]]:
    """Return the complex types at one place: the schema itself, or the branches of a union."""
    return [part for part in (schema if isinstance(schema, list) else [schema]) if isinstance(part, dict)]


def spell(schema: Any) -> str:
    """Return a type in words: ``null | record Content``, ``array of string``, ``long (timestamp-millis)``."""
    if isinstance(schema, list):
        return " | ".join(spell(branch) for branch in schema)
    if isinstance(schema, str):
        return schema
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return spell(kind)
    words = {
        "record": lambda: f"record {schema['name']}",
        "enum": lambda: f"enum {schema['name']} {{{', '.join(schema['symbols'])}}}",
        "fixed": lambda: f"fixed {schema['name']} of {schema['size']} bytes",
        "array": lambda: f"array of {spell(schema['items'])}",
        "map": lambda: f"map of {spell(schema['values'])}",
    }.get(kind, lambda: str(kind))()
    if "logicalType" not in schema:
        return words
    parts = ", ".join(str(schema[part]) for part in _LOGICAL_PARTS if part in schema)
    return f"{words} ({schema['logicalType']}{' ' + parts if parts else ''})"


def _whole_field(path: str, before: Mapping[str, dict[str, str]], after: Mapping[str, dict[str, str]]) -> Change:
    def told(entry: dict[str, str]) -> str:
        return entry["type"] + (f", default {entry['default']}" if "default" in entry else ", no default")

    if path in after:
        return Change(path, "added", None, told(after[path]))
    return Change(path, "removed", told(before[path]), None)


def _reordered(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Fields that both versions have, in another order: other bytes, though readers resolve by name."""
    changes = []
    before, after = _orders(old), _orders(new)
    for path in sorted(before.keys() & after.keys()):
        common = set(before[path]) & set(after[path])
        was, now = ([name for name in order[path] if name in common] for order in (before, after))
        if was != now:
            changes.append(Change(path, "reordered", ", ".join(was), ", ".join(now)))
    return changes


def _orders(schema: dict[str, Any]) -> dict[str, list[str]]:
    orders: dict[str, list[str]] = {}
    for path in flatten(schema):
        if path != ROOT and path[-1] not in "]}>":
            parent, _, name = path.rpartition(".")
            orders.setdefault(parent or ROOT, []).append(name)
    return orders


def _parents(path: str) -> Iterator[str]:
    """Yield every path that ``path`` lies beneath."""
    for end, mark in enumerate(path):
        if mark in ".[{<" and end:
            yield path[:end]

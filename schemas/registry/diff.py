"""What changed between two schemas, by field path, as a person would say it.

Both schemas are walked side by side in normal form, with one path per place (``device.os``, ``actions[].timestamp``,
``tags{}``). Formatting, the order of keys, and whether a name is written with its namespace or inherits it, make no
difference; everything else that a registry tells apart is a change.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deepdiff import DeepDiff
from deepdiff.helper import notpresent

from schemas.registry.normal import FieldOf, TypeOf, normal

ROOT = "(record)"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    ``kind`` is ``added``, ``removed``, ``renamed``, ``type_changed``, ``default_changed``, ``doc_changed``,
    ``reordered``, or the name of another attribute with ``_changed`` (``aliases_changed``). ``old`` and ``new`` are
    text; ``None`` is absent. A change deep inside an attribute has its place in front: ``range.max: 5``.
    """

    path: str
    kind: str
    old: str | None
    new: str | None

    def document(self) -> dict[str, str | None]:
        """Return the change as a JSON-ready mapping."""
        return {"path": self.path, "kind": self.kind, "old": self.old, "new": self.new}


def diff_schemas(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return what changed from ``old`` to ``new``, in order of path; empty for the same schema written differently.

    A field or a type that has another name, and the old one as an alias, is ``renamed``: one change. What changed
    within a named type is told where the schema first uses it. In time linear in the schemas' texts.

    :raises UnsupportedSchema: one of them is not a schema.
    """
    before, after = normal(old), normal(new)
    comparison = _Comparison(_renamed_types(before, after))
    changes = dict.fromkeys(comparison.place(ROOT, before, after))
    return sorted(changes, key=lambda change: (change.path != ROOT, change.path, change.kind))


def _renamed_types(before: TypeOf, after: TypeOf) -> dict[str, str]:
    """Return the old name of each type that has a new one, by the new one."""
    was = {one.name for one in before.walk() if one.name}
    there = {one.name: one for one in after.walk() if one.name}
    renamed: dict[str, str] = {}
    given: set[str] = set()
    for name, one in there.items():
        former = [alias for alias in one.aliases if alias in was and alias not in there]
        if name not in was and former and former[0] not in given:
            renamed[name] = former[0]
            given.add(former[0])
    return renamed


class _Comparison:
    """Two schemas side by side. A pair of named types is compared once, at the first place that has it."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self._renamed = renamed
        self._compared: set[tuple[int, int]] = set()
        self._attributed: set[tuple[int, int]] = set()

    def place(self, path: str, old: TypeOf, new: TypeOf, *, retell: bool = True) -> Iterator[Change]:
        """Yield what changed at one place and below it; ``retell`` unless the type's words are part of others."""
        if retell and str(old) != new.spelled(self._renamed):
            yield Change(path, "type_changed", str(old), str(new))
        pairs = self._pairs(old, new)
        several = Counter(one.short_name for one in new.alternatives if one.fields or one.kind in ("record", "error"))
        for was, now in pairs:
            base = path
            if sum(several.values()) > 1 and now.kind in ("record", "error"):
                name = now.name.replace(".", "_") if several[now.short_name] > 1 else now.short_name
                base = f"{_below(path)}<{name}>"
            yield from self._types(path, base, was, now)

    def _pairs(self, old: TypeOf, new: TypeOf) -> list[tuple[TypeOf, TypeOf]]:
        """Return which alternatives are the same one: by name, by former name, or as the only ones of their kind."""
        left, pairs, without = list(old.alternatives), [], []
        for now in new.alternatives:
            name = self._renamed.get(now.name, now.name)
            match = next((was for was in left if was.kind == now.kind and was.name == name), None)
            if match is None:
                without.append(now)
                continue
            left.remove(match)
            pairs.append((match, now))
        for now in without:
            alike = [was for was in left if was.kind == now.kind and was.name]
            match = next((was for was in alike if was.short_name == now.short_name), None)
            if match is None and all(_only(now.kind, one) for one in (old, new)):
                match = next(iter(alike), None)
            if match is not None:
                left.remove(match)
                pairs.append((match, now))
        return pairs

    def _types(self, path: str, base: str, old: TypeOf, new: TypeOf) -> Iterator[Change]:
        if (id(old), id(new)) in self._attributed and old.name:
            return
        self._attributed.add((id(old), id(new)))
        yield from _attributes(path, old.said, new.said)
        if old.name:
            pair = (id(old.fields), id(new.fields))  # what all uses of a type share
            if pair in self._compared:
                return
            self._compared.add(pair)
            former = self._renamed.get(new.name)
            if former is not None and former == old.name:
                yield Change(path, "renamed", old.name, new.name)
            if list(old.aliases) != [alias for alias in new.aliases if alias != former]:
                yield Change(path, "aliases_changed", _listed(old.aliases), _listed(new.aliases))
        if old.fields or new.fields:
            yield from self._fields(base, old, new)
        if old.items is not None and new.items is not None:
            mark = "[]" if new.kind == "array" else "{}"
            yield from self.place(_below(base) + mark, old.items, new.items, retell=False)

    def _fields(self, base: str, old: TypeOf, new: TypeOf) -> Iterator[Change]:
        was, now = ({one.name: one for one in record.fields} for record in (old, new))
        former = _renamed_fields(old, new)
        left = set(former.values())
        for name, field in now.items():
            path = f"{_below(base)}.{name}".removeprefix(".")
            known = was.get(former.get(name, name))
            if known is None:
                yield Change(path, "added", None, _told(field))
                continue
            if name in former:
                yield Change(path, "renamed", known.name, name)
            yield from _field_attributes(path, known, field)
            yield from self.place(path, known.type, field.type)
        for name, field in was.items():
            if name not in now and name not in left:
                yield Change(f"{_below(base)}.{name}".removeprefix("."), "removed", _told(field), None)
        before = [name for name in was if name in now or name in left]
        after = [former.get(name, name) for name in now if former.get(name, name) in was]
        if before != after:
            yield Change(base, "reordered", ", ".join(before), ", ".join(after))


def _renamed_fields(old: TypeOf, new: TypeOf) -> dict[str, str]:
    """Return the old name of each field that has a new one, by the new one. A field of its own wins over an alias."""
    was, now = ({one.name for one in record.fields} for record in (old, new))
    renamed: dict[str, str] = {}
    given: set[str] = set()
    for field in new.fields:
        free = (alias for alias in field.aliases if alias in was and alias not in now)
        former = next((alias for alias in free if alias not in given), None)
        if field.name not in was and former is not None:
            renamed[field.name] = former
            given.add(former)
    return renamed


def _field_attributes(path: str, old: FieldOf, new: FieldOf) -> Iterator[Change]:
    rename = old.name != new.name and list(old.aliases) == [alias for alias in new.aliases if alias != old.name]
    was, now = (
        {key: value for key, value in one.said.items() if not (rename and key == "aliases")} for one in (old, new)
    )
    yield from _attributes(path, was, now)


def _attributes(path: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    """Yield what changed in the attributes of a place: JSON values of any depth, told by where in them it is."""
    differing = [key for key in (*old, *(key for key in new if key not in old)) if old.get(key) != new.get(key)]
    for key in differing:
        was, now = old.get(key), new.get(key)
        kind = f"{key}_changed"
        if was is None or now is None:
            yield Change(path, kind, _plain(key, was), _plain(key, now))
            continue
        before, after = json.loads(was), json.loads(now)
        if isinstance(before, dict) and isinstance(after, dict):
            # -0.0 and 0.0 are equal to a library, and other texts to a registry.
            yield from (Change(path, kind, *found) for found in _deep(before, after) or [(was, now)])
        else:
            yield Change(path, kind, _plain(key, was), _plain(key, now))


def _deep(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str | None, str | None]]:
    """Return the differences of two objects, each as text behind its path in them: ``range.max: 5``."""
    found = []
    for items in DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0).values():
        for item in items:
            where = "".join(
                f".{part}" if isinstance(part, str) else f"[{part}]" for part in item.path(output_format="list")
            ).removeprefix(".")
            told = [None if value is notpresent else f"{where}: {_text(value)}" for value in (item.t1, item.t2)]
            found.append((told[0], told[1]))
    return sorted(found, key=str)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _plain(key: str, text: str | None) -> str | None:
    """Return text as it is written; a doc without the quotes of JSON."""
    if text is None or key != "doc" or not text.startswith('"'):
        return text
    return str(json.loads(text))


def _listed(names: tuple[str, ...]) -> str | None:
    return json.dumps(names) if names else None


def _only(kind: str, of: TypeOf) -> bool:
    """True if a place has one alternative of a kind."""
    return [one.kind for one in of.alternatives].count(kind) == 1


def _told(field: FieldOf) -> str:
    return f"{field.type}" + (f", default {field.said['default']}" if field.has_default else ", no default")


def _below(path: str) -> str:
    return "" if path == ROOT else path

"""A field as somebody sees it who reads the schema: its name, the record around it, and what stands beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from producer.scenarios.declared.defaults.words import phrase, search, singular, words
from producer.scenarios.declared.field_paths import Place
from schemas.types.node import Node

_WITHIN = re.compile(r"(\[\]|\{\}|<[^<>]*>)+$")

# "country of residence" is a residence country.
_OF = re.compile(r"^(\w+) of (?!the\b|day\b)(\w+)$")
_PLAIN = re.compile(
    r"^(current|new|old|last|latest|previous|average|mean|median|minimum|maximum|min|max|total|raw|actual|initial|final|est|my|the) | (value|val|reading|measurement|raw|average|mean|min|max|total|text|string|str|field|current|today)$"
)


@dataclass(frozen=True, slots=True)
class Field:
    """One place of a schema with what is around it.

    ``says``: the words of its name, with blanks; an item is named as one of its list
    ``record``: the words of the record that it is in: its type, and the field that holds it
    ``about``: the words of the record's type
    ``around``: all words of the record and of its fields
    ``beside``: the fields of that record, by path, with the words of their names
    ``doc``: what the schema says about it in words
    ``notes``: the same in lower case, with the name that Kafka Connect gives its type
    """

    place: Place
    says: str
    record: str
    about: str
    inside: str
    around: str
    beside: Mapping[str, str] = field(default_factory=dict)
    doc: str = ""
    notes: str = ""

    @property
    def node(self) -> Node:
        """Return the type."""
        return self.place.node

    def is_named(self, pattern: str) -> bool:
        """Tell whether the name's words match."""
        return search(pattern, self.says) is not None

    def plainer(self) -> Field | None:
        """Return the field without a word of its name that says nothing about what it is, if it has one."""
        says = _PLAIN.sub("", _OF.sub(r"\2 \1", self.says))
        return replace(self, says=says) if says and says != self.says else None

    def of_one(self) -> Field | None:
        """Return the field with the last word of its name in the singular, if that is another."""
        before, _, last = self.says.rpartition(" ")
        says = f"{before} {singular(last)}".strip()
        return replace(self, says=says) if says != self.says else None

    def is_near(self, pattern: str) -> bool:
        """Tell whether the words of the record, or of a field beside it, match."""
        return _found(pattern, self.around)


@lru_cache(maxsize=4096)
def _found(pattern: str, around: str) -> bool:
    """All fields of one record have the same words around them, and a record may have thousands."""
    return search(pattern, around) is not None


def fields_of(root: Node, there: Mapping[str, Place]) -> dict[str, Field]:
    """Return every place of a schema as a field, by path."""
    named = {path: phrase(place.name) for path, place in there.items()}
    inside = {path: _inside(path, place) for path, place in there.items()}
    beside: dict[str, dict[str, str]] = {}
    for path in there:
        if not _WITHIN.search(path):
            beside.setdefault(inside[path], {})[path] = named[path]
    near: dict[str, str] = {}
    found = {}
    for path, place in there.items():
        held = there.get(inside[path])
        record = root if held is None else held.node
        about = phrase(_short(record.name))
        around = about if held is None else f"{about} {phrase(held.name)}"
        says = named[path] if not path.endswith(("[]", "{}")) else " ".join(_singular_last(words(place.name)))
        doc = str(record.field_docs.get(place.name, ""))
        notes = f"{doc} {place.node.properties.get('connect.name', '')}".strip().lower()
        others = beside.get(inside[path], {})
        if inside[path] not in near:
            near[inside[path]] = f"{around}; {'; '.join(others.values())}"
        found[path] = Field(place, says, around, about, inside[path], near[inside[path]], others, doc, notes)
    return found


def _inside(path: str, place: Place) -> str:
    """Return the path of the record that a place is in; empty for the event itself."""
    bare = _WITHIN.sub("", path)
    return bare.removesuffix(place.name).removesuffix(".")


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _singular_last(name: tuple[str, ...]) -> tuple[str, ...]:
    return (*name[:-1], singular(name[-1]))

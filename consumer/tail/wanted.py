"""Which records are shown: those of a key, and those whose value has certain fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cluster.errors import Misconfigured
from cluster.text.nearest import meant

_MOST_FIELDS = 500
_NOT_THERE = object()


@dataclass(slots=True)
class Wanted:
    """Decides about records, one after the other.

    :param key: text of the key; ``None`` takes every record.
    :param where: what fields must hold, by their dotted paths; a number in a path is the place in a list.
    """

    key: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    _met: set[str] = field(default_factory=set)
    _seen: dict[str, None] = field(default_factory=dict)

    @classmethod
    def parse(cls, key: str | None, where: Iterable[str]) -> Wanted:
        """Return what the texts ``field=value`` say.

        :raises Misconfigured: one of them has no field.
        """
        pairs = []
        for text in where:
            path, equals, value = text.partition("=")
            if not equals or not path.strip():
                raise Misconfigured(f"{text!r} does not say a field and its value", hint="Write --where field=value")
            pairs.append((path.strip(), value))
        return cls(key, tuple(pairs))

    def has_key(self, key: bytes | None) -> bool:
        """Return whether a record with this key may be shown."""
        return self.key is None or (key is not None and key == self.key.encode())

    def has_fields(self, value: Any) -> bool:
        """Return whether a decoded value has what is asked for; one that is no object has no fields."""
        return all(self._holds(value, path, text) for path, text in self.where)

    def unmet(self) -> str | None:
        """Return what to say of a field that no value had, or ``None``."""
        for path, _ in self.where:
            if path not in self._met and self._seen:
                return f"no value had a field {path}{meant(path, self._seen, listed=True)}"
        return None

    def _holds(self, value: Any, path: str, text: str) -> bool:
        found = _at(value, path)
        if found is _NOT_THERE:
            if path not in self._met and len(self._seen) < _MOST_FIELDS:
                self._seen |= dict.fromkeys(_paths(value))
            return False
        self._met.add(path)
        return found == text if isinstance(found, str) else json.dumps(found) == text


def _at(value: Any, path: str) -> Any:
    """Return what stands at a path; a member whose name has dots is found too."""
    if isinstance(value, dict) and path in value:
        return value[path]
    name, _, rest = path.partition(".")
    if isinstance(value, dict) and name in value:
        inside = value[name]
    elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        inside = value[int(name)]
    else:
        return _NOT_THERE
    return _at(inside, rest) if rest else inside


def _paths(value: Any, before: str = "") -> Iterator[str]:
    for name, inside in value.items() if isinstance(value, dict) else ():
        yield f"{before}{name}"
        yield from _paths(inside, f"{before}{name}.")

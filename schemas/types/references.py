"""A schema whose types are defined in other schemas, as one text that holds them all.

Each definition is put where its name is met first, as the specification wants it, and once: the text is as long as
all schemas together, however often they use each other's types.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.types import schema_text
from schemas.types.limits import too_deep
from schemas.types.node import full_name, space_of
from schemas.undecodable import UnsupportedSchema

_NAMED = ("record", "error", "enum", "fixed")


def self_contained(text: str, referred: Iterable[str]) -> str:
    """Return a schema with the definitions that it takes from others; what none of them defines stays a name.

    :param referred: the texts of the schemas that it refers to, and of those that they refer to.
    :raises UnsupportedSchema: a text is not JSON.
    """
    try:
        joining = _Joining()
        for one in referred:
            joining.know(schema_text.load(one), "")
        whole = joining.put(schema_text.load(text), "", "")
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    except schema_text.NestedTooDeeply:
        raise too_deep("") from None
    except ValueError as error:
        raise UnsupportedSchema(f"not an Avro schema: it is not JSON: {error}", kind="invalid_schema") from None


@dataclass(slots=True)
class _Joining:
    """The definitions that other schemas have, and the names of those that are put already."""

    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)

    def know(self, schema: Any, namespace: str) -> None:
        """Keep all named types of a schema by their full names."""
        if isinstance(schema, list):
            for branch in schema:
                self.know(branch, namespace)
        if not isinstance(schema, dict):
            return
        if schema.get("type") in _NAMED and isinstance(schema.get("name"), str):
            name = full_name(schema["name"], space_of(schema, namespace))
            namespace = name.rpartition(".")[0]
            self.known.setdefault(name, {**schema, "name": name.rpartition(".")[2], "namespace": namespace})
        for below in _below(schema):
            self.know(below, namespace)

    def put(self, schema: Any, namespace: str, home: str) -> Any:
        """Return a schema with the definitions that are met here for the first time in place of their names.

        :param namespace: the one around the place where it was written.
        :param home: the one around the place where it is put.
        """
        if isinstance(schema, str):
            return self._named(schema, namespace, home)
        if isinstance(schema, list):
            return [self.put(branch, namespace, home) for branch in schema]
        if not isinstance(schema, dict):
            return schema
        if schema.get("type") in _NAMED and isinstance(schema.get("name"), str):
            return self._defined(schema, namespace, home)
        return self._with_inner(dict(schema), namespace, home)

    def _defined(self, schema: Mapping[str, Any], namespace: str, home: str) -> Any:
        """Return a definition, or its name where it is put already."""
        name = full_name(schema["name"], space_of(schema, namespace))
        if name in self.there and name in self.known:
            return name
        self.there.add(name)
        inner = name.rpartition(".")[0]
        found = dict(schema)
        if inner != home or isinstance(schema.get("namespace"), str):
            found |= {"name": name.rpartition(".")[2], "namespace": inner}
        return self._with_inner(found, inner, inner)

    def _with_inner(self, found: dict[str, Any], namespace: str, home: str) -> dict[str, Any]:
        for key in ("items", "values"):
            if key in found:
                found[key] = self.put(found[key], namespace, home)
        if isinstance(found.get("fields"), list):
            found["fields"] = [self._field(one, namespace, home) for one in found["fields"]]
        elif "type" in found and found["type"] not in (*_NAMED, "array", "map"):
            found["type"] = self.put(found["type"], namespace, home)
        return found

    def _field(self, one: Any, namespace: str, home: str) -> Any:
        if not isinstance(one, dict) or "type" not in one:
            return one
        return {**one, "type": self.put(one["type"], namespace, home)}

    def _named(self, name: str, namespace: str, home: str) -> Any:
        for whole in (full_name(name, namespace), name):
            if whole in self.there:
                return whole
            if whole in self.known:
                return self.put(self.known[whole], "", home)
        return name


def _below(schema: Mapping[str, Any]) -> Iterable[Any]:
    yield from (
        schema[key] for key in ("type", "items", "values") if key in schema and not isinstance(schema[key], str)
    )
    if isinstance(schema.get("fields"), list):
        yield from (one.get("type") for one in schema["fields"] if isinstance(one, dict))

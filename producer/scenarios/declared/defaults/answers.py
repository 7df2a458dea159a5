"""Answers of servers and ends of programs, so that a status, its words and the flags beside it agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from producer.scenarios.declared.defaults.changes import is_bad
from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.ranges import CHOICES

_PHRASES = {
    200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
HTTP, EXITS = "(answers over HTTP)", "(ends of programs)"
# What a field beside a status says of it: its type, its name, and the column that has it.
_BESIDE = (
    ("boolean", r"^(is |was |http |request |call )?(success|successful|succeeded|ok|passed)$", "well"),
    ("boolean", r"^(is |was |has |http |request |call )?(error|errors|failed|failure|errored)$", "badly"),
    ("string", r"\b(status|response|http|reason) (text|phrase|message|reason)$|^reason phrase$", "phrase"),
    ("string", r"^(\w+ )?(outcome|result)$|^(status|state)$", "outcome"),
    ("string", r"^(http |status |response )(class|family|category)$|^status code class$", "family"),
)


def answer_pools() -> dict[str, dict[str, Any]]:
    """Return the pools: a status with what it means, the usual ones several times."""
    codes = [int(code) for code in CHOICES["http status"]]
    exits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 127, 137, 143]
    return {
        HTTP: _pool(codes, [code < 400 for code in codes], [_PHRASES[code] for code in codes]),
        EXITS: _pool(exits, [code == 0 for code in exits], ["failed" if code else "completed" for code in exits]),
    }


def _pool(codes: list[int], well: list[bool], phrases: list[str]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {
        "code": list(codes),
        "text": [str(code) for code in codes],
        "well": well,
        "badly": [not one for one in well],
        "phrase": phrases,
        "outcome": ["success" if one else "failure" for one in well],
        "family": [f"{code // 100}xx" for code in codes],
    }
    return {"size": len(codes), "columns": {name: {"cycle": values} for name, values in columns.items()}}


def of_one_answer(
    fields: Mapping[str, Field], ways: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ways of the fields of one record that say how one request, or one program, ended.

    :param fields: fields of one record of which neither the file nor the schema says anything, by path.
    """
    codes = {path: pool for path, field in fields.items() if (pool := _pool_of(field, ways[path]))}
    if len(codes) != 1:
        return
    ((code, pool),) = codes.items()
    beside = _beside(code, fields)
    if beside:
        yield code, {"pool": f"{pool}.{'text' if fields[code].node.kind == 'string' else 'code'}"}
        yield from ((path, {"pool": f"{pool}.{column}"}) for path, column in beside.items())


def of_one_outcome(
    fields: Mapping[str, Field], ways: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return ways of a status in words and of the flags beside it, and the pool that they come from."""
    for path, field in fields.items():
        choice = ways[path].get("choice", {})
        if not field.is_named(r"\b(status|state|result|outcome)$") or not isinstance(choice, Mapping):
            continue
        bad = [is_bad(value, field) for value in choice]
        flags = {one: column for one, column in _beside(path, fields).items() if fields[one].node.kind == "boolean"}
        if not flags or all(bad) or not any(bad):
            continue
        name = f"(outcomes in {path.replace('.', ' ')})"
        columns = {"status": list(choice), "well": [not one for one in bad], "badly": bad}
        # Of a choice by rank, as all lists are, the chances are those of a pool with a skew of one.
        pool = {"size": len(bad), "skew": 1.0, "columns": {one: {"cycle": values} for one, values in columns.items()}}
        drawn = {path: "status", **flags}
        return {one: {"pool": f"{name}.{column}"} for one, column in drawn.items()}, {name: pool}
    return {}, {}


def _beside(code: str, fields: Mapping[str, Field]) -> dict[str, str]:
    """Return the fields that say in other words how something ended, with the column that has it."""
    return {
        path: column
        for path, field in fields.items()
        for kind, named, column in _BESIDE
        if path != code and field.node.kind == kind and field.is_named(named)
    }


def _pool_of(field: Field, way: Mapping[str, Any]) -> str | None:
    """Return the pool of what a status is of; ``None`` where it is none of these."""
    if "choice" in way and {str(one) for one in way["choice"]} <= {str(code) for code in _PHRASES}:
        return HTTP
    return EXITS if "distribution" in way and field.is_named(r"\bexit (code|status)$|^return code$") else None

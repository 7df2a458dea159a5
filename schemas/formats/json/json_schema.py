"""The JSON Schema of a contract: what a registry is given, and what says the same to other programs.

It is made from the contract, which is the one description of the types, and carries it under ``CONTRACT``: so whoever
has the schema of a value has its columns as well. A JSON Schema of somebody else, without a contract, gives none.
"""

from __future__ import annotations

import json
from typing import Any

from schemas.types import schema_text
from schemas.types.node import Node, member_names
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

DIALECT = "http://json-schema.org/draft-07/schema#"
CONTRACT = "x-avro-contract"  # an annotation: JSON Schema ignores keywords that it does not know

_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_FRACTION = {"millis": r"\.[0-9]{3}", "micros": r"\.[0-9]{6}"}
_BITS = {"int": 31, "long": 63}


def json_schema_of(contract: str) -> str:
    """Return the JSON Schema of a contract, as text. The same contract gives the same text.

    :raises UnsupportedSchema: no table can hold it.
    """
    root = parse(contract)
    schema = {"$schema": DIALECT, "title": root.name, **_schema(root), CONTRACT: json.loads(contract)}
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def contract_in(text: str) -> str:
    """Return the contract that a JSON Schema carries, as text in canonical spacing.

    :raises UnsupportedSchema: it carries none.
    """
    try:
        contract = schema_text.load(text)[CONTRACT]
    except (ValueError, TypeError, KeyError):
        raise UnsupportedSchema("a JSON Schema without a contract: its values have no columns") from None
    return json.dumps(contract, ensure_ascii=False, separators=(",", ":"))


def _schema(node: Node) -> dict[str, Any]:
    plain = _plain(node)
    return {"anyOf": [{"type": "null"}, plain]} if node.null_branch is not None else plain


def _plain(node: Node) -> dict[str, Any]:  # noqa: C901, PLR0911 - one return for each type
    if node.logical:
        return _text(node)
    match node.kind:
        case "record":
            required = [name for name, child in node.fields if name not in node.defaults and not child.nullable]
            return {
                "type": "object",
                "properties": {name: _schema(child) for name, child in node.fields},
                "required": required,
                "additionalProperties": False,
            }
        case "array":
            return {"type": "array", "items": _schema(node.element())}
        case "map":
            return {"type": "object", "additionalProperties": _schema(node.element())}
        case "union":
            return {"anyOf": [_branch(tag, one) for tag, one in zip(member_names(node), node.branches, strict=True)]}
        case "enum":
            return {"type": "string", "enum": list(node.symbols)}
        case "int" | "long":
            most = 1 << _BITS[node.kind]
            return {"type": "integer", "minimum": -most, "maximum": most - 1}
        case "float" | "double":
            return {"anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]}
        case "bytes" | "fixed":
            return {"type": "string", "contentEncoding": "base64"}
        case "recursion":
            return {"type": "string", "contentMediaType": "application/json"}
        case _:
            return {"type": node.kind}  # null, boolean, string


def _branch(tag: str, node: Node) -> dict[str, Any]:
    if node.kind == "null":
        return {"type": "null"}
    return {"type": "object", "properties": {tag: _schema(node)}, "required": [tag], "additionalProperties": False}


def _text(node: Node) -> dict[str, Any]:
    """Return the schema of a type that is text in JSON alone. Patterns are of the form that we write."""
    family, _, unit = node.logical.rpartition("-")
    if node.logical == "decimal":
        point = rf"\.[0-9]{{{node.scale}}}" if node.scale else ""
        return {"type": "string", "pattern": f"^-?(0|[1-9][0-9]*){point}$"}
    if node.logical == "date":
        return {"type": "string", "format": "date"}
    if family == "timestamp":
        return {"type": "string", "format": "date-time"}
    day = "" if family == "time" else "[0-9]{4}-[0-9]{2}-[0-9]{2}T"
    return {"type": "string", "pattern": f"^{day}{_CLOCK}{_FRACTION[unit]}$"}

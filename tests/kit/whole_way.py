"""A schema the whole way on the real stack, command by command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema
from tests.kit.commands import streamproof

EVENTS = 40


def scenario_of(schema: str | bytes, folder: Path) -> Path:
    """Write a schema and the scenario that it is by itself, and return the scenario's file."""
    path = folder / "any.yaml"
    path.write_text("schema: any.avsc\n")
    path.with_suffix(".avsc").write_bytes(schema if isinstance(schema, bytes) else schema.encode())
    return path


def refusal(schema: str) -> str | None:
    """Return why no table can hold a schema; ``None`` if one can."""
    try:
        parse(schema)
    except UnsupportedSchema as refused:
        return refused.message
    return None


def whole_way(scenario: Path, topic: str, warehouse: Path) -> dict[str, Any]:
    """Preview, gate, produce, load and audit; return what the audit says. The topic is there."""
    for words in (
        ("preview", scenario, "--events", EVENTS),
        ("schemas", "gate", scenario.with_suffix(".avsc"), "--topic", topic),
        ("produce", scenario, "--topic", topic, "--events", EVENTS),
        ("load", topic, "--warehouse", warehouse),
    ):
        ended = streamproof(*words, "--json")
        assert ended.exit_code == 0, f"{words[0]}: {ended.text}"
    assert ended.document["quarantined"] == 0
    audit = streamproof("audit", topic, "--warehouse", warehouse, "--json")
    assert audit.exit_code == 0, audit.text
    return audit.document


def refusals(scenario: Path, topic: str) -> list[str]:
    """Return what preview, gate and produce say of a schema that they refuse."""
    said = []
    for words in (
        ("preview", scenario),
        ("schemas", "gate", scenario.with_suffix(".avsc"), "--topic", topic),
        ("produce", scenario, "--topic", topic, "--events", 10),
    ):
        ended = streamproof(*words, "--json")
        assert ended.exit_code == 78, f"{words[0]}: {ended.text}"
        said.append(str(ended.document["error"]["message"]))
    return said

"""Playing a case: schemas registered and records written by a client that is not ours, and what the warehouse has then.

A case is JSON: ``steps`` (each a ``schema``, with ``subject``, ``references``, ``rows`` or ``raw_hex``, ``times``,
``headers``, ``unframed``, and whether to ``load`` behind it), a ``query`` over the warehouse and the ``right`` rows.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import httpx
from confluent_kafka import Producer

from cluster.connection import Connection
from tests.kit.commands import streamproof
from tests.kit.topics import make_topic


@dataclass(frozen=True, slots=True)
class Played:
    """What a case came to: the rows of its query as text, and what was put into quarantine."""

    found: list[list[str]]
    quarantine: list[tuple[Any, ...]]


def play(case: dict[str, Any], connection: Connection, topic: str, warehouse: Path) -> Played:
    """Play a case in a topic of its own; every load has to end well."""
    make_topic(connection, topic)
    known: dict[str, Any] = {}
    producer = Producer({"bootstrap.servers": connection.kafka.bootstrap_servers})
    for step in case["steps"]:
        subject = step.get("subject", f"{topic}-value")
        number = _registered(connection.registry.url, subject, step)
        headers = [(name, bytes.fromhex(value)) for name, value in step.get("headers", [])]
        frame = b"" if step.get("unframed") else b"\0" + struct.pack(">I", number)
        for value in _values(step, known):
            producer.produce(topic, frame + value, headers=headers, partition=0)
        assert producer.flush(20) == 0
        if step.get("load"):
            _load(topic, warehouse)
    _load(topic, warehouse)
    with duckdb.connect(str(warehouse), read_only=True) as store:
        quarantine = store.execute("SELECT _offset, error_class, error FROM quarantine ORDER BY ALL").fetchall()
        found = [[str(one) for one in row] for row in store.execute(case["query"]).fetchall()]
    return Played(found, quarantine)


def _registered(url: str, subject: str, step: dict[str, Any]) -> int:
    """Register a schema at the level NONE, and return its id."""
    httpx.put(f"{url}/config/{subject}", json={"compatibility": "NONE"}).raise_for_status()
    references = [{"name": name, "subject": of, "version": version} for name, of, version in step.get("references", [])]
    body = {"schema": json.dumps(step["schema"]), "schemaType": "AVRO", "references": references}
    answer = httpx.post(f"{url}/subjects/{subject}/versions", json=body)
    answer.raise_for_status()
    return int(answer.json()["id"])


def _values(step: dict[str, Any], known: dict[str, Any]) -> Iterator[bytes]:
    yield from (bytes.fromhex(one) for one in step.get("raw_hex", []))
    if not step.get("rows"):
        return
    schema = fastavro.parse_schema(step["schema"], named_schemas=known if step.get("subject") else {})
    for row in step["rows"] * step.get("times", 1):
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, schema, _revived(row))
        yield buffer.getvalue()


def _revived(value: Any) -> Any:
    """Return a value with {"$decimal": "1.2"}, {"$hex": "00ff"} and {"$branch": [name, value]} as what they say."""
    match value:
        case list():
            return [_revived(one) for one in value]
        case {"$decimal": digits}:
            return Decimal(digits)
        case {"$hex": digits}:
            return bytes.fromhex(digits)
        case {"$branch": [name, inner]}:
            return (name, _revived(inner))
        case dict():
            return {key: _revived(one) for key, one in value.items()}
    return value


def _load(topic: str, warehouse: Path) -> None:
    ended = streamproof("load", topic, "--warehouse", warehouse, "--json")
    assert ended.exit_code == 0, ended.text

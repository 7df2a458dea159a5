"""Versions of a schema in one topic: nothing is quarantined for what came before, and all of it is proved again."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from consumer.load.quarantine import replay
from consumer.sinks.duckdb.columns import EventColumns
from consumer.verify import verify_warehouse
from schemas.columns.column_type import SchemaConflict


def version(*fields: tuple[Any, ...]) -> dict[str, Any]:
    written = [{"name": name, "type": kind, "aliases": list(others)} for name, kind, *others in fields]
    return {"type": "record", "name": "Order", "fields": written}


def digits(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def line(kind: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "record", "name": "Line", "fields": [{"name": "n", "type": kind}]}}


VERSIONS = [
    (version(("id", "int"), ("body", "string"), ("lines", line("int"))),
     {"id": 2**31 - 1, "body": "\\x41", "lines": [{"n": 1}]}),
    (version(("id", "float"), ("body", "bytes"), ("lines", line(["null", "string", "int"]))),
     {"id": 0.25, "body": b"\xff", "lines": [{"n": "a"}, {"n": None}, {"n": 3}]}),
    (version(("key", "double", "id"), ("body", ["null", "string", "boolean"]), ("lines", line("double"))),
     {"key": 1e300, "body": True, "lines": []}),
    (version(("key", "long"), ("body", "string"), ("lines", "string")),
     {"key": 2**62 + 1, "body": "z", "lines": "none"}),
]  # fmt: skip


def test_every_version_is_stored_and_every_value_is_proved_against_the_topic(rig: Any) -> None:
    rig.create()
    for _ in range(2):
        for schema, row in VERSIONS:
            rig.produce(rig.encode(schema, [row] * 3))
        result = rig.load(batch_rows=5)
        assert (result.rows, result.quarantined) == (12, 0)
    assert dict(rig.rows("SELECT column_name, column_type FROM (DESCRIBE events) WHERE column_name[1] <> '_'")) == {
        "key": "DOUBLE",
        "body": 'UNION(bytes BLOB, "null" "NULL", string VARCHAR, "boolean" BOOLEAN)',
        "lines": 'STRUCT(n UNION("int" INTEGER, "null" "NULL", string VARCHAR, "double" DOUBLE))[]',
        "key_2": "BIGINT",
        "lines_2": "VARCHAR",
    }
    found = verify_warehouse(rig.warehouse, rig.connection, sample=24)
    verdicts = {proof.name: proof.verdict for proof in found.proofs}
    assert (verdicts["schemas"], verdicts["columns"], verdicts["sample"]) == ("PASSED",) * 3, found.document()


def test_what_an_earlier_version_of_the_loader_refused_is_replayed(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.create()
    (first, row), (second, other) = VERSIONS[:2]
    rig.produce([*rig.encode(first, [row] * 2), *rig.encode(second, [other] * 3)])
    adopt = EventColumns.adopt

    def refusing(self: EventColumns, schema_id: int, root: Any) -> list[str]:
        if self.held.columns:
            raise SchemaConflict("id is INTEGER in the table and FLOAT in the schema")
        return adopt(self, schema_id, root)

    with monkeypatch.context() as patch:
        patch.setattr(EventColumns, "adopt", refusing)
        result = rig.load()
    assert (result.rows, result.quarantined) == (2, 3)
    again = replay(rig.connection, rig.warehouse, stop=threading.Event())
    assert (again.replayed, again.remaining) == (3, 0)
    assert rig.rows("SELECT id, body FROM events ORDER BY _offset")[-1] == (0.25, b"\xff")
    assert verify_warehouse(rig.warehouse, rig.connection, sample=5).verdict == "PASSED"

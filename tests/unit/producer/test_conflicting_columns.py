"""Fields that a table cannot hold beside what it holds: refused before the first event, unless settings allow it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster.connection import Connection
from cluster.errors import SchemaIncompatible
from producer.plan import agreement
from producer.plan.request import ProduceRequest
from schemas.columns.at_hand import AtHand
from schemas.columns.held import Held
from schemas.columns.judge import judge
from schemas.registry.contract import ContractVersion
from schemas.types.tree import parse
from tests.kit.versions import one, record

LONG, DOUBLE = (json.dumps(record("R", one("amount", kind))) for kind in ("long", "double"))
URL = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("registry", "asked", "refused"),
    [
        ({}, None, True),
        ({"column_conflicts": "refuse"}, None, True),
        ({"column_conflicts": "warn"}, None, False),
        ({"column_conflicts": "warn"}, "refuse", True),
        (None, None, True),
        (None, "warn", False),
    ],
)
def test_values_without_a_frame_are_held_to_the_setting_too(registry, asked, refused):
    connection = Connection.of(**({} if registry is None else {"registry": {"url": URL} | registry}))
    table = AtHand("/w.duckdb", judge(Held(), parse(LONG)).held)
    request = ProduceRequest(topic="t", run_id="r", events=1, table=table, column_conflicts=asked)

    def judged() -> None:
        scenario, written = (
            SimpleNamespace(format="plain-json"),
            ContractVersion(1, Path("v1.avsc"), json.loads(DOUBLE), DOUBLE),
        )
        agreement._refuse_conflicts(connection, request.plan, scenario, [written])

    if not refused:
        judged()
        return
    with pytest.raises(SchemaIncompatible, match="amount_2") as raised:
        judged()
    assert "the setting column_conflicts" in raised.value.hint

"""The proof asks for evidence, not for a warehouse: records that were taken elsewhere are judged in the same way."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from consumer.proof.evidence.comparison import compare, lay_out
from consumer.proof.evidence.relations import RecordsEvidence
from consumer.proof.findings import find
from consumer.proof.found import Findings
from consumer.proof.kept_manifests import stored_manifests
from schemas.identity import event_id

RUN = "rehearsal/one"
COUNTED = ("missing", "duplicated", "phantom", "altered", "reordered", "misplaced", "expected", "loaded", "uncompared")
_TAKEN = """
    SELECT event_id, partition, "offset", recorded_at, key, crc32 FROM run_records
    UNION ALL
    SELECT 'somebody else', 0, 0, now(), NULL, 0
"""


def where(shard: int, sequence: int) -> str:
    return f"event_id = '{event_id(RUN, shard, sequence)}'"


def again(lab: Any) -> tuple[Findings, Findings]:
    """What the warehouse says of its run, and what its records say where they are alone with the manifests."""
    with lab.open() as warehouse:
        manifests = stored_manifests(warehouse, RUN)
        of_file = find(warehouse, RUN, manifests)
        records: pa.Table = warehouse.connection.sql(_TAKEN).to_arrow_table()
    with RecordsEvidence(records, RUN, manifests, where="records") as evidence:
        lay_out(evidence, manifests)
        return of_file, compare(evidence, RUN, manifests)


@pytest.mark.parametrize(
    ("damage", "counted"),
    [
        ("SELECT 1", {}),
        (f"DELETE FROM events WHERE {where(1, 123)}", {"missing": 1}),
        (f"INSERT INTO events BY NAME FROM events WHERE {where(0, 7)}", {"duplicated": 1}),
        (f"UPDATE events SET _crc32 = (_crc32 + 1) % 4294967296 WHERE {where(0, 9)}", {"altered": 1}),
        (f"UPDATE events SET event_id = '{event_id(RUN, 1, 300)}' WHERE {where(1, 4)}", {"missing": 1, "phantom": 1}),
        (f"UPDATE events SET _timestamp = _timestamp + INTERVAL 1 HOUR WHERE {where(0, 9)}", {"misplaced": 1}),
    ],
)
def test_records_alone_are_judged_as_in_a_warehouse(audited: Any, damage: str, counted: dict[str, int]) -> None:
    audited.sql(damage)
    of_file, of_records = again(audited)
    assert {name: getattr(of_records, name) for name in COUNTED if getattr(of_records, name)} == {
        "expected": 600,
        "loaded": of_file.loaded,
        **({"uncompared": of_file.uncompared} if of_file.uncompared else {}),
        **counted,
    }
    assert of_records.balance == of_file.balance
    assert of_records.shards == of_file.shards
    located = {name: of_file.examples[name] for name in counted if name in of_file.examples}
    assert {name: of_records.examples[name] for name in located} == located


def test_a_run_without_records_has_lost_everything(audited: Any) -> None:
    with audited.open() as warehouse:
        manifests = stored_manifests(warehouse, RUN)
    nothing = pa.table(
        {
            "event_id": pa.array([], pa.string()),
            "partition": pa.array([], pa.int32()),
            "offset": pa.array([], pa.int64()),
            "recorded_at": pa.array([], pa.timestamp("ms", "UTC")),
            "key": pa.array([], pa.binary()),
            "crc32": pa.array([], pa.int64()),
        }
    )
    with RecordsEvidence(nothing, RUN, manifests, where="nowhere") as evidence:
        lay_out(evidence, manifests)
        found = compare(evidence, RUN, manifests)
    assert (found.missing, found.loaded) == (600, 0)
    assert found.shards[1].lost_ranges == [(0, 300)]

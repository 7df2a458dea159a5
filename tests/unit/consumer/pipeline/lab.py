"""A run, what a pipeline made of it, and a look at both: without a broker and without a store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from cluster.connection import Connection
from consumer.pipeline.asked import Asked
from consumer.pipeline.claims import Claims
from consumer.pipeline.look import Work, look
from consumer.pipeline.result import PipelineResult
from consumer.pipeline.session import proof_session
from consumer.pipeline.stored import WHERE, StoredColumn, StoredRows
from schemas.identity import event_id
from schemas.manifest import FaultTruth, Manifest, SchemaUsed, count

RUN = "pipeline/lab"
_DETAILS = pa.struct([("price", pa.decimal128(12, 4)), ("code", pa.string())])
SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("event_type", pa.string()),
        ("amount", pa.float64()),
        ("count", pa.int64()),
        ("sent_at", pa.timestamp("ms", tz="UTC")),
        ("details", _DETAILS),
    ]
)
_NOWHERE = Connection.of()
_KINDS = ("play", "search", "browse")


def events(shard: int, first: int, end: int) -> pa.RecordBatch:
    """Return events of a shard: a function of shard and number."""
    numbers = np.arange(first, end)
    columns: dict[str, Any] = {
        "event_id": pa.array([event_id(RUN, shard, int(n)) for n in numbers]),
        "user_id": pa.array([f"user-{shard}-{n % 17}" for n in numbers]),
        "event_type": pa.array([_KINDS[n % 3] for n in numbers]),
        "amount": pa.array(numbers / 7.0),
        "count": pa.array(numbers * 9_007_199_254 + 1, pa.int64()),
        "sent_at": pa.array(1_767_225_600_123 + numbers * 37, pa.timestamp("ms", tz="UTC")),
        "details": pa.array(
            [
                {"price": Decimal(int(n) * 37 % 10_000) / Decimal(10_000) + 3, "code": f"c{n % 5}" if n % 4 else None}
                for n in numbers
            ],
            _DETAILS,
        ),
    }
    return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)


class LabTruth:
    """The events of the lab, told again."""

    schema = SCHEMA
    key = "user_id"

    def __init__(self) -> None:
        self.told = 0

    def events(self, shard: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        """Yield them, 1,000 at a time."""
        for start in range(first, end, 1_000):
            batch = events(shard, start, min(end, start + 1_000))
            self.told += len(batch)
            yield batch.add_column(0, "_sequence", pa.array(range(start, start + len(batch)), pa.int64()))


@dataclass
class LabRows:
    """Rows of a table, as a place gives them."""

    table: pa.Table
    shown: str = "lab"
    as_of: str = "2026-11-27T12:00:00Z"
    says_null: bool = True
    change: str = ""
    contradicted: Sequence[str] = ()
    aside: Sequence[pa.Table] = ()

    @property
    def columns(self) -> Sequence[StoredColumn]:
        with duckdb.connect() as session:
            session.execute("SET TimeZone = 'UTC'")
            session.register("given", self.table)
            described = session.execute("DESCRIBE FROM given").fetchall()
        return [StoredColumn(name, kind, says_null=self.says_null) for name, kind, *_ in described]

    def relations(
        self, session: duckdb.DuckDBPyConnection, columns: Sequence[str], *, located: bool = False
    ) -> Iterator[str]:
        for start in range(0, len(self.table), 700):
            part = self.table.slice(start, 700).combine_chunks()
            if located:
                part = part.append_column(WHERE, pa.array([f"row {start + n}" for n in range(len(part))]))
            session.register("lab_rows", part.select([*columns, *([WHERE] if located else [])]))
            yield "lab_rows"
            session.unregister("lab_rows")

    def changed(self) -> str:
        return self.change

    def contradictions(self) -> list[str]:
        return list(self.contradicted)

    def set_aside(self) -> Iterator[pa.Table]:
        return iter(self.aside)

    def notes(self) -> list[str]:
        return []


@dataclass
class Lab:
    """A run of two shards, as its manifests tell it."""

    per_shard: int = 300
    shards: int = 2
    manifests: list[Manifest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.manifests = [self.manifest(shard) for shard in range(self.shards)]

    def manifest(self, shard: int, **said: Any) -> Manifest:
        away = count(said.get("failed", [])) + count(said.get("unknown", [])) + said.get("dropped", 0)
        return Manifest(
            **{
                "status": "finished",
                "run_id": RUN,
                "shard": shard,
                "shards": self.shards,
                "topic": "lab",
                "scenario": "lab",
                "scenario_version": 1,
                "seed": 1,
                "schema_used": SchemaUsed(subject="lab-value", version=1, id=1),
                "started_at": "2026-11-27T11:00:00+00:00",
                "ended_at": "2026-11-27T11:01:00+00:00",
                "next_sequence": self.per_shard,
                "acknowledged": self.per_shard - away,
            }
            | said
        )

    def faulty(self, shard: int, kind: str, sequences: list[tuple[int, int]]) -> None:
        dropped = count(sequences) if kind == "dropped" else 0
        truth = [FaultTruth(kind=kind, sequences=sequences)]
        self.manifests[shard] = self.manifest(shard, faults=truth, dropped=dropped)

    def rows(self) -> pa.Table:
        """Return what an honest pipeline stores: every event, once."""
        return pa.Table.from_batches([events(shard, 0, self.per_shard) for shard in range(self.shards)])

    def look(
        self, rows: pa.Table | StoredRows, *, last: bool = True, claims: Claims | None = None, **asked: Any
    ) -> PipelineResult:
        """Look once."""
        given = LabRows(rows) if isinstance(rows, pa.Table) else rows
        work = Work(_NOWHERE, "lab", Asked(**asked), lambda _: LabTruth(), threading.Event())
        with proof_session(threading.Event()) as session:
            return look(session, claims or Claims(RUN, self.manifests), given, work, last=last)

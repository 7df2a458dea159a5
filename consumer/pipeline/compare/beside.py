"""What was sent, as relations that queries go through: of the run at hand, and of other topics beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from consumer.pipeline.claims import Claims
from consumer.pipeline.session import ProofSession
from consumer.pipeline.truth import SEQUENCE, Truth
from consumer.proof.evidence.relations import lay_claims
from schemas.columns.column_type import quote
from schemas.manifest import Manifest

# What of another topic is not meant to be anywhere: failed, not known, unreadable or dropped on purpose.
_NOT_MEANT = """
    CREATE OR REPLACE TEMP TABLE {without} AS
    SELECT shard, sequence FROM run_unsure WHERE {of_ours}
    UNION ALL
    SELECT shard, sequence FROM run_faults
    WHERE kind IN ('dropped', 'tombstone') OR starts_with(kind, 'undecodable')
"""
_RELATION = """
    CREATE OR REPLACE TEMP VIEW {name} AS
    SELECT told.* FROM {told} AS told ANTI JOIN {without} AS without
        ON without.shard = told._shard AND without.sequence = told._sequence
"""


class ToldAgain:
    """The events of a run as a stream of Arrow, told from the first to the last whenever DuckDB asks for it.

    :ivar failed: what ended the last telling before its end.
    :ivar events: how many there are, once they were told to their end.
    """

    def __init__(self, truth: Truth, manifests: Sequence[Manifest]) -> None:
        self._truth = truth
        self._manifests = manifests
        fields = [pa.field("_shard", pa.int32()), pa.field(SEQUENCE, pa.int64())]
        self.schema = pa.schema([*fields, *truth.schema])
        self.failed: BaseException | None = None
        self.events = 0

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a new stream, as Arrow's PyCapsule interface has it."""
        reader: Any = pa.RecordBatchReader.from_batches(self.schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        told = 0
        try:
            for manifest in self._manifests:
                first, end = manifest.first_sequence, manifest.next_sequence
                for batch in self._truth.events(manifest.shard, first, end):
                    columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names}
                    columns["_shard"] = pa.array(np.full(len(batch), manifest.shard, np.int32))
                    arrays = [columns[name] for name in self.schema.names]
                    told += len(batch)
                    yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
            self.events = told
        except Exception as error:
            self.failed = error
            raise


@dataclass(frozen=True, slots=True)
class ToldBeside:
    """What was sent to another topic.

    :ivar name: of its relation.
    """

    name: str
    told: ToldAgain
    claims: Claims


@contextmanager
def standing_beside(session: ProofSession, beside: Sequence[ToldBeside], claims: Claims) -> Iterator[None]:
    """Have the relations of other topics in the session.

    :param claims: of the run at hand: they are the claims in the session before and after.
    """
    laid = []
    try:
        for number, each in enumerate(beside):
            with session.errors():
                lay_claims(session.connection, each.claims.run_id, each.claims.manifests)
            told, without = f"told_beside_{number}", f"without_beside_{number}"
            session.rows(_NOT_MEANT.format(without=without, of_ours=str(not each.claims.is_ledger).upper()))
            session.connection.register(told, each.told)
            laid.append((each.name, told))
            session.rows(_RELATION.format(name=quote(each.name), told=told, without=without))
        if beside:
            with session.errors():
                lay_claims(session.connection, claims.run_id, claims.manifests)
        yield
    finally:
        for name, told in laid:
            session.rows(f"DROP VIEW IF EXISTS {quote(name)}")
            session.connection.unregister(told)

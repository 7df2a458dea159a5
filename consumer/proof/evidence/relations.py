"""What the proof reads: the records of one run and the claims about them, as relations of a DuckDB session.

=========================  ===========================================================================================
relation                   columns
=========================  ===========================================================================================
``run_records``            ``shard``, ``sequence``, ``partition``, ``offset``, ``recorded_at``, ``key``, ``crc32``,
                           ``quarantined``, ``event_id``, ``place``; one row per stored record, copies included
``quarantine_identities``  ``event_id``, ``_partition``, ``_offset``, ``error_class``; what could not be read
``run_shards``             what each shard claims (``run_claims.sql``)
``run_unsure``             ``shard``, ``outcome``, ``sequence``: generated, and not acknowledged
``unsure_ranges``          the same as ranges ``first``, ``next``; and ``sure_ranges``, what lies between them
``run_windows``            ``shard``, ``first``, ``next``, ``size``, ``claimed``: sums of CRC-32 over sequences
``run_faults``             ``shard``, ``kind``, ``unsure``, ``sequence``: what was injected on purpose
=========================  ===========================================================================================

A warehouse is evidence once a run is entered (``run_scope.py``): its relations are views of its own tables, and nothing
is copied. :class:`RecordsEvidence` is evidence of records that lie anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

import duckdb
import pyarrow as pa

from consumer.proof.kept_manifests import fault_rows
from consumer.sinks.duckdb.errors import as_store_errors
from consumer.sinks.duckdb.warehouse import lay_tables
from schemas.identity import event_ids_begin
from schemas.manifest import Manifest

CLAIMS = Path(__file__).with_name("run_claims.sql")
_RECORDS = """
    CREATE TEMP VIEW run_records AS
    SELECT event_shard(event_id) AS shard, event_sequence(event_id) AS sequence, partition, "offset", recorded_at, key,
           crc32, FALSE AS quarantined, event_id, 'events' AS place
    FROM given WHERE starts_with(event_id, getvariable('id_start'));
    CREATE TEMP TABLE quarantine_identities
        (event_id VARCHAR, _partition INTEGER, _offset BIGINT, error_class VARCHAR);
"""
_FORGET = "DELETE FROM manifests; DELETE FROM manifest_faults"
_KEEP_MANIFEST = "INSERT INTO manifests VALUES (?, ?, ?, ?, now(), 1)"
_KEEP_FAULTS = "INSERT INTO manifest_faults VALUES (?, ?, ?, ?, ?, ?)"


class Evidence(Protocol):
    """A session in which the relations of the run at hand are there."""

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Return the session."""
        ...

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run one query and return its rows.

        :raises StoreFailed: DuckDB failed.
        """
        ...

    def errors(self) -> AbstractContextManager[None]:
        """Raise what DuckDB says inside as errors of our tree."""
        ...


def lay_claims(connection: duckdb.DuckDBPyConnection, run_id: str, manifests: Sequence[Manifest]) -> None:
    """Lay the relations of what a run claims into a session that has the tables of a warehouse.

    What an earlier call laid is gone.

    :param manifests: those of the run, their truth about injected faults included.
    """
    connection.execute(_FORGET)
    for manifest in manifests:
        shard = [run_id, manifest.shard]
        connection.execute(_KEEP_MANIFEST, [*shard, manifest.status, manifest.model_dump_json()])
        for row in fault_rows(manifest.faults):
            connection.execute(_KEEP_FAULTS, [*shard, *row])
    for name, value in (("run_id", run_id), ("id_start", event_ids_begin(run_id))):
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    connection.execute(CLAIMS.read_text())


class RecordsEvidence:
    """Evidence of records that were taken from anywhere, in a session of its own. Use it as a context manager.

    :param records: ``event_id`` (text), ``partition``, ``offset``, ``recorded_at`` (timestamp), ``key`` (bytes) and
        ``crc32`` of each; those of other runs are left out.
    :param manifests: those of the run, their truth about injected faults included.
    :param where: what messages call the place of the records.
    """

    def __init__(self, records: pa.Table, run_id: str, manifests: Sequence[Manifest], *, where: str) -> None:
        self.connection = duckdb.connect()
        self._where = where
        with self.errors():
            lay_tables(self.connection)
            lay_claims(self.connection, run_id, manifests)
            self.connection.register("given", records)
            self.connection.execute(_RECORDS)

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        with self.errors():
            return self.connection.execute(query, parameters or []).fetchall()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise what DuckDB says inside as errors of our tree."""
        with as_store_errors(Path(self._where)):
            yield

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

"""Whether stored records lie where Kafka put them, with the key and the time that they had there.

The witness is in the manifests (``schemas/places.py``); ``places_claimed.sql`` and ``places_compared.sql`` hold the
stored records against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from consumer.proof.evidence.relations import Evidence
from consumer.proof.found import Example
from schemas.manifest import Manifest
from schemas.places import crcs_of_keys, mixed

_CLAIMED = Path(__file__).with_name("places_claimed.sql")
_COMPARED = Path(__file__).with_name("places_compared.sql")
_CHUNK_ROWS = 65_536
_NOTHING = pa.table({"shard": pa.array([], pa.int32())})
_WINDOW = ["shard", "partition", "number"]
_TOTALS = """
    SELECT (SELECT count(*) FROM misplaced WHERE claimed = found) + (SELECT coalesce(sum(records), 0) FROM astray),
           (SELECT coalesce(sum(found), 0) FROM placed ANTI JOIN misplaced USING (shard, partition, number)
            WHERE NOT agrees)
"""
_WINDOWS = """
    SELECT shard, partition, number * size, (number + 1) * size - 1
    FROM misplaced JOIN (SELECT DISTINCT shard, size FROM placed_claims) USING (shard)
    ORDER BY 1, 2, 3 LIMIT 10
"""


@dataclass(frozen=True, slots=True)
class PlaceProof:
    """Records that do not lie where they should, at least; the windows that they are in; and what was not compared.

    ``uncompared`` counts records in windows of which some are missing, stored twice or altered; ``silent`` names
    shards whose manifests do not say where their records lie, as those of earlier versions.
    """

    misplaced: int
    examples: list[Example]
    uncompared: int
    silent: list[int]


def prove_places(evidence: Evidence, manifests: list[Manifest]) -> PlaceProof:
    """Compare the places of the run's records with those that the manifests claim.

    Needs the table of ``identities.sql``. About half a CPU second for a million records.
    """
    finished = [manifest for manifest in manifests if manifest.status == "finished"]
    silent = [manifest.shard for manifest in finished if not _says_where(manifest)]
    with evidence.errors():
        connection = evidence.connection
        connection.execute(_CLAIMED.read_text())
        if len(silent) < len(finished):
            connection.register("summed", _summed(connection))
            connection.execute("INSERT INTO placed_sums BY NAME FROM summed")
            connection.unregister("summed")
        connection.execute(_COMPARED.read_text())
    misplaced, uncompared = (int(value) for value in evidence.rows(_TOTALS)[0])
    examples = [
        Example(
            f"partition {partition}, offsets {first} to {last}", shard, None, partition, first, "at least one of them"
        )
        for shard, partition, first, last in evidence.rows(_WINDOWS)
    ]
    return PlaceProof(misplaced, examples, uncompared, silent)


def _says_where(manifest: Manifest) -> bool:
    """Tell whether a manifest has places; an empty list of them is none for a shard that sent something."""
    return manifest.placed is not None and (bool(manifest.placed.windows) or not manifest.acknowledged)


def _summed(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the sums of the stored records' numbers, several rows for a window: shard, partition, number, records,
    total, unclear.
    """
    sums = []
    for chunk in connection.sql("FROM placed_records").to_arrow_reader(_CHUNK_ROWS):
        partitions, offsets, at_ms, crcs = (
            chunk.column(name).to_numpy(zero_copy_only=False).astype(np.int64)
            for name in ("partition", "offset", "at_ms", "crc32")
        )
        hashes = mixed(partitions, offsets, at_ms, crcs, crcs_of_keys(chunk.column("key").to_pylist()))
        rows = pa.table({name: chunk.column(name) for name in (*_WINDOW, "unclear")} | {"hash": hashes})
        # Arrow's sums wrap at 2^64, as these are meant to.
        windows = rows.group_by(_WINDOW).aggregate([("hash", "count"), ("hash", "sum"), ("unclear", "any")])
        sums.append(windows.rename_columns([*_WINDOW, "records", "total", "unclear"]))
    return pa.concat_tables(sums) if sums else _NOTHING

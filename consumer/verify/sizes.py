"""Whether the ledger counts the bytes that came: the values are encoded again and measured."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import Misconfigured
from consumer.proof.inside.fitting import fitted
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.contents import see_all_events
from consumer.verify.proof import NOTHING, Proof
from schemas.columns.column_type import quote
from schemas.formats import value_format
from schemas.types.tree import parse

_CHUNK_ROWS = 20_480
_SCHEMAS = """
    SELECT schema_id, min(schema), arg_min(format, schema) FROM schema_versions
    WHERE schema_id IN (SELECT _schema_id FROM events) GROUP BY 1 ORDER BY 1
"""
# Events without a schema, and those of other programs, whose encoders may write a value in more bytes than ours.
_UNKNOWN = """
    SELECT (SELECT count(*) FROM events ANTI JOIN schema_versions AS kept ON kept.schema_id = events._schema_id)
         + (SELECT count(*) FROM run_events WHERE _shard IS NULL)
"""
_HELD = "SELECT _partition, sum(octet_length(value)) FROM quarantine GROUP BY 1"
_SAID = "SELECT partition, sum(value_bytes) FROM load_batches GROUP BY 1 ORDER BY 1"


def prove_sizes(warehouse: Warehouse) -> Proof:
    """Prove that the ledger of each partition counts the bytes of its values.

    Only where every event is of a run and can be encoded again. Elsewhere a note says that nothing was counted:
    the bytes themselves are proved by their checksums.
    """
    see_all_events(warehouse)
    said = warehouse.rows(_SAID)
    try:
        sizes = _sizes(warehouse)
    except (Misconfigured, ValueError, LookupError):
        sizes = None
    promise, looked = "the ledger counts the bytes that came", f"{len(said)} partitions"
    if sizes is None or warehouse.rows(_UNKNOWN) != [(0,)]:
        return Proof.of("sizes", promise, NOTHING, notes=["not every event is of a run and can be encoded again"])
    faults = [
        f"partition {partition} has values of {sizes[partition]:,} bytes, its ledger says {count:,}"
        for partition, count in said
        if sizes[partition] != count
    ]
    return Proof.of("sizes", promise, looked, faults)


def _sizes(warehouse: Warehouse) -> Counter[int]:
    """Return the bytes of each partition's values."""
    sizes: Counter[int] = Counter({int(p): int(size) for p, size in warehouse.rows(_HELD) if p is not None})
    columns = EventColumns(warehouse)
    for schema_id, text, written in warehouse.rows(_SCHEMAS):
        encoder = value_format(str(written)).encoder(str(text), int(schema_id))
        fields = encoder.arrow_schema.names
        values = columns.values_of(int(schema_id), parse(str(text)))
        wanted = ", ".join(f"{values[name]} AS {quote(f'f{place}')}" for place, name in enumerate(fields))
        query = f"SELECT {wanted}, _partition AS p FROM events WHERE _schema_id = {int(schema_id)}"  # noqa: S608 - quoted
        with warehouse.errors():
            for chunk in warehouse.connection.sql(query).to_arrow_reader(warehouse.rows_at_once(_CHUNK_ROWS)):
                columns_there = zip(chunk.columns, encoder.arrow_schema, strict=False)
                rows = pa.RecordBatch.from_arrays(
                    [fitted(column, field.type) for column, field in columns_there], names=fields
                )
                lengths = pc.binary_length(encoder.encode(rows)).to_numpy()
                for partition in np.unique(chunk.column("p").to_numpy(zero_copy_only=False)).tolist():
                    inside = chunk.column("p").to_numpy(zero_copy_only=False) == partition
                    sizes[int(partition)] += int(lengths[inside].sum())
    return sizes

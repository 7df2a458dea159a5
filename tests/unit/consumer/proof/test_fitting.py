"""Columns as DuckDB gives them back, in the layout of their schema again: empty unions, wherever ``null`` stands."""

from __future__ import annotations

import json
import zlib
from itertools import permutations
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from consumer.proof.inside.column_proof import _checksums
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.frame import HEADER_BYTES
from schemas.types.tree import parse
from tests.kit.edge_values import Edges
from tests.kit.table_trip import through_a_table

KINDS = {"string": pa.string(), "int": pa.int32(), "null": pa.null()}
ITEMS = ["a", 1, None, "b", None, None, 5, "x", None]
ENDS = [0, 3, 3, 4, 6, 8, 9]


def name_of(value: Any) -> str:
    return "null" if value is None else "int" if isinstance(value, int) else "string"


@pytest.mark.parametrize("branches", list(permutations(KINDS)), ids="-".join)
def test_an_empty_union_gives_its_bytes_again_wherever_null_stands(branches: tuple[str, ...]) -> None:
    listed = {"type": "array", "items": list(branches)}
    schema = {"type": "record", "name": "Listed", "fields": [{"name": "items", "type": listed}]}
    encoder = Encoder(json.dumps(schema), 7)
    tags = pa.array([branches.index(name_of(value)) for value in ITEMS], pa.int8())
    members = [pa.array([v if name_of(v) == name else None for v in ITEMS], KINDS[name]) for name in branches]
    union = pa.UnionArray.from_sparse(tags, members, list(branches))
    lists = pa.ListArray.from_arrays(pa.array(ENDS, pa.int32()), union, type=encoder.arrow_schema.field("items").type)
    sent = pa.RecordBatch.from_arrays([lists], names=["items"])
    written = [zlib.crc32(value) for value in encoder.encode(sent).to_pylist()]

    with duckdb.connect() as connection:
        connection.register("sent", pa.Table.from_batches([sent]))
        connection.execute("CREATE TABLE stored AS FROM sent")
        given = connection.sql("FROM stored").to_arrow_reader(100).read_next_batch()
    assert _checksums(encoder, given, np.zeros(len(given), np.int64)).tolist() == written


def test_types_that_duckdb_has_otherwise_give_their_bytes_again_inside_records() -> None:
    fields = [
        {"name": "choice", "type": ["null", "int", "string"]},
        {"name": "time", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 2}},
        {"name": "nothing", "type": {"type": "array", "items": "null"}},
    ]
    without_union = {"type": "record", "name": "Less", "fields": fields[1:2] + fields[3:]}
    inner = {"type": "record", "name": "Inner", "fields": fields}
    kinds = {
        "o": without_union,
        "r": inner,
        "l": {"type": "array", "items": "Inner"},
        "m": {"type": "map", "values": "Inner"},
    }
    schema = {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in kinds.items()]}
    root = parse(json.dumps(schema))
    payloads = [Edges(root).row(number)[0] for number in range(20)]
    back = through_a_table(root, Decoder(json.dumps(schema)).decode(payloads))
    values = Encoder(json.dumps(schema), 7).encode(back).to_pylist()
    assert [value[HEADER_BYTES:] for value in values] == payloads

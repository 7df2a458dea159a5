"""Rows into the columns that the judge gives a record in a table of DuckDB's, and back, without a store around them."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from consumer.proof.inside.fitting import fitted
from consumer.sinks.conversion import converted, returned
from schemas.columns.column_type import quote
from schemas.columns.held import Held
from schemas.columns.judge import judge
from schemas.types.arrow import arrow_schema
from schemas.types.node import Node


def through_a_table(root: Node, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Store rows as a table has them, and return what the schema says of what is stored."""
    judgement = judge(Held(), root)
    names = [f"f{place}" for place in range(rows.num_columns)]
    columns: Any = judgement.columns
    with duckdb.connect(":memory:", config={"threads": 1}) as warehouse:
        warehouse.execute("SET TimeZone = 'UTC'")
        warehouse.register(
            "given", pa.table(rows.columns, names=names).append_column("row", pa.array(range(len(rows))))
        )
        kinds = ", ".join(f"{quote(name)} {kind}" for name, kind in judgement.held.record.members)
        warehouse.execute(f"CREATE TABLE events ({kinds}, row BIGINT)")
        stored = ", ".join(
            f"{converted(name, one.source, one.place, one.target)} AS {quote(one.column)}"
            for name, one in zip(names, columns, strict=True)
        )
        warehouse.execute(f"INSERT INTO events BY NAME SELECT {stored}, row FROM given")
        back = ", ".join(
            f"{returned(quote(one.column), one.target, one.place, one.source)} AS {name}"
            for name, one in zip(names, columns, strict=True)
        )
        found = warehouse.sql(f"SELECT {back} FROM events ORDER BY row").to_arrow_table().combine_chunks()
    batch = found.to_batches()[0]
    layout = arrow_schema(root)
    fitting = [fitted(column, one.type) for column, one in zip(batch.columns, layout, strict=True)]
    return pa.RecordBatch.from_arrays(fitting, names=layout.names)

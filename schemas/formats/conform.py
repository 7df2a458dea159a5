"""Rows in the layout that a schema asks for: what every encoder does first."""

from __future__ import annotations

import pyarrow as pa

from schemas.types.arrow import missing_value
from schemas.types.tree import Node


def conform(batch: pa.RecordBatch, root: Node, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of ``schema`` out of ``batch``, taken by name and cast without loss.

    :param schema: the typed layout of ``root``.
    :raises ValueError: a column is missing or of another type, or a null stands where the schema allows none.
    """
    columns = []
    for number, target in enumerate(schema):
        index = batch.schema.get_field_index(target.name)
        if index < 0:
            raise ValueError(f"column {target.name} of the schema is not in the batch, or twice")
        column = batch.column(index)
        try:
            column = column.cast(target.type) if column.type != target.type else column
        except pa.ArrowException as error:
            raise ValueError(f"column {target.name} does not fit the schema: {error}") from None
        missing = missing_value(column, root.fields[number][1], target.name)
        if missing:
            raise ValueError(f"column {missing} has a null; the schema allows none")
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)

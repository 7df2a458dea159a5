"""Rows of Parquet: values have types already, and what of them the schema does not hold is set aside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from cluster.errors import Misconfigured, StoreFailed
from producer.scenarios.replay.files import unreadable
from producer.scenarios.replay.rows import Rows, SetAside
from producer.scenarios.replay.rows.opening import Opened
from producer.toolkit.arrays import taken
from schemas.types.arrow import arrow_schema
from schemas.types.tree import Node

pc: Any = pyarrow.compute
EMPTY, WRONG_TYPE = "empty_field", "wrong_type"
_AT_ONCE = 16_384


def parquet_rows(stream: Opened, root: Node, in_order: Callable[[Sequence[str]], list[int]]) -> Iterator[Rows]:
    """Yield the rows of a file. The line of a row is its number, from 1.

    :param in_order: gives the places of the schema's fields among names, or refuses the names.
    :raises Misconfigured: it is no Parquet.
    :raises StoreFailed: it cannot be read.
    """
    file = _open(stream.path)
    schema, first = arrow_schema(root), 1
    in_order(file.schema_arrow.names)
    for batch in _batches(file, stream.path):
        columns: list[Any] = []
        why: dict[int, tuple[str, str]] = {}
        for field in schema:
            column, bad = _cast(batch.column(field.name), field.type)
            for row in np.flatnonzero(bad).tolist():
                why.setdefault(row, (WRONG_TYPE, f"{field.name} is no {field.type}"))
            if not field.nullable and column.null_count:
                for row in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist():
                    why.setdefault(row, (EMPTY, f"{field.name} is null"))
            columns.append(column)
        aside = [
            SetAside(first + row, reason, detail, _text(batch.slice(row, 1)))
            for row, (reason, detail) in sorted(why.items())
        ]
        if why:
            kept = np.setdiff1d(np.arange(len(batch)), np.array(list(why)))
            columns = [taken(column, kept) for column in columns]
        first += len(batch)
        yield Rows(pa.RecordBatch.from_arrays(columns, schema=schema), aside)


def parquet_fields(paths: Sequence[Path], looked: Callable[[int, int], None]) -> dict[str, Any]:
    """Return the types of the columns: those of the first file, with null where a file has one.

    :raises Misconfigured: files have other columns or types, or ones that no schema holds.
    """
    first: pa.Schema | None = None
    nulls: set[str] = set()
    for number, path in enumerate(paths):
        file = _open(path)
        schema = file.schema_arrow
        if first is not None and {field.name: field.type for field in schema} != {f.name: f.type for f in first}:
            raise Misconfigured(
                f"the columns of the file are not those of {paths[0].name}, or have other types",
                where=str(path),
                hint="Give a schema that holds both, or replay them by prefixes of their own",
            )
        first = first or schema
        for batch in _batches(file, path):
            nulls |= {name for name in schema.names if batch.column(name).null_count}
        looked(number, path.stat().st_size)
    found: dict[str, Any] = {}
    for field in first or ():
        kind = _avro(field.type)
        if kind is None:
            raise Misconfigured(
                f"no type is inferred for the column {field.name}, which is {field.type}",
                where=str(paths[0]),
                hint="Give a schema",
            )
        found[field.name] = ["null", kind] if field.name in nulls else kind
    return found


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise Misconfigured(f"the file is not Parquet: {_said(error)}", where=str(path)) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _batches(file: pq.ParquetFile, path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(batch_size=_AT_ONCE)
    except (pa.ArrowException, OSError) as error:
        raise StoreFailed(
            f"the file is damaged: {_said(error)}", where=str(path), hint="Bring the file again"
        ) from None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _cast(column: Any, kind: pa.DataType) -> tuple[Any, Any]:
    """Return a column in another type, null where that would lose something, and where that is."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    fine: Any = np.zeros(len(column), dtype=np.bool_)
    if column.type == kind:
        return column, fine
    if pa.types.is_integer(column.type) and pa.types.is_timestamp(kind):
        column = column.cast(pa.int64())
    try:
        found = column.cast(kind)
        if not _alike(column.type, kind):
            raise pa.ArrowInvalid("another kind of value")
        return found, fine
    except (pa.ArrowException, NotImplementedError):
        if len(column) <= 1:
            value: Any = pa.array([None] * len(column), kind)
            return value, column.is_valid().to_numpy(zero_copy_only=False)
    half = len(column) // 2
    parts = [_cast(column.slice(0, half), kind), _cast(column.slice(half), kind)]
    return pa.concat_arrays([part for part, _ in parts]), np.concatenate([bad for _, bad in parts])


def _alike(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether a cast keeps what a value is: a number is no text, and a text no number."""
    texts = (pa.types.is_string, pa.types.is_large_string)
    return any(is_text(given) for is_text in texts) == pa.types.is_string(wanted) and pa.types.is_boolean(
        given
    ) == pa.types.is_boolean(wanted)


def _text(row: pa.RecordBatch) -> bytes:
    return json.dumps(row.to_pylist()[0], ensure_ascii=False, default=str).encode()


def _avro(kind: Any) -> Any:  # noqa: PLR0911 - one return for each kind
    types = pa.types
    if types.is_dictionary(kind):
        return _avro(kind.value_type)
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind):
        return None if kind == pa.uint64() else "long" if kind in (pa.int64(), pa.uint32()) else "int"
    if types.is_floating(kind):
        return {pa.float64(): "double", pa.float32(): "float"}.get(kind)
    if types.is_string(kind) or types.is_large_string(kind):
        return "string"
    if types.is_binary(kind) or types.is_large_binary(kind):
        return "bytes"
    if types.is_date32(kind):
        return {"type": "int", "logicalType": "date"}
    if types.is_timestamp(kind):
        family = "local-timestamp" if kind.tz is None else "timestamp"
        return {"type": "long", "logicalType": f"{family}-{'millis' if kind.unit in ('s', 'ms') else 'micros'}"}
    if types.is_decimal128(kind):
        return {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale}
    return None

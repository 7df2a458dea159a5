"""The rows of one file in the types of a schema, with what cannot be taken beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from cluster.text.nearest import meant
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import Rows, SetAside, Texts
from producer.scenarios.replay.rows.csv_rows import CsvFile
from producer.scenarios.replay.rows.opening import Opened
from producer.scenarios.replay.rows.text_types import refused_kind, typed
from producer.toolkit.arrays import taken
from schemas.types.arrow import arrow_schema
from schemas.types.node import RECURSION
from schemas.types.tree import Node, parse

EMPTY, WRONG_TYPE = "empty_field", "wrong_type"


def read_rows(opened: Opened, reading: Reading, text: str) -> Iterator[Rows]:
    """Yield the rows of a file.

    :param text: of the schema.
    :raises Misconfigured: the file has other columns than the schema, or cannot hold them.
    :raises StoreFailed: the file cannot be read.
    """
    root = parse(text)
    if reading.format == "jsonl":
        from producer.scenarios.replay.rows.json_rows import json_rows

        yield from json_rows(opened, reading, root, text)
    elif reading.format == "parquet":
        from producer.scenarios.replay.rows.parquet_rows import parquet_rows

        yield from parquet_rows(opened, reading, root, lambda names: order_of(names, root, str(opened.path)))
    else:
        yield from _csv_rows(opened, reading, root)


def _csv_rows(opened: Opened, reading: Reading, root: Node) -> Iterator[Rows]:
    file, schema = CsvFile(opened, reading), arrow_schema(root)
    places = None if file.header is None else order_of(file.header, root, str(opened.path))
    for texts in file.rows():
        if places is None:
            yield Rows(empty_rows(schema), texts.aside)
        else:
            yield typed_rows(texts, places, root, schema)


def order_of(header: Sequence[str], root: Node, path: str) -> list[int]:
    """Return where each field of the schema stands in a file.

    :raises Misconfigured: a column is missing, or one is not in the schema.
    """
    known = [name for name, _ in root.fields]
    missing = [name for name in known if name not in header]
    further = [name for name in header if name not in known]
    if missing or further:
        said = [f"the column {name} is missing" for name in missing]
        said += [f"the column {name!r} is not in the schema{meant(name, missing)}" for name in further]
        raise Misconfigured(
            f"the columns of the file are not those of the schema: {'; '.join(said[:6])}",
            where=path,
            hint=f"The schema has {', '.join(known)}; where a file has no header, give names",
        )
    return [list(header).index(name) for name in known]


def refuse_unsaid(root: Node, format_: str) -> None:
    """Refuse a schema with fields that no text of CSV says, or that no staged copy holds.

    :raises Misconfigured: names them.
    """
    no_column = ("union", RECURSION) if format_ == "parquet" else ("union",)
    found = {name: {each.kind for each in node.walk()}.intersection(no_column) for name, node in root.fields}
    unheld = [f"{name} ({', '.join(sorted(kinds))})" for name, kinds in found.items() if kinds]
    if unheld:
        raise Misconfigured(
            f"a field of a replay cannot hold {', '.join(unheld)}",
            hint="Give a schema in which each field has one type, beside null",
        )
    unsaid = [f"{name} ({kind})" for name, node in root.fields if (kind := refused_kind(node))]
    if unsaid and format_ == "csv":
        raise Misconfigured(
            f"a field of CSV cannot hold {', '.join(unsaid)}", hint="JSON lines and Parquet can, by a schema"
        )


def typed_rows(texts: Texts, places: Sequence[int], root: Node, schema: pa.Schema) -> Rows:
    """Return rows of text in the types of a schema; a row with a text that is no value of its type is set aside."""
    columns: list[Any] = []
    bad: NDArray[np.bool_] | None = None
    why: dict[int, list[tuple[str, str]]] = {}
    for (name, node), place in zip(root.fields, places, strict=True):
        found = typed(texts.columns[place], node)
        columns.append(found.values)
        if found.bad is not None:
            bad = found.bad if bad is None else bad | found.bad
            for row in np.flatnonzero(found.bad).tolist():
                blank = texts.columns[place][row].as_py() == ""
                reason = (EMPTY, f"{name} is empty") if blank else (WRONG_TYPE, f"{name} is no {_said(node)}")
                why.setdefault(row, []).append(reason)
    aside = texts.aside
    if bad is not None:
        told = [
            SetAside(int(texts.lines[row]), faults[0][0], "; ".join(detail for _, detail in faults), texts.raw(row))
            for row, faults in why.items()
        ]
        aside = sorted([*aside, *told], key=lambda each: (each.line, each.part))
        kept = np.flatnonzero(~bad)
        columns = [taken(values, kept) for values in columns]
    return Rows(pa.RecordBatch.from_arrays(columns, schema=schema), aside)


def _said(node: Node) -> str:
    return node.logical or node.kind


def empty_rows(schema: pa.Schema) -> pa.RecordBatch:
    """Return no row."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)

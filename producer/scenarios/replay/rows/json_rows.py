"""Rows of JSON lines: each line is an object whose members are the fields.

A flat schema is read here, with the same values as CSV has for texts; one with lists, maps or records within is read by
the strict reader of JSON that the loader has (``schemas/formats/json``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import MOST_ROW_BYTES, Rows, SetAside
from producer.scenarios.replay.rows.csv_strict import BLANK, ENCODING, too_long
from producer.scenarios.replay.rows.json_objects import NOT_EXACT, Unfit, read_object
from producer.scenarios.replay.rows.lines import read_lines, split_lines
from producer.scenarios.replay.rows.marks import newline_of, without_mark
from producer.scenarios.replay.rows.opening import Opened
from producer.scenarios.replay.rows.text_types import refused_kind, says_again, typed
from producer.toolkit.arrays import taken
from schemas.formats import PLAIN_JSON_NAME, value_format
from schemas.types.arrow import arrow_schema, typed_type
from schemas.types.tree import Node

MISSING, FURTHER, WRONG_TYPE = "missing_member", "further_member", "wrong_type"
INT64 = 1 << 63


def json_rows(stream: Opened, reading: Reading, root: Node, text: str) -> Iterator[Rows]:
    """Yield the rows of a file.

    :param root: the schema, and ``text`` as its text.
    :raises StoreFailed: the file cannot be read.
    """
    flat = all(refused_kind(node) is None for _, node in root.fields)
    take: Callable[[list[tuple[int, str, bytes]]], Rows] = (
        _Flat(root, reading).rows if flat else _Nested(root, text, reading).rows
    )
    for lines, aside in json_lines(stream, reading):
        found = take(lines)
        found.aside = sorted([*aside, *found.aside], key=lambda each: (each.line, each.part))
        yield found


def json_lines(stream: Opened, reading: Reading) -> Iterator[tuple[list[tuple[int, str, bytes]], list[SetAside]]]:
    """Yield lines with their numbers, as text and as they are, and what is none."""
    encoding, mark, begun = without_mark(stream, reading.encoding)
    newline = newline_of(encoding)
    for group in read_lines(stream, newline=newline, begun=begun):
        if isinstance(group, SetAside):
            yield [], [group]
            continue
        found: list[tuple[int, str, bytes]] = []
        aside: list[SetAside] = []
        for number, raw in enumerate(split_lines(group.data, newline, len(newline)), group.first):
            whole = mark + raw if number == 1 else raw
            try:
                line = raw.decode(encoding)
            except UnicodeDecodeError:
                aside.append(SetAside(number, ENCODING, f"not {encoding}", whole))
                continue
            if len(raw) > MOST_ROW_BYTES:
                aside.append(too_long(number, whole))
            elif not line.strip():
                aside.append(SetAside(number, BLANK, "nothing stands in the line", whole))
            else:
                found.append((number, line, whole))
        yield found, aside


class _Flat:
    """Rows of a schema without anything within its fields."""

    def __init__(self, root: Node, reading: Reading) -> None:
        self._reading = reading
        self._fields = root.fields
        self._known = frozenset(name for name, _ in root.fields)
        self._absent = {
            name: _default(node, root.defaults[name]) if name in root.defaults else None
            for name, node in root.fields
            if node.nullable or name in root.defaults
        }
        self._schema = arrow_schema(root)

    def rows(self, lines: list[tuple[int, str, bytes]]) -> Rows:
        """Return the rows of lines."""
        aside: list[SetAside] = []
        taken_lines: list[tuple[int, bytes]] = []
        values: dict[str, list[Any]] = {name: [] for name in self._known}
        for number, line, raw in lines:
            try:
                row = self._row(line)
            except Unfit as unfit:
                aside.append(SetAside(number, unfit.reason, unfit.detail, raw))
                continue
            taken_lines.append((number, raw))
            for name, value in row.items():
                values[name].append(value)
        columns: list[Any] = []
        bad: Any = np.zeros(len(taken_lines), dtype=np.bool_)
        for name, node in self._fields:
            column, unfit_rows = _column(values[name], node)
            columns.append(column)
            if unfit_rows is not None:
                for place in np.flatnonzero(unfit_rows & ~bad).tolist():
                    at, told = taken_lines[place]
                    aside.append(SetAside(at, WRONG_TYPE, f"{name} is no {node.logical or node.kind}", told))
                bad |= unfit_rows
        if bad.any():
            columns = [taken(column, np.flatnonzero(~bad)) for column in columns]
        return Rows(pa.RecordBatch.from_arrays(columns, schema=self._schema), aside)

    def _row(self, line: str) -> dict[str, Any]:
        row = read_object(line, self._reading)
        if row.keys() != self._known:
            _refuse_further(row, self._known)
            missing = [name for name in self._known if name not in row]
            if lacking := sorted(name for name in missing if name not in self._absent):
                raise Unfit(MISSING, f"{', '.join(lacking[:4])} is missing")
            row |= {name: self._absent[name] for name in missing}
        return row


def _default(node: Node, said: Any) -> Any:
    """Return the default of a field as a line says the value: a schema has days as a number, and decimals as bytes."""
    if said is None or node.logical not in ("date", "decimal"):
        return said
    if node.logical == "date":
        return str(np.datetime64(said, "D"))
    number = int.from_bytes(said.encode("latin-1"), "big", signed=True)
    return format(Decimal(number).scaleb(-node.scale), "f")


def _refuse_further(row: dict[str, Any], known: frozenset[str]) -> None:
    if further := [name for name in row if name not in known]:
        raise Unfit(FURTHER, f"the schema has no {', '.join(further[:4])}")


def _column(values: list[Any], node: Node) -> tuple[Any, Any]:
    """Return members as a column, null where one is no value of the type, and where that is."""
    fits = _fitting(node)
    bad = np.array([not fits(value) and not (value is None and node.nullable) for value in values], dtype=np.bool_)
    good = [None if wrong else value for value, wrong in zip(values, bad.tolist(), strict=True)]
    if node.kind == "double":
        good = [None if value is None else float(value) for value in good]
    if node.kind in ("long", "int", "double", "float", "boolean", "string", "enum") and not node.logical:
        column = pa.array(good, typed_type(node))
    else:
        texts = pa.array(["" if value is None else str(value) for value in good], pa.string())
        found = typed(texts, Node(**{**_parts(node), "null_branch": 0}))
        column = found.values
        bad = bad if found.bad is None else bad | found.bad
    return column, bad if bad.any() else None


def _parts(node: Node) -> dict[str, Any]:
    return {
        "kind": node.kind,
        "logical": node.logical,
        "size": node.size,
        "precision": node.precision,
        "scale": node.scale,
    }


def _fitting(node: Node) -> Callable[[Any], bool]:
    """Return what tells whether a member is a value of a type. True and false are no numbers."""
    if node.logical:
        whole = node.logical.startswith(("timestamp", "local-timestamp"))
        return lambda value: (isinstance(value, str) and value != "") or (whole and _is_whole(value, INT64))
    if node.kind in ("long", "int"):
        most = INT64 if node.kind == "long" else 1 << 31
        return lambda value: _is_whole(value, most)
    if node.kind in ("double", "float"):
        return _is_exact if node.kind == "double" else _is_exact_single
    if node.kind == "enum":
        return lambda value: isinstance(value, str) and value in node.symbols
    kind = bool if node.kind == "boolean" else str
    return lambda value: isinstance(value, kind)


def _is_whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -most <= value < most


def _is_exact(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return _is_whole(value, 1 << 1023) and int(float(value)) == value


def _is_exact_single(value: Any) -> bool:
    if not _is_exact(value):
        return False
    with np.errstate(over="ignore"):
        single = float(np.float32(value))
    return math.isfinite(single) and says_again(repr(value), single, 9)


def _refuse_inexact(row: dict[str, Any], root: Node) -> None:
    if (path := _inexact(row, root)) is not None:
        raise Unfit(NOT_EXACT, f"a number of {path.lstrip('.')} is none of its type")


def _inexact(value: Any, node: Node) -> str | None:
    """Return where a number is that its type would change, if there is one."""
    if isinstance(value, dict) and node.kind == "record":
        inner = ((value.get(name), child, f".{name}") for name, child in node.fields)
    elif isinstance(value, dict) and node.kind == "map":
        inner = ((one, node.element(), "{}") for one in value.values())
    elif isinstance(value, list) and node.kind == "array":
        inner = ((one, node.element(), "[]") for one in value)
    else:
        number = isinstance(value, int | float) and node.kind in ("double", "float")
        return "" if number and not _fitting(node)(value) else None
    return next((path + below for one, child, path in inner if (below := _inexact(one, child)) is not None), None)


class _Nested:
    """Rows of a schema with lists, maps or records within, by the strict reader of JSON."""

    def __init__(self, root: Node, text: str, reading: Reading) -> None:
        self._reading = reading
        self._schema = arrow_schema(root)
        self._root = root
        self._known = frozenset(name for name, _ in root.fields)
        self._decoder = value_format(PLAIN_JSON_NAME).decoder(text)

    def rows(self, lines: list[tuple[int, str, bytes]]) -> Rows:
        """Return the rows of lines."""
        aside: list[SetAside] = []
        sound: list[tuple[int, str, bytes]] = []
        for number, line, raw in lines:
            try:
                row = read_object(line, self._reading)
                _refuse_further(row, self._known)
                _refuse_inexact(row, self._root)
            except Unfit as unfit:
                aside.append(SetAside(number, unfit.reason, unfit.detail, raw))
                continue
            said = json.dumps(row, ensure_ascii=False) if self._reading.columns else line
            sound.append((number, said, raw))
        found = self._decoder.salvage([line.strip().encode() for _, line, _ in sound])
        for place, fault in found.faults.items():
            number, _, raw = sound[place]
            aside.append(SetAside(number, fault.kind, fault.message, raw))
        batch = pa.RecordBatch.from_arrays(
            [found.batch.column(field.name).cast(field.type) for field in self._schema], schema=self._schema
        )
        return Rows(batch, aside)

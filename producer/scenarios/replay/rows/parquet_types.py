"""The types of the columns of Parquet, over all files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cluster.errors import Misconfigured
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows.infer import other_columns
from producer.scenarios.replay.rows.parquet_rows import open_parquet
from producer.scenarios.replay.rows.parquet_values import family

_MOST_DIGITS = 38
# From narrow to wide: each holds what the ones before hold; what it does not hold exactly is set aside.
_NUMBERS = ("int", "long", "float", "double")


def parquet_fields(paths: Sequence[Path], reading: Reading, looked: Callable[[int, int], None]) -> dict[str, Any]:
    """Return the types of the columns: those that hold the values of all files, with null where one has a null.

    :raises Misconfigured: files have other columns than the first, types that nothing holds together, or none in Avro.
    """
    kinds: dict[str, Any] = {}
    nulls: set[str] = set()
    for number, path in enumerate(paths):
        with open_parquet(path) as file:
            found = {field.name: _avro_or_refused(field, path) for field in file.schema}
            if kinds and set(found) != set(kinds):
                raise other_columns(file.names, kinds, path, paths[0])
            for name, kind in found.items():
                both = _joined(kinds.get(name, kind), kind)
                if both is None:
                    raise Misconfigured(
                        f"the column {name} is {file.schema.field(name).type} here, and {kinds[name]} in files before",
                        where=str(path),
                        hint="Give a schema: rows that differ from it are set aside",
                    )
                kinds[name] = both
            for batch, _ in file.batches():
                nulls |= {name for name in file.names if batch.column(name).null_count}
                looked(number, 0)
            looked(number, file.size)
    return {
        field: ["null", "string" if kind == "null" else kind] if name in nulls or kind == "null" else kind
        for field, (name, kind) in zip(reading.fields_of(list(kinds), paths[0]), kinds.items(), strict=True)
    }


def _avro_or_refused(field: pa.Field[Any], path: Path) -> Any:
    kind = _avro(field.type)
    if kind is None:
        raise Misconfigured(
            f"no type is inferred for the column {field.name}, which is {field.type}",
            where=str(path),
            hint="Give a schema",
        )
    return kind


def _avro(kind: Any) -> Any:
    """Return the type of Avro for one of Arrow; ``None`` where there is none."""
    if isinstance(kind, pa.BaseExtensionType):
        return _avro(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _avro(kind.value_type)
    sort = "null" if pa.types.is_null(kind) else family(kind)
    return _AVRO[sort](kind) if sort in _AVRO else None


def _number(kind: Any) -> Any:
    if pa.types.is_floating(kind):
        return "double" if kind == pa.float64() else "float"
    fits = kind.precision <= _MOST_DIGITS and 0 <= kind.scale <= kind.precision
    return _decimal(kind.precision, kind.scale) if fits else None


def _time(kind: Any) -> Any:
    family_ = "local-timestamp" if kind.tz is None else "timestamp"
    return {"type": "long", "logicalType": f"{family_}-{'millis' if kind.unit in ('s', 'ms') else 'micros'}"}


_AVRO: dict[str, Callable[[Any], Any]] = {
    "null": lambda _: "null",
    "text": lambda _: "string",
    "bytes": lambda _: "bytes",
    "truth": lambda _: "boolean",
    "whole": lambda kind: "long" if kind in (pa.int64(), pa.uint32(), pa.uint64()) else "int",
    "number": _number,
    "moment": _time,
    "local": _time,
    "day": lambda _: {"type": "int", "logicalType": "date"},
    "clock": lambda kind: {
        "type": "int" if kind.bit_width == 32 else "long",
        "logicalType": f"time-{'millis' if kind.bit_width == 32 else 'micros'}",
    },
}


def _decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def _joined(one: Any, other: Any) -> Any:
    """Return the type that holds the values of both; ``None`` where there is none."""
    if other in (one, "null"):
        return one
    if one == "null":
        return other
    if one in _NUMBERS and other in _NUMBERS:
        wider = max(one, other, key=_NUMBERS.index)
        return wider if {one, other} in ({"int", "long"}, {"float", "double"}) else "double"
    logical = {each.get("logicalType", "") if isinstance(each, dict) else "" for each in (one, other)}
    if logical == {"decimal"}:
        scale = max(one["scale"], other["scale"])
        digits = max(one["precision"] - one["scale"], other["precision"] - other["scale"]) + scale
        return _decimal(digits, scale) if digits <= _MOST_DIGITS else None
    units = {name.rpartition("-")[0] for name in logical}
    if len(units) == 1 and units != {""}:
        return {"type": "long", "logicalType": f"{units.pop()}-micros"}
    return None

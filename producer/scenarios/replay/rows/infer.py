"""The schema of files that bring none: the types of their columns, over all rows of all files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured
from producer.scenarios.replay.files import readable
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import SetAside
from producer.scenarios.replay.rows.csv_rows import CsvFile
from producer.scenarios.replay.rows.guess import Guess
from producer.scenarios.replay.rows.opening import opened

# Told after each group of rows: the number of the file, and how many bytes of it were read.
Looked = Callable[[int, int], None]
# Told what is set aside, and so says nothing about a type.
Refused = Callable[[Path, SetAside], None]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def infer_schema(paths: Sequence[Path], reading: Reading, looked: Looked) -> str:
    """Return the text of a schema for the rows of files: the same for the same files.

    Columns are in the order of the first file. What is set aside says nothing about a type.

    :raises Misconfigured: the files have no columns, other ones than the first, or names that no schema takes.
    :raises StoreFailed: a file cannot be read.
    """
    refused: list[str] = []

    def refuse(path: Path, aside: SetAside) -> None:
        if not refused:
            refused.append(f"{readable(path.name)} line {aside.line}: {aside.reason} ({aside.detail})")

    fields = _FIELDS[reading.format](paths, reading, looked, refuse)
    if not fields:
        raise Misconfigured(
            "there is no row that says what the columns are" + (f"; the first is {refused[0]}" if refused else ""),
            where=str(paths[0].parent),
            hint="Mend the files, or say how they are read" if refused else "Give a schema",
        )
    return schema_text(reading.record, fields, str(paths[0]))


def schema_text(record: str, fields: dict[str, Any], path: str) -> str:
    """Return a schema's text: fields in their order, those that may be null with null as their default."""
    if wrong := [name for name in fields if not _NAME.fullmatch(name)]:
        raise Misconfigured(
            f"no field of a schema can be called {', '.join(map(repr, wrong[:4]))}",
            where=path,
            hint="A name has letters, digits and _, and begins with no digit; columns in the YAML file gives others",
        )
    told = [
        {"name": name, "type": kind, **({"default": None} if isinstance(kind, list) else {})}
        for name, kind in fields.items()
    ]
    named = re.sub(r"[^A-Za-z0-9_]", "_", record)
    schema = {"type": "record", "name": named if _NAME.fullmatch(named) else f"_{named}", "fields": told}
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _of_csv(paths: Sequence[Path], reading: Reading, looked: Looked, refused: Refused) -> dict[str, Any]:
    guesses: dict[str, Guess] = {}
    first: Path | None = None
    for number, path in enumerate(paths):
        with opened(path, reading.compression) as stream:
            file = CsvFile(stream, reading)
            header = file.header
            if header is not None and first is None:
                first, guesses = path, {name: Guess() for name in header}
            elif header is not None and set(header) != set(guesses):
                raise other_columns(header, guesses, path, first)
            for texts in file.rows():
                for each in texts.aside[:1]:
                    refused(path, each)
                for name, column in zip(header or (), texts.columns, strict=True):
                    if len(column):
                        guesses[name].look(column)
                looked(number, stream.place)
    return {name: guess.avro for name, guess in guesses.items()}


def other_columns(header: Sequence[str], known: Any, path: Path, first: Path | None) -> Misconfigured:
    """Return the error of a file whose columns are not those of the first."""
    missing = [name for name in known if name not in header]
    further = [name for name in header if name not in known]
    said = [f"{', '.join(missing[:6])} is missing"] if missing else []
    said += [f"{', '.join(further[:6])} is new"] if further else []
    return Misconfigured(
        f"the columns of the file are not those of {first.name if first else ''}: {'; '.join(said)}",
        where=str(path),
        hint="Replay files of other columns by a prefix of their own; where files have no header, give names",
    )


def _of_json(paths: Sequence[Path], reading: Reading, looked: Looked, refused: Refused) -> dict[str, Any]:
    from producer.scenarios.replay.rows.json_types import json_fields

    return json_fields(paths, reading, looked, refused)


def _of_parquet(paths: Sequence[Path], reading: Reading, looked: Looked, _: Refused) -> dict[str, Any]:
    from producer.scenarios.replay.rows.parquet_types import parquet_fields

    return parquet_fields(paths, reading, looked)


_FIELDS: dict[str, Callable[[Sequence[Path], Reading, Looked, Refused], dict[str, Any]]] = {
    "csv": _of_csv,
    "jsonl": _of_json,
    "parquet": _of_parquet,
}

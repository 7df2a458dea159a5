"""The schemas of a topic, judged on the driver by the loader's code, and kept in its folder as ``<id>.json``.

``columns.parquet`` has no rows: its columns are those of all files together, and it says which holds which
field. Both are there before the first file that needs them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.errors import Misconfigured, StreamproofError, WarehouseDamaged
from consumer.lake.job.columns import RESERVED, LakeColumns, column_type
from consumer.load.readers import Readers, SchemaSource
from schemas.columns.column_type import ColumnType
from schemas.fingerprint import number_of
from schemas.formats import WrittenSchema
from schemas.registry.client import Registry
from schemas.registry.contract import subject_for
from schemas.undecodable import UndecodableValue

COLUMNS_FILE = "columns.parquet"
_NOTE = b"streamproof"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the driver knows of a schema: how to read its values, or why nobody can.

    :ivar columns: the column of each field, in the order of the schema.
    :ivar event_time: the column of the time that the folders go by; ``None`` where the schema has none.
    """

    written: WrittenSchema | None
    columns: tuple[str, ...] = ()
    event_time: str | None = None
    fault: UndecodableValue | None = None


class Shelf:
    """The schemas of one topic.

    :param folder: ``LAKE/<topic>``.
    :param event_time: the field that the folders go by; empty for the time of the record.
    :param widen: columns may get wider types.
    """

    def __init__(self, folder: Path, topic: str, registry: SchemaSource, *, event_time: str, widen: bool) -> None:
        self._folder = folder / "schemas"
        self._topic = topic
        self._registry = registry
        self._event_time = event_time
        self._widen = widen
        self.kept = self._read_kept()
        self.columns = self._read_columns()
        self.plain: int | None = None
        self.judged: dict[int, Judged] = {}
        self._found: dict[int, tuple[str, ...]] = {}
        self._readers = Readers(registry, self.kept, self._adopt, self._plain_by_number)
        self._plain: Mapping[int, WrittenSchema] = {}

    def begin(self) -> None:
        """Judge what is known before the first batch: kept schemas, or else the newest of the topic's subject."""
        if self.kept:
            self.learn(self.kept)
        elif isinstance(self._registry, Registry):
            with contextlib.suppress(StreamproofError):  # a guess that spares a second pass: the batches say it exactly
                newest = self._registry.latest(subject_for(self._topic))
                if newest is not None:
                    self.learn([newest.id])

    def learn(self, ids: Iterable[int]) -> None:
        """Judge schemas.

        :raises RegistryUnreachable: one is new, and the registry does not answer.
        :raises SchemaReplaced: the registry gives an id to another schema now.
        :raises Misconfigured: the time that the folders go by is no time.
        """
        for schema_id in ids:
            if schema_id in self.judged:
                continue
            try:
                self._readers(schema_id).placed()
            except UndecodableValue as fault:
                self.judged[schema_id] = Judged(None, fault=fault)
            else:
                columns, kept = self._found[schema_id], self.kept[schema_id]
                time = self._time_column(kept, columns)
                self.judged[schema_id] = Judged(kept, columns, time)

    def learn_plain(self, schema: WrittenSchema | None) -> None:
        """Take the schema of values without a frame; ``None`` when nobody knows one."""
        if schema is None:
            return
        try:
            self.plain = number_of(schema.text)
        except ValueError:  # anybody may write a manifest
            return
        self._plain = {self.plain: schema}
        self.learn([self.plain])

    def _plain_by_number(self) -> Mapping[int, WrittenSchema]:
        return self._plain

    def _adopt(self, schema_id: int, written: WrittenSchema, schema: pa.Schema) -> list[str]:
        grown, columns = self.columns.grown(schema, widen=self._widen)
        self._check_time(schema)
        if grown != self.columns:
            self.columns = grown
            self._write_columns()
        self._found[schema_id] = tuple(columns)
        if schema_id not in self.kept:
            text = json.dumps({"id": schema_id, "format": written.format, "text": written.text})
            swap(self._folder / f"{schema_id}.json", text.encode())
            self.kept[schema_id] = written
        return columns

    def _check_time(self, schema: pa.Schema) -> None:
        name = self._event_time
        if not name:
            return
        if name not in schema.names:
            if name not in self.columns.fields:
                raise Misconfigured(
                    f"no field is called {name}, by which the folders are to go",
                    where=f"topic {self._topic}",
                    hint=f"Its fields are {', '.join(schema.names[:30])}: give another --event-time, or none",
                )
            return
        kind = schema.field(name).type
        if not (pa.types.is_timestamp(kind) or pa.types.is_date32(kind) or pa.types.is_int64(kind)):
            raise Misconfigured(
                f"field {name} is {kind}, and no time",
                where=f"topic {self._topic}",
                hint="--event-time takes a timestamp, a date, or a long that counts milliseconds since 1970",
            )

    def _time_column(self, written: WrittenSchema, columns: tuple[str, ...]) -> str | None:
        if not self._event_time:
            return None
        names = written.written.decoder(written.text).arrow_schema.names
        return dict(zip(names, columns, strict=True)).get(self._event_time)

    def _read_kept(self) -> dict[int, WrittenSchema]:
        kept = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                said = json.loads(path.read_text())
                kept[int(said["id"])] = WrittenSchema(str(said["text"]), str(said["format"]))
            except (ValueError, KeyError, TypeError) as error:
                raise WarehouseDamaged(
                    f"a kept schema is not one of ours: {type(error).__name__}",
                    where=str(path),
                    hint="Remove the file: it is asked of the registry again",
                ) from None
        return kept

    def _read_columns(self) -> LakeColumns:
        path = self._folder / COLUMNS_FILE
        if not path.exists():
            return LakeColumns({}, {})
        try:
            schema = pq.read_schema(path)
            fields = json.loads((schema.metadata or {})[_NOTE])
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise WarehouseDamaged(
                f"the columns of the lake cannot be read: {type(error).__name__}", where=str(path)
            ) from None
        types = {one.name: column_type(one.type, one.name) for one in schema if one.name not in RESERVED}
        empty = {name: ColumnType('"NULL"') for name in fields.values() if name not in types}
        return LakeColumns(types | empty, fields)

    def _write_columns(self) -> None:
        schema = self.columns.arrow_schema().with_metadata({_NOTE: json.dumps(dict(self.columns.fields)).encode()})
        buffer = pa.BufferOutputStream()
        pq.write_table(schema.empty_table(), buffer)
        swap(self._folder / COLUMNS_FILE, buffer.getvalue().to_pybytes())


def swap(path: Path, content: bytes) -> None:
    """Replace a file by one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft: Any = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

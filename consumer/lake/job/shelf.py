"""The schemas of a topic, judged on the driver by the loader's code, and kept in its folder as ``<id>.json``.

``columns.parquet`` has no rows: its columns are those of all files together, and it says what they hold. A kept schema
says where its fields are among them. Both are there before the first file that needs them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.errors import Misconfigured, StreamproofError, WarehouseDamaged
from consumer.lake.job.columns import LakeColumns
from consumer.load.keys import KeySchemas, record_name
from consumer.load.readers import Readers, SchemaSource
from schemas.columns.held import Held, Place
from schemas.fingerprint import number_of
from schemas.formats import WrittenSchema
from schemas.formats.headers import UnknownGuid
from schemas.registry.client import Registry
from schemas.registry.contract import subject_for
from schemas.types.arrow import arrow_schema
from schemas.types.tree import Node, parse
from schemas.undecodable import UndecodableValue

COLUMNS_FILE = "columns.parquet"
_NOTE = b"streamproof"
_HELD = "held"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the driver knows of a schema: how to read its values, or why nobody can.

    :ivar places: of each field among the columns of the lake, in the order of the schema; ``None`` for the identity.
        ``None`` in place of all where there are no columns: nobody has read a value of it, or nothing can hold it.
    :ivar event_time: the column of the time that the folders go by; ``None`` where the schema has none.
    :ivar record_name: the full name of its records.
    """

    written: WrittenSchema | None
    places: tuple[Place | None, ...] | None = ()
    event_time: str | None = None
    fault: UndecodableValue | None = None
    record_name: str | None = None


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
        self._places: dict[int, tuple[Place | None, ...]] = {}
        self.kept = self._read_kept()
        self.columns = LakeColumns()
        self._read_columns()
        self.plain: int | None = None
        self.guids: dict[UUID, int | UnknownGuid] = {}
        self.keys: dict[tuple[int, bool], str | None] = {}
        self.key_schemas = KeySchemas(registry, topic, {})
        self.judged: dict[int, Judged] = {}
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
                self._readers(schema_id)
            except UndecodableValue as fault:
                self.judged[schema_id] = Judged(None, fault=fault)
                continue
            if self._is_own(schema_id):
                self.place(schema_id)
            else:
                self.judged[schema_id] = Judged(self._registry.schema(schema_id), None)

    def place(self, schema_id: int) -> None:
        """Make columns for a schema that was judged; for a foreign one, once a first value of it was decoded.

        :raises Misconfigured: the time that the folders go by is no time.
        """
        try:
            self._readers(schema_id).placed()
        except UndecodableValue as fault:
            written = self.kept.get(schema_id) or self._plain.get(schema_id) or self._registry.schema(schema_id)
            self.judged[schema_id] = Judged(written, None, fault=fault)
            return
        places, kept = self._places[schema_id], self.kept[schema_id]
        time, name = self._time_column(kept, places), record_name(kept.text)
        self.judged[schema_id] = Judged(kept, places, time, record_name=name)

    def _is_own(self, schema_id: int) -> bool:
        """Tell whether a schema is one of the topic's: kept already, or registered under its subject."""
        if schema_id in self.kept or schema_id in self._plain:
            return True
        return any(subject == subject_for(self._topic) for subject, _ in self._registry.named(schema_id))

    def learn_keys(self, asked: Iterable[tuple[int, bool]]) -> None:
        """Ask which ids are of schemas of keys, each with whether a header names it.

        :raises RegistryUnreachable: the registry does not answer, and keys of this topic were decoded before.
        """
        for schema_id, in_header in asked:
            self.keys[schema_id, in_header] = self.key_schemas(schema_id, in_header=in_header)

    def learn_guids(self, guids: Iterable[UUID]) -> None:
        """Ask which schemas GUIDs are of, and judge those.

        :raises RegistryUnreachable: the registry does not answer.
        """
        for guid in guids:
            try:
                self.guids[guid] = schema_id = self._registry.id_of(guid)
            except UnknownGuid as fault:
                self.guids[guid] = fault
            else:
                self.learn([schema_id])

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

    def _adopt(self, schema_id: int, written: WrittenSchema, root: Node) -> list[str]:
        places = self._places.get(schema_id)
        if places is None:
            grown, places = self.columns.grown(root, widen=self._widen)
            self._check_time(arrow_schema(root))
            if grown != self.columns:
                self.columns = grown
                self._write_columns()
            self._keep(schema_id, written, places)
        return [self.columns.of(place) for place in places]

    def _keep(self, schema_id: int, written: WrittenSchema, places: tuple[Place | None, ...]) -> None:
        document = [None if each is None else each.to_document() for each in places]
        kept = {"id": schema_id, "format": written.format, "text": written.text, "places": document}
        swap(self._folder / f"{schema_id}.json", json.dumps(kept).encode())
        self.kept[schema_id] = written
        self._places[schema_id] = places

    def _check_time(self, schema: pa.Schema) -> None:
        name = self._event_time
        if not name:
            return
        if name not in schema.names:
            if not any(name in fields for fields in self.columns.held.fields.values()):
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

    def _time_column(self, written: WrittenSchema, places: tuple[Place | None, ...]) -> str | None:
        if not self._event_time:
            return None
        names = (name for name, _ in parse(written.text).fields)
        place = dict(zip(names, places, strict=True)).get(self._event_time)
        return None if place is None else self.columns.of(place)

    def _read_kept(self) -> dict[int, WrittenSchema]:
        kept = {}
        # In the order in which they came: a lake of an earlier version says nothing else of its columns.
        for path in sorted(self._folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
            try:
                said = json.loads(path.read_text())
                schema_id = int(said["id"])
                kept[schema_id] = WrittenSchema(str(said["text"]), str(said["format"]))
                if "places" in said:
                    places = said["places"]
                    self._places[schema_id] = tuple(each and Place.from_document(each) for each in places)
            except (ValueError, KeyError, TypeError) as error:
                raise WarehouseDamaged(
                    f"a kept schema is not one of ours: {type(error).__name__}",
                    where=str(path),
                    hint="Remove the file: it is asked of the registry again",
                ) from None
        return kept

    def _read_columns(self) -> None:
        path = self._folder / COLUMNS_FILE
        if not path.exists():
            return
        try:
            schema = pq.read_schema(path)
            said = json.loads((schema.metadata or {})[_NOTE])
            if isinstance(said.get(_HELD), dict):
                self.columns = LakeColumns(Held.from_document(said[_HELD]))
                return
        except (pa.ArrowException, KeyError, ValueError, AttributeError) as error:
            raise WarehouseDamaged(
                f"the columns of the lake cannot be read: {type(error).__name__}", where=str(path)
            ) from None
        self._take_over(schema)

    def _take_over(self, there: pa.Schema) -> None:
        """Note what the columns hold in a lake that an earlier version made: one for each field, whatever its aliases.

        :raises WarehouseDamaged: its schemas do not give its columns.
        """
        columns, found = LakeColumns(), {}
        for schema_id, written in self.kept.items():
            columns, found[schema_id] = columns.grown(without_aliases(parse(written.text)), widen=self._widen)
        made = columns.arrow_schema()
        for one in there:
            if one.name not in made.names or made.field(one.name).type != one.type:
                raise WarehouseDamaged(
                    f"no schema that is kept has the column {one.name} as the files have it",
                    where=str(self._folder),
                    hint="Begin a new lake with --set-aside: a job reads the topic into it from the start",
                )
        self.columns = columns
        for schema_id, places in found.items():
            self._keep(schema_id, self.kept[schema_id], places)
        self._write_columns()

    def _write_columns(self) -> None:
        schema = self.columns.arrow_schema().with_metadata(
            {_NOTE: json.dumps({_HELD: self.columns.held.to_document()}).encode()}
        )
        buffer = pa.BufferOutputStream()
        pq.write_table(schema.empty_table(), buffer)
        swap(self._folder / COLUMNS_FILE, buffer.getvalue().to_pybytes())


def without_aliases(node: Node) -> Node:
    """Return a type whose fields have no other names, at any depth."""
    return replace(
        node,
        field_aliases={},
        fields=tuple((name, without_aliases(child)) for name, child in node.fields),
        items=None if node.items is None else without_aliases(node.items),
        branches=tuple(map(without_aliases, node.branches)),
    )


def swap(path: Path, content: bytes) -> None:
    """Replace a file by one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft: Any = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

"""Which schema a value names: in a header or its frame, or, where it has neither, the one known for the topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured, TopicMissing
from cluster.records import Records
from schemas.control_topic import read_control_topic
from schemas.fingerprint import number_of
from schemas.formats import FRAMED, Naming, WrittenSchema
from schemas.formats.frame import HEADER_BYTES, MAGIC, Frames
from schemas.formats.headers import VALUE_SCHEMA, UnknownGuid, guid_of_nobody, named_in, said_in

_FRAMES = Frames()


@dataclass(frozen=True, slots=True)
class InHeader:
    """What a record says of its schema in a header: nothing stands before its value."""

    said: bytes


# Where a record names its schema: in the first bytes of its value, or in a header.
Head = bytes | InHeader


def heads_of(records: Records, head_bytes: int) -> list[Head | None]:
    """Return where each record names its schema; ``None`` for a tombstone."""
    heads: list[Head | None] = [None if value is None else value[:head_bytes] for value in records.values]
    all_headers = records.headers(np.arange(len(heads)))
    if not any(all_headers):
        return heads
    for row, headers in enumerate(all_headers):
        if headers and heads[row] is not None and (said := said_in(headers, VALUE_SCHEMA)) is not None:
            heads[row] = InHeader(said)
    return heads


def named_by(naming: Naming, head: Head) -> int:
    """Return the schema that a head names.

    :raises UndecodableValue: it names none.
    """
    return naming.schema_id_in_header(head.said) if isinstance(head, InHeader) else naming.schema_id(head)


class TopicNaming:
    """How the values of one topic name their schemas.

    :param find: the schema of values without a frame, ``None`` where nobody knows one; asked once, and only when there
        is such a value.
    :param id_of: the id of a schema by its GUID, which a header may name.
    :ivar plain: that schema, by its number, once it was asked for.
    """

    head_bytes = HEADER_BYTES

    def __init__(self, find: Callable[[], WrittenSchema | None], id_of: Callable[[UUID], int] = guid_of_nobody) -> None:
        self._find = find
        self._id_of = id_of
        self._ids: dict[UUID, int | UnknownGuid] = {}
        self._asked = False
        self.plain: dict[int, WrittenSchema] = {}

    def schema_id(self, head: bytes) -> int:
        """Return the id in a frame, or the number of the schema that values without one have.

        :raises UndecodableValue: in phase ``frame``.
        """
        if head and head[:1] != MAGIC:
            if not self._asked:
                self.plain = _numbered(self._find())
                self._asked = True
            for number in self.plain:
                return number
        return _FRAMES.schema_id(head)

    def schema_id_in_header(self, header: bytes) -> int:
        """Return the id in a header, or the id that the registry has for a GUID; each GUID is asked for once.

        :raises UndecodableValue: in phase ``frame``, or ``schema`` for a GUID that nobody knows.
        :raises RegistryUnreachable: the registry does not answer.
        """
        named = named_in(header)
        if isinstance(named, int):
            return named
        if named not in self._ids:
            try:
                self._ids[named] = self._id_of(named)
            except UnknownGuid as fault:
                self._ids[named] = fault
        found = self._ids[named]
        if isinstance(found, UnknownGuid):
            raise found
        return found


def _numbered(schema: WrittenSchema | None) -> dict[int, WrittenSchema]:
    """Return a schema under its number; nothing for a text that is not even JSON, as anybody may write a manifest."""
    try:
        return {} if schema is None else {number_of(schema.text): schema}
    except ValueError:
        return {}


def plain_in_manifests(kafka: KafkaSettings, topic: str) -> WrittenSchema | None:
    """Return the contract that the newest run of values without a frame was begun with; ``None`` without such a run."""
    try:
        said = read_control_topic(kafka, topic).manifests.values()
    except TopicMissing:
        return None
    runs = [manifest for manifest in said if manifest.contract is not None]
    newest = max(runs, key=lambda manifest: manifest.started_at, default=None)
    return None if newest is None else WrittenSchema(newest.contract or "", newest.value_format)


def any_plain(schemas: Iterable[WrittenSchema]) -> bool:
    """Return whether values of one of the schemas have no frame."""
    return any(schema.format not in FRAMED for schema in schemas)


def finder(
    told: WrittenSchema | None, written: str | None, kafka: KafkaSettings | None, topic: str, kept: list[WrittenSchema]
) -> Callable[[], WrittenSchema | None]:
    """Return what finds the schema of values without a frame: told, or in the manifests, or kept from before.

    :param told: the schema that the command names.
    :param written: the format that the command names: a framed one says that there are no values without a frame.
    :param kept: the schemas that the sink has met.
    """

    def find() -> WrittenSchema | None:
        if told is not None or written in FRAMED:
            return told
        found = None if kafka is None else plain_in_manifests(kafka, topic)
        found = found or next((one for one in reversed(kept) if one.format not in FRAMED), None)
        if found is None and written is not None:
            raise Misconfigured(
                f"nothing says which schema the values of format {written} follow",
                where=f"topic {topic}",
                hint="No manifest of the topic names a contract: give it with --schema FILE",
            )
        return found

    return find

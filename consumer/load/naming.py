"""Which schema a value names: by its frame, or, where it has none, the one that is known for the topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured, TopicMissing
from schemas.control_topic import read_control_topic
from schemas.fingerprint import number_of
from schemas.formats import FRAMED, WrittenSchema
from schemas.formats.frame import HEADER_BYTES, MAGIC, Frames

_FRAMES = Frames()


class TopicNaming:
    """How the values of one topic name their schemas.

    :param find: the schema of values without a frame, ``None`` where nobody knows one; asked once, and only when there
        is such a value.
    :ivar plain: that schema, by its number, once it was asked for.
    """

    head_bytes = HEADER_BYTES

    def __init__(self, find: Callable[[], WrittenSchema | None]) -> None:
        self._find = find
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

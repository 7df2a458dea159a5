"""Where the partitions of a topic end, and how far its loader is: asked of the administrator, no record is read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.admin import Admin
from cluster.connection import KafkaSettings
from cluster.errors import Refused, StreamproofError, TopicMissing
from cluster.reading import GROUP_PREFIX, Watermarks, watermarks
from cluster.topics import admin_client, describe, load_topics, topic_names
from schemas.manifest import CONTROL_SUFFIX

_ANSWER_S = 5.0
# Partitions are added seldom, and a topic is made anew seldom.
_DESCRIBE_EVERY_S = 3.0
# A client that was refused says so for ever. Rights that are given meanwhile are seen by a new one.
_NEW_CLIENT_AFTER_S = 10.0


class Client:
    """An administrator for one question, made when it is first asked, and anew some time after it was refused."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin: Admin | None = None
        self._refused_s: float | None = None

    def get(self) -> Admin:
        """Return the client."""
        if self._refused_s is not None and time.monotonic() - self._refused_s > _NEW_CLIENT_AFTER_S:
            self._admin = self._refused_s = None
        if self._admin is None:
            self._admin = admin_client(self._kafka)
        return self._admin

    def heed(self, error: StreamproofError) -> None:
        """Take an error that it raised."""
        if isinstance(error, Refused) and self._refused_s is None:
            self._refused_s = time.monotonic()


@dataclass(frozen=True, slots=True)
class Ends:
    """The partitions of a topic; none where it does not exist."""

    exists: bool
    topic_id: str = ""
    marks: Mapping[int, Watermarks] = field(default_factory=dict)


class EndsQuestion:
    """Asks where the partitions of a topic begin and end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._shapes: dict[str, tuple[float, str, int]] = {}

    def ask(self, topic: str) -> Ends:
        """Return the offsets of every partition.

        :raises StreamproofError: Kafka does not answer, or does not allow it.
        """
        try:
            topic_id, partitions = self._shape(topic)
            return Ends(True, topic_id, watermarks(self._client.get(), topic, range(partitions)))
        except TopicMissing:
            self._shapes.pop(topic, None)
            return Ends(False)
        except StreamproofError as error:
            self._client.heed(error)
            raise

    def keep(self, topics: Collection[str]) -> None:
        """Forget other topics."""
        self._shapes = {topic: shape for topic, shape in self._shapes.items() if topic in topics}

    def _shape(self, topic: str) -> tuple[str, int]:
        asked_s, topic_id, partitions = self._shapes.get(topic, (float("-inf"), "", 0))
        if time.monotonic() - asked_s > _DESCRIBE_EVERY_S:
            info = describe(self._client.get(), topic, timeout_s=_ANSWER_S)
            topic_id, partitions = info.topic_id, info.partitions
            self._shapes[topic] = (time.monotonic(), topic_id, partitions)
        return topic_id, partitions


@dataclass(frozen=True, slots=True)
class LoaderNote:
    """What the loader told its group beside its positions; all of it ``None`` or empty where it said nothing."""

    quarantined: int | None = None
    last_error: str = ""

    @classmethod
    def read(cls, text: str) -> LoaderNote:
        """Read it out of the text that goes with a position. Anybody may write there."""
        try:
            said: Any = json.loads(text)
            quarantined, last_error = said["quarantined"], said.get("last_error", "")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return cls()
        if type(quarantined) is not int or quarantined < 0 or not isinstance(last_error, str):
            return cls()
        return cls(quarantined, last_error)


@dataclass(frozen=True, slots=True)
class Loaded:
    """How far the loader of a topic told its group that it is; no positions where none ever told."""

    positions: Mapping[int, int]
    note: LoaderNote = LoaderNote()


# Where the partitions of a topic begin and end, as last found out. It raises where that is unknown, as questions do.
Marks = Callable[[str], Mapping[int, Watermarks]]


class LoadedQuestion:
    """Asks the group of the loader for its positions."""

    def __init__(self, client: Client, marks: Marks) -> None:
        self._client = client
        self._marks = marks

    def ask(self, topic: str) -> Loaded:
        """Return the positions that were told.

        :raises StreamproofError: Kafka does not answer, or does not allow it.
        """
        try:
            told = self._client.get().committed.of(
                loader_group(topic), topic, list(self._marks(topic)), timeout_s=_ANSWER_S
            )
        except StreamproofError as error:
            self._client.heed(error)
            raise
        known = [place for place in told if place.offset >= 0]
        notes = (LoaderNote.read(place.metadata) for place in known if place.metadata)
        note = next((note for note in notes if note.quarantined is not None), LoaderNote())
        return Loaded({place.partition: place.offset for place in known}, note)

    def keep(self, topics: Collection[str]) -> None:
        """Hold nothing."""


def loader_group(topic: str) -> str:
    """Return the group that the loader of a topic tells."""
    return f"{GROUP_PREFIX}load-{topic}"


class TopicsQuestion:
    """Asks which topics are declared or have a control topic. It is asked about no topic in particular."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._declared = {spec.name for spec in load_topics() if not spec.name.endswith(CONTROL_SUFFIX)}

    def ask(self, topic: str) -> frozenset[str]:  # noqa: ARG002 - as every question
        """Return their names.

        :raises StreamproofError: Kafka does not answer.
        """
        try:
            names = topic_names(self._client.get(), timeout_s=_ANSWER_S)
        except StreamproofError as error:
            self._client.heed(error)
            raise
        return frozenset(name for name in names if name + CONTROL_SUFFIX in names or name in self._declared)

    def keep(self, topics: Collection[str]) -> None:
        """Hold nothing."""

"""What a job is told, as one line of JSON, and what it says: lines of JSON too.

Secrets are in the request, so it travels through a pipe, or a file that only its owner reads; no command line and no
log holds them.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from typing import Any, Self, TextIO

from cluster.connection import Connection
from cluster.errors import StreamproofError
from schemas.formats import WrittenSchema


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One run of the job.

    :ivar folder: the lake.
    :ivar kafka: settings of the brokers by our names, secrets plain; ``registry`` those of the registry, if known.
    :ivar java: the same settings of the brokers as Java's client takes them.
    :ivar conf: further settings of Spark.
    :ivar event_times: the field that the folders go by, by topic; ``""`` for the time of the record.
    :ivar plain: the schema of values that name none, as text and format; that of the newest manifest unless given.
    :ivar locked: whoever started the job holds the lock of the lake.
    :ivar checkpoints: where Spark's checkpoints lie; ``None`` for beside the data that each is of.
    :ivar group: the consumer group that is told how far each topic is; ``None`` for one of each topic.
    :ivar every_s: how often a followed topic is published, seconds; ``for_s`` how long it is followed.
    """

    folder: str
    topics: list[str]
    kafka: dict[str, Any]
    registry: dict[str, Any] | None
    java: dict[str, str]
    jars: list[str]
    master: str
    memory: str
    conf: dict[str, str] = field(default_factory=dict)
    event_times: dict[str, str] = field(default_factory=dict)
    table_format: str = "parquet"
    max_records: int = 0
    follow: bool = False
    every_s: float = 5.0
    for_s: float | None = None
    accept_gap: bool = False
    set_aside: bool = False
    checkpoints: str | None = None
    group: str | None = None
    plain: dict[str, str] | None = None
    locked: bool = False

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what :meth:`line` wrote."""
        return cls(**json.loads(text))

    def line(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self)) + "\n"

    def connection(self) -> Connection:
        """Return the settings that it was made of."""
        return Connection.of(self.kafka) if self.registry is None else Connection.of(self.kafka, self.registry)

    def plain_schema(self) -> WrittenSchema | None:
        """Return the schema of values that name none, if it was told."""
        return None if self.plain is None else WrittenSchema(self.plain["text"], self.plain["format"])


class Voice:
    """Says lines, from several threads."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def say(self, kind: str, **said: Any) -> None:
        """Say one."""
        with self._lock:
            self._out.write(json.dumps({"kind": kind, **said}) + "\n")
            self._out.flush()

    def fail(self, error: StreamproofError) -> None:
        """Say why the job ends."""
        self.say("error", error=error.document())

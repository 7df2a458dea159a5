"""A topic of its own for each test, written to by hand, and a loader to load it."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.connection import Connection
from cluster.topics import admin_client, wait_for_leaders
from consumer.load.load import load
from consumer.load.progress import LoadResult
from consumer.sinks import Place, place_named
from consumer.sinks.postgres.place import schema_of
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry
from tests.kit.commands import Ended, command_line, streamproof
from tests.kit.postgres import PostgresServer
from tests.kit.waiting import wait_until

SMALL = {
    "type": "record",
    "name": "Small",
    "fields": [
        {"name": "n", "type": "long"},
        {"name": "text", "type": "string"},
        {
            "name": "place",
            "type": {
                "type": "record",
                "name": "Place",
                "fields": [
                    {"name": "city", "type": "string"},
                    {
                        "name": "point",
                        "type": {
                            "type": "record",
                            "name": "Point",
                            "fields": [{"name": "x", "type": "double"}, {"name": "y", "type": ["null", "double"]}],
                        },
                    },
                ],
            },
        },
    ],
}


def small(n: int) -> dict[str, Any]:
    """A record of the schema ``SMALL``, a function of ``n`` down to its last leaf."""
    point = {"x": n / 2, "y": None if n % 3 == 0 else float(n)}
    return {"n": n, "text": f"text-{n}", "place": {"city": f"city-{n % 97}", "point": point}}


def framed(schema_id: int, schema: Any, record: Any) -> bytes:
    """A value as any Confluent client writes it."""
    payload = io.BytesIO()
    fastavro.schemaless_writer(payload, schema, record)
    return struct.pack(">bI", 0, schema_id) + payload.getvalue()


@dataclass
class Rig:
    """One topic, its registry subject and its warehouse."""

    connection: Connection
    topic: str
    warehouse: Path

    def create(self, partitions: int = 1, **config: str) -> None:
        """Create the topic; configuration names with underscores for dots."""
        settings = {name.replace("_", "."): value for name, value in config.items()}
        new = NewTopic(self.topic, num_partitions=partitions, replication_factor=1, config=settings)
        admin = self.admin
        admin.create_topics([new])[self.topic].result(20)
        wait_for_leaders(admin_client(self.connection.kafka), self.topic, partitions=partitions)

    @property
    def admin(self) -> AdminClient:
        """A plain client, not ours."""
        return AdminClient(self.connection.kafka.as_librdkafka())

    def register(self, schema: Any = SMALL) -> int:
        """Register a schema under the topic's subject and return its id."""
        with Registry(self.connection.registry) as registry:
            return registry.register(subject_for(self.topic), json.dumps(schema)).id

    def encode(self, schema: Any, records: Iterable[Any]) -> list[bytes]:
        """Values of any schema, which is registered for it."""
        schema_id, parsed = self.register(schema), fastavro.parse_schema(schema)
        return [framed(schema_id, parsed, record) for record in records]

    def values(self, numbers: Iterable[int]) -> list[bytes]:
        """Values of a small nested schema; record n says n in every leaf."""
        return self.encode(SMALL, map(small, numbers))

    def record(self, n: int) -> dict[str, Any]:
        """What ``values`` encodes for ``n``."""
        return small(n)

    def produce(self, values: Iterable[bytes | None], *, partition: int = 0, **record: Any) -> None:
        """Write values in order and wait until all are acknowledged."""
        failures: list[KafkaError] = []
        producer = Producer(self.connection.kafka.as_librdkafka(linger_ms=5, enable_idempotence=True))
        for number, value in enumerate(values):
            key = record.get("key", b"key-%d" % (number % 10))
            headers = record.get("headers")
            note = lambda error, _: failures.append(error) if error else None  # noqa: E731
            producer.produce(self.topic, value, key=key, partition=partition, headers=headers, on_delivery=note)
            if number % 10_000 == 9_999:
                producer.poll(0)
                producer.flush(30)
        assert producer.flush(30) == 0
        assert failures == []

    @property
    def where(self) -> str:
        """What the command is told of the warehouse."""
        return str(self.warehouse)

    @property
    def place(self) -> Place:
        """Where the warehouse is."""
        return place_named(self.where, self.topic)

    def wait_until_at_work(self, process: subprocess.Popen[Any]) -> None:
        """Wait until a loader has the warehouse open: from then on it loads."""

        def is_open() -> bool:
            try:
                return any(fd.readlink() == self.warehouse for fd in Path(f"/proc/{process.pid}/fd").iterdir())
            except FileNotFoundError:
                return False

        wait_until(is_open, "the loader to open the warehouse", poll_s=0.005, while_runs=process)

    def wait_until_writing(self, process: subprocess.Popen[Any]) -> None:
        """Wait until a loader that is at work writes."""
        since_ns, log = time.time_ns(), self.warehouse.with_name(self.warehouse.name + ".wal")

        def was_written() -> bool:
            try:
                return log.stat().st_mtime_ns > since_ns
            except FileNotFoundError:
                return False

        wait_until(was_written, "the first write", poll_s=0.005, while_runs=process)

    def load(self, **options: Any) -> LoadResult:
        """Load in this process."""
        return load(self.connection, self.topic, self.place, stop=options.pop("stop", threading.Event()), **options)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a loader of its own."""
        return command_line("load", self.topic, "--warehouse", self.where, *arguments)

    def type(self, *arguments: str) -> Ended:
        """Load by the command, in this process."""
        return streamproof("load", self.topic, "--warehouse", self.where, *arguments)

    def run(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Load in a process of its own."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=timeout_s, check=False)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with duckdb.connect(str(self.warehouse)) as connection:
            return connection.execute(query).fetchall()

    def records(self) -> dict[tuple[int, int], bytes | None]:
        """What Kafka holds, by partition and offset, read by a plain client."""
        consumer = Consumer(
            self.connection.kafka.as_librdkafka(
                group_id="tests", auto_offset_reset="earliest", enable_partition_eof=True, enable_auto_commit=False
            )
        )
        partitions = len(consumer.list_topics(self.topic, 10).topics[self.topic].partitions)
        consumer.assign([TopicPartition(self.topic, p, 0) for p in range(partitions)])
        found: dict[tuple[int, int], bytes | None] = {}
        ended = 0
        while ended < partitions:
            (message,) = consumer.consume(1, 10)
            if message.error() is None:
                found[message.partition(), message.offset()] = message.value()
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF
                ended += 1
        consumer.close()
        return found

    def admin_delete(self, upto: int) -> None:
        """Delete the records of partition 0 below an offset, as retention does."""
        admin = self.admin
        (done,) = admin.delete_records([TopicPartition(self.topic, 0, upto)]).values()
        done.result(20)

    def prove(self, *, gone_below: int = 0) -> None:
        """Compare the warehouse with Kafka: every record with a value is there, once, with its checksum.

        Of what Kafka does not hold any more (``gone_below``), only the ledger can speak.
        """
        with self.place.open(create=False) as sink:
            sink.verify()
        truth = {at: zlib.crc32(value) for at, value in self.records().items() if value is not None}
        stored = self.rows(
            "SELECT _partition, _offset, _crc32 FROM (SELECT _partition, _offset, _crc32 FROM events UNION ALL "
            f"SELECT _partition, _offset, crc32 FROM quarantine) WHERE _offset >= {gone_below}"
        )
        assert len(stored) == len(truth)
        assert {(partition, offset): crc for partition, offset, crc in stored} == truth


SESSIONS = "application_name = 'streamproof' AND datname = current_database()"


@dataclass
class PostgresRig(Rig):
    """The same with a warehouse in a database of its own."""

    url: str = ""

    @property
    def where(self) -> str:
        """The address, with the password of the test's server."""
        return self.url

    def wait_until_at_work(self, process: subprocess.Popen[Any]) -> None:
        """Wait until a loader is connected."""
        self._wait_for_session("TRUE", "the loader to connect", process)

    def wait_until_writing(self, process: subprocess.Popen[Any]) -> None:
        """Wait until a loader is inside a transaction that writes."""
        self._wait_for_session("backend_xid IS NOT NULL", "the first write", process)

    def _wait_for_session(self, state: str, what: str, process: subprocess.Popen[Any]) -> None:
        query = f"SELECT count(*) > 0 FROM pg_stat_activity WHERE {state} AND {SESSIONS}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            wait_until(lambda: connection.execute(query).fetchone()[0], what, poll_s=0.005, while_runs=process)

    def end_sessions(self) -> int:
        """Cut the connections of all loaders, as a server does that shuts down, and return how many there were."""
        query = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {SESSIONS}"
        return len(self.rows(query))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with psycopg.connect(
            self.url, options=f"-c search_path={schema_of(self.topic)}", autocommit=True
        ) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def postgres_rig(
    connection: Connection, postgres: PostgresServer, topic_name: Callable[[str], str], tmp_path: Path
) -> PostgresRig:
    """A topic that does not exist yet, and an empty database."""
    topic = topic_name("load")
    return PostgresRig(connection, topic, tmp_path / "none", postgres.database())


@pytest.fixture(params=["duckdb", "postgres"])
def each_rig(request: pytest.FixtureRequest, connection: Connection) -> Rig:
    """A topic that does not exist yet, with a warehouse in each of the stores."""
    return request.getfixturevalue("rig" if request.param == "duckdb" else "postgres_rig")


@pytest.fixture
def rig(connection: Connection, topic_name: Callable[[str], str], tmp_path: Path) -> Rig:
    """A topic that does not exist yet."""
    topic = topic_name("load")
    return Rig(connection, topic, tmp_path / f"{topic}.duckdb")

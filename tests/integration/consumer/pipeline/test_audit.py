"""`audit T --at WHERE`: what was done to the rows of any kind of place is found, exactly, and nothing else is."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer

from cluster.connection import Connection
from consumer.pipeline.asked import Asked, columns_of
from consumer.pipeline.audit import audit_pipeline
from consumer.pipeline.found import CLASSES
from consumer.pipeline.result import PipelineResult
from consumer.pipeline.stored.naming import stored_at
from producer import ProduceRequest, produce_shard
from producer.regenerate import regenerated
from schemas.control_topic import read_control_topic
from schemas.identity import event_id
from tests.kit.commands import Ended, command_line, streamproof
from tests.kit.damage import KINDS, Damage, Rows, Run, insert_a_foreign_one, lose
from tests.kit.depth import DAMAGE_SEEDS_IN_PLACES, DEEP
from tests.kit.filled_topic import FilledTopic
from tests.kit.postgres import PostgresServer
from tests.kit.seconds import within
from tests.kit.topics import make_ready
from tests.kit.waiting import wait_until

RUN_ID, SHARDS, PER_SHARD = "rehearsal/pipeline", 2, 150
FIELDS = {
    "event_id": pa.string(),
    "event_type": pa.string(),
    "user_id": pa.string(),
    "at": pa.timestamp("ms", tz="UTC"),
    "percentage": pa.float64(),
    "app": pa.string(),
}
SCHEMA = pa.schema(list(FIELDS.items()))
COLUMNS = columns_of({"at": "timestamp", "percentage": "details.play_percentage", "app": "device.app_version"})
THE_RUN = Run(
    RUN_ID,
    SHARDS,
    PER_SHARD,
    changes={
        "event_type": lambda text: text + "d",
        "user_id": lambda text: text[:-1],
        "at": lambda moment: moment + dt.timedelta(milliseconds=1),
        "percentage": lambda number: 0.125 if number is None else number + 0.125,
    },
)
AVRO = {
    "type": "record",
    "name": "Stored",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_type", "type": "string"},
        {"name": "user_id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "percentage", "type": ["null", "double"]},
        {"name": "app", "type": "string"},
    ],
}


@dataclass(frozen=True)
class Sent:
    """A topic with a run in it, and the rows that an honest pipeline stores of it."""

    connection: Connection
    topic: str
    table: pa.Table

    def rows(self) -> Rows:
        found: Rows = self.table.to_pylist()
        return found

    def audit(self, where: str, *, topic: str | None = None, **asked: Any) -> PipelineResult:
        place = stored_at(where, connection=self.connection)
        again = partial(regenerated, connection=self.connection)
        return audit_pipeline(self.connection, topic or self.topic, place, again, run_id=RUN_ID, asked=Asked(**asked))

    def command(self, *words: object) -> Ended:
        return streamproof("audit", self.topic, "--run-id", RUN_ID, *words)


@pytest.fixture(scope="module")
def sent(connection: Connection) -> Sent:
    topic = make_ready(connection, f"pipeline-{random.getrandbits(48):012x}")
    for shard in range(SHARDS):
        request = ProduceRequest(
            topic=topic, run_id=RUN_ID, events=SHARDS * PER_SHARD, shards=SHARDS, shard=shard, seed=7
        )
        produce_shard(connection, request, stop=threading.Event())
    manifests = list(read_control_topic(connection.kafka, topic).manifests.values())
    truth = regenerated(manifests, connection=connection)
    batches = [batch for shard in range(SHARDS) for batch in truth.events(shard, 0, PER_SHARD)]
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        session.register("told", pa.Table.from_batches(batches))
        table = session.sql(
            "SELECT event_id, event_type, user_id, timestamp AS at, details.play_percentage AS percentage, "
            "device.app_version AS app FROM told"
        ).to_arrow_table()
    return Sent(connection, topic, table.cast(SCHEMA))


@dataclass(frozen=True)
class Maker:
    """Stores rows in places of every kind."""

    folder: Path
    postgres: PostgresServer
    filled_topic: Callable[..., FilledTopic]

    def postgresql(self, rows: Rows) -> str:
        url = self.postgres.database()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE SCHEMA theirs; CREATE TABLE theirs.events (event_id uuid, event_type text, "
                "user_id varchar(40), at timestamptz(3), percentage double precision, app text)"
            )
            with connection.cursor().copy("COPY theirs.events FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(tuple(row.values()))
        return f"{without_password(url)}#theirs.events"

    def duckdb(self, rows: Rows) -> str:
        file = self.folder / "theirs.duckdb"
        with duckdb.connect(str(file)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("given", table(rows))
            connection.execute("CREATE TABLE events AS FROM given")
        return f"{file}#events"

    def parquet(self, rows: Rows) -> str:
        folder = self.folder / "parquet"
        for number in range(3):
            (folder / f"hour={number}").mkdir(parents=True)
            pq.write_table(table(rows[number::3]), folder / f"hour={number}" / f"part-{number}.parquet")
        return str(folder)

    def csv(self, rows: Rows) -> str:
        file = self.folder / "theirs.csv"
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, SCHEMA.names)
            writer.writeheader()
            writer.writerows(row | {"at": row["at"].isoformat()} for row in rows)
        return str(file)

    def json_lines(self, rows: Rows) -> str:
        file = self.folder / "theirs.jsonl"
        file.write_text("".join(f"{text}\n" for text in as_json(rows)))
        return str(file)

    def topic_in_avro(self, rows: Rows) -> str:
        topic = self.filled_topic(partitions=2)
        values = topic.avro(AVRO, rows)
        for partition in range(2):
            topic.send(values[partition::2], partition=partition, key=None)
        return f"kafka:{topic.name}"

    def topic_in_json(self, rows: Rows) -> str:
        topic = self.filled_topic()
        topic.send([text.encode() for text in as_json(rows)], key=None)
        return f"kafka:{topic.name}"


def as_json(rows: Rows) -> list[str]:
    return [json.dumps(row | {"at": row["at"].isoformat()}) for row in rows]


def table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def without_password(url: str) -> str:
    head, _, tail = url.partition("@")
    return f"{head.rpartition(':')[0]}@{tail}"


@pytest.fixture
def maker(
    tmp_path: Path,
    postgres: PostgresServer,
    filled_topic: Callable[..., FilledTopic],
    monkeypatch: pytest.MonkeyPatch,
) -> Maker:
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    return Maker(tmp_path, postgres, filled_topic)


PLACES = ["postgresql", "duckdb", "parquet", "csv", "json_lines", "topic_in_avro", "topic_in_json"]


def counts(result: PipelineResult) -> dict[str, int]:
    return {name: number for name in CLASSES if (number := int(getattr(result.findings, name)))}


@pytest.mark.parametrize("place", PLACES)
def test_what_an_honest_pipeline_stored_passes_in_a_place_of_any_kind(sent: Sent, maker: Maker, place: str) -> None:
    where = getattr(maker, place)(sent.rows())
    result = sent.audit(where, compare=True, columns=COLUMNS)
    assert (result.verdict, counts(result)) == ("PASSED", {})
    assert (
        f"All 300 acknowledged events are in {result.at}, once; 5 values of each equal what was sent" in result.reason
    )


# Two kinds in each place, and each kind in two places; at depth all in all.
DAMAGED = [
    (place, damage)
    for row, place in enumerate(PLACES)
    for column, damage in enumerate(KINDS)
    if DEEP or (row + column) % len(KINDS) < 2
]


@pytest.mark.parametrize("seed", range(DAMAGE_SEEDS_IN_PLACES))
@pytest.mark.parametrize(("place", "damage"), DAMAGED)
def test_damage_is_found_exactly_in_a_place_of_any_kind(
    sent: Sent, maker: Maker, place: str, damage: Damage, seed: int
) -> None:
    rows = sent.rows()
    expected = damage(THE_RUN, rows, random.Random(seed))
    result = sent.audit(getattr(maker, place)(rows), compare=True, columns=COLUMNS)
    assert counts(result) == {name: len(ids) for name, ids in expected.items()}
    named = {name: {each.event_id for each in result.findings.examples[name]} for name in expected}
    assert named == expected
    assert result.findings.foreign == (damage is insert_a_foreign_one)


def test_a_file_that_is_lost_is_its_events_lost(sent: Sent, maker: Maker) -> None:
    rows = sent.rows()
    where = maker.parquet(rows)
    (Path(where) / "hour=1" / "part-1.parquet").unlink()
    result = sent.audit(where)
    assert counts(result) == {"lost": 100}
    assert {each.event_id for each in result.findings.examples["lost"]} <= {row["event_id"] for row in rows[1::3]}


def test_the_command_says_it_in_words_and_as_a_document(sent: Sent, maker: Maker) -> None:
    rows = sent.rows()
    expected = lose(THE_RUN, rows, random.Random(3))
    where = maker.duckdb(rows)
    words = sent.command("--at", where, "--compare", "--column", "percentage=details.play_percentage")
    assert words.exit_code == 65
    assert "FAILED  Of 300 events that should be in" in words.stdout
    assert sorted(expected["lost"])[0] in words.stdout
    document = sent.command("--at", where, "--json").document
    assert (document["verdict"], document["lost"], document["compared"]) == ("FAILED", len(expected["lost"]), None)
    assert set(document["examples"]["lost"]) == expected["lost"]
    assert document["error"]["exit_code"] == 65


def test_a_query_is_looked_at_as_a_table_is(sent: Sent, maker: Maker) -> None:
    address, _, _ = maker.postgresql(sent.rows()).partition("#")
    query = "SELECT upper(event_id::text) AS key, event_type FROM theirs.events WHERE event_type = 'content_play'"
    done = sent.command(
        "--at", address, "--query", query, "--id", "key", "--expect", "event_type = 'content_play'", "--json"
    )
    document = done.document
    assert (done.exit_code, document["verdict"]) == (0, "PASSED")
    assert 0 < document["expected"] < 300
    assert any("in upper case" in note for note in document["notes"])


def test_columns_and_their_types_may_come_from_a_file(sent: Sent, maker: Maker, tmp_path: Path) -> None:
    rows = sent.rows()
    rounded = [row | {"percentage": None if row["percentage"] is None else round(row["percentage"])} for row in rows]
    where = maker.csv(rounded)
    file = tmp_path / "columns.yaml"
    file.write_text(
        "id: event_id\ncolumns:\n  at: timestamp\n  app: device.app_version\n"
        "  percentage: {field: details.play_percentage, type: 'decimal(5,0)'}\n"
    )
    compared = sent.command("--at", where, "--columns", file, "--json").document
    assert (compared["verdict"], len(compared["compared"])) == ("PASSED", 5)
    document = sent.command("--at", where, "--column", "percentage=details.play_percentage", "--json").document
    (column,) = document["columns"]
    assert (column["column"], column["field"]) == ("percentage", "details.play_percentage")
    assert list(column["looks"]) == ["rounded to a whole number"]
    assert {example["where"].split()[0] for example in column["examples"]} == {"theirs.csv"}


def test_order_is_proved_by_a_column_and_by_a_topic(sent: Sent, maker: Maker, tmp_path: Path) -> None:
    rows = [row | {"place": n} for n, row in enumerate(sent.rows())]
    file = tmp_path / "ordered.jsonl"
    file.write_text("".join(f'{{"event_id": "{row["event_id"]}", "place": {row["place"]}}}\n' for row in rows))
    ordered = sent.command("--at", file, "--order", "place", "--json").document
    assert (ordered["verdict"], ordered["reordered"]) == ("PASSED", 0)
    assert "in the order of their keys" in ordered["reason"]
    topic = maker.filled_topic()
    producer = Producer(sent.connection.kafka.as_librdkafka(enable_idempotence=True))
    for row in reversed(rows):
        producer.produce(topic.name, json.dumps({"event_id": row["event_id"]}).encode(), row["user_id"].encode())
    assert producer.flush(30) == 0
    reordered = sent.audit(f"kafka:{topic.name}")
    assert list(counts(reordered)) == ["reordered"]


def test_expectations_are_run_over_what_was_sent_and_what_is_there(sent: Sent, maker: Maker, tmp_path: Path) -> None:
    users: dict[str, int] = {}
    for row in sent.rows():
        users[row["user_id"]] = users.get(row["user_id"], 0) + 1
    url = maker.postgres.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE totals (user_id text, events numeric)")
        with connection.cursor().copy("COPY totals FROM STDIN") as copy:
            for pair in users.items():
                copy.write_row(pair)
    where = f"{without_password(url)}#totals"
    assert sent.command("--at", where, "--expectation", "totals_per_user").exit_code == 0
    own = tmp_path / "half.sql"
    own.write_text("-- description: half\nSELECT user_id FROM sink WHERE events > 1000")
    assert sent.command("--at", where, "--expectation", "totals_per_user", "--expectation", own).exit_code == 0
    user, events = next(iter(users.items()))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE totals SET events = events + 1 WHERE user_id = %s", [user])
    done = sent.command("--at", where, "--expectation", "totals_per_user", "--json")
    assert done.exit_code == 65
    (held,) = done.document["expectations"]
    assert held["rows"] == [{"user_id": user, "sent": str(events), "stored": str(events + 1)}]


def test_a_pipeline_that_is_still_at_work_is_waited_for(sent: Sent, maker: Maker) -> None:
    rows = sent.rows()
    where = maker.postgresql(rows[:200])
    url = maker.postgres.url(where.rpartition("#")[0].rpartition("/")[2])
    late = threading.Timer(2.0, partial(insert, url, rows[200:]))
    late.start()
    try:
        document = sent.command(
            "--at", where, "--compare", "--column", "at=timestamp", "--wait", "60s", "--json"
        ).document
    finally:
        late.join()
    assert (document["verdict"], document["lost"]) == ("PASSED", 0)
    assert document["looks"] > 1
    over = sent.command("--at", maker.duckdb(rows[:-1]), "--wait", "1", "--json").document
    assert (over["verdict"], over["lost"]) == ("FAILED", 1)
    assert ", as of 2" in over["reason"]


def test_a_place_that_is_not_there_yet_is_waited_for(sent: Sent, maker: Maker, tmp_path: Path) -> None:
    missing = tmp_path / "parquet"
    assert sent.command("--at", missing).exit_code == 78
    late = threading.Timer(2.0, partial(maker.parquet, sent.rows()))
    late.start()
    try:
        document = sent.command("--at", missing, "--wait", "60s", "--json").document
    finally:
        late.join()
    assert (document["verdict"], document["looks"] > 1) == ("PASSED", True)
    empty = sent.command("--at", f"kafka:{maker.filled_topic().name}")
    assert (empty.exit_code, "the topic holds no values yet" in empty.stderr) == (78, True)
    # What is spelt wrong is told when the time is over.
    assert sent.command("--at", tmp_path / "parquets", "--wait", "1").exit_code == 78


def test_the_last_look_compares_values_although_events_are_missing(sent: Sent, maker: Maker) -> None:
    rows = sent.rows()
    rows[3]["user_id"] = "nobody"
    document = sent.command("--at", maker.csv(rows[:-1]), "--compare", "--wait", "1", "--json").document
    assert (document["lost"], document["altered"], document["looks"] > 1) == (1, 1, True)


def insert(url: str, rows: Rows) -> None:
    with psycopg.connect(url) as connection, connection.cursor().copy("COPY theirs.events FROM STDIN") as copy:
        for row in rows:
            copy.write_row(tuple(row.values()))


def test_nothing_is_written_where_a_pipeline_stored(sent: Sent, maker: Maker) -> None:
    file = Path(maker.duckdb(sent.rows()).partition("#")[0])
    before = (file.read_bytes(), sorted(path.name for path in file.parent.iterdir()))
    sent.audit(f"{file}#events", compare=True, columns=COLUMNS, order="at", expect="user_id IS NOT NULL")
    assert (file.read_bytes(), sorted(path.name for path in file.parent.iterdir())) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--compare",), "--compare needs --at"),
        (("--id", "x", "--order", "y"), "--id, --order needs --at"),
        (("--at", "{file}#events", "--warehouse", "w.duckdb"), "--warehouse speaks of our own warehouse"),
        (("--at", "{file}#event"), "there is no table event"),
        (("--at", "{file}#events", "--position", "a,b"), "--position is for a ledger"),
        (("--at", "{file}#events", "--position", "a"), "is not of the form PARTITION,OFFSET"),
        (("--at", "{file}#events", "--column", "at"), "is not of the form STORED=FIELD"),
        (("--at", "{file}#events", "--column", "at=timestamp:thyme"), "there is no such type"),
        (("--at", "{file}#events", "--columns", "nowhere.yaml"), "the file of columns cannot be read"),
        (("--at", "{file}#events", "--wait", "soon"), "'soon' is not a duration"),
        (("--at", "{file}#events", "--compare", "--scenario", "clickstream"), "scenario was customer_events"),
        (("--at", "{file}#events", "--compare", "--scenario-path", "/nowhere"), "/nowhere"),
        (("--at", "{file}#events", "--run-id", "nobody"), "no manifest names the run nobody"),
    ],
)
def test_what_cannot_be_asked_ends_with_78_and_words(
    sent: Sent, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.register("given", sent.table)
        connection.execute("CREATE TABLE events AS FROM given")
    done = streamproof("audit", sent.topic, *(word.replace("{file}", str(file)) for word in words))
    assert (done.exit_code, said in done.stderr) == (78, True), done.stderr


def test_an_id_of_another_type_is_refused(sent: Sent, tmp_path: Path) -> None:
    file = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE events AS SELECT 1 AS event_id")
    done = sent.command("--at", f"{file}#events")
    assert done.exit_code == 78
    assert "the column event_id is INTEGER, and an id of an event is text, a UUID or bytes" in done.stderr


def test_rows_that_an_at_least_once_consumer_stored_twice_are_named(sent: Sent, maker: Maker) -> None:
    rows = sent.rows()
    # It was killed between a batch and its offset, twice.
    again = [*rows[:120], *rows[100:260], *rows[230:]]
    result = sent.audit(maker.csv(again), compare=True, columns=COLUMNS)
    assert counts(result) == {"duplicated": 50}
    assert result.findings.examples["duplicated"][0].event_id == event_id(RUN_ID, 0, 100)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_waiting_in_time_and_leaves_nothing(
    sent: Sent, maker: Maker, tmp_path: Path, number: signal.Signals
) -> None:
    where, state = maker.duckdb(sent.rows()[:-1]), tmp_path / "state"
    words = ("audit", sent.topic, "--run-id", RUN_ID, "--at", where, "--wait", "5m", "--json")
    addresses = ("--bootstrap-servers", sent.connection.kafka.bootstrap_servers)
    process = subprocess.Popen(
        command_line(*words, *addresses),
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"STREAMPROOF_STATE_DIR": str(state)},
    )
    try:
        # A folder stands as long as the proof is at work.
        wait_until(lambda: leftovers(state) != [], "the first look", timeout_s=60)
        began = time.monotonic()
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        within(4.0, began, "the end after a signal")
    finally:
        process.kill()
    assert (process.returncode, json.loads(out)["error"]["kind"]) == (75, "Interrupted")
    assert leftovers(state) == []


def leftovers(state: Path) -> list[Path]:
    return list((state / "proving").glob("*")) if state.exists() else []

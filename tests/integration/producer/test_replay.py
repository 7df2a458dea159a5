"""Files that are replayed: every row is an event, the run ends with them, and it is proved as any other."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.proof.result import AuditResult
from producer import ProduceRequest, produce_shard
from producer.regenerate import regenerated
from producer.scenarios import contract_of, find_scenario
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry, gate
from tests.kit.commands import command_line
from tests.kit.kafka import read_topic, topic_ends
from tests.kit.stops import StopAt
from tests.kit.waiting import wait_until

HEADER = (
    "user_id,session_id,session_start,session_size,click_article_id,click_timestamp,click_environment,"
    "click_deviceGroup,click_os,click_country,click_region,click_referrer_type"
)


def click(number: int) -> str:
    began = 1_506_826_800_000 + number * 40
    return f"{number % 97},{began}{number},{began},{2 + number % 5},{number % 311},{began + 7},4,3,20,1,20,2"


def write_clicks(folder: Path, *rows: int, first: int = 0) -> Path:
    """Write files of so many clicks each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, many in enumerate(rows):
        lines = [HEADER, *map(click, range(first, first + many))]
        (folder / f"clicks_hour_{number}.csv").write_text("\n".join(lines) + "\n")
        first += many
    return folder


@pytest.fixture(autouse=True)
def _own_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.scenarios.replay.scenario.copies_home", lambda: tmp_path / "copies")


def prepare(connection: Connection, topic: str, scenario: str = "click_stream") -> None:
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    found = find_scenario(scenario)
    with Registry(connection.registry) as registry:
        gate(registry, contract_of(found), subject_for(topic), written=found.format)


def request(topic: str, folder: Path, **more: Any) -> ProduceRequest:
    facts: dict[str, Any] = {"run_id": "replay/one", "scenario": "click_stream", "options": {"folder": str(folder)}}
    return ProduceRequest(topic=topic, **(facts | more))


def proved(connection: Connection, topic: str, folder: Path, run_id: str = "replay/one") -> AuditResult:
    warehouse = folder / "w.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    return audit(connection, warehouse, topic, run_id)


def test_a_run_ends_with_its_files_and_is_proved(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("clicks")
    prepare(connection, topic)
    folder = write_clicks(tmp_path / "data", 1200, 800)
    manifest = produce_shard(connection, request(topic, folder), stop=threading.Event())
    assert (manifest.acknowledged, manifest.settings["rows"], manifest.settings["set_aside"]) == (2000, 2000, 0)
    keys = [message.key() for message in read_topic(connection, topic)]
    assert sorted(keys) == sorted(str(number % 97).encode() for number in range(2000))
    result = proved(connection, topic, tmp_path)
    assert (result.verdict, result.expected) == ("PASSED", 2000), result.reason
    # Made again from the manifest alone.
    rows = [row for batch in regenerated([manifest]).events(0, 0, 2000) for row in batch.to_pylist()]
    assert [row["user_id"] for row in rows] == [number % 97 for number in range(2000)]


def test_a_replay_that_was_cut_off_goes_on_at_its_row_wherever_its_files_are_now(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, stop_at: Callable[..., StopAt]
) -> None:
    topic = topic_name("cut")
    prepare(connection, topic)
    folder = write_clicks(tmp_path / "data", 30_000)
    stop = stop_at(5_000, total=30_000)
    with pytest.raises(Interrupted):
        produce_shard(connection, request(topic, folder), stop=stop.stop, progress=stop)
    other = write_clicks(tmp_path / "other", 29_999)
    with pytest.raises(Misconfigured, match="not those that the run was begun with: it had 30,000 rows of 1 files"):
        produce_shard(connection, request(topic, other), stop=threading.Event())
    moved = folder.rename(tmp_path / "moved")
    manifest = produce_shard(connection, request(topic, moved), stop=threading.Event())
    assert (manifest.acknowledged, manifest.resumed, manifest.settings["folder"]) == (30_000, 1, str(moved))
    result = proved(connection, topic, tmp_path)
    assert (result.verdict, result.expected, result.loaded) == ("PASSED", 30_000, 30_000), result.reason


def rows_of(many: int) -> list[dict[str, Any]]:
    return [{"id": n, "moment": 1_700_000_000_000 + n, "word": None if n % 9 == 0 else f"ü{n}"} for n in range(many)]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    lines = [f"{row['id']},{row['moment']},{'' if row['word'] is None else row['word']}" for row in rows]
    return "\n".join(["id,moment,word", *lines, "one too few,1", ""]).encode()


def as_json(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join([*(json.dumps(row, ensure_ascii=False) for row in rows), "[]"]).encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def as_zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("ending", "make", "written", "set_aside"),
    [
        (".csv", as_csv, "json", 1),
        (".csv.gz", lambda rows: gzip.compress(as_csv(rows)), "avro", 1),
        (".csv.zst", lambda rows: as_zstd(as_csv(rows)), "avro", 1),
        (".jsonl", as_json, "avro", 1),
        (".parquet", as_parquet, "avro", 0),
    ],
)
def test_files_of_every_format_arrive_as_they_are_and_what_is_set_aside_is_counted(
    connection: Connection,
    topic_name: Callable[[str], str],
    tmp_path: Path,
    ending: str,
    make: Callable[[list[dict[str, Any]]], bytes],
    written: str,
    set_aside: int,
) -> None:
    topic, folder = topic_name("files"), tmp_path / "data"
    folder.mkdir()
    rows = rows_of(900)
    (folder / f"rows_1{ending}").write_bytes(make(rows[:500]))
    (folder / f"rows_2{ending}").write_bytes(make(rows[500:]))
    file = folder / "words.yaml"
    file.write_text(f"kind: replay\nprefix: rows_\nkey: id\nevent_time: moment\nformat: {written}\n")
    prepare(connection, topic, str(file))
    for shard in range(2):
        own = ProduceRequest(topic=topic, run_id="replay/one", scenario=str(file), shards=2, shard=shard)
        produced = produce_shard(connection, own, stop=threading.Event())
        assert produced.settings["set_aside"] == 2 * set_aside
    result = proved(connection, topic, tmp_path)
    assert (result.verdict, result.expected) == ("PASSED", 900), result.reason
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as warehouse:
        found = warehouse.sql("SELECT id, moment, word FROM events ORDER BY id").fetchall()
    assert found == [tuple(row.values()) for row in rows]


def test_faults_of_a_replay_are_found_and_nothing_else(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("broken")
    prepare(connection, topic)
    folder = write_clicks(tmp_path / "data", 6_000)
    faults = (
        "dropped=1%",
        "duplicate=1%",
        "undecodable=1%",
        "late=1%",
        "altered.negative_duration=1%",
        "out_of_order=1%",
    )
    produce_shard(connection, request(topic, folder, faults=faults), stop=threading.Event())
    result = proved(connection, topic, tmp_path)
    scores = {score.kind: (score.injected, score.found, score.false_alarms) for score in result.faults}
    assert result.verdict == "PASSED", result.reason
    assert scores
    assert {(injected - found, false) for injected, found, false in scores.values()} == {(0, 0)}, scores


def test_a_replay_whose_process_is_killed_goes_on_at_its_row(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = topic_name("killed")
    prepare(connection, topic)
    folder = write_clicks(tmp_path / "data", 15_000)
    monkeypatch.setenv("STREAMPROOF_BOOTSTRAP_SERVERS", connection.kafka.bootstrap_servers)
    monkeypatch.setenv("STREAMPROOF_REGISTRY_URL", connection.registry.url)
    words = ("produce", "click_stream", "--topic", topic, "-o", f"folder={folder}", "--run-id", "replay/one")
    env = {**os.environ, "STREAMPROOF_STATE_DIR": str(tmp_path / "state")}
    with subprocess.Popen(
        command_line(*words, "--shard", "0", "--rate", "3000"),
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        with topic_ends(connection, topic) as ends:
            wait_until(lambda: ends.count() > 1_500, "events", timeout_s=60, while_runs=process)
        process.kill()
    assert 1_500 < len(read_topic(connection, topic)) < 15_000
    monkeypatch.setattr("producer.scenarios.replay.scenario.copies_home", lambda: tmp_path / "state" / "replay")
    manifest = produce_shard(connection, request(topic, folder, rate=3000.0), stop=threading.Event())
    assert manifest.acknowledged == 15_000
    result = proved(connection, topic, tmp_path)
    assert (result.verdict, result.expected, result.loaded) == ("PASSED", 15_000, 15_000), result.reason


def test_a_shard_whose_files_are_empty_ends_at_once_and_the_run_is_proved(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("empty")
    prepare(connection, topic)
    folder = write_clicks(tmp_path / "data", 300, 0)
    (folder / "clicks_hour_2.csv").touch()
    for shard in range(2):
        own = request(topic, folder, shards=2, shard=shard)
        assert produce_shard(connection, own, stop=threading.Event()).acknowledged == (0 if shard else 300)
    result = proved(connection, topic, tmp_path)
    assert (result.verdict, result.expected) == ("PASSED", 300), result.reason

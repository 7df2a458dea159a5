"""Files that are replayed: every row is an event, the run ends with them, and it is proved as any other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from tests.kit.kafka import read_topic
from tests.kit.stops import StopAt

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

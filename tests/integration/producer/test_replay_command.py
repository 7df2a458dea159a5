"""`replay`: clicks and articles to their topics as one run, by their own times if asked for, and proved."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for, topic_names
from schemas.formats import value_format
from schemas.registry.client import Registry
from tests.kit import ROOT
from tests.kit.commands import Ended, command_line, streamproof
from tests.kit.kafka import read_topic, topic_ends
from tests.kit.seconds import within
from tests.kit.waiting import wait_until

SAMPLES = ROOT / "samples" / "click_stream"
CLICKS, ARTICLES = 5_000, 400


@pytest.fixture
def topics(topic_name: Callable[[str], str], connection: Connection) -> tuple[str, str]:
    return topic_name("clicks"), topic_name("articles")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    shutil.copytree(SAMPLES, folder)
    return folder


def words(topics: tuple[str, str], folder: Path, *more: str) -> list[str]:
    return ["replay", str(folder), "--topic", topics[0], "--metadata-topic", topics[1], "--json", *more]


def verdict(topic: str, run_id: str) -> tuple[str, int]:
    loaded = streamproof("load", topic, "--json")
    assert loaded.exit_code == 0, loaded.text
    audited: dict[str, Any] = streamproof("audit", topic, "--run-id", run_id, "--json").document
    return audited["verdict"], audited["loaded"]


def sent(connection: Connection, topic: str, field: str) -> list[tuple[float, int]]:
    """Return when each record was sent, seconds, and the event time that it has, milliseconds."""
    found = list(read_topic(connection, topic))
    with Registry(connection.registry) as registry:
        text = registry.schema_text(int.from_bytes((found[0].value() or b"")[1:5]))
    decoder: Any = value_format("avro").decoder(text)
    salvaged = decoder.salvage([(each.value() or b"")[5:] for each in found])
    assert not salvaged.faults
    at = salvaged.batch.column(field).cast("int64").to_pylist()
    return [(each.timestamp()[1] / 1000, time_ms) for each, time_ms in zip(found, at, strict=True)]


def test_both_feeds_are_one_run_by_the_names_of_the_click_stream_data_flow(connection, topics, samples, tmp_path):
    env_file = tmp_path / "click.env"
    env_file.write_text(
        f"KAFKA_TOPIC={topics[0]} # clicks\nKAFKA_METADATA_TOPIC={topics[1]} # articles\n"
        f"KAFKA_SERVERS={connection.kafka.bootstrap_servers} # brokers\nPARENT_DIRECTORY_PREFIX={tmp_path}/ # up\n"
        "PRODUCER_DATA_ROOT_DIRECTORY=files # folder\nPRODUCER_CLICK_CSV_DATA_PREFIX=clicks_hour_\n"
        "PRODUCER_CLICK_METADATA_CSV_DATA_PREFIX=articles_metadata\nCSV_SUFFIX=.csv # suffix\n"
        "PRODUCER_ITEM_WAIT_TIME=0 # seconds\nPRODUCER_DOCKER_INITIALIZE_WAIT_TIME=20 # seconds\n"
    )
    done = streamproof("replay", "--env-file", str(env_file), "--run-id", "named", "--json")
    assert done.exit_code == 0, done.text
    feeds = done.document["feeds"]
    assert [
        (feed["topic"], feed["files"], feed["rows"], feed["acknowledged"], feed["set_aside"]) for feed in feeds
    ] == [
        (topics[0], 6, CLICKS, CLICKS, 0),
        (topics[1], 1, ARTICLES, ARTICLES, 0),
    ]
    assert done.document["run_id"] == "named"
    assert verdict(topics[0], "named") == ("PASSED", CLICKS)
    assert verdict(topics[1], "named") == ("PASSED", ARTICLES)
    again = streamproof("replay", "--env-file", str(env_file), "--run-id", "named", "--json")
    assert again.exit_code == 0
    with topic_ends(connection, topics[0]) as ends:
        assert ends.count() == CLICKS


def test_rows_that_cannot_be_taken_are_told_by_file_and_line_and_fail_only_where_that_is_asked_for(
    connection, topics, samples
):
    path = samples / "clicks_hour_003.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], "1,2,3", *lines[4:], "x" + lines[4]]) + "\n")
    for flags in (["--strict"], ["--most-set-aside", "1"]):
        refused = streamproof(*words(topics, samples, *flags))
        assert refused.exit_code == 65, refused.text
        assert "clicks_hour_003.csv line 5" in refused.stderr
    assert not {*topics} & topic_names(admin_client(connection.kafka))
    faults = ("--fault", "duplicate=3", "--fault", "late=1%", "--order", "time")
    done = streamproof(*words(topics, samples, "--run-id", "ragged", "--most-set-aside", "1%", *faults))
    assert done.exit_code == 0, done.text
    clicks, articles = done.document["feeds"]
    assert (clicks["set_aside"], clicks["acknowledged"], articles["set_aside"]) == (2, CLICKS, 0)
    assert [row["line"] for row in clicks["first_set_aside"]] == [5, len(lines) + 2]
    assert {row["file"] for row in clicks["first_set_aside"]} == {"clicks_hour_003.csv"}
    assert verdict(topics[0], "ragged")[0] == "PASSED", "each fault is found, and no other"


@pytest.fixture
def made_topics(topics: tuple[str, str], connection: Connection) -> tuple[str, str]:
    for topic in topics:
        apply_topics(admin_client(connection.kafka), specs_for(topic))
    return topics


def start(topics: tuple[str, str], folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line(*words(topics, folder, *more)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until_there(connection: Connection, topic: str, least: int, process: subprocess.Popen[str]) -> None:
    with topic_ends(connection, topic) as ends:
        wait_until(lambda: ends.count() >= least, f"{least} records", timeout_s=60, while_runs=process)


def lags(found: list[tuple[float, int]], begin_ms: int, speed: float) -> list[float]:
    """Return when second 0 was for each record: when it was sent, less what its time says."""
    return [at - max(0, time_ms - begin_ms) / 1000 / speed for at, time_ms in found]


def first_click() -> int:
    files = f"{SAMPLES}/clicks_hour_*.csv"
    found = duckdb.execute(f"SELECT min(click_timestamp) FROM read_csv('{files}')").fetchall()
    return int(found[0][0])


def test_rows_go_when_they_happened_and_both_feeds_by_one_clock_also_after_a_kill(connection, made_topics, samples):
    # Six hours and a half in twelve seconds.
    speed, begin = 2_000.0, first_click()
    flags = ("--speed", str(speed), "--shards", "1", "--run-id", "timed")
    with start(made_topics, samples, *flags) as process:
        wait_until_there(connection, made_topics[0], CLICKS // 2, process)
        process.kill()
        process.communicate(timeout=10)
    done: Ended = streamproof(*words(made_topics, samples, *flags))
    assert done.exit_code == 0, done.text
    clicks, articles = done.document["feeds"]
    assert (clicks["acknowledged"], articles["acknowledged"]) == (CLICKS, ARTICLES)
    assert clicks["rate"]["percent"] > 90
    fields = ("click_timestamp", "created_at_ts")
    both = [sent(connection, topic, field) for topic, field in zip(made_topics, fields, strict=True)]
    assert [len(found) for found in both] == [CLICKS, ARTICLES], "a row is there twice"
    zeros = sorted(zero for found in both for zero in lags(found, begin, speed))
    # Two attempts, each with a second 0 of its own that holds for both feeds; a pause of the machine delays some.
    gap = max(range(1, len(zeros)), key=lambda place: zeros[place] - zeros[place - 1])
    for attempt in (zeros[:gap], zeros[gap:]):
        assert attempt[int(len(attempt) * 0.98)] - attempt[0] < 1.0
    for found in both:
        assert any(zero < zeros[gap] for zero in lags(found, begin, speed)), "a feed was not in the first attempt"
        assert any(zero >= zeros[gap] for zero in lags(found, begin, speed)), "a feed was not in the second attempt"
    assert verdict(made_topics[0], "timed") == ("PASSED", CLICKS)
    assert verdict(made_topics[1], "timed") == ("PASSED", ARTICLES)


def test_ctrl_c_ends_it_within_four_seconds_and_says_how_to_go_on(connection, made_topics, samples):
    with start(made_topics, samples, "--rate", "200", "--run-id", "cut") as process:
        wait_until_there(connection, made_topics[0], 50, process)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    within(4, began, "the end after Ctrl-C")
    assert process.returncode == 75, said
    assert "--run-id cut continues" in said
    done = streamproof(*words(made_topics, samples, "--rate", "200", "--run-id", "cut", "--shape", "constant(1)"))
    assert done.exit_code == 78
    assert "rate and shape are both given" in done.stderr


def test_any_files_are_replayed_by_a_file_that_says_so(connection, topic_name, tmp_path):
    topic = topic_name("orders")
    rows = "".join(f"{n},2026-01-01T00:00:{n:02d}Z,ä{n}\n" for n in range(20))
    (tmp_path / "orders-1.csv").write_text("id,at,text\n" + rows)
    feed = tmp_path / "orders.yaml"
    feed.write_text(f"kind: replay\nprefix: orders-\ntopic: {topic}\nkey: id\nevent_time: at\nformat: json\n")
    done = streamproof("replay", "--feed", str(feed), "--speed", "40", "--run-id", "orders", "--json")
    assert done.exit_code == 0, done.text
    assert [feed["acknowledged"] for feed in done.document["feeds"]] == [20]
    assert verdict(topic, "orders") == ("PASSED", 20)


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["nowhere"], 78, "the folder of the replay is not there"),
        (["FILES", "--clicks-prefix", "visits_"], 78, "no file begins with 'visits_'"),
        (["FILES", "--articles-prefix", "pages_"], 78, "no file begins with 'pages_'"),
        (["FILES", "--suffix", ".tsv"], 78, "ends with '.tsv'"),
        (["FILES", "--longest-gap", "10s"], 78, "need --speed"),
        (["FILES", "--speed", "1", "--clock-from", "yesterday"], 78, "'yesterday', which is no time"),
        (["FILES", "--speed", "1", "--rate", "5"], 78, "speed sends events at their own times"),
        (["FILES", "--metadata-topic", "TOPIC"], 78, "two feeds of one run go to topic"),
        (["FILES", "--shards", "9"], 78, "9 shards cannot share"),
        (["FILES", "--most-set-aside", "some"], 78, "neither a number of rows nor a share"),
        (["FILES", "--feed", "x.yaml"], 78, "are both given"),
        (["FILES", "--bootstrap-servers", "127.0.0.1:1", "--wait", "2s"], 69, "127.0.0.1:1"),
        (["FILES", "--fault", "late=1%"], 78, "a late one would not show"),
        (["FILES", "-o", "delimitre=;"], 78, "takes no option delimitre"),
    ],
)
def test_what_is_asked_for_wrongly_is_told_and_nothing_is_sent(connection, topics, samples, more, code, says):
    told = [str(samples) if word == "FILES" else topics[0] if word == "TOPIC" else word for word in more]
    done = streamproof("replay", *told, "--topic", topics[0])
    assert done.exit_code == code, done.text
    assert says in " ".join(done.stderr.split())

"""`streamproof tail` on a real topic: every kind of value, every start and filter, and an end without a word."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from cluster.connection import Connection
from cluster.topics import admin_client
from schemas.formats.frame import frame_header
from streamproof.cli import run
from tests.kit.commands import Ended, command_line, streamproof, streamproof_process
from tests.kit.topics import make_gated, make_topic

pytestmark = pytest.mark.integration

ESCAPE = "\x1b]0;owned\x07\x9b31m\u202e"
Send = Callable[..., None]


@pytest.fixture
def topic(connection: Connection, topic_name: Callable[[str], str]) -> str:
    return make_topic(connection, topic_name("tail"))


@pytest.fixture
def send(connection: Connection, topic: str) -> Send:
    """Send records to a partition of the topic, and wait until they are there."""
    producer = Producer(connection.kafka.as_librdkafka(enable_idempotence=True))

    def sent(*values: bytes | None, partition: int = 0, key: bytes | None = b"k", **more: Any) -> None:
        for value in values:
            producer.produce(topic, value, key, partition, **more)
        assert producer.flush(20) == 0

    return sent


def lines(*words: object) -> list[dict[str, Any]]:
    """Return the documents of `tail --json`, one for each line."""
    ended = streamproof("tail", *words, "--json")
    assert ended.exit_code == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def offsets(*words: object) -> list[tuple[int, int]]:
    return sorted((one["partition"], one["offset"]) for one in lines(*words))


def test_every_kind_of_value_is_a_line_and_none_is_an_error(connection, topic, send):
    send(
        b'{"a":1}',
        b"words",
        b"\xff\x00",
        None,
        frame_header(999_999) + b"\x02",
        b"",
        headers=[("h", b"1"), ("n", None)],
    )
    send(b"1", key=None)
    send(b"2", key=b"\xff")
    found = lines(topic, "--from", "start")
    assert [one["format"] for one in found] == [
        *("plain-json", "text", "bytes", "tombstone", "bytes", "text", "plain-json", "plain-json")
    ]
    assert found[0] | {"timestamp": ""} == {
        "topic": topic, "partition": 0, "offset": 0, "timestamp": "", "key": "k", "format": "plain-json",
        "headers": [{"name": "h", "value": "1"}, {"name": "n", "value": None}], "schema": None, "value": {"a": 1},
    }  # fmt: skip
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[0]["timestamp"])
    assert (found[2]["value"], found[2]["undecodable"]["class"]) == ({"base64": "/wA="}, "bad_magic")
    assert found[4]["schema"] == {"id": 999_999, "subject": None, "version": None}
    assert found[4]["undecodable"]["class"] == "unknown_schema"
    assert [found[6]["key"], found[7]["key"]] == [None, {"base64": "/w=="}]
    people = streamproof("tail", topic, "--from", "start")
    assert people.exit_code == 0
    assert "unknown_schema: the registry knows no schema with id 999999" in people.stdout
    assert "tombstone" in people.stdout


def test_values_of_registered_schemas_are_decoded_in_avro_and_in_json(connection, topic_name):
    topic = make_gated(connection, topic_name("journeys"), "journey")
    assert streamproof("produce", "journey", "--topic", topic, "--events", 400, "--rate", 0).exit_code == 0
    found = lines(topic, "--from", "start")
    assert len(found) == 400
    assert {one["schema"]["subject"] for one in found} == {f"{topic}-value"}
    assert {one["schema"]["version"] for one in found} == {1}
    assert all(one["key"] == one["value"]["user_id"] for one in found)
    played = lines(topic, "--from", "start", "--where", "event_type=VideoPlayed", "--where", "video.completed=true")
    assert 0 < len(played) < 40
    assert all(one["value"]["video"]["completed"] for one in played)
    key = found[0]["key"]
    assert {one["offset"] for one in lines(topic, "--key", key)} == {
        one["offset"] for one in found if one["key"] == key
    }
    near = streamproof("tail", topic, "--from", "start", "--where", "video.compleated=true")
    assert (near.exit_code, near.stdout) == (0, "")
    assert "no value had a field video.compleated, did you mean video.completed?" in near.stderr


def test_a_look_begins_at_the_start_the_end_an_offset_a_time_or_the_last_ones(topic, send):
    for number in range(3):
        send(*[b'{"n":%d}' % value for value in range(20)], partition=number, timestamp=1_000_000 * (number + 1))
    assert len(offsets(topic)) == 30
    assert offsets(topic, "--from", "-2") == [(p, o) for p in range(3) for o in (18, 19)]
    assert len(offsets(topic, "--from", "start")) == 60
    assert offsets(topic, "--from", "17", "--partition", 1) == [(1, 17), (1, 18), (1, 19)]
    assert offsets(topic, "--from", "end", "--until-end") == []
    assert {partition for partition, _ in offsets(topic, "--from", "1970-01-01T00:30:00Z")} == {1, 2}
    assert len(offsets(topic, "--from", "start", "--count", 7)) == 7
    assert [one["offset"] for one in lines(topic, "--from", "start", "--partition", 2)] == list(range(20))


def test_the_last_records_are_found_behind_markers_and_rolled_back_transactions(connection, topic):
    producer = Producer(connection.kafka.as_librdkafka(transactional_id=f"{topic}-t"))
    producer.init_transactions(20)
    for number in range(30):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number, partition=0)
        if number < 5:
            producer.commit_transaction(20)
        else:
            producer.flush(20)
            producer.abort_transaction(20)
    assert [one["value"] for one in lines(topic, "--from", "-1")] == [4]
    assert [one["value"] for one in lines(topic)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--partition", "9"), "there is no partition 9"),
        (("--from", "5"), "offset 5 lies beyond the end of every partition"),
        (("--from", "strt"), "did you mean start?"),
        (("--where", "x"), "does not say a field and its value"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(topic, words, said):
    ended = streamproof("tail", topic, *words)
    assert (ended.exit_code, ended.stdout) == (78, "")
    assert said in ended.stderr


def test_a_topic_that_is_not_there_is_named(connection):
    ended = streamproof("tail", "nowhere-at-all", "--json")
    assert ended.exit_code == 78
    assert "nowhere-at-all" in ended.document["error"]["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_is_shown_at_once_until_somebody_ends_it(topic, send, number):
    send(b'{"n":0}')
    with subprocess.Popen(
        command_line("tail", topic, "--from", "start", "--follow", "--json"), stdout=subprocess.PIPE, text=True
    ) as looking:
        assert looking.stdout is not None
        assert json.loads(looking.stdout.readline())["value"] == {"n": 0}
        send(b'{"n":1}', partition=2)
        assert json.loads(looking.stdout.readline())["value"] == {"n": 1}
        looking.send_signal(number)
        asked_at = time.monotonic()
        assert looking.wait(20) == 0
        assert looking.stdout.read() == ""
    assert time.monotonic() - asked_at < 20


def test_a_reader_that_goes_away_ends_it_without_a_word(topic, send):
    send(*[b'{"n":%d}' % number for number in range(20_000)])
    command = " ".join(
        [*command_line("tail", topic, "--from", "start", "--follow", "--json"), "| head -1; echo ${PIPESTATUS[0]}"]
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    first, code = done.stdout.splitlines()
    assert (json.loads(first)["offset"], code, done.stderr) == (0, "0", "")


def test_no_record_takes_over_a_terminal(topic, send, capsys):
    text = ESCAPE.encode()
    send(text, json.dumps({"x": ESCAPE}, ensure_ascii=False).encode(), key=text, headers=[(ESCAPE, text)])
    for more in ([], ["--json"]):
        assert run(["tail", topic, "--from", "start", *more]) == 0
        said = "".join(capsys.readouterr())
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", said), said
        assert "owned" in said


def test_no_group_is_made_and_nothing_heavy_is_loaded_for_json(connection, topic, send):
    send(b'{"n":1}')
    words = ["tail", topic, "--from", "start", "--json"]
    heavy = "sorted({'pyarrow', 'duckdb', 'httpx'} & {*sys.modules})"
    code = f"import sys; from streamproof.cli import run; run({words!r}); print({heavy})"
    done = subprocess.run([command_line()[0], "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[1] == "[]"
    groups = admin_client(connection.kafka).list_consumer_groups().result(20).valid
    assert not [group.group_id for group in groups if topic in group.group_id]


def test_a_broker_that_is_not_there_is_a_dependency_that_is_down():
    ended: Ended = streamproof_process("tail", "t", "--bootstrap-servers", "127.0.0.1:1")
    assert (ended.exit_code, ended.stdout) == (69, "")

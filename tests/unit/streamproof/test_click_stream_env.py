"""The environment variables of the click stream data flow mean here what they mean there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured
from streamproof.flags.click_stream_env import NAMES, click_stream_env
from tests.kit import ROOT

# As its guide has it, comments included.
ENV = """PYTHONPATH=. #
KAFKA_TOPIC=click_stream # Using for click_stream data topic name
KAFKA_METADATA_TOPIC=click_stream_metadata # Using for click_stream metadata data topic name
KAFKA_CONSUMER_GROUP=demo # Kafka consumer grouping name
KAFKA_SERVERS=kafka:9092 # Kafka consumer and producer connection path for docker consumer

PRODUCER_CLICK_CSV_DATA_PREFIX=clicks_hour_ # Producer application uses for finding clickstream data
PRODUCER_CLICK_METADATA_CSV_DATA_PREFIX=articles_metadata # Producer application uses for finding metadata
PRODUCER_DATA_ROOT_DIRECTORY=app/data # Producer application data directory
PRODUCER_DOCKER_INITIALIZE_WAIT_TIME=120  # Producer application waiting time for docker initialing
PRODUCER_ITEM_WAIT_TIME=0 # Waiting time for the feed subject of the manufacturer application.
PARENT_DIRECTORY_PREFIX=../ # Producer service in the sub directory
CSV_SUFFIX=.csv # Producer data suffix

SPARK_SERVER_HOST=spark # consumer spark host for spark connection on docker compose

PARQUET_DESTINATION_PATH=. # parquet extarct path. on the root
CHECK_POINT_LOCATION=. # parquet check point path. on the root
"""


@pytest.fixture
def env_file(tmp_path):
    def write(text: str = ENV) -> Path:
        path = tmp_path / ".env"
        path.write_text(text)
        return path

    return write


def test_the_file_of_its_guide_is_read_as_docker_compose_reads_it(env_file):
    found = click_stream_env(env_file(), {})
    assert (found.topic, found.metadata_topic, found.group) == ("click_stream", "click_stream_metadata", "demo")
    assert (found.clicks_prefix, found.articles_prefix, found.suffix) == ("clicks_hour_", "articles_metadata", ".csv")
    assert (found.folder, found.ready_wait_s, found.rate) == (Path("../app/data"), 120, 0)
    assert (found.master, found.parquet, found.checkpoint) == ("spark://spark:7077", Path(), Path())
    assert found.kafka == {"bootstrap_servers": "kafka:9092"}
    assert all(value is not None for value in found.model_dump().values())


def test_the_environment_is_stronger_than_the_file_and_what_is_empty_is_not_set(env_file):
    found = click_stream_env(env_file(), {"KAFKA_TOPIC": "mine", "CSV_SUFFIX": ""})
    assert (found.topic, found.suffix) == ("mine", ".csv")
    assert click_stream_env(None, {"KAFKA_TOPIC": " "}).topic is None


def test_quotes_keep_a_hash_and_a_value_may_name_another(env_file):
    text = "export KAFKA_TOPIC='a-topic' # one\nCSV_SUFFIX=\".c #v\"\nPRODUCER_DATA_ROOT_DIRECTORY=${CSV_SUFFIX}/x\n"
    found = click_stream_env(env_file(text), {})
    assert (found.topic, found.suffix, found.data_root) == ("a-topic", ".c #v", ".c #v/x")


def test_seconds_between_two_items_are_a_rate():
    assert click_stream_env(None, {"PRODUCER_ITEM_WAIT_TIME": "0.01"}).rate == 100
    assert click_stream_env(None, {}).rate is None


@pytest.mark.parametrize(
    ("host", "master"),
    [("spark", "spark://spark:7077"), ("s:7078", "spark://s:7078"), ("spark://s:1", "spark://s:1"), ("local[2]",) * 2],
)
def test_a_host_is_the_address_of_its_master(host, master):
    assert click_stream_env(None, {"SPARK_SERVER_HOST": host}).master == master


def test_every_fault_names_its_variable_and_where_it_stands(env_file):
    path = env_file("PRODUCER_ITEM_WAIT_TIME=soon # seconds\nKAFKA_TOPIC=a/b\n")
    with pytest.raises(Misconfigured) as told:
        click_stream_env(path, {"PRODUCER_DOCKER_INITIALIZE_WAIT_TIME": "-1"})
    for name in ("PRODUCER_ITEM_WAIT_TIME: 'soon' is not a number", "KAFKA_TOPIC", "INITIALIZE_WAIT_TIME: '-1' is too"):
        assert name in told.value.message
    assert str(path) in told.value.where
    assert "the environment" in told.value.where


@pytest.mark.parametrize(
    ("content", "says"), [(b"CSV_SUFFIX='.csv\n", "NAME=value"), (b"\xff\xfe", "UTF-8"), (None, "cannot be read")]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, content, says):
    path = tmp_path / ".env"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=says):
        click_stream_env(path, {})


def test_the_brokers_are_those_of_the_variable_unless_something_of_ours_names_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env = {"STREAMPROOF_STATE_DIR": str(tmp_path)}
    otherwise = click_stream_env(None, {"KAFKA_SERVERS": "localhost:1"}).kafka

    def servers(flag: str | None = None, **more: str) -> str:
        found = Connection.discover(bootstrap_servers=flag, otherwise=otherwise, uses=("kafka",), env=env | more)
        return found.kafka.bootstrap_servers

    assert servers() == "localhost:1"
    assert servers(STREAMPROOF_BOOTSTRAP_SERVERS="localhost:2") == "localhost:2"
    assert servers("localhost:3", STREAMPROOF_BOOTSTRAP_SERVERS="localhost:2") == "localhost:3"
    (tmp_path / "streamproof.toml").write_text('bootstrap_servers = "localhost:4"\n')
    assert servers() == "localhost:4"


def test_every_variable_is_in_the_documentation():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in page] == []

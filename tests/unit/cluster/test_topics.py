"""The declaration of topics, and the translation of Kafka's failures."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.connection import KafkaSettings
from cluster.errors import (
    BrokerUnreachable,
    DataRejected,
    DependencyDown,
    LeaderMoving,
    Misconfigured,
    Refused,
    TopicConflict,
    TopicMissing,
)
from cluster.kafka_errors import BrokerWatch, translate
from cluster.leaders import list_offsets, while_leaders_move
from cluster.local import warehouse_path
from cluster.reading import watermarks
from cluster.topics import admin_client, describe, load_topics, specs_for
from schemas.manifest import control_topic_of
from tests.kit.seconds import within


def declared(tmp_path, text):
    path = tmp_path / "topics.yaml"
    path.write_text(text)
    return path


def test_customer_events_and_its_control_topic_are_declared():
    topic, control, *_ = load_topics()
    assert (topic.name, topic.partitions, topic.replication_factor) == ("customer_events", 3, None)
    assert (control.name, control.partitions) == (control_topic_of("customer_events"), 1)
    assert control.config["cleanup.policy"] == "compact"
    assert not topic.by_template


def test_the_topics_of_the_web_shop_and_of_journeys_are_declared():
    shop, control = specs_for("event-topic")
    assert (shop.name, shop.partitions, shop.by_template) == ("event-topic", 3, False)
    assert (control.name, control.config, control.by_template) == (
        "event-topic.manifests",
        {"cleanup.policy": "compact"},
        False,
    )
    totals, journey = specs_for("unique-event-topic")[0], specs_for("journey")[0]
    assert [(spec.partitions, spec.by_template) for spec in (totals, journey)] == [(3, False)] * 2


def test_any_topic_gets_the_template_and_its_own_control_topic():
    topic, control = specs_for("mine")
    assert (topic.name, topic.partitions, topic.by_template) == ("mine", 3, True)
    assert (control.name, control.config["cleanup.policy"]) == (control_topic_of("mine"), "compact")
    assert [spec.name for spec in specs_for("customer_events")] == ["customer_events", "customer_events.manifests"]
    assert not any(spec.by_template for spec in specs_for("customer_events"))


def test_a_declared_topic_is_taken_from_the_file_and_its_control_topic_too(tmp_path):
    path = declared(tmp_path, "topics: {mine: {partitions: 12, replication_factor: 3, config: {retention.ms: -1}}}")
    topic, control = specs_for("mine", path)
    assert (topic.partitions, topic.replication_factor, topic.config) == (12, 3, {"retention.ms": "-1"})
    assert not topic.by_template
    assert (control.name, control.by_template) == ("mine.manifests", True)


def test_numbers_and_booleans_reach_kafka_as_text(tmp_path):
    path = declared(tmp_path, "topics: {t: {config: {retention.ms: 5, preallocate: true, compression.type: zstd}}}")
    (spec,) = load_topics(path)
    assert spec.config == {"retention.ms": "5", "preallocate": "true", "compression.type": "zstd"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("topics: {t: {partition: 3}}", "unknown key topics.t.partition, did you mean partitions"),
        ("topic: {t: {}}", "unknown key topic, did you mean topics"),
        ("topics: {t: {partitions: 0}}", "topics.t.partitions: Input should be greater than or equal to 1"),
        ("topics: {t: {partitions: many}}", "topics.t.partitions"),
        ("topics: {t: {replication_factor: -1}}", "topics.t.replication_factor"),
        ("topics: {t: {config: {retention.ms: null}}}", "topics.t.config.retention.ms"),
        ("topics: {t: {config: [a]}}", "topics.t.config"),
        ("topics: {}", "topics: Dictionary should have at least 1 item"),
        ("", "the topics file is not a mapping"),
        ("- t", "the topics file is not a mapping"),
        ("topics: [", "not YAML at line"),
        ("topics: {'bad name': {}}", "'bad name' is not a topic name"),
    ],
)
def test_a_fault_of_the_file_is_named_with_its_place(tmp_path, text, words):
    path = declared(tmp_path, text)
    with pytest.raises(Misconfigured, match=words) as raised:
        load_topics(path)
    assert str(path) in str(raised.value)


def test_all_faults_are_named_at_once(tmp_path):
    path = declared(tmp_path, "topics: {a: {partitions: 0}, b: {replication_factor: 0, typo: 1}}")
    with pytest.raises(Misconfigured, match=r"topics\.a\.partitions.*topics\.b\.replication_factor.*topics\.b\.typo"):
        load_topics(path)


def test_nothing_is_quoted_of_a_file_that_declares_no_topics(tmp_path):
    path = declared(tmp_path, "root:*:20228:0:::\nsomebody:$6$salt$hash:20228:::\n")
    with pytest.raises(Misconfigured, match="this is not a topics file") as raised:
        load_topics(path)
    assert "somebody" not in str(raised.value)
    assert "salt" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [("orders.manifests", "companion of topic orders"), ("__consumer_offsets", "Kafka's own")],
)
def test_a_topic_that_belongs_to_another_or_to_kafka_is_refused(name, words):
    with pytest.raises(Misconfigured, match=words):
        specs_for(name)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(Misconfigured, match=r"cannot be read: No such file.*nowhere\.yaml"):
        load_topics(tmp_path / "nowhere.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="not UTF-8"):
        load_topics(tmp_path / "bad.yaml")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ü", ".", "..", "x" * 250])
def test_a_name_that_kafka_would_refuse_is_refused(name):
    with pytest.raises(Misconfigured, match="is not a topic name"):
        specs_for(name)


# Kafka's failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("_AUTHENTICATION", Refused),
        ("_SSL", Refused),
        ("TOPIC_AUTHORIZATION_FAILED", Refused),
        ("_TRANSPORT", BrokerUnreachable),
        ("_ALL_BROKERS_DOWN", BrokerUnreachable),
        ("_MSG_TIMED_OUT", BrokerUnreachable),
        ("UNKNOWN_TOPIC_OR_PART", TopicMissing),
        ("INVALID_REPLICATION_FACTOR", TopicConflict),
        ("INVALID_CONFIG", Misconfigured),
        ("_INVALID_ARG", Misconfigured),
        ("MSG_SIZE_TOO_LARGE", DataRejected),
        ("KAFKA_STORAGE_ERROR", DependencyDown),
    ],
)
def test_each_failure_of_kafka_becomes_one_error_of_the_tree(name, kind):
    error = KafkaError(getattr(KafkaError, name), "what librdkafka said\nand more")
    for form in (error, KafkaException(error)):
        translated = translate(form, "trying it", where="topic t")
        assert type(translated) is kind
        assert "trying it" in str(translated)
        assert "topic t" in str(translated)
        assert "and more" not in str(translated)


def test_a_refusal_is_raised_at_once_and_a_missing_broker_after_patience(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("cluster.kafka_errors.time.monotonic", lambda: now)
    watch = BrokerWatch(KafkaSettings(bootstrap_servers="localhost:1"), patience_s=5)
    watch.check()
    watch.on_error(KafkaError(KafkaError._TRANSPORT, "Connection refused"))
    watch.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    watch.check()
    now += 5
    with pytest.raises(BrokerUnreachable, match="Connection refused") as raised:
        watch.check()
    assert "localhost:1" in str(raised.value)
    watch.answered()
    watch.check()
    watch.on_error(KafkaError(KafkaError._AUTHENTICATION, "Authentication failed"))
    with pytest.raises(Refused, match="Authentication failed"):
        watch.check()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:9092"])
def test_a_broker_that_is_not_there_is_told_within_15_seconds(address):
    started = time.monotonic()
    with pytest.raises(BrokerUnreachable, match=r"_TRANSPORT|_RESOLVE") as raised:
        describe(admin_client(KafkaSettings(bootstrap_servers=address, allow_plaintext=True)), "t")
    within(15, started, "the report that no broker answers")
    assert raised.value.exit_code == 69
    assert address in str(raised.value)


def test_a_broker_that_accepts_and_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(BrokerUnreachable, match="no broker answered while describing topic t"):
            describe(admin_client(KafkaSettings(bootstrap_servers=address)), "t", timeout_s=1)
        within(5, started, "the report that no broker answers")


def test_settings_that_librdkafka_refuses_are_a_matter_of_configuration(tmp_path):
    settings = KafkaSettings(
        bootstrap_servers="h:1", security_protocol="ssl", ssl_ca_location=str(tmp_path / "nowhere.pem")
    )
    with pytest.raises(Misconfigured, match=r"ssl\.ca\.location"):
        admin_client(settings)


def test_a_name_that_leaves_no_room_for_the_manifests_is_refused_in_words() -> None:
    assert [len(spec.name) for spec in specs_for("t" * 239)] == [239, 249]
    with pytest.raises(Misconfigured, match=r"has 245 characters; with \.manifests, .* allows 239"):
        specs_for("t" * 245)


def test_the_default_warehouse_of_the_longest_name_is_a_file_that_can_be_made(tmp_path: Path) -> None:
    env = {"STREAMPROOF_WAREHOUSE_DIR": str(tmp_path)}
    longest, other = "t" * 249, "t" * 248 + "u"
    path = warehouse_path(longest, env)
    assert path != warehouse_path(other, env)
    path.with_name(path.name + ".wal.checkpoint").touch()
    assert warehouse_path("t" * 200, env).stem == "t" * 200
    # A file that an earlier version made stays the topic's own.
    (tmp_path / f"{'u' * 220}.duckdb").touch()
    assert warehouse_path("u" * 220, env).stem == "u" * 220


def failing(*codes: int) -> Callable[[], str]:
    """Return a question that fails with each code once, and is then answered."""
    left = list(codes)

    def ask() -> str:
        if left:
            raise translate(KafkaError(left.pop(0)), "asking")
        return "answered"

    return ask


@pytest.mark.parametrize(
    "name",
    [
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_FOR_PARTITION",
        "FENCED_LEADER_EPOCH",
        "UNKNOWN_LEADER_EPOCH",
        "OFFSET_NOT_AVAILABLE",
        "REPLICA_NOT_AVAILABLE",
    ],
)
def test_a_question_to_a_leader_is_asked_again_while_leadership_moves(name):
    code = getattr(KafkaError, name)
    assert while_leaders_move(failing(code, code)) == "answered"
    with pytest.raises(LeaderMoving, match="has no leader that answers while asking"):
        while_leaders_move(failing(*[code] * 20), until_s=0.2)


def test_what_no_election_mends_is_said_at_once():
    with pytest.raises(TopicMissing):
        while_leaders_move(failing(KafkaError.UNKNOWN_TOPIC_OR_PART))
    with pytest.raises(Refused):
        while_leaders_move(failing(KafkaError.TOPIC_AUTHORIZATION_FAILED))


class HalfAwakeBroker:
    """The clients of a cluster that names a topic whose leader takes its place after ``refusals`` questions."""

    def __init__(self, *refusals: int) -> None:
        self.refusals = list(refusals)

    def list_offsets(self, asked: dict[TopicPartition, OffsetSpec], **_: object) -> dict[TopicPartition, OffsetSpec]:
        return asked

    def ask(self, spec: OffsetSpec, doing: str, *, where: str, timeout_s: float) -> SimpleNamespace:
        self.answer(doing, where)
        return SimpleNamespace(offset=3 if spec is OffsetSpec.earliest() else 5)

    def answer(self, doing: str, where: str) -> None:
        if self.refusals:
            raise translate(KafkaError(self.refusals.pop(0)), doing, where=where)


@pytest.mark.parametrize("code", [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_offsets_are_asked_for_again_until_the_leader_has_taken_its_place(code):
    assert watermarks(HalfAwakeBroker(code, code), "t", [0]) == {0: (3, 5)}
    assert list_offsets(HalfAwakeBroker(code, code), "t", {0: OffsetSpec.latest()}, "asking") == {0: 5}

"""Topics on a real broker: created as declared, changed only when asked, refused where Kafka cannot."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cluster.connection import Connection, KafkaSettings
from cluster.errors import Misconfigured, Refused, TopicConflict, TopicMissing
from cluster.topics import Admin, TopicSpec, admin_client, apply_topics, describe, diff_topics, specs_for
from tests.kit.commands import streamproof
from tests.kit.topics import delete_topic
from tests.kit.waiting import wait_until


@pytest.fixture(scope="module")
def admin(connection: Connection) -> Admin:
    """One client for the module."""
    return admin_client(connection.kafka)


@pytest.fixture
def spec(topic_name: Callable[[str], str]) -> TopicSpec:
    """A declared topic that does not exist yet."""
    return TopicSpec(topic_name("declared"), 2, 1, {"retention.ms": "3600000"})


def command(*arguments: str) -> tuple[int, dict, str]:
    """Run ``streamproof topics ... --json`` and return exit code, document and everything that was printed."""
    ended = streamproof("topics", *arguments, "--json")
    return ended.exit_code, ended.document, ended.text


def test_a_topic_comes_with_its_control_topic_and_leaders(admin, topic_name):
    name = topic_name("mine")
    topic, control = apply_topics(admin, specs_for(name))
    assert (topic.name, topic.action, topic.info.partitions) == (name, "created", 3)
    assert (control.name, control.action, control.info.partitions) == (f"{name}.manifests", "created", 1)
    assert topic.info.leaderless == control.info.leaderless == ()
    assert topic.info.topic_id != control.info.topic_id
    assert topic.info.cluster_id == control.info.cluster_id
    assert describe(admin, name) == topic.info
    assert [diff.changes for diff in diff_topics(admin, specs_for(name))] == [(), ()]


def test_the_second_time_nothing_happens(admin, spec):
    (made,) = apply_topics(admin, [spec])
    (again,) = apply_topics(admin, [spec], alter=True)
    assert (again.action, again.info) == ("unchanged", made.info)


def test_a_topic_that_was_made_again_has_another_id(admin, connection, spec):
    (first,) = apply_topics(admin, [spec])
    delete_topic(connection, spec.name)
    (second,) = apply_topics(admin, [spec])
    assert first.info.topic_id != second.info.topic_id


def test_differences_are_shown_and_left_alone(admin, spec):
    (made,) = apply_topics(admin, [spec])
    wanted = replace(spec, partitions=4, config={"retention.ms": "7200000"})
    (diff,) = diff_topics(admin, [wanted])
    assert {(c.setting, c.declared, c.actual, c.remedy) for c in diff.changes} == {
        ("partitions", "4", "2", "alter"),
        ("retention.ms", "7200000", "3600000", "alter"),
    }
    (result,) = apply_topics(admin, [wanted])
    assert (result.action, result.info, result.changes) == ("differs", made.info, diff.changes)


def test_differences_are_removed_when_asked(admin, spec):
    apply_topics(admin, [spec])
    wanted = replace(spec, partitions=4, config={"retention.ms": "7200000", "cleanup.policy": "compact"})
    (result,) = apply_topics(admin, [wanted], alter=True)
    assert (result.action, result.info.partitions, result.info.leaderless) == ("altered", 4, ())
    # A broker that is busy shows a setting a moment after it has taken it.
    wait_until(lambda: diff_topics(admin, [wanted])[0].changes == (), "the broker to show what it has taken")


def test_an_override_that_nobody_declared_is_shown_and_kept(admin, spec):
    apply_topics(admin, [spec])
    bare = replace(spec, config={})
    (result,) = apply_topics(admin, [bare], alter=True)
    assert result.action == "unchanged"
    assert [(c.setting, c.actual, c.remedy) for c in result.changes] == [("retention.ms", "3600000", "none")]
    assert diff_topics(admin, [spec])[0].changes == ()


@pytest.mark.parametrize("change", [{"partitions": 1}, {"replication_factor": 2}])
@pytest.mark.parametrize("alter", [False, True])
def test_what_kafka_cannot_change_is_refused_before_anything_is_changed(admin, spec, topic_name, change, alter):
    apply_topics(admin, [spec])
    other = replace(spec, name=topic_name("beside"))
    impossible = replace(spec, config={"retention.ms": "1"}, **change)
    with pytest.raises(TopicConflict, match=rf"{next(iter(change))} [12], declared [12]") as raised:
        apply_topics(admin, [other, impossible], alter=alter)
    assert raised.value.exit_code == 78
    assert diff_topics(admin, [spec])[0].changes == ()
    with pytest.raises(TopicMissing):
        describe(admin, other.name)


def test_a_topic_that_no_file_names_is_used_as_it_is(admin, spec):
    apply_topics(admin, [replace(spec, partitions=6)])
    result, _ = apply_topics(admin, specs_for(spec.name))
    assert (result.action, result.info.partitions) == ("differs", 6)
    with pytest.raises(TopicConflict):
        apply_topics(admin, specs_for(spec.name), alter=True)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"replication_factor": 3}, TopicConflict, "replication factor of 3 cannot be reached"),
        ({"config": {"retention.mss": "1"}}, Misconfigured, "Unknown topic config name: retention.mss"),
        ({"config": {"retention.ms": "soon"}}, Misconfigured, "Invalid value soon"),
    ],
)
def test_a_declaration_that_kafka_refuses_keeps_the_others_out_too(admin, spec, topic_name, change, error, words):
    bad = replace(spec, name=topic_name("bad"), **change)
    with pytest.raises(error, match=words):
        apply_topics(admin, [spec, bad])
    for name in (spec.name, bad.name):
        with pytest.raises(TopicMissing):
            describe(admin, name)


def test_an_unknown_configuration_of_an_existing_topic_is_answered_with_the_nearest(admin, spec):
    apply_topics(admin, [spec])
    with pytest.raises(Misconfigured, match=r"retention\.mss.*Did you mean retention\.ms"):
        diff_topics(admin, [replace(spec, config={"retention.mss": "1"})])


def test_many_at_once_create_a_topic_once(connection, spec):
    def apply() -> str:
        return apply_topics(admin_client(connection.kafka), [spec])[0].info.topic_id

    with ThreadPoolExecutor(4) as pool:
        assert len({made.result() for made in [pool.submit(apply) for _ in range(4)]}) == 1


def test_a_login_that_the_broker_does_not_take_is_refused_at_once(connection):
    settings = KafkaSettings(
        bootstrap_servers=connection.kafka.bootstrap_servers,
        security_protocol="sasl_plaintext",
        sasl_mechanism="PLAIN",
        sasl_username="somebody",
        sasl_password="hunter2",
    )
    with pytest.raises(Refused) as raised:
        describe(admin_client(settings), "t")
    assert raised.value.exit_code == 77
    assert "hunter2" not in str(raised.value)


def test_the_commands_print_one_document(stack, topic_name, tmp_path):
    name = topic_name("cli")
    code, document, _ = command("diff", "--topic", name)
    assert (code, document["differs"]) == (0, True)
    code, document, _ = command("diff", "--topic", name, "--exit-code")
    assert (code, document["differs"], document["error"]["kind"]) == (65, True, "DataRejected")
    assert document["topics"][0] == {"name": name, "exists": False, "changes": []}
    code, document, _ = command("apply", "--topic", name)
    assert code == 0
    assert [(topic["name"], topic["action"]) for topic in document["topics"]] == [
        (name, "created"),
        (f"{name}.manifests", "created"),
    ]
    code, document, _ = command("diff", "--topic", name, "--exit-code")
    assert (code, document["differs"]) == (0, False)
    (tmp_path / "fewer.yaml").write_text(f"topics: {{{name}: {{partitions: 1}}}}")
    code, document, printed = command("apply", "--topic", name, "--file", str(tmp_path / "fewer.yaml"))
    assert (code, document["error"]["kind"]) == (78, "TopicConflict")
    assert "partitions 3, declared 1" in printed


def test_a_broker_that_is_down_ends_the_command_with_69(stack):
    code, document, _ = command("apply", "--bootstrap-servers", "127.0.0.1:1")
    assert (code, document["error"]["kind"]) == (69, "BrokerUnreachable")

"""A topic that was deleted and made anew under its old name is not the topic of the runs before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cluster.connection import Connection
from cluster.errors import TopicRecreated
from cluster.topics import admin_client, apply_topics, describe, specs_for
from producer import ProduceRequest, produce_shard
from producer.resume.earlier import read_manifest
from schemas.control_topic import write_manifest
from schemas.manifest import Manifest
from tests.kit.topics import delete_topic, make_ready


@pytest.fixture
def topic(connection: Connection, topic_name: Callable[[str], str]) -> str:
    """A topic that a run can be sent to."""
    return make_ready(connection, topic_name("anew"))


def make_anew(connection: Connection, topic: str) -> None:
    """Delete the data topic alone and make it again; the manifests stay."""
    delete_topic(connection, topic)
    apply_topics(admin_client(connection.kafka), specs_for(topic))


def produce(connection: Connection, request: ProduceRequest) -> Manifest:
    return produce_shard(connection, request, stop=threading.Event())


def test_a_finished_run_is_not_called_finished_on_a_topic_that_was_made_anew(connection, topic):
    request = ProduceRequest(topic=topic, run_id="done", events=300)
    finished = produce(connection, request)
    assert finished.topic_id == describe(admin_client(connection.kafka), topic).topic_id
    # One that was cut short would be continued: also with what went with the former topic.
    cut = finished.model_copy(update={"run_id": "cut", "interrupted": True})
    write_manifest(connection.kafka, cut)
    make_anew(connection, topic)
    for run_id in ("done", "cut"):
        again = ProduceRequest(topic=topic, run_id=run_id, events=300)
        with pytest.raises(TopicRecreated, match=f"made anew since run {run_id} was begun") as caught:
            produce(connection, again)
        assert finished.topic_id in caught.value.message
        assert "--run-id" in caught.value.hint
        # Nothing is claimed of the new topic either.
        assert read_manifest(connection.kafka, topic, run_id, 0).topic_id == finished.topic_id
    # Another shard of such a run would make it whole in two topics.
    with pytest.raises(TopicRecreated, match="the manifest of shard 0 names"):
        produce(connection, ProduceRequest(topic=topic, run_id="done", events=300, shards=2, shard=1))
    assert produce(connection, ProduceRequest(topic=topic, run_id="fresh", events=300)).acknowledged == 300


def test_a_manifest_without_an_id_is_refused_where_the_topic_cannot_hold_what_it_says(connection, topic):
    finished = produce(connection, ProduceRequest(topic=topic, run_id="before", events=300))
    older = finished.model_copy(update={"topic_id": None})
    write_manifest(connection.kafka, older)
    # It may be true, so it is believed.
    assert produce(connection, ProduceRequest(topic=topic, run_id="before", events=300)) == older
    make_anew(connection, topic)
    with pytest.raises(TopicRecreated, match="300 events were acknowledged, and only 0 offsets were given"):
        produce(connection, ProduceRequest(topic=topic, run_id="before", events=300))
    started_later = older.model_copy(
        update={"run_id": "later", "start_offsets": dict.fromkeys(older.start_offsets, 1000), "acknowledged": 300}
    )
    write_manifest(connection.kafka, started_later)
    with pytest.raises(TopicRecreated, match="ended at offset 1000 when the run began, and ends at 0 now"):
        produce(connection, ProduceRequest(topic=topic, run_id="later", events=300))

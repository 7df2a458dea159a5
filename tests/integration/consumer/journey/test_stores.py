"""What a group keeps: whatever comes, in PostgreSQL and in a file; and what it refuses in words."""

from __future__ import annotations

import json

import duckdb
import pytest

from cluster.errors import Misconfigured, TopicRecreated, WarehouseUnreachable
from cluster.topics import TopicSpec, admin_client, apply_topics
from consumer.journey.consume import begin_at_end
from consumer.journey.events import Application, Fields
from consumer.journey.store.naming import store_at
from tests.integration.consumer.journey.conftest import PARTITIONS, Group
from tests.kit.commands import streamproof
from tests.kit.topics import delete_topic
from tests.kit.waiting import wait_until


def test_what_cannot_be_read_or_stored_is_kept_aside_and_told(group: Group):
    group.sent.send(50)
    group.sent.send_raw(b"no JSON at all")
    group.sent.send_raw(json.dumps({"event_id": "n", "user_id": "a\0b", "event_type": "x", "number": 1}).encode())
    group.sent.send_raw(None)
    with group.member(1) as member:
        wait_until(lambda: member.said and member.said[-1].processed == 53, "all 53 records", timeout_s=60)
        told = member.leave()
    assert (told.events, told.aside, told.tombstones) == (50, 2, 1)
    aside = group.query(
        "SELECT error_class, convert_from(value, 'UTF8') LIKE 'no JSON%%' FROM kept_aside ORDER BY _offset"
    )
    assert [row[1] for row in aside] == [True, False]
    assert aside[1][0] == "refused_by_store"
    group.check_journeys()


def test_an_event_of_nobody_is_in_no_total_and_in_the_journeys(group: Group):
    analytic = group.with_(application=Application.ANALYTIC, group=f"{group.sent.topic}-analytic")
    group.sent.send(30)
    nobody = {"event_id": "n", "user_id": None, "event_type": "VideoPlayed", "number": 1}
    group.sent.send_raw(json.dumps(nobody).encode())
    with group.member(1), analytic.member(1) as counting:
        wait_until(lambda: counting.said and counting.said[-1].processed == 31, "the totals", timeout_s=60)
        wait_until(lambda: group.stored() == 31, "the journeys", timeout_s=60)
    assert analytic.totals() == group.sent.videos
    assert analytic.query("SELECT error_class FROM kept_aside") == [("no_user",)]


def test_a_file_takes_one_instance_and_keeps_the_same(group: Group, duckdb_file):
    kept = group.with_(store=store_at(f"duckdb:{duckdb_file}"))
    analytic = kept.with_(application=Application.ANALYTIC, group=f"{group.sent.topic}-analytic")
    group.sent.send(200)
    for each in (kept, analytic):
        with each.member(1) as member:
            wait_until(lambda m=member: m.said and m.said[-1].processed == 200, "all of it", timeout_s=60)
    group.sent.send(100)
    for each in (kept, analytic):
        with each.member(1) as member:
            wait_until(lambda m=member: m.said and m.said[-1].processed == 100, "what came since", timeout_s=60)
    with duckdb.connect(str(duckdb_file), read_only=True) as connection:
        numbers = connection.execute(
            "SELECT user_id, list((body ->> 'number')::INTEGER ORDER BY step) FROM journeys GROUP BY user_id"
        ).fetchall()
        totals = dict(connection.execute("SELECT user_id, events FROM totals").fetchall())
    assert dict(numbers) == {
        user: [event["number"] for event in group.sent.events if event["user_id"] == user] for user, _ in numbers
    }
    assert sum(len(each) for _, each in numbers) == 300
    assert totals == group.sent.videos
    with pytest.raises(Misconfigured, match="one process at a time"):
        kept.with_(instances=2)


def test_a_topic_that_was_made_again_is_refused_and_begun_anew_when_asked(group: Group):
    group.sent.send(20)
    with group.member(1):
        group.wait_for_all()
    delete_topic(group.sent.connection, group.sent.topic)
    apply_topics(admin_client(group.sent.connection.kafka), [TopicSpec(group.sent.topic, PARTITIONS, 1, {})])
    with pytest.raises(TopicRecreated, match="deleted and created again"):
        group.work()
    again = group.with_(recreated=True)
    group.sent.send(10)
    with again.member(1):
        group.wait_for_all()
    assert group.query("SELECT count(DISTINCT topic_id), count(*) FROM journeys") == [(2, 30)]


def test_a_group_keeps_one_thing(group: Group):
    group.work()
    with pytest.raises(Misconfigured, match="is kept as journey"):
        group.with_(application=Application.ANALYTIC).work()
    with pytest.raises(Misconfigured, match="user user_id"):
        group.with_(fields=Fields(user="who")).work()


def test_a_field_that_is_not_there_is_named_with_the_one_that_was_meant(group: Group):
    group.sent.send(5)
    with group.with_(fields=Fields(user="user_i")).member(1) as member:
        wait_until(lambda: member.ended, "the end", timeout_s=60)
        with pytest.raises(Misconfigured, match="no field user_i, did you mean user_id"):
            member.leave()


def test_a_store_that_goes_away_is_waited_for_and_nothing_is_lost(group: Group, postgres):
    group.sent.send(100)
    database = group.url.rpartition("/")[2]
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    with group.member(1) as member:
        group.wait_for_all()
        postgres.run(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS false')
        postgres.run(ended)
        group.sent.send(100)
        wait_until(lambda: member.said[-1].waiting, "the instance to say that it waits", timeout_s=60)
        postgres.run(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS true')
        group.wait_for_all()
        wait_until(lambda: member.said[-1].waiting is None, "the instance to go on", timeout_s=60)
    group.check_journeys()
    postgres.run(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS false')
    postgres.run(ended)
    try:
        with pytest.raises(WarehouseUnreachable):
            group.work()
    finally:
        postgres.run(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS true')


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["jurney"], 78, "did you mean journey"),
        (["journey", "no-such-topic", "--to", "duckdb:{file}"], 78, "does not exist"),
        (["journey", "--to", "duckdb:{file}", "--instances", "3"], 78, "one process at a time"),
        (["journey", "--to", "mysql://here/db"], 78, "not one of PostgreSQL's"),
        (["journey", "--to", "somewhere"], 78, "is not a store"),
        (["journey", "--instances", "2"], 78, "up --postgres"),
        (["journey", "--protocol", "newest"], 78, "no group protocol"),
        (["journey", "{topic}", "--to", "postgresql://x@127.0.0.1:1/db"], 69, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_said_in_words(sent, stack, duckdb_file, words, code, says):
    ended = streamproof("consume", *(word.format(file=duckdb_file, topic=sent.topic) for word in words), "--json")
    assert ended.exit_code == code, ended.text
    assert says in ended.text


def test_the_command_tells_what_it_did_in_one_document(sent, stack, duckdb_file, contract):
    sent.send(40)
    store = ["--to", f"duckdb:{duckdb_file}", "--group", "urls", "--recreated", "--accept-gap", "--wait", "5s"]
    fields = ["--type", "UrlClicked", "--type-field", "event_type", "--user-field", "user_id", "--id-field", "event_id"]
    batches = ["--schema", contract, "--batch-rows", "10", "--commit-ms", "20", "--protocol", "consumer"]
    ended = streamproof("consume", "analytic", sent.topic, *store, *fields, *batches, "--until-end", "--json")
    assert ended.exit_code == 0, ended.text
    told = ended.document
    assert (told["events"], told["aside"], told["left"], told["handover_s"]) == (40, 0, 0, 5.5)
    assert told["instances"][0]["owned"] == [0, 1, 2]
    assert told["kept"]["events"] == 40
    with duckdb.connect(str(duckdb_file), read_only=True) as connection:
        totals = connection.execute("SELECT event_type, sum(events) FROM totals GROUP BY ALL").fetchall()
    assert totals == [("UrlClicked", sum(event["event_type"] == "UrlClicked" for event in sent.events))]


def test_a_group_may_begin_at_the_end_and_keeps_what_comes_from_there_on(group: Group, stack, contract):
    group.sent.send(30)
    begin_at_end(group.sent.connection, group.request)
    group.sent.send(20)
    begin_at_end(group.sent.connection, group.request)
    words = ["consume", "journey", group.sent.topic, "--to", group.url, "--group", group.request.group]
    ended = streamproof(*words, "--schema", contract, "--from-end", "--until-end", "--json")
    assert ended.exit_code == 0, ended.text
    assert (ended.document["events"], ended.document["left"]) == (20, 0)
    assert group.query("SELECT min((body ->> 'number')::int), count(*) FROM journeys") == [(30, 20)]

"""Running totals: right after every event, of any format, and never in silence about what is in none of them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # not in its stubs

from cluster.connection import Connection
from cluster.errors import Misconfigured, TakenOver, TopicMissing, TopicRecreated
from cluster.topics import admin_client
from cluster.transactions import Outgoing, Transactions
from consumer.counter.bounds import Until
from consumer.counter.totals import COUNTING, POSITIONS
from tests.integration.consumer.counter.conftest import Counted
from tests.kit.commands import streamproof
from tests.kit.filled_topic import fill_topic
from tests.kit.kafka import read_topic
from tests.kit.topics import delete_topic
from tests.kit.waiting import wait_until

CLICK = {
    "type": "record",
    "name": "Click",
    "fields": [
        {
            "name": "details",
            "type": {
                "type": "record",
                "name": "Details",
                "fields": [
                    {
                        "name": "kind",
                        "type": ["null", {"type": "enum", "name": "Kind", "symbols": ["view", "buy", "leave"]}],
                    },
                    {"name": "price", "type": "int"},
                ],
            },
        }
    ],
}


def header(message: Any, name: str) -> Any:
    """Return what a header of an output says."""
    return json.loads(dict(message.headers())[name])


def test_after_every_event_there_is_one_output_with_the_totals_so_far(counted: Callable[..., Counted]) -> None:
    clicks = counted()
    sent = ["productview", "addtobasket", "productview", "purchase"]
    for partition in range(3):
        clicks.send(*sent, partition=partition)
    result = clicks.count()
    assert (result.ended, result.progress.events, result.progress.outputs) == ("end", 12, 12)
    assert result.progress.lag == 0
    outputs = clicks.outputs()
    assert [sum(v for k, v in each.items() if k != "receiveAt") for each in outputs] == list(range(1, 13))
    last = dict(outputs[-1])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC", last.pop("receiveAt"))
    assert last == {"productview": 6, "addtobasket": 3, "purchase": 3} == result.progress.totals
    proved = clicks.examine()
    assert (proved.holds, proved.outputs, proved.faults) == (True, 12, [])


def test_a_value_reads_as_the_one_that_the_application_publishes(counted: Callable[..., Counted]) -> None:
    clicks = counted(partitions=1)
    clicks.send("purchase")
    clicks.count(names=["productview", "purchase", "addtobasket", "removefrombasket"])
    (message,) = read_topic(clicks.topic.connection, clicks.output.name)
    assert message.key() == b"totals"
    assert re.fullmatch(
        rb'\{"productview":0,"purchase":1,"addtobasket":0,"removefrombasket":0,"receiveAt":"[-0-9T:]{19}UTC"\}',
        message.value(),
    )
    assert header(message, POSITIONS) == {"0": 1}


@pytest.mark.parametrize("every", ["event", "10ms"])
def test_a_count_goes_on_where_the_last_output_stands(counted: Callable[..., Counted], every: str) -> None:
    clicks = counted()
    clicks.send("a", "b", partition=0)
    first = clicks.count(every=clicks.each(every))
    clicks.send("a", partition=2)
    second = clicks.count(every=clicks.each(every))
    third = clicks.count(every=clicks.each(every))
    assert (first.went_on_from, second.went_on_from, third.went_on_from) == (None, 2, 3)
    assert (first.progress.events, second.progress.events, third.progress.events) == (2, 1, 0)
    assert third.progress.totals == {"a": 2, "b": 1}
    assert clicks.examine().holds


def test_totals_at_an_interval_are_one_output_for_what_came(counted: Callable[..., Counted]) -> None:
    clicks = counted()
    clicks.send(*["a"] * 500)
    result = clicks.count(every=clicks.each("10s"))
    assert (result.progress.outputs, result.progress.transactions) == (1, 1)
    assert clicks.outputs()[0]["a"] == 500


def test_a_transaction_for_each_event_is_one_for_each(counted: Callable[..., Counted]) -> None:
    clicks = counted()
    clicks.send("a", "b", "a")
    result = clicks.count(every=clicks.each("event", alone=True))
    assert (result.progress.outputs, result.progress.transactions) == (3, 3)
    assert clicks.examine().holds


@pytest.mark.parametrize("written", ["avro", "json"])
def test_names_that_a_contract_declares_are_there_with_zero(counted: Callable[..., Counted], written: str) -> None:
    clicks = counted(by="details.kind")
    rows = [{"details": {"kind": kind, "price": 1}} for kind in ("leave", None, "leave")]
    if written == "avro":
        clicks.topic.send(clicks.topic.avro(CLICK, rows))
        result = clicks.count()
    else:
        from schemas.formats import WrittenSchema

        clicks.topic.send([json.dumps(row).encode() for row in rows])
        result = clicks.count(plain=WrittenSchema(json.dumps(CLICK), "plain-json"))
    assert list(result.progress.totals.items()) == [("view", 0), ("buy", 0), ("leave", 2)]
    assert result.apart == {"null": 1}


def test_what_has_no_name_is_counted_apart_and_told(counted: Callable[..., Counted]) -> None:
    clicks = counted(partitions=1)
    clicks.topic.send(
        [
            b'{"eventName": "a"}',
            b'{"eventName": null}',
            b'{"other": "a"}',
            b'{"eventName": 7}',
            b'{"eventName": ["a"]}',
            b'{"eventName": "receiveAt"}',
            b"broken",
            b"\x00\x00\x7f\xff\xffx",
            None,
        ]
    )
    result = clicks.count()
    apart = {"null": 2, "no_text": 2, "reserved": 1, "undecodable": 2, "tombstone": 1}
    assert result.apart == apart
    assert result.progress.totals == {"a": 1}
    messages = read_topic(clicks.topic.connection, clicks.output.name)
    assert [header(message, COUNTING)["apart"] for message in messages] == [{}, apart]
    assert header(messages[-1], POSITIONS) == {"0": 9}
    assert clicks.examine().holds
    said = streamproof(*clicks.words("--until-end"))
    assert "2 records have nothing in the field: they are in no total" in said.stdout


def test_a_field_that_no_value_has_is_refused_with_the_nearest(counted: Callable[..., Counted]) -> None:
    clicks = counted(by="eventname")
    clicks.send("a", "b")
    with pytest.raises(Misconfigured, match="no value has a field eventname, did you mean eventName"):
        clicks.count()
    assert clicks.outputs() == []
    typed = counted(by="details.price")
    typed.topic.send(typed.topic.avro(CLICK, [{"details": {"kind": "buy", "price": 3}}]))
    with pytest.raises(Misconfigured, match=r"the field details\.price is of type int, and no text"):
        typed.count()


def test_totals_of_something_else_are_refused(counted: Callable[..., Counted]) -> None:
    clicks, others = counted(), counted()
    clicks.send("a")
    clicks.count()
    with pytest.raises(Misconfigured, match="holds totals by the field eventName"):
        clicks.count(by="n")
    others.send("a")
    others.output = clicks.output
    with pytest.raises(Misconfigured, match="holds totals of the topic"):
        others.count()
    with pytest.raises(Misconfigured, match="cannot be counted into itself"):
        clicks.count(to=clicks.topic.name)


def test_a_topic_that_was_created_again_is_refused(counted: Callable[..., Counted], connection: Connection) -> None:
    clicks = counted()
    clicks.send("a")
    clicks.count()
    delete_topic(connection, clicks.topic.name)
    with pytest.raises(TopicMissing, match="topics apply"):
        clicks.count()
    fill_topic(connection, clicks.topic.name, 3)
    clicks.send("a", "a")
    with pytest.raises(TopicRecreated, match="deleted and created again") as refused:
        clicks.count()
    assert "Count into another topic (--to)" in refused.value.hint


def test_what_retention_took_before_it_was_counted_is_told(
    counted: Callable[..., Counted], connection: Connection
) -> None:
    clicks = counted(partitions=1)
    clicks.send("a", "b")
    clicks.count()
    clicks.send("a", "a", "b")
    admin = admin_client(connection.kafka)
    (asked,) = admin.delete_records([TopicPartition(clicks.topic.name, 0, 4)]).values()
    admin.ask(asked, "deleting records")
    result = clicks.count()
    assert result.apart == {"expired": 2}
    assert result.progress.totals == {"a": 1, "b": 2}
    assert "2 records were deleted by retention before they were counted" in result.apart_in_words()
    proved = clicks.examine()
    assert proved.holds
    assert "is taken as it is" in proved.gone


def test_partitions_that_are_added_are_counted(counted: Callable[..., Counted], connection: Connection) -> None:
    clicks = counted(partitions=1)
    clicks.send("a")
    results: list[Any] = []
    counting = threading.Thread(target=lambda: results.append(clicks.count(until=Until())))
    counting.start()
    try:
        wait_until(clicks.outputs, "the first output", timeout_s=60)
        admin = admin_client(connection.kafka)
        (asked,) = admin.create_partitions([NewPartitions(clicks.topic.name, 2)]).values()
        admin.ask(asked, "adding a partition")
        clicks.send("b", partition=1)
        wait_until(lambda: "b" in clicks.outputs()[-1], "an event of the new partition", timeout_s=60)
    finally:
        clicks.stop.set()
        counting.join(30)
    (result,) = results
    assert (result.ended, result.progress.totals, result.progress.positions) == ("stop", {"a": 1, "b": 1}, {0: 1, 1: 1})


def test_a_second_counter_takes_over_and_what_was_open_is_not_there(
    counted: Callable[..., Counted], connection: Connection
) -> None:
    clicks = counted()
    clicks.send("a", "b")
    clicks.count()
    ours = (connection.kafka, clicks.output.name, 0, f"streamproof-count/{clicks.topic.name}/{clicks.output.name}")
    with Transactions(*ours) as before:

        def left_open() -> Any:
            yield Outgoing(b'{"a":99}', b"totals")
            assert clicks.count().progress.totals == {"a": 1, "b": 1}

        with pytest.raises(TakenOver, match="took over") as taken:
            before.send(left_open(), clicks.topic.name, {0: 99})
    assert taken.value.exit_code == 75
    clicks.send("b")
    assert clicks.count().progress.totals == {"a": 1, "b": 2}
    assert clicks.examine().outputs == 3


def test_a_compacted_output_is_enough_to_go_on(counted: Callable[..., Counted]) -> None:
    clicks = counted(cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.001")
    clicks.send(*"ab" * 20)
    clicks.count(every=clicks.each("event", alone=True))
    clicks.send("c")
    result = clicks.count()
    assert (result.went_on_from, result.progress.totals) == (40, {"a": 20, "b": 20, "c": 1})


def test_the_examination_finds_an_output_that_is_wrong(counted: Callable[..., Counted], connection: Connection) -> None:
    clicks = counted(partitions=1)
    clicks.send("a", "b")
    clicks.count()
    told: dict[str, Any] = dict(read_topic(connection, clicks.output.name)[-1].headers())
    damage: list[tuple[Mapping[str, Any], Mapping[str, int]]] = [({"a": 2, "b": 1}, {"0": 2}), ({"a": 1}, {"0": 1})]
    for totals, positions in damage:
        value = json.dumps(totals | {"receiveAt": "x"}).encode()
        headers = [(POSITIONS, json.dumps(positions).encode()), (COUNTING, told[COUNTING])]
        clicks.output.send([value], key=b"totals", headers=headers)
    said = streamproof(*clicks.words("--prove", "--json"))
    assert (said.exit_code, said.document["holds"]) == (65, False)
    proved = clicks.examine()
    assert not proved.holds
    assert [re.sub(r"offset \d+", "N", fault) for fault in proved.faults] == [
        "the output at N stands where the output at N stands",
        "the output at N says total a 2, and it is 1 at its positions",
        "the output at N goes back in partition 0 behind the output at N",
    ]


def test_the_command_says_what_it_counted(counted: Callable[..., Counted]) -> None:
    clicks = counted()
    clicks.send("a", "b", "a")
    done = streamproof(*clicks.words("--every", "200ms", "--until-end", "--names", "z", "--json"))
    assert done.exit_code == 0, done.stderr
    document = done.document
    assert document["totals"] == {"z": 0, "a": 2, "b": 1}
    assert (document["events"], document["outputs"], document["lag"], document["ended"]) == (3, 1, 0, "end")
    shown = streamproof(*clicks.words("--for", "1s"))
    assert (shown.exit_code, "went on from 3 events" in shown.stdout) == (0, True)
    proved = streamproof(*clicks.words("--prove"))
    assert (proved.exit_code, "proved 1 outputs" in proved.stdout) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--every", "1ms"], "too short"),
        (["--every", "soon"], "is not a duration"),
        (["--every", "1s", "--transaction-per-event"], "needs --every event"),
        (["--format", "avroo"], "there is no format avroo"),
    ],
)
def test_what_cannot_be_is_refused(counted: Callable[..., Counted], words: list[str], said: str) -> None:
    clicks = counted()
    done = streamproof(*clicks.words(*words))
    assert (done.exit_code, said in done.stderr) == (78, True)


def test_a_missing_output_says_how_to_make_it(counted: Callable[..., Counted]) -> None:
    clicks = counted()
    done = streamproof("count", clicks.topic.name, "--by", "eventName", "--to", "nowhere")
    assert done.exit_code == 78
    assert "topics apply --topic nowhere" in done.stderr

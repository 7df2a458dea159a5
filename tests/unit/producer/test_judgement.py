"""What a run is told when Kafka does not take its events, or when it is stopped."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import pytest
from confluent_kafka import KafkaError

from cluster.errors import DeliveryTimedOut, DependencyDown, Interrupted, RecordsUndelivered
from producer import ProduceRequest, emit, workers
from producer.judgement import Outcome, Tally, stopped, undelivered
from producer.send import refusals
from producer.send.refusals import Reason, Reasons, with_help
from streamproof import cli

HELPS = {
    "MSG_SIZE_TOO_LARGE": "raise max.message.bytes (2,000 bytes) of the topic, then the same command with --run-id r",
    "INVALID_RECORD": "cleanup.policy=compact: it takes no event without a key",
    "INVALID_TIMESTAMP": "message.timestamp.before.max.ms",
    "POLICY_VIOLATION": "A policy of the cluster",
    "_UNKNOWN_TOPIC": "begin a new run",
}


def helped(name: str, settings: dict[str, str | None], monkeypatch, *, keyed: bool = False) -> Reason:
    monkeypatch.setattr(refusals, "admin_client", lambda kafka: None)
    monkeypatch.setattr(refusals, "topic_configuration", lambda admin, topic: settings)
    (reason,) = with_help([Reason(name, "words", 5, 3000)], None, "t", "r", keyed=keyed)
    return reason


@pytest.mark.parametrize("name", sorted(HELPS))
def test_against_a_lasting_reason_a_repetition_alone_is_never_the_advice(name, monkeypatch):
    settings = {"max.message.bytes": "2000", "cleanup.policy": "compact"}
    reason = helped(name, settings, monkeypatch)
    error = undelivered(Tally(0, 5, 0, (reason,)), run_id="r", where="w")
    assert f"5 {name} (words)" in error.message
    assert HELPS[name] in error.hint
    assert not error.hint.startswith("The same command")


def test_a_keyless_event_is_the_cause_only_where_the_topic_is_compacted_or_cannot_be_asked(monkeypatch):
    assert "takes no event without a key" in helped("INVALID_RECORD", {}, monkeypatch).helps
    assert "key" not in helped("INVALID_RECORD", {"cleanup.policy": "delete"}, monkeypatch).helps
    assert "key" not in helped("INVALID_RECORD", {"cleanup.policy": "compact"}, monkeypatch, keyed=True).helps


def test_reasons_are_counted_by_name_the_most_frequent_first_and_consequences_last():
    reasons = Reasons()
    for code, size, times in (
        (KafkaError._PURGE_QUEUE, 10, 9),
        (KafkaError.MSG_SIZE_TOO_LARGE, 30, 1),
        (KafkaError.INVALID_RECORD, 20, 3),
    ):
        for _ in range(times):
            reasons.note(KafkaError(code), size)
    assert [(reason.name, reason.events) for reason in reasons.all()] == [
        ("INVALID_RECORD", 3),
        ("MSG_SIZE_TOO_LARGE", 1),
        ("_PURGE_QUEUE", 9),
    ]
    assert reasons.all()[2].says == "never sent: the attempt had ended"


def test_what_another_attempt_may_send_is_told_beside_what_it_cannot():
    lasting = Reason("INVALID_RECORD", "refused", 3, helps="Do this")
    error = undelivered(Tally(0, 3, 2, (lasting, Reason("_MSG_TIMED_OUT", "late", 2))), run_id="r", where="")
    assert error.hint == "Do this. The same command with --run-id r sends the others"


@pytest.mark.parametrize(
    ("reasons", "kind", "code"),
    [
        ((), DeliveryTimedOut, 69),
        ((Reason("_MSG_TIMED_OUT", "late", 5),), DeliveryTimedOut, 69),
        ((Reason("_TRANSPORT", "gone", 4), Reason("_PURGE_QUEUE", "never sent", 1)), DeliveryTimedOut, 69),
        ((Reason("_MSG_TIMED_OUT", "late", 4), Reason("INVALID_RECORD", "refused", 1)), RecordsUndelivered, 65),
    ],
)
def test_what_another_attempt_can_send_whole_is_worth_another_attempt(reasons, kind, code):
    tally = Tally(0, 0, 5, reasons)
    error = undelivered(tally, run_id="r", where="w")
    assert type(error) is kind
    assert error.exit_code == code
    # Of several shards, the reasons of all decide.
    request = ProduceRequest(topic="t", run_id="r", events=10, shards=2)
    late = Tally(0, 0, 1, (Reason("_MSG_TIMED_OUT", "late", 1),))
    outcomes = [
        Outcome(error=error, tally=tally),
        Outcome(error=undelivered(late, run_id="r", where="w"), tally=late),
    ]
    whole = workers._error(request.plan, outcomes)
    assert type(whole) is kind
    assert "6 events were not acknowledged" in whole.message


def test_a_stop_asks_the_broker_for_no_advice(monkeypatch):
    monkeypatch.setattr(emit, "with_help", lambda *_, **__: pytest.fail("a stop has four seconds in all"))
    reasons = Reasons()
    reasons.note(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), 3000)
    manifest = SimpleNamespace(
        interrupted=True, run_id="r", shard=0, topic="t", acknowledged=7, failed=[(3, 5)], unknown=[]
    )
    delivery = SimpleNamespace(copies=SimpleNamespace(failed=[], unknown=[]), reasons=reasons, broken=None)
    attempt = SimpleNamespace(delivery=delivery, plan=None, agreement=mock.MagicMock(), stop=threading.Event())
    attempt.stop.set()
    outcome = emit._judge(None, manifest, attempt)
    assert isinstance(outcome.error, Interrupted)
    assert "after 7 acknowledged events, 2 are sent again" in outcome.error.message
    assert outcome.tally.open == 2


def test_a_stop_tells_the_sum_of_all_shards():
    request = ProduceRequest(topic="t", run_id="r", events=10, shards=2)
    outcomes = [
        Outcome(error=stopped(Tally(29_257, 0, 0), run_id="r", where="shard 0"), tally=Tally(29_257)),
        Outcome(error=stopped(Tally(29_238, 4, 1), run_id="r", where="shard 1"), tally=Tally(29_238, 4, 1)),
    ]
    error = workers._error(request.plan, outcomes)
    assert isinstance(error, Interrupted)
    assert "stopped after 58,495 acknowledged events, 5 are sent again when it continues" in error.message
    # One that had finished before the stop counts too.
    finished = Outcome(tally=Tally(5))
    assert "after 29,262 ack" in workers._error(request.plan, [outcomes[0], finished]).message


def test_undelivered_events_are_told_of_all_shards_with_those_that_did_not_finish():
    request = ProduceRequest(topic="t", run_id="r", events=10, shards=3)
    tally = Tally(1, 2, 0, (Reason("INVALID_RECORD", "refused", 2, helps="Do this"),))
    failed = Outcome(error=undelivered(tally, run_id="r", where=""), tally=tally)
    gone = Outcome(error=DependencyDown("gone"))
    error = workers._error(request.plan, [failed, replace(failed), gone])
    assert "4 events were not acknowledged (4 failed, 0 unknown): 4 INVALID_RECORD (refused)" in error.message
    assert "(and 1 more shard did not finish)" in error.message
    assert error.hint == "Do this"


@pytest.mark.parametrize(("command", "words"), [("produce", "continues"), ("load", "continues"), ("audit", "anew")])
def test_an_interrupt_says_what_the_same_command_does(command, words, monkeypatch, capsys):
    def torn(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_invoke", torn)
    assert cli.run([command, "t"]) == 75
    assert words in capsys.readouterr().err

"""Transactions when a client's call does not come back: whoever counts is told, and does not wait for ever."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from cluster import transactions as module
from cluster.connection import kafka_settings
from cluster.errors import BrokerUnreachable, TransactionAborted
from cluster.transactions import Outgoing, Transactions

SETTINGS = kafka_settings({"bootstrap_servers": "127.0.0.1:1"})


@pytest.fixture
def calls():
    """What the producer was asked for, in order."""
    return []


@pytest.fixture
def opened(monkeypatch, calls):
    """Transactions whose producer answers at once, but for the call that a test puts in its place."""
    transactions = Transactions(SETTINGS, "totals", 0, "an-id", group="a-group")
    producer = SimpleNamespace(
        begin_transaction=lambda: calls.append("begin"),
        produce=lambda *_, **__: calls.append("produce"),
        commit_transaction=lambda _: calls.append("commit"),
        abort_transaction=lambda _: calls.append("abort"),
        send_offsets_to_transaction=lambda *_: calls.append("tell"),
        poll=lambda _: 0,
    )
    monkeypatch.setattr(transactions, "_producer", producer)
    yield transactions
    transactions.close()


def test_the_group_is_told_between_records_and_commit(opened, calls):
    opened.send([Outgoing(b"1"), Outgoing(b"2")], "events", {0: 7})
    assert calls == ["begin", "produce", "produce", "tell", "commit"]


def test_a_call_that_does_not_return_is_a_broker_that_does_not_answer(opened, calls, monkeypatch):
    monkeypatch.setattr(module, "LOST_S", 0.05)
    released = threading.Event()
    monkeypatch.setattr(opened._producer, "send_offsets_to_transaction", lambda *_: released.wait(60))
    with pytest.raises(BrokerUnreachable, match="telling the group"):
        opened.send([Outgoing(b"1")], "events", {0: 7})
    released.set()
    # The producer is at that call still: it can neither commit nor roll back.
    assert calls == ["begin", "produce"]


def test_what_such_a_call_raises_means_what_it_meant_before(opened, calls, monkeypatch):
    def refuse(*_):
        raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS, "not now", txn_requires_abort=True))

    monkeypatch.setattr(opened._producer, "send_offsets_to_transaction", refuse)
    with pytest.raises(TransactionAborted, match="not now"):
        opened.send([Outgoing(b"1")], "events", {0: 7})
    assert calls[-1] == "abort"

"""Totals are held against what was sent: by all runs of the topic, told again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.counter.totals import COUNTING, POSITIONS
from tests.kit.commands import Ended, streamproof
from tests.kit.filled_topic import FilledTopic
from tests.kit.kafka import read_topic


@pytest.fixture
def shop(connection: Connection, topic_name: Callable[[str], str]) -> tuple[str, str]:
    """A topic for events of the web shop, and one for their totals."""
    topics = topic_name("shop"), topic_name("totals")
    for topic in topics:
        apply_topics(admin_client(connection.kafka), specs_for(topic))
    return topics


def test_the_newest_totals_are_proved_against_every_run_and_a_wrong_one_is_found(
    connection: Connection, shop: tuple[str, str]
) -> None:
    topic, totals = shop

    def produced(run_id: str, events: int) -> None:
        words = ("--topic", topic, "--run-id", run_id, "--events", events, "--rate", 5_000)
        assert streamproof("produce", "shop_events", *words).exit_code == 0

    def counted() -> Ended:
        return streamproof("count", topic, "--by", "eventName", "--to", totals, "--every", "50ms", "--until-end")

    def audited(*words: str) -> Ended:
        told = ("--expectation", "totals_by_event_name", "--json", *words)
        return streamproof("audit", topic, "--at", f"kafka:{totals}", *told)

    produced("shop/1", 400)
    early = audited("--wait", "1s")
    assert (early.exit_code, "holds no values yet" in early.stderr) == (78, True)
    counted()
    assert audited().document["verdict"] == "PASSED"
    produced("shop/2", 300)
    late = audited("--all-runs")
    assert (late.exit_code, late.document["verdict"]) == (65, "FAILED")
    counted()
    passed = audited("--all-runs").document
    assert passed["verdict"] == "PASSED"
    assert passed["reason"].startswith(
        f"The totals of the newest record of kafka:{totals} are the counts of all 700 events that were sent, "
        "for each eventName (totals_by_event_name)"
    )
    # One run alone is not what the totals are of.
    assert audited("--run-id", "shop/2").document["verdict"] == "FAILED"
    last = read_topic(connection, totals)[-1]
    told = json.loads(last.value())
    wrong = json.dumps(told | {"purchase": told["purchase"] + 1}).encode()
    ours: dict[str, Any] = dict(last.headers())
    headers = [(name, ours[name]) for name in (POSITIONS, COUNTING)]
    FilledTopic(connection, totals).send([wrong], key=b"totals", headers=headers)
    found = audited("--all-runs").document
    assert found["verdict"] == "FAILED"
    (row,) = found["expectations"][0]["rows"]
    assert (row["eventName"], int(row["stored"]) - int(row["sent"])) == ("purchase", 1)


def test_all_runs_are_not_one_run(shop: tuple[str, str]) -> None:
    refused = streamproof("audit", shop[0], "--at", f"kafka:{shop[1]}", "--all-runs", "--run-id", "shop/1")
    assert (refused.exit_code, "--all-runs and --run-id are given" in refused.stderr) == (78, True)
    alone = streamproof("audit", shop[0], "--all-runs")
    assert (alone.exit_code, "--all-runs needs --at" in alone.stderr) == (78, True)

"""Journeys on a web site: each session from page to page, videos where there are some, rules that notice."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from functools import cache
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from producer.scenarios import Asked, Examined, contract_of, find_scenario, own_rate
from producer.scenarios.journey.examine import RULES_FILE
from producer.scenarios.journey.paths import EVENT_TYPES
from producer.scenarios.journey.scenario import BLOCK_EVENTS, PACE
from producer.send.supply import identified
from producer.toolkit.rules import load_rules
from schemas.formats import value_format
from tests.kit import ROOT
from tests.kit.depth import SCENARIO_SEEDS

START_MS = 1_760_000_000_000
SENT_AT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
JOURNEY = find_scenario("journey")
ENCODER: Any = value_format(JOURNEY.format).encoder(contract_of(JOURNEY).version(1).text, 1)


def stream(seed: int = 1, shard: int = 0, *, rate: float = PACE, planned: int | None = None) -> Any:
    return JOURNEY.open(seed, shard, JOURNEY.settings(planned, START_MS, Asked(1, shard, rate)))


def whole(block: pa.RecordBatch, shard: int, number: int) -> pa.RecordBatch:
    sequences = np.arange(number * BLOCK_EVENTS, number * BLOCK_EVENTS + len(block), dtype=np.int64)
    return identified(block, ENCODER, "journey", shard, sequences, identity="field")


@cache
def run(seed: int = 1, shards: int = 2, blocks: int = 2) -> pa.Table:
    batches = []
    for shard in range(shards):
        site = stream(seed, shard)
        batches += [whole(site.block(number), shard, number) for number in range(blocks)]
    return pa.Table.from_batches(batches)


@cache
def small() -> pa.Table:
    """Return the first events of two shards."""
    return pa.concat_tables([run().slice(0, 1_500), run().slice(2 * BLOCK_EVENTS, 1_500)])


@cache
def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = small().to_pylist()
    return found


def examined(table: pa.Table) -> dict[str, Any]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("events", table)
        found = JOURNEY.examine(connection, "events", Examined(1, SENT_AT))
    assert found is not None
    return found


def broken(table: pa.Table) -> set[str]:
    return {rule["rule"] for rule in examined(table)["rules"] if rule["violations"]}


@pytest.mark.parametrize("seed", SCENARIO_SEEDS)
def test_no_rule_is_broken_whatever_the_seed(seed):
    assert broken(run(seed, shards=1 + seed % 2, blocks=1)) == set()


def test_a_part_of_a_run_breaks_no_rule_either():
    assert broken(run(1, 1).slice(0, 555)) == set()


def test_figures_are_as_declared():
    found = examined(run(1, 1, 4))
    assert [figure["name"] for figure in found["figures"] if figure["within"] is not True] == []


def test_a_journey_reads_as_one_by_hand_too():
    """Beside the rules in SQL: each session from page to page, by what leads there."""
    sessions = defaultdict(list)
    for event in rows():
        sessions[event["session_id"]].append(event)
    for events in sessions.values():
        assert events[0]["event_type"] == "PageViewed"
        for before, event in pairwise(events):
            assert event["user_id"] == before["user_id"]
            assert event["occurred_at"] > before["occurred_at"]
            if event["event_type"] != "PageViewed":
                assert event["page_url"] == before["page_url"]
            elif before["event_type"] == "UrlClicked":
                assert before["target_url"] == event["page_url"] != before["page_url"]
            else:
                assert before["event_type"] in ("Searched", "SignedUp")
    assert set(EVENT_TYPES) == {event["event_type"] for event in rows()}


def test_people_return_and_a_person_is_of_one_shard():
    sessions: dict[str, set[str]] = defaultdict(set)
    shards: dict[str, set[str]] = defaultdict(set)
    for event in run().to_pylist():
        sessions[event["user_id"]].add(event["session_id"])
        shards[event["user_id"]].add(event["event_id"][15:18])
    assert max(map(len, shards.values())) == 1
    assert sum(len(found) > 1 for found in sessions.values()) > len(sessions) / 10


def test_the_first_minutes_have_several_people_and_every_common_event():
    first = stream().block(0).slice(0, 300).to_pylist()
    assert len({event["user_id"] for event in first}) > 15
    assert {"PageViewed", "UrlClicked", "VideoPlayed", "Scrolled"} <= {event["event_type"] for event in first}


def changed(row: int, **values: Any) -> pa.Table:
    found = [dict(event) for event in rows()]
    found[row] |= values
    return pa.Table.from_pylist(found, schema=small().schema)


def row_of(kind: str, *, number: int = 2) -> int:
    """Return the row of an event of a type, from the ``number``-th of its session on."""
    return next(row for row, e in enumerate(rows()) if e["event_type"] == kind and e["number"] >= number)


def video(**values: Any) -> pa.Table:
    row = row_of("VideoPlayed")
    return changed(row, video=rows()[row]["video"] | values)


PLANTED = [
    ("J01", lambda: changed(0, event_type="Slept")),
    ("J02", lambda: changed(row_of("UrlClicked"), device="watch")),
    ("J03", lambda: changed(row_of("UrlClicked"), number=99)),
    ("J04", lambda: changed(row_of("Scrolled"), session_second=0)),
    ("J05", lambda: changed(row_of("Scrolled"), page_url="/elsewhere")),
    ("J06", lambda: changed(row_of("UrlClicked"), target_url="/elsewhere")),
    ("J07", lambda: changed(row := row_of("UrlClicked"), target_url=rows()[row]["page_url"])),
    ("J08", lambda: changed(row_of("PageViewed"), referrer=None)),
    ("J09", lambda: changed(row_of("PageViewed"), page_title="Another")),
    ("J10", lambda: changed(row_of("Scrolled"), event_type="VideoPlayed", scroll_percent=None, page_url="/pricing")),
    ("J11", lambda: video(watched_s=10_000)),
    ("J12", lambda: video(watched_s=1, completed=True)),
    ("J13", lambda: changed(row_of("Scrolled"), scroll_percent=101)),
    ("J14", lambda: changed(row_of("UrlClicked"), element=None)),
    ("J15", lambda: changed(row_of("Scrolled"), event_type="SignedUp", scroll_percent=None)),
    ("J16", lambda: changed(row_of("Scrolled"), user_id=rows()[-1]["user_id"])),
    ("J17", lambda: changed(7, occurred_at=dt.datetime(2019, 1, 1, tzinfo=dt.UTC))),
    ("J18", lambda: changed(len(rows()) - 1, occurred_at=dt.datetime(2027, 1, 1, tzinfo=dt.UTC))),
]


@pytest.mark.parametrize(("rule", "planted"), PLANTED, ids=[rule for rule, _ in PLANTED])
def test_every_rule_notices_a_violation(rule, planted):
    assert rule in broken(planted())


def test_every_rule_is_planted_and_documented():
    rules = load_rules(RULES_FILE)
    assert [rule.id for rule in rules] == [rule for rule, _ in PLANTED]
    document = (ROOT / "docs" / "realism.md").read_text()
    assert [rule.id for rule in rules if f"| {rule.id} | {rule.text} |" not in document] == []


def test_a_block_depends_on_nothing_that_was_made_before():
    forth, back = stream(5), stream(5)
    first = [forth.block(number) for number in (0, 1)]
    assert [back.block(number).equals(first[number]) for number in (1, 0)] == [True, True]
    assert not stream(6).block(0).equals(first[0])


def test_values_are_written_whole_by_columns_and_carry_their_identity_first():
    events = whole(stream().block(3), 0, 3)
    ENCODER.verify(events, rows=500)
    assert next(iter(json.loads(contract_of(JOURNEY).version(1).text)["fields"]))["name"] == "event_id"


def test_one_event_a_second_and_shard_is_sent_unless_a_rate_is_asked_for():
    assert own_rate(JOURNEY, 3, {}) == 3.0
    seconds = [event["occurred_at"].timestamp() for event in stream().block(0).slice(0, 10).to_pylist()]
    assert seconds == [START_MS / 1000 + number for number in range(10)]
    fast = stream(rate=500.0, planned=BLOCK_EVENTS).block(0).column("occurred_at")
    assert fast[-1].as_py().replace(tzinfo=dt.UTC).timestamp() == START_MS / 1000 - 1


def test_more_events_than_ten_years_hold_are_refused():
    with pytest.raises(Misconfigured, match="holds at most"):
        stream(planned=JOURNEY.most + 1)

"""Clickstream: the graph of its sessions, its numbers over shards, its visitors and their time."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from cluster.errors import Misconfigured
from producer.plan.request import ProduceRequest
from producer.resume.resume import Landed
from producer.scenarios import Asked, contract_of, find_scenario
from producer.scenarios.clickstream.graph import EDGES, MEDIAN_S, STATES
from producer.scenarios.clickstream.scenario import BLOCK_EVENTS, PACE
from producer.send.event_log import EventLog
from producer.send.supply import Supply, identified, keys_of
from producer.toolkit.sharing import share
from schemas.formats.avro.codec import Encoder

START_MS = 1_760_000_000_000


def stream(seed=1, shard=0, *, shards=1, planned=None, **options):
    scenario = find_scenario("clickstream")
    settings = scenario.settings(planned, START_MS, Asked(shards, shard, PACE * shards, options))
    return scenario.open(seed, shard, settings)


@cache
def rows(shard=0, shards=1):
    return stream(shard=shard, shards=shards).block(0).to_pylist()


def sessions(events):
    """Return the events of each session, followed along prevglobalseq."""
    after = {event["prevglobalseq"]: event for event in events if event["prevglobalseq"]}
    found = []
    for event in events:
        if not event["prevglobalseq"]:
            found.append([event])
            while (last := found[-1][-1])["globalseq"] in after:
                found[-1].append(after[last["globalseq"]])
    return found


def test_global_numbers_are_dense_over_the_shards_of_a_run():
    numbers = []
    for shard in range(3):
        whole = stream(shard=shard, shards=3).block(0).column("globalseq").to_pylist()
        numbers += whole[: share(1000, 3, shard)]
    assert sorted(numbers) == list(range(1, 1001))


def test_every_session_starts_at_home_and_follows_the_graph_to_its_end():
    found = sessions(rows())
    assert sum(map(len, found)) == BLOCK_EVENTS
    broken_off = 0
    for session in found:
        states = [STATES.index(event["event_type"]) for event in session]
        assert states[0] == 0
        assert all(following in EDGES[state] for state, following in pairwise(states))
        broken_off += session[-1]["event_type"] != ""
    assert broken_off <= 1  # the last one of a block


def test_what_belongs_to_a_session_stays_with_it_and_products_belong_to_their_pages():
    for session in sessions(rows())[:2000]:
        assert len({(event["userid"], event["ip"], event["devicetype"]) for event in session}) == 1
        assert [e["globalseq"] for e in session] == sorted(e["globalseq"] for e in session)
        held = None
        for event in session:
            if event["event_type"] in ("home_page", "product_catalog"):
                assert event["product_type"] == "N/A"
            elif event["event_type"] == "":
                assert event["product_type"] == ""
            else:
                assert event["product_type"] not in ("", "N/A")
                assert event["event_type"] == "product_detail" or event["product_type"] == held
                held = event["product_type"]


def test_the_share_of_sessions_that_check_out_is_a_shops():
    found = sessions(rows())
    bought = sum(any(event["event_type"] == "order_checkout" for event in session) for session in found)
    assert 0.02 < bought / len(found) < 0.03
    assert 5 < BLOCK_EVENTS / len(found) < 6


def test_visitors_return_some_more_often_than_others_and_nobody_is_in_two_places():
    shop = stream()
    visits = [Counter(e["userid"] for e in shop.block(n).to_pylist() if not e["prevglobalseq"]) for n in range(4)]
    assert all(max(block.values()) == 1 for block in visits)
    times = Counter(user for block in visits for user in block)
    share_back = sum(count > 1 for count in times.values()) / len(times)
    assert 0.2 < share_back < 0.6
    other = {e["userid"] for e in rows(1, 2)}
    assert not other & {e["userid"] for e in rows(0, 2)}


def test_the_delays_within_a_session_are_those_of_the_pages():
    delays = defaultdict(list)
    for session in sessions(rows()):
        for event, following in pairwise(session):
            delays[event["event_type"]].append((following["eventtimestamp"] - event["eventtimestamp"]) / 1000)
    for state in ("home_page", "product_catalog", "product_detail"):
        assert np.median(delays[state]) == pytest.approx(MEDIAN_S[STATES.index(state)], rel=0.2)


def test_event_time_is_the_time_of_sending_at_the_scenarios_pace_and_ends_at_the_start_otherwise():
    times = [event["eventtimestamp"] for event in rows()]
    assert times == sorted(times)
    assert times[0] == START_MS
    assert times[-1] == START_MS + (BLOCK_EVENTS - 1) * 1000 // int(PACE)
    scenario = find_scenario("clickstream")
    settings = scenario.settings(BLOCK_EVENTS, START_MS, Asked(rate=10_000.0))
    assert scenario.open(1, 0, settings).block(0).column("eventtimestamp")[-1].as_py() < START_MS


def test_without_delay_the_events_of_a_session_follow_each_other_at_once():
    events = stream(no_delay=1).block(0).slice(0, 500).to_pylist()
    for before, event in pairwise(events):
        assert event["prevglobalseq"] == (0 if before["event_type"] == "" else before["globalseq"])
        assert event["eventtimestamp"] - before["eventtimestamp"] == 1


@pytest.mark.parametrize("users", [1, 7, 30_000])
@pytest.mark.parametrize("no_delay", [0, 1])
def test_a_number_of_users_is_that_number_of_whole_sessions(users, no_delay):
    shop = stream(users=users, no_delay=no_delay)
    blocks = [shop.block(number) for number in range(-(-shop.limit // BLOCK_EVENTS))]
    assert sum(len(block) for block in blocks) == shop.limit
    begun = sum(block.column("prevglobalseq").to_pylist().count(0) for block in blocks)
    ended = sum(block.column("event_type").to_pylist().count("") for block in blocks)
    assert begun == users
    assert users - ended <= len(blocks)
    last = blocks[-1].column("globalseq").to_pylist()
    assert last == list(range(shop.limit - len(last) + 1, shop.limit + 1))


def test_a_block_depends_on_nothing_that_was_made_before():
    forth, back = stream(seed=5), stream(seed=5)
    first = [forth.block(number) for number in (0, 1)]
    assert [back.block(number).equals(first[number]) for number in (1, 0)] == [True, True]
    assert not stream(seed=6).block(0).equals(first[0])


def test_events_are_small_keyed_by_user_and_read_back_by_both_libraries():
    scenario = find_scenario("clickstream")
    encoder = Encoder(contract_of(scenario).version(1).text, 1)
    block = stream().block(3)
    numbers = np.arange(3 * BLOCK_EVENTS, 4 * BLOCK_EVENTS, dtype=np.int64)
    whole = identified(block, encoder, "run", 0, numbers, identity="header")
    encoder.verify(whole, rows=500)
    assert 58 < np.mean([len(value) for value in encoder.encode(whole).to_pylist()]) < 70
    assert keys_of(block.column("userid"))[0] == str(block.column("userid")[0].as_py()).encode()


def test_identities_travel_beside_the_values(tmp_path):
    scenario = find_scenario("clickstream")
    encoder = Encoder(contract_of(scenario).version(1).text, 1)
    with EventLog(tmp_path / "log" / "events.jsonl") as log, Supply(
        stream(), encoder, run_id="run", shard=0, key="userid", end=100, landed=Landed.nothing(),
        identity="header", log=log,
    ) as supply:  # fmt: skip
        (part,) = list(supply)
    assert len(part.ids) == len(part.values) == 100
    assert part.ids[7].endswith(b"-8000-000000000007")
    logged = [json.loads(line) for line in (tmp_path / "log" / "events.jsonl").read_text().splitlines()]
    assert [line["event_id"].encode() for line in logged] == part.ids
    assert logged[3]["globalseq"] == 4


def test_users_are_shared_among_the_shards_and_bound_a_run():
    request = ProduceRequest(topic="t", run_id="r", scenario="clickstream", options={"users": 7}, shards=3)
    assert [request.plan.for_shard(shard).shard_options["users"] for shard in range(3)] == [3, 2, 2]
    assert request.plan.asked is None
    assert request.plan.settings()["all_users"] == 7
    assert request.plan.own_settings == {"users"}
    with pytest.raises(Misconfigured, match="users: 0 is too small, it must be 1 or more"):
        ProduceRequest(topic="t", run_id="r", scenario="clickstream", options={"users": 0})

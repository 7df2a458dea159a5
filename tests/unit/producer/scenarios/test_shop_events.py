"""The web shop's events: values as other programs write them, baskets that add up, rules that notice what is wrong."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from producer.scenarios import Asked, Examined, contract_of, find_scenario
from producer.scenarios.shop_events.baskets import NAMES
from producer.scenarios.shop_events.examine import RULES_FILE
from producer.scenarios.shop_events.scenario import BLOCK_EVENTS, PACE, STEP_MS
from producer.scenarios.shop_events.shop import SHOPPERS
from producer.send.supply import keys_of
from producer.toolkit.ids import event_ids, scrambled
from producer.toolkit.rules import load_rules
from schemas.formats import value_format
from tests.kit import ROOT
from tests.kit.depth import SCENARIO_SEEDS

START_MS = 1_585_163_149_000  # 2020-03-25T19:05:49Z
SENT_AT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
SHOP = find_scenario("shop_events")


def stream(seed: int = 1, shard: int = 0, *, rate: float = PACE, planned: int | None = None, **options: Any) -> Any:
    asked = Asked(1, shard, rate, {"products": 5_000} | options)
    return SHOP.open(seed, shard, SHOP.settings(planned, START_MS, asked))


def identified(block: pa.RecordBatch, shard: int, first: int) -> pa.RecordBatch:
    ids = event_ids("shop", shard, np.arange(first, first + len(block), dtype=np.int64))
    return pa.RecordBatch.from_arrays([ids, *block.columns], names=["_event_id", *block.schema.names])


@cache
def run(seed: int = 1, shards: int = 2, blocks: int = 1) -> pa.Table:
    batches = []
    for shard in range(shards):
        shop = stream(seed, shard)
        batches += [identified(shop.block(number), shard, number * BLOCK_EVENTS) for number in range(blocks)]
    return pa.Table.from_batches(batches)


@cache
def small() -> pa.Table:
    """Return the first events of two shards."""
    return pa.concat_tables([run().slice(0, 2_000), run().slice(BLOCK_EVENTS, 2_000)])


def examined(table: pa.Table) -> dict[str, Any]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("events", table)
        found = SHOP.examine(connection, "events", Examined(1, SENT_AT))
    assert found is not None
    return found


def broken(table: pa.Table) -> set[str]:
    return {rule["rule"] for rule in examined(table)["rules"] if rule["violations"]}


def test_a_value_is_the_object_that_consumers_of_such_topics_know():
    encoder = value_format(SHOP.format).encoder(contract_of(SHOP).version(1).text, 1)
    first = encoder.encode(stream().block(0))[0].as_py()
    assert re.fullmatch(
        rb'\{"date":"2020-03-25T19:05:49UTC","productId":"[a-z0-9]{15}","eventName":"productview",'
        rb'"userId":"[a-z0-9]{8}"\}',
        first,
    )
    assert list(json.loads(first)) == ["date", "productId", "eventName", "userId"]


def test_the_key_is_the_shopper_and_the_identity_is_not_in_the_value():
    block = stream().block(0)
    assert keys_of(block.column(SHOP.key))[0] == block.column("userId")[0].as_py().encode()
    assert (SHOP.identity, SHOP.format) == ("header", "plain-json")


def test_the_contract_names_every_event():
    fields = {field["name"]: field["type"] for field in json.loads(contract_of(SHOP).version(1).text)["fields"]}
    assert (
        fields["eventName"]["symbols"] == list(NAMES) == ["productview", "purchase", "addtobasket", "removefrombasket"]
    )


@pytest.mark.parametrize("seed", SCENARIO_SEEDS)
def test_no_rule_is_broken_whatever_the_seed(seed):
    assert broken(run(seed, shards=1 + seed % 2, blocks=1)) == set()


def test_a_part_of_a_run_breaks_no_rule_either():
    assert broken(run(1, 1).slice(0, 777)) == set()


def test_baskets_are_filled_before_they_are_bought_or_emptied_and_are_empty_in_the_end():
    """By hand, beside the rules in SQL."""
    baskets: dict[str, list[str]] = {}
    for event in run(3, 1).to_pylist():
        basket, product = baskets.setdefault(event["userId"], []), event["productId"]
        if event["eventName"] == "addtobasket":
            assert product not in basket
            basket.append(product)
        elif event["eventName"] != "productview":
            basket.remove(product)
    assert not any(baskets.values())


def test_figures_are_as_declared_and_a_few_products_are_viewed_most():
    found = examined(run(1, 1, 4))
    assert [figure["name"] for figure in found["figures"] if figure["within"] is not True] == []
    viewed = Counter(run(1, 1, 4).column("productId").to_pylist())
    top = sum(count for _, count in viewed.most_common(50)) / sum(viewed.values())
    assert 0.2 < top < 0.5
    visits = Counter(run(1, 1, 4).column("userId").to_pylist())
    assert max(visits.values()) > 5 * np.median(list(visits.values()))


def row_of(name: str) -> int:
    return small().column("eventName").to_pylist().index(name)


def changed(row: int, **values: Any) -> pa.Table:
    rows = small().to_pylist()
    rows[row] |= values
    return pa.Table.from_pylist(rows, schema=small().schema)


PLANTED = [
    ("S01", lambda: changed(0, eventName="productlook")),
    ("S02", lambda: changed(0, date="2020-03-25T19:05:49Z")),
    ("S03", lambda: changed(0, userId="Nobody!!")),
    ("S04", lambda: changed(row_of("addtobasket"), productId="x" * 15)),
    ("S05", lambda: changed(row_of("purchase"), productId="x" * 15)),
    ("S06", lambda: twice("addtobasket")),
    ("S07", lambda: changed(second_purchase(), eventName="productview")),
    ("S08", lambda: changed(row_of("addtobasket"), date="2019-03-25T19:05:49UTC")),
    ("S09", lambda: changed(5, date="2019-03-25T19:05:49UTC")),
    ("S10", lambda: changed(small().num_rows - 1, userId=small().column("userId")[0].as_py())),
    ("S11", lambda: changed(small().num_rows - 1, date="2026-06-01T00:00:01UTC")),
]


def twice(name: str) -> pa.Table:
    """Return the run in which a product of a basket is added again, from its page, in place of two later events."""
    rows = small().to_pylist()
    row = row_of(name)
    view = next(number for number in range(row + 1, len(rows)) if rows[number]["eventName"] == "productview")
    taken = {"productId": rows[row]["productId"], "userId": rows[row]["userId"]}
    rows[view] |= taken | {"eventName": "productview"}
    rows[view + 1] |= taken | {"eventName": name}
    return pa.Table.from_pylist(rows, schema=small().schema)


def second_purchase() -> int:
    """Return the row of a purchase that follows another one of its shopper."""
    last: dict[str, str] = {}
    for row, event in enumerate(small().to_pylist()):
        if event["eventName"] == "purchase" == last.get(event["userId"]):
            return row
        last[event["userId"]] = event["eventName"]
    raise AssertionError("nobody bought two products")


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


def test_shoppers_of_two_shards_are_different_and_products_are_the_same():
    one, other = (stream(1, shard).block(0) for shard in (0, 1))
    assert not set(one.column("userId").to_pylist()) & set(other.column("userId").to_pylist())
    assert len(set(one.column("productId").to_pylist()) & set(other.column("productId").to_pylist())) > 1_000


def test_ids_of_different_shoppers_differ_and_follow_from_the_seed():
    numbers = np.arange(40 * SHOPPERS)
    assert len(set(scrambled(numbers, 1).to_pylist())) == len(numbers)
    assert scrambled(numbers[:9], 1).to_pylist() != scrambled(numbers[:9], 2).to_pylist()


def test_dates_are_the_time_of_sending_at_the_scenarios_pace_and_end_at_the_start_otherwise():
    live, fast = stream().block(0).column("date"), stream(rate=900.0, planned=BLOCK_EVENTS).block(0).column("date")
    assert (live[0].as_py(), live[4].as_py()) == ("2020-03-25T19:05:49UTC", "2020-03-25T19:05:51UTC")
    assert fast[-1].as_py() == "2020-03-25T19:05:48UTC"
    assert STEP_MS * PACE == 1000
    endless = SHOP.settings(None, START_MS, Asked(rate=900.0, options={"products": 5_000}))
    assert endless["event_time_start_ms"] == START_MS - SHOP.most * STEP_MS


def test_the_number_of_products_is_asked_for_and_more_events_than_ten_years_hold_are_refused():
    few = set(stream(products=100).block(0).column("productId").to_pylist())
    assert len(few) == 100
    with pytest.raises(Misconfigured, match="holds at most"):
        stream(planned=SHOP.most + 1)

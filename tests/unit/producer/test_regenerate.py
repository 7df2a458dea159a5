"""What is refused before events are made again, and which windows prove them."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.errors import Misconfigured
from consumer.pipeline.truth import SEQUENCE, Truth
from producer.plan.plan import Plan
from producer.plan.request import ProduceRequest
from producer.regenerate import regenerated
from producer.regenerate.begun import plan_of
from producer.regenerate.proof import chosen
from producer.scenarios import find_scenario
from schemas.fingerprint import fingerprint
from schemas.manifest import CrcWindows, Manifest, SchemaUsed
from schemas.registry.contract import load_contract

CUSTOMERS = find_scenario("customer_events")
TEXT = load_contract("customer_events").version(1).text


def manifest(plan: Plan | None = None, **more: Any) -> Manifest:
    settings = ({} if plan is None else plan.settings()) | CUSTOMERS.settings(1_000, 1_790_000_000_000)
    facts: dict[str, Any] = {
        "status": "finished",
        "run_id": "r",
        "shard": 0,
        "shards": 1,
        "topic": "t",
        "scenario": CUSTOMERS.name,
        "scenario_version": CUSTOMERS.version,
        "seed": 7,
        "settings": settings,
        "schema_used": SchemaUsed(subject="t-value", version=1, id=5, fingerprint=fingerprint(TEXT)),
        "started_at": "2026-01-01T00:00:00.000+00:00",
    }
    return Manifest.model_validate_json(Manifest.model_validate(facts | more).model_dump_json())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scenario_version": 1_000}, "scenario version was 1000, is now"),
        ({"scenario": "customer_event"}, "unknown scenario 'customer_event'"),
        ({"value_format": "json"}, "format was json, is now avro"),
        ({"settings": {"numpy": "1.0"}}, "numpy was 1.0, is now"),
    ],
)
def test_what_would_make_other_events_is_refused_and_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as refused:
        regenerated([manifest(**change)])
    assert "cannot be made again" in refused.value.message
    assert refused.value.hint


def test_another_scenario_than_the_run_had_is_refused() -> None:
    with pytest.raises(Misconfigured, match="scenario was customer_events, is now clickstream"):
        regenerated([manifest()], scenario="clickstream")


def test_shards_that_were_begun_differently_are_refused() -> None:
    with pytest.raises(Misconfigured, match="cannot be made again: seed is 7 in shard 0, 8 in shard 1"):
        regenerated([manifest(shards=2), manifest(shards=2, shard=1, seed=8)])


def test_it_is_what_the_proof_of_a_pipeline_asks_for() -> None:
    told: Truth = regenerated([manifest()])
    assert told.key == "user_id"
    assert told.schema.names[:2] == ["event_id", "event_type"]
    batch = next(told.events(0, 10, 20))
    assert batch.schema.names == [SEQUENCE, *told.schema.names]
    assert batch.column(SEQUENCE).to_pylist() == list(range(10, 20))


def test_no_manifest_and_a_shard_without_one_are_refused() -> None:
    with pytest.raises(Misconfigured, match="there is no manifest"):
        regenerated([])
    with pytest.raises(Misconfigured, match="no manifest of shard 3"):
        next(regenerated([manifest()]).events(3, 0, 1))


@pytest.mark.parametrize("known", [None, fingerprint('{"type": "another"}')])
def test_a_schema_that_is_not_on_disk_needs_the_registry(known: str | None) -> None:
    used = SchemaUsed(subject="t-value", version=1, id=5, fingerprint=known)
    with pytest.raises(Misconfigured, match="is schema 5 that the values were written with") as refused:
        regenerated([manifest(schema_used=used)])
    assert "--registry-url" in refused.value.hint


@pytest.mark.parametrize(
    "asked",
    [
        {"events": 1_001, "shards": 3, "shard": 1},
        {"rate": 1_000 / 3, "seconds": 7.5, "shards": 2},
        {"shape": "ramp(10, 1000, 30s) + poisson(500, 1m)", "events": 20_000},
        {"endless": True},
        {"events": 10, "faults": ("late=0.333", "clock_skew=1,by=-5m", "altered=12.5%")},
        {"events": 1_000, "next_version_share": 1.0},
        {"events": 1_000, "next_version_ramp": True},
    ],
)
def test_the_plan_of_a_manifest_has_all_that_events_depend_on(asked: dict[str, Any]) -> None:
    plan = ProduceRequest(topic="t", run_id="r", seed=7, **asked).plan
    told = plan_of(manifest(plan, shard=plan.shard, shards=plan.shards))
    assert (told.target, told.mixing, told.faults) == (plan.target, plan.mixing, plan.faults)
    assert (told.seed, told.shard, told.shards) == (plan.seed, plan.shard, plan.shards)


@pytest.mark.parametrize(
    ("size", "windows", "away", "expected"),
    [
        (256, 1, [], [0]),
        (256, 3, [], [0, 1, 2]),
        (256, 100, [], [0, 33, 66, 99]),
        (16_384, 100, [], [0, 49, 99]),
        (65_536, 100, [], [0, 99]),
        (256, 100, [(0, 512), (25_000, 25_600)], [2, 33, 65, 97]),
        (256, 2, [(10, 512)], [0]),
    ],
)
def test_the_first_window_and_the_last_prove_a_shard_and_some_between(
    size: int, windows: int, away: list[tuple[int, int]], expected: list[int]
) -> None:
    end = size * windows
    said = manifest(
        next_sequence=end,
        acknowledged=end - sum(until - first for first, until in away),
        failed=away,
        crc=CrcWindows(size=size, sums=[1] * windows),
    )
    assert said.crc is not None
    assert chosen(said.crc, said) == expected

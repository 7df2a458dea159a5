"""What a compacted partition has no record of costs nothing: offsets without a record may be any number."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from consumer.pipeline.claims import Claims
from consumer.pipeline.result import PipelineResult
from schemas.ledgers import BY_POSITION, IDENTITY, SCENARIO
from schemas.manifest import Range
from tests.kit.depth import DAMAGE_SEEDS
from tests.unit.consumer.pipeline.lab import Lab, LabRows

LEDGER = "ledger/lab"
RECORDS = 500
PARTITIONS = 2


def a_partition(rng: random.Random, longest: int) -> tuple[list[int], list[Range], int]:
    """Return the offsets of some records, the ranges between them, and the end."""
    offsets: list[int] = []
    gaps: list[Range] = []
    at = rng.randrange(longest)
    first = at
    for _ in range(RECORDS):
        if rng.random() < 0.5:
            end = at + rng.randrange(1, longest)
            gaps.append((at, end))
            at = end
        offsets.append(at)
        at += 1
    gaps.append((at, at + longest))
    return [first, *offsets], gaps, at + longest


def judged(longest: int, seed: int, *, damaged: bool) -> tuple[PipelineResult, dict[str, set[tuple[int, int]]]]:
    rng = random.Random(seed)
    lab, claims, rows = Lab(shards=PARTITIONS), Claims(LEDGER, []), []
    damage: dict[str, set[tuple[int, int]]] = {"lost": set(), "duplicated": set(), "phantom": set()}
    for partition in range(PARTITIONS):
        (first, *offsets), gaps, end = a_partition(rng, longest)
        claims.manifests.append(
            lab.manifest(
                partition,
                run_id=LEDGER,
                scenario=SCENARIO,
                settings={IDENTITY: BY_POSITION},
                first_sequence=first,
                next_sequence=end,
                failed=gaps,
                acknowledged=len(offsets),
            )
        )
        stored = list(offsets)
        if damaged:
            lost, twice = rng.sample(offsets, 2)
            nobodys = rng.choice(gaps)[1] - 1
            stored = [offset for offset in [*stored, twice, nobodys] if offset != lost]
            for name, offset in (("lost", lost), ("duplicated", twice), ("phantom", nobodys)):
                damage[name].add((partition, offset))
        rows += [(partition, offset) for offset in stored]
    rng.shuffle(rows)
    table = pa.table({"kafka_partition": [row[0] for row in rows], "kafka_offset": [row[1] for row in rows]})
    return lab.look(LabRows(table), claims=claims), damage


@pytest.mark.parametrize("longest", [10, 10**10], ids=["short", "long"])
def test_a_ledger_with_gaps_is_held_against_every_record(longest: int) -> None:
    result, _ = judged(longest, 1, damaged=False)
    assert (result.verdict, result.findings.expected) == ("PASSED", PARTITIONS * RECORDS)


@pytest.mark.parametrize("longest", [10, 10**10], ids=["short", "long"])
@pytest.mark.parametrize("seed", range(DAMAGE_SEEDS))
def test_damage_between_gaps_is_found_exactly(seed: int, longest: int) -> None:
    result, damage = judged(longest, seed, damaged=True)
    assert {name: getattr(result.findings, name) for name in damage} == dict.fromkeys(damage, PARTITIONS)
    for name, places in damage.items():
        examples = result.findings.examples[name]
        assert {(each.partition, each.offset) for each in examples} == places

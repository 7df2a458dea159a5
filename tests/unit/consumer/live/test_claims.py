"""What shards say of themselves: the newest word counts, and silence is no number."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.live.claims import SILENT_S, Claims, ShardBook
from consumer.live.compose import incident_sights
from schemas.incidents import Incident, RunIncidents
from schemas.manifest import Manifest
from schemas.progress import ShardProgress

NOW_S = 1_800_000_000.0


class Record:
    """A record of the control topic as Kafka's client gives it."""

    def __init__(self, key: str, value: bytes | None, headers: list[tuple[str, bytes]], at_s: float) -> None:
        self._key, self._value, self._headers, self._at_s = key, value, headers, at_s

    def key(self) -> bytes:
        return self._key.encode()

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, round(self._at_s * 1000)

    def topic(self) -> str:
        return "t.manifests"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0


def manifest(run_id: str = "r", shard: int = 0, status: str = "running", at_s: float = NOW_S, **more: Any) -> Record:
    document = Manifest.model_validate(
        {
            "run_id": run_id,
            "shard": shard,
            "shards": 2,
            "topic": "t",
            "scenario": "s",
            "scenario_version": 1,
            "seed": 1,
            "schema_used": {"subject": "t-value", "version": 1, "id": 1},
            "status": status,
            "started_at": "2026-01-01T00:00:00.000+00:00",
            "asked": 100,
            **more,
        }
    )
    return Record(document.key(), document.model_dump_json().encode(), [], at_s)


def word(
    generated: int, acknowledged: int, *, run_id: str = "r", shard: int = 0, attempt: int = 0, at_s: float = NOW_S
) -> Record:
    progress = ShardProgress(
        run_id=run_id, shard=shard, attempt=attempt, at="x", generated=generated, acknowledged=acknowledged, failed=1
    )
    return Record(progress.key(), None, [("progress", progress.model_dump_json().encode())], at_s)


def claims(*records: Record, now_s: float = NOW_S) -> Claims:
    book = ShardBook()
    for record in records:
        book.take(record)
    return book.claims(now_s)


def test_a_shard_that_runs_and_has_not_told_is_in_no_sum() -> None:
    said = claims(manifest(), manifest(shard=1), word(50, 40, shard=1))

    assert (said.generated, said.acknowledged, said.mute) == (50, 40, 1)
    mute, telling = said.runs["r"]
    assert (mute.state, mute.generated, mute.acknowledged, mute.failed) == ("running", None, None, None)
    assert (telling.generated, telling.acknowledged, telling.failed) == (50, 40, 1)


def test_the_manifest_of_a_shard_that_has_ended_counts_more_than_what_it_told_before() -> None:
    finished = manifest(status="finished", next_sequence=60, acknowledged=55, failed=[(0, 5)])
    said = claims(manifest(), word(50, 40), finished)

    assert (said.generated, said.acknowledged, said.mute) == (60, 55, 0)
    assert (said.runs["r"][0].state, said.runs["r"][0].failed) == ("finished", 5)


@pytest.mark.parametrize(("interrupted", "state"), [(False, "finished"), (True, "interrupted")])
def test_a_shard_that_was_stopped_is_told_from_one_that_finished(interrupted: bool, state: str) -> None:
    said = claims(manifest(status="finished", interrupted=interrupted))

    assert said.runs["r"][0].state == state


def test_a_shard_that_stopped_telling_is_silent_and_what_it_told_last_still_counts() -> None:
    records = (manifest(), word(50, 40, at_s=NOW_S - SILENT_S - 1))

    assert claims(*records).runs["r"][0].state == "silent"
    assert claims(*records).acknowledged == 40
    assert claims(*records, word(51, 41)).runs["r"][0].state == "running"


def test_what_an_earlier_attempt_told_says_nothing_of_this_one() -> None:
    said = claims(manifest(), word(50, 40), manifest(resumed=1))

    assert (said.generated, said.mute) == (0, 1)
    assert claims(manifest(), word(50, 40), manifest(resumed=1), word(70, 60, attempt=1)).acknowledged == 60


def test_a_run_that_was_taken_back_is_gone() -> None:
    said = claims(manifest(), word(50, 40), Record("r/0", None, [], NOW_S))

    assert (said.runs, said.generated) == ({}, 0)


def test_records_of_others_are_nothing() -> None:
    strange = [
        Record("r/0/progress", None, [], NOW_S),
        Record("r/0/progress", None, [("progress", b"{}")], NOW_S),
        Record("other/0/progress", None, word(9, 9)._headers, NOW_S),
        Record("r/0/progress", b"something", word(9, 9)._headers, NOW_S),
        Record("whatever", b"\xff", [], NOW_S),
        Record("r/1", b"not a manifest", [], NOW_S),
    ]

    assert claims(manifest(), *strange).generated == 0
    assert claims(manifest(), *strange).mute == 1


def test_runs_in_progress_come_first_and_then_the_newest() -> None:
    said = claims(
        manifest("old", status="finished", started_at="2026-01-01T00:00:00.000+00:00"),
        manifest("going", started_at="2026-01-02T00:00:00.000+00:00"),
        manifest("new", status="finished", started_at="2026-01-03T00:00:00.000+00:00"),
    )

    assert list(said.runs) == ["going", "new", "old"]


@pytest.mark.parametrize("wrong_s", [-3_600.0, 3_600.0])
def test_sums_are_of_the_moment_of_the_last_words_unless_a_clock_is_wrong(wrong_s: float) -> None:
    assert claims(manifest(), word(5, 5, at_s=NOW_S - 1)).at_s == NOW_S - 1
    assert claims(manifest(), word(5, 5, at_s=NOW_S + wrong_s)).at_s == NOW_S


def test_incidents_that_have_begun_are_seen_and_those_that_are_planned_are_not() -> None:
    asked = {"kind": "freeze", "target": "broker 1", "for_s": 20.0}
    begun = Incident(at_s=10.0, began_at="2026-01-01T00:00:10.000Z", began_s=10.0, **asked)
    planned = Incident(at_s=90.0, **asked)
    kept = RunIncidents(run_id="r", topic="t", incidents=[begun, planned])
    said = claims(manifest(), Record(kept.key(), kept.model_dump_json().encode(), [], NOW_S))

    (run,) = said.incidents
    (seen,) = incident_sights(run)
    assert (seen.start, seen.end, seen.back) == ("2026-01-01T00:00:10.000Z", None, None)
    assert (seen.kind, seen.target, seen.run_id, seen.topic) == ("freeze", "broker 1", "r", "t")
    assert seen.text == "10s: freeze broker 1 for 20s"
    assert list(said.runs) == ["r"]

"""A claim that the topic cannot hold is answered in words and at once; it is not looked at, and chooses nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from consumer.proof.claims import impossible_claims
from consumer.proof.run_scope import known_runs
from schemas.manifest import CrcWindows, FaultTruth, PlaceWindows, RateWindow

RUN = "rehearsal/one"
HUGE = 10**15
CLAIMS: dict[str, dict[str, Any]] = {
    "acknowledged": {"next_sequence": HUGE, "acknowledged": HUGE},
    "failed": {"next_sequence": HUGE, "acknowledged": 0, "failed": [(0, HUGE)]},
    "unknown": {"next_sequence": HUGE, "acknowledged": 0, "unknown": [(0, HUGE)]},
    "dropped": {"next_sequence": HUGE, "acknowledged": 0, "dropped": HUGE},
    "faults": {"faults": [FaultTruth(kind="late", sequences=[(0, HUGE)])]},
    "sequences": {"first_sequence": 10**30, "next_sequence": 10**30 + 300},
    "fewer than none": {"first_sequence": -300, "next_sequence": 0},
    "checksum": {"crc": CrcWindows(size=16, sums=[10**60])},
    "partition": {"placed": PlaceWindows(size=256, windows=[(2**31, 0, 300, 5)])},
    "negative partition": {"placed": PlaceWindows(size=256, windows=[(-1, 0, 300, 5)])},
    "offset": {"placed": PlaceWindows(size=256, windows=[(0, 2**63, 300, 5)])},
    "records of a window": {"placed": PlaceWindows(size=256, windows=[(0, 0, 2**63, 5)])},
    "sum of a window": {"placed": PlaceWindows(size=256, windows=[(0, 0, 300, 2**64)])},
    "size of windows": {"placed": PlaceWindows(size=10**30, windows=[(0, 0, 300, 5)])},
    "seconds": {"rate_windows": [RateWindow(second=0, seconds=HUGE, intended=1, achieved=1)]},
    "time": {"started_at": "yesterday"},
    "time without a zone": {"ended_at": "2026-11-20T10:00:00"},
}


def forge(lab: Any, run_id: str, **claims: Any) -> None:
    lab.claim(lab.control.manifests[RUN, 0].model_copy(update={"run_id": run_id, "shards": 1} | claims))


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_that_cannot_be_is_answered_in_words_at_once(lab: Any, claims: dict[str, Any]) -> None:
    forge(lab, "forged", **claims)
    began = time.monotonic()
    result = lab.audit("forged")
    assert result.verdict == "UNKNOWN"
    assert "a manifest claims what cannot be (shard 0: it " in result.reason
    assert time.monotonic() - began < 30  # on a machine with much else to do; it never ended
    assert not list(Path(lab.path).parent.glob("*.tmp"))


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_it_does_not_choose_which_run_is_audited(lab: Any, claims: dict[str, Any]) -> None:
    forge(lab, "forged", started_at="2099-01-01T00:00:00+00:00", **claims) if "started_at" not in claims else forge(
        lab, "forged", **claims
    )
    result = lab.audit(None)
    assert (result.run_id, result.verdict) == (RUN, "PASSED")
    assert any("run forged, shard 0, cannot be true" in note for note in result.notes)
    with lab.open() as warehouse:
        assert [run.run_id for run in known_runs(warehouse)] == [RUN]


def test_a_forged_shard_of_a_true_run_makes_it_unknown(audited: Any) -> None:
    audited.amend(1, **CLAIMS["acknowledged"])
    result = audited.audit()
    assert result.verdict == "UNKNOWN"
    assert "1,000,000,000,000,000 acknowledged events, and the topic took 600 records" in result.reason


def test_many_shards_that_claim_a_little_too_much_are_one_claim(lab: Any) -> None:
    shards = {
        ("many", shard): lab.control.manifests[RUN, 0].model_copy(
            update={
                "run_id": "many",
                "shard": shard,
                "next_sequence": 4_000_000,
                "acknowledged": 4_000_000,
                "crc": None,
            }
        )
        for shard in range(4)
    }
    found = impossible_claims(shards, {}, {0: 600})
    assert set(found) == set(shards)
    assert "its 4 shards claim 16,000,000 acknowledged events, and the topic took 600 records" in found["many", 0]


def test_what_a_topic_lost_is_still_called_lost(lab: Any) -> None:
    """A topic that was made anew has no room for what was acknowledged before."""
    lab.ends = dict.fromkeys(lab.ends, (0, 0))
    lab.store("DELETE FROM events")
    result = lab.audit()
    assert (result.verdict, result.lost) == ("FAILED", 600)


def test_there_is_one_row_for_each_shard(audited: Any) -> None:
    with pytest.raises(Exception, match=r"[Dd]uplicate key"):
        audited.sql("INSERT INTO manifests FROM manifests")


def test_a_shard_that_stands_twice_in_the_file_heals(audited: Any) -> None:
    audited.sql(
        "CREATE TABLE without_key AS FROM manifests",
        "DROP TABLE manifests",
        "ALTER TABLE without_key RENAME TO manifests",
        "INSERT INTO manifests FROM manifests",
    )
    result = audited.audit()
    assert (result.verdict, result.uncompared) == ("PASSED", 0)
    assert audited.sql("SELECT count(*) FROM manifests") == [(2,)]

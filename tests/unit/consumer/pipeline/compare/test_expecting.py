"""An expectation is a query over what was sent and what is there, and returns the rows that disagree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cluster.errors import Misconfigured
from consumer.pipeline.claims import Claims
from consumer.pipeline.compare.expecting import shipped
from consumer.pipeline.joined import joined_manifests, numbered_through
from schemas.manifest import Manifest
from tests.unit.consumer.pipeline.lab import Lab


def counted(lab: Lab, column: str) -> pa.Table:
    counts = Counter(lab.rows()[column].to_pylist())
    return pa.table({column: list(counts), "events": list(counts.values())})


def joined(lab: Lab) -> pa.Table:
    rows = lab.rows().select(["event_id", "user_id"]).to_pylist()
    first: dict[str, str] = {}
    for row in rows:
        first[row["user_id"]] = min(row["event_id"], first.get(row["user_id"], row["event_id"]))
    return pa.Table.from_pylist([row | {"first_event_id": first[row["user_id"]]} for row in rows])


@pytest.mark.parametrize(
    ("name", "sink"),
    [
        ("counts_per_type", lambda lab: counted(lab, "event_type")),
        ("totals_per_user", lambda lab: counted(lab, "user_id")),
        ("joined_by_user", joined),
    ],
)
def test_each_shipped_expectation_holds_for_what_is_right_and_names_the_row_that_is_not(name: str, sink: Any) -> None:
    lab = Lab()
    right: pa.Table = sink(lab)
    identified = "event_id" in right.column_names
    result = lab.look(right, expectations=(Path(name),))
    assert (result.verdict, result.findings.identified) == ("PASSED", identified)
    assert f"1 expectation holds ({name})" in result.reason
    rows = right.to_pylist()
    last = list(rows[4 % len(rows)])[-1]
    rows[4 % len(rows)][last] = 7 if last == "events" else "nobody"
    spoiled = lab.look(pa.Table.from_pylist(rows), expectations=(Path(name),))
    assert (spoiled.verdict, spoiled.findings.expectations[0].disagreeing) == ("FAILED", 1)
    assert f"{name}: 1 row disagrees" in spoiled.reason


def test_all_shipped_expectations_are_tried() -> None:
    assert shipped() == [
        "clicks_by_category",
        "counts_per_type",
        "joined_by_user",
        "totals_by_event_name",
        "totals_by_event_type",
        "totals_per_user",
        "videos_per_user",
    ]


def test_videos_are_counted_for_each_user_and_for_nobody_else() -> None:
    lab, none = Lab(), pa.table({"user_id": pa.array([], pa.string()), "events": pa.array([], pa.int64())})
    name = (Path("videos_per_user"),)
    assert lab.look(none, expectations=name).verdict == "PASSED"  # its events are of other types
    spoiled = lab.look(pa.table({"user_id": ["somebody"], "events": [1]}), expectations=name)
    assert (spoiled.verdict, spoiled.findings.expectations[0].disagreeing) == ("FAILED", 1)


def test_an_aggregate_says_that_no_row_was_held_against_an_event() -> None:
    lab = Lab()
    reason = lab.look(counted(lab, "event_type"), expectations=(Path("counts_per_type"),)).reason
    assert reason.startswith("No row of lab was held against an event by itself, as none has an id")


def test_the_truth_may_be_gone_through_more_than_once_and_has_only_what_should_arrive(tmp_path: Path) -> None:
    lab = Lab()
    lab.faulty(0, "dropped", [(0, 2)])
    lab.manifests[1] = lab.manifest(1, failed=[(0, 1)], unknown=[(1, 3)])
    rows = [row for n, row in enumerate(lab.rows().to_pylist()) if n not in {0, 1, 300, 301}]
    file = tmp_path / "twice.sql"
    file.write_text(
        "SELECT a.n, b.n FROM (SELECT count(*) AS n FROM truth) AS a, "
        "(SELECT count(DISTINCT event_id) AS n FROM truth) AS b WHERE a.n <> 596 OR b.n <> 596"
    )
    assert lab.look(pa.Table.from_pylist(rows, lab.rows().schema), expectations=(file,)).verdict == "PASSED"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT nothing FROM truth", "the expectation does not run"),
        ("DELETE FROM sink", "the expectation is not one SELECT"),
        ("SELECT 1; SELECT 2", "the expectation is not one SELECT"),
        ("SELEKT", "the expectation is no SQL"),
        (None, "the expectation cannot be read"),
    ],
)
def test_what_is_no_expectation_is_refused_in_words(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "mine.sql"
    if text is not None:
        file.write_text(text)
    lab = Lab()
    with pytest.raises(Misconfigured, match=said) as refused:
        lab.look(lab.rows(), expectations=(file,))
    assert str(file) in refused.value.where


def test_an_expectation_that_disagrees_may_be_right_later() -> None:
    lab = Lab()
    early = counted(lab, "event_type").slice(0, 2)
    result = lab.look(early, expectations=(Path("counts_per_type"),))
    assert (result.verdict, result.judgement.final) == ("FAILED", False)


def test_an_aggregate_of_a_shard_that_did_not_end_proves_nothing() -> None:
    lab = Lab()
    right = counted(lab, "event_type")
    finished = lab.manifests[1]
    for manifest, said in (
        (
            lab.manifest(1, status="running", ended_at=None, acknowledged=0, next_sequence=0),
            "shard 1 of 2 has only begun",
        ),
        (None, "shard 1 of 2 left no manifest"),
        (lab.manifest(1, unknown=[(0, 2)]), "2 events were sent, and neither acknowledged nor refused"),
    ):
        lab.manifests[1:] = [] if manifest is None else [manifest]
        result = lab.look(right, expectations=(Path("counts_per_type"),))
        assert (result.verdict, result.judgement.final) == ("UNKNOWN", False)
        assert said in result.reason
    lab.manifests[1:] = [finished]
    assert lab.look(right, expectations=(Path("counts_per_type"),)).verdict == "PASSED"


def test_all_runs_together_are_held_against_totals_and_against_nothing_else() -> None:
    lab = Lab()
    later = [lab.manifest(shard, run_id="pipeline/later", seed=2) for shard in range(lab.shards)]

    def claims(*runs: list[Manifest]) -> Claims:
        numbered = numbered_through([(run[0].run_id, run) for run in runs])
        return Claims(f"all runs ({len(numbered)})", joined_manifests(numbered), runs=numbered)

    asked: dict[str, Any] = {"expectations": (Path("totals_by_event_type"),), "all_runs": True}
    twice, once = (totals(dict.fromkeys(("play", "search", "browse"), number)) for number in (400, 200))
    passed = lab.look(twice, claims=claims(lab.manifests, later), **asked)
    assert (passed.verdict, "all 1,200 events" in passed.reason) == ("PASSED", True)
    assert lab.look(once, claims=claims(lab.manifests, later), **asked).verdict == "FAILED"
    cut_off = lab.look(twice, claims=claims(lab.manifests, later[:1]), **asked)
    assert (cut_off.verdict, cut_off.judgement.final) == ("UNKNOWN", False)
    assert "shard 1 of run pipeline/later left no manifest" in cut_off.reason
    with pytest.raises(Misconfigured, match="held against totals, by expectations alone"):
        lab.look(lab.rows(), claims=claims(lab.manifests, later), all_runs=True)


def totals(*rows: dict[str, int]) -> pa.Table:
    """Return outputs of a counter, as a topic gives them."""
    names = dict.fromkeys(name for row in rows for name in row)
    about = {"_partition": 0, "_timestamp": None, "_key": b"totals"} | dict.fromkeys(names)
    return pa.Table.from_pylist(
        [
            about | {"_offset": n, "receiveAt": "x"} | {name: str(total) for name, total in row.items()}
            for n, row in enumerate(rows)
        ]
    )


def test_the_newest_totals_of_a_counter_are_proved_in_words() -> None:
    lab = Lab()
    asked: dict[str, Any] = {"expectations": (Path("totals_by_event_type"),)}
    early, right = {"search": 199, "play": 200, "browse": 200, "none": 0}, {"search": 200, "play": 200, "browse": 200}
    passed = lab.look(totals(early, right | {"none": 0}), **asked)
    assert passed.verdict == "PASSED"
    assert passed.reason.startswith(
        "The totals of the newest record of lab are the counts of all 600 events that were sent, for each event_type "
        "(totals_by_event_type); no row of lab was held against an event by itself"
    )
    for wrong, (name, sent, stored) in (
        (early, ("search", "200", "199")),
        (right | {"none": 1}, ("none", None, "1")),
        ({"search": 200, "play": 200}, ("browse", "200", None)),
    ):
        failed = lab.look(totals(right, wrong), **asked)
        assert (failed.verdict, failed.judgement.final) == ("FAILED", False)
        (only,) = failed.findings.expectations[0].rows
        assert only == {"event_type": name, "sent": sent, "stored": stored}


def test_totals_are_of_the_events_that_can_be_counted() -> None:
    lab = Lab()
    lab.faulty(0, "undecodable.truncated", [(0, 3)])  # one of each type
    asked: dict[str, Any] = {"expectations": (Path("totals_by_event_type"),)}
    passed = lab.look(totals(dict.fromkeys(("play", "search", "browse"), 199)), **asked)
    assert (passed.verdict, "all 597 events" in passed.reason) == ("PASSED", True)

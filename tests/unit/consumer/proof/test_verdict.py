"""PASSED with fewer events than were acknowledged is impossible, whatever the findings say."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.errors import VerdictUnknown
from consumer.proof.checks import run_checks
from consumer.proof.found import Balance, FaultScore, Findings, PartitionPosition, ShardAudit, Unproved
from consumer.proof.verdict import judge
from consumer.publish.publish import publish
from schemas.identity import event_id

RUN = "rehearsal/one"
TOPIC = "customer_events"

counts = st.integers(0, 3) | st.integers(0, 10**15)
figures = st.just(0) | counts
balances = st.builds(
    Balance,
    acknowledged=counts,
    unknown=figures,
    decoded=counts,
    undecoded=figures,
    by_design=st.none() | figures,
)
findings = st.builds(
    Findings,
    balance=balances,
    **dict.fromkeys(("expected", "loaded"), counts),
    **dict.fromkeys(
        ("missing", "duplicated", "phantom", "altered", "undecodable", "reordered", "uncompared", "unattributed"),
        figures,
    ),
    shards=st.lists(st.builds(ShardAudit, st.integers(0, 3), st.just("finished")), max_size=2),
    examples=st.just({}),
    faults=st.lists(st.builds(FaultScore, st.just("duplicate"), figures, figures, figures), max_size=2),
    explained=st.dictionaries(st.sampled_from(["lost", "duplicated", "undecodable"]), figures),
    truth_complete=st.just(True),
    disagreements=st.just([]),
    unproved=st.lists(st.builds(Unproved, counts, counts, st.just("why")), max_size=1),
    doubts=st.just([]) | st.lists(st.just("a doubt"), max_size=1),
)
positions = st.lists(st.builds(PartitionPosition, st.integers(0, 9), *([st.integers(0, 5)] * 3)), max_size=2)


@settings(max_examples=300, deadline=None)
@given(findings, positions)
def test_random_findings_never_pass_where_the_balance_is_broken(
    found: Findings, reached: list[PartitionPosition]
) -> None:
    balance = found.balance
    if judge(found, reached).verdict == "PASSED":
        elsewhere = balance.undecoded if balance.by_design is None else min(balance.undecoded, balance.by_design)
        assert 0 < balance.acknowledged <= balance.decoded + elsewhere
        assert balance.decoded + balance.undecoded <= balance.acknowledged + balance.unknown
        assert not found.doubts


@settings(deadline=None)
@given(findings.filter(lambda found: found.balance.acknowledged > 0))
def test_findings_without_fault_whose_balance_holds_pass(found: Findings) -> None:
    clean = dict.fromkeys(("missing", "duplicated", "phantom", "altered", "undecodable", "reordered"), 0)
    balance = replace(found.balance, decoded=found.balance.acknowledged, undecoded=0)
    perfect = replace(found, balance=balance, faults=[], explained={}, doubts=[], unproved=[], **clean)
    assert judge(perfect, []).verdict == "PASSED"
    short = replace(perfect, balance=replace(balance, decoded=balance.decoded - 1))
    assert judge(short, []).verdict == "FAILED"
    assert "contradict each other" in judge(short, []).reason


def test_findings_that_overlook_a_loss_do_not_pass(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The query of missing events finds nothing, as if it were wrong."""
    audit_module = importlib.import_module("consumer.proof.audit")
    real = audit_module.find
    monkeypatch.setattr(
        audit_module, "find", lambda *given: replace(real(*given), missing=0, uncompared=0, altered=0, doubts=[])
    )
    lab.store(f"DELETE FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'")
    result = lab.audit()
    assert result.verdict == "FAILED"
    assert result.reason == (
        "The figures contradict each other: Kafka acknowledged 600 events, the warehouse holds 599 different ones of "
        "the run, and 0 are elsewhere by design."
    )


def test_a_run_of_which_kafka_accepted_nothing_is_unknown_and_not_published(lab: Any) -> None:
    lab.store("DELETE FROM events")
    for shard in (0, 1):
        lab.amend(shard, acknowledged=0, failed=[(0, 300)], crc=None)
    result = lab.audit()
    assert (result.verdict, result.reason) == (
        "UNKNOWN",
        "Nothing was accepted: Kafka acknowledged no event of this run.",
    )
    assert "Kafka's reason" in result.advice
    run_checks(lab.path, RUN)
    with pytest.raises(VerdictUnknown, match="Nothing was accepted"):
        publish(lab.path, TOPIC, RUN, lab.publications)


def test_a_failure_carries_its_figures_and_the_first_event(lab: Any) -> None:
    lab.sql(f"INSERT INTO events FROM events WHERE event_id = '{event_id(RUN, 0, 17)}'")
    result = lab.audit()
    assert result.sentence.startswith(
        "Of 600 acknowledged events: 1 duplicated; the first: shard 0 sequence 17 partition"
    )
    assert event_id(RUN, 0, 17) in result.sentence
    assert result.sentence.count(event_id(RUN, 0, 17)) == 1


def test_a_failure_names_its_first_three_events(lab: Any) -> None:
    identities = [event_id(RUN, 0, sequence) for sequence in (17, 18, 19, 20)]
    lab.sql(f"DELETE FROM events WHERE event_id IN {tuple(identities)}")
    sentence = lab.audit().sentence
    assert [identity in sentence for identity in identities] == [True, True, True, False]

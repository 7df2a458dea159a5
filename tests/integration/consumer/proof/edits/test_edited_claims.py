"""A manifest that says something else than was sent never gives a run that passes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from consumer.proof.audit import audit
from schemas.control_topic import ControlTopic
from schemas.manifest import FaultTruth, Manifest
from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.integration.consumer.proof.edits.places import FAULTED, PLAIN

audit_module = importlib.import_module("consumer.proof.audit")

Change = Callable[[Manifest], dict[str, Any]]


def without(kind: str) -> Change:
    """Forget a kind of fault in the truth."""
    return lambda manifest: {"faults": [truth for truth in manifest.faults if truth.kind != kind]}


def invented(manifest: Manifest) -> dict[str, Any]:
    """Claim a duplicate that nobody sent."""
    more = FaultTruth(kind="out_of_order", sequences=[(3, 4)])
    return {"faults": [*manifest.faults, more], "injected": manifest.injected | {"out_of_order": 1}}


def other_sums(manifest: Manifest) -> dict[str, Any]:
    """Claim another checksum for the first window."""
    assert manifest.crc is not None
    first, *rest = manifest.crc.sums
    return {"crc": manifest.crc.model_copy(update={"sums": [first + 1, *rest]})}


def other_schema(manifest: Manifest) -> dict[str, Any]:
    """Claim another schema id."""
    return {"schema_used": manifest.schema_used.model_copy(update={"id": 4711})}


# What is changed in the manifest of shard 0: of which run, what the audit must say, and how.
CLAIMS: dict[str, tuple[str, str, Change]] = {
    "one acknowledged less": (PLAIN, "", lambda m: {"acknowledged": m.acknowledged - 1, "dropped": 1}),
    "one acknowledged more": (
        PLAIN,
        "1 lost",
        lambda m: {"acknowledged": m.acknowledged + 1, "next_sequence": m.next_sequence + 1},
    ),
    "begun later": (PLAIN, "1 phantom", lambda m: {"acknowledged": m.acknowledged - 1, "first_sequence": 1}),
    "ended earlier": (
        PLAIN,
        "1 phantom",
        lambda m: {"acknowledged": m.acknowledged - 1, "next_sequence": m.next_sequence - 1},
    ),
    "refused": (PLAIN, "1 phantom", lambda m: {"acknowledged": m.acknowledged - 1, "failed": [(5, 6)]}),
    "other checksums": (PLAIN, "1 altered", other_sums),
    "another seed": (PLAIN, "seed", lambda m: {"seed": m.seed + 1}),
    "another schema": (PLAIN, "schema id", other_schema),
    "another scenario": (PLAIN, "scenario", lambda _: {"scenario": "other"}),
    "more shards": (PLAIN, "shards", lambda m: {"shards": m.shards + 1}),
    "not finished": (PLAIN, "shard 0", lambda _: {"status": "running"}),
    "dropped events that are not told": (FAULTED, "", without("dropped")),
    "duplicates that are not told": (FAULTED, "", without("duplicate")),
    "tombstones that are not told": (FAULTED, "", without("tombstone")),
    "an invented fault": (FAULTED, "injected faults", invented),
    "a truth that is not whole": (FAULTED, "injected", lambda _: {"truth_complete": False}),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_was_changed_does_not_pass(
    own: Delivered, heard: Callable[[], tuple[ControlTopic, object]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, says, change = CLAIMS[name]
    control, ends = heard()
    manifest = control.manifests[run_id, 0]
    control.manifests[run_id, 0] = manifest.model_copy(update=change(manifest))
    monkeypatch.setattr(audit_module, "read_control_topic", lambda *_: control)
    monkeypatch.setattr(audit_module, "look_at_topic", lambda *_: ends)
    said = audit(own.connection, own.warehouse, own.topic, run_id)
    assert said.verdict in {"FAILED", "UNKNOWN"}, said.reason
    assert says in said.reason, said.reason


def test_a_manifest_that_is_gone_does_not_pass(
    own: Delivered, heard: Callable[[], tuple[ControlTopic, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    control, ends = heard()
    del control.manifests[PLAIN, 0]
    control.deleted.add((PLAIN, 0))
    monkeypatch.setattr(audit_module, "read_control_topic", lambda *_: control)
    monkeypatch.setattr(audit_module, "look_at_topic", lambda *_: ends)
    said = audit(own.connection, own.warehouse, own.topic, PLAIN)
    assert (said.verdict, "shard 0" in said.reason) == ("UNKNOWN", True), said.reason

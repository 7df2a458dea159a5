"""The proof of the manifests that a file keeps: they are what the shards said, as far as anybody can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from consumer.proof.kept_manifests import fault_rows
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.newest import unordered
from consumer.verify.proof import Proof
from schemas.control_topic import ControlTopic
from schemas.manifest import FaultTruth, Manifest

_MANIFESTS = "SELECT run_id, shard, status, document FROM manifests ORDER BY run_id, shard"
_FAULTS = "SELECT run_id, shard, kind, unsure, first, next FROM manifest_faults ORDER BY ALL"
Manifests = dict[tuple[str, int], Manifest]


def read_manifests(warehouse: Warehouse) -> Manifests:
    """Return the manifests of the file that can be read."""
    found = {}
    for run_id, shard, _, document in warehouse.rows(_MANIFESTS):
        try:
            found[str(run_id), int(shard)] = Manifest.model_validate_json(document)
        except ValidationError:
            continue
    return found


def prove_manifests(warehouse: Warehouse, control: ControlTopic | None) -> Proof:
    """Prove that the file keeps what the shards said.

    :param control: what the control topic says; ``None`` compares the file with itself alone.
    """
    rows, manifests = warehouse.rows(_MANIFESTS), read_manifests(warehouse)
    faults = [
        *_manifest_faults(rows),
        *unordered(warehouse, "manifests"),
        *_truth_faults(warehouse, manifests, control),
    ]
    if control is not None:
        faults += _other_than(manifests, control)
    return Proof.of(
        "manifests",
        "what the shards said of their runs is kept as they said it" + (", by the control topic" if control else ""),
        f"{len(rows)} manifests of {len({row[0] for row in rows})} runs",
        faults,
        unknown=() if control is None else _not_told(manifests, control),
    )


def _manifest_faults(rows: list[tuple[Any, ...]]) -> Iterator[str]:
    for (run_id, shard), count in Counter((row[0], row[1]) for row in rows).items():
        if count > 1:
            yield f"run {run_id} shard {shard} has {count} manifests"
    for run_id, shard, status, document in rows:
        where = f"the manifest of run {run_id} shard {shard}"
        try:
            manifest = Manifest.model_validate_json(document)
        except ValidationError as error:
            yield f"{where} cannot be read: {error.errors()[0]['msg']}"
            continue
        if (manifest.run_id, manifest.shard) != (run_id, shard):
            yield f"{where} is of run {manifest.run_id} shard {manifest.shard}"
        if manifest.status != status:
            yield f"{where} says {manifest.status}, its row {status}"


def _truth_faults(warehouse: Warehouse, manifests: Manifests, control: ControlTopic | None) -> Iterator[str]:
    """Yield where the table of injected faults is not what the manifests say."""
    there: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    for run_id, shard, *truth in warehouse.rows(_FAULTS):
        there.setdefault((run_id, shard), []).append(tuple(truth))
    for key in sorted(there.keys() - manifests.keys()):
        yield f"manifest_faults: run {key[0]} shard {key[1]} has no manifest"
    for key, manifest in manifests.items():
        told = _truth_of(manifest, control)
        where = f"manifest_faults of run {key[0]} shard {key[1]}"
        kept = there.get(key, [])
        if told is not None:
            said = sorted(fault_rows(told))
            odd = list((Counter(kept) - Counter(said)) or (Counter(said) - Counter(kept)))
            if odd:
                kind, _, first, after = odd[0]
                yield f"{where} is not what its manifest says: {kind}, sequences {first} to {after - 1}"
        elif manifest.truth_complete:
            sure = Counter[str]()
            for kind, unsure, first, after in kept:
                sure[kind] += 0 if unsure else after - first
            if {kind: n for kind, n in sure.items() if n} != {k: n for k, n in manifest.injected.items() if n}:
                yield f"{where} has other numbers of faults than its manifest"


def _truth_of(manifest: Manifest, control: ControlTopic | None) -> list[FaultTruth] | None:
    """Return what a shard says was injected; ``None`` where that is on pages that are not at hand."""
    if control is not None:
        return control.truth(manifest)
    return None if manifest.fault_pages else manifest.faults


def _not_told(manifests: Manifests, control: ControlTopic) -> Iterator[str]:
    """Yield the manifests of which the control topic does not tell, tells something newer, or what cannot be read."""
    for key, manifest in manifests.items():
        theirs = control.manifests.get(key)
        where = f"run {key[0]} shard {key[1]}"
        if theirs is None:
            yield f"the control topic has no manifest of {where}, and the file cannot be its own witness"
        elif _went_on(manifest, theirs):
            yield f"{where} went on since it was audited: audit it again"
    for run_id in sorted({run_id for run_id, _ in manifests}):
        for shard, record in sorted(control.unread_of(run_id).items()):
            if (run_id, shard) not in manifests:
                yield f"the control topic has a manifest of run {run_id} shard {shard} that cannot be read: {record}"


def _went_on(kept: Manifest, there: Manifest) -> bool:
    return there.resumed > kept.resumed or (kept.status == "running" and there.status == "finished")


def _other_than(manifests: Manifests, control: ControlTopic) -> Iterator[str]:
    """Yield the manifests that the control topic has otherwise, those of a run that went on aside."""
    for key, manifest in manifests.items():
        theirs = control.manifests.get(key)
        if theirs is None or _went_on(manifest, theirs):
            continue
        if theirs.model_copy(update={"truth_complete": manifest.truth_complete}) != manifest:
            names = [n for n in type(theirs).model_fields if getattr(theirs, n) != getattr(manifest, n)]
            yield f"the control topic says another {', '.join(names[:3])} of run {key[0]} shard {key[1]}"

"""The proofs of what the file says about its runs: manifests, verdicts, checks. Each is made again and compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from consumer.proof.audit import ONLY_HERE, UNREAD, latest_audit
from consumer.proof.checks import NOT_RUN, CheckResult, checks_of, evaluate, latest_results
from consumer.proof.findings import find
from consumer.proof.found import CLASSES, Findings, PartitionPosition
from consumer.proof.kept_manifests import fault_rows
from consumer.proof.packs import pack_of_run
from consumer.proof.verdict import Judgement, judge
from consumer.publish.files import PublishedFile, fault_of
from consumer.publish.paths import snapshot_name
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.verify.proof import Proof
from schemas.control_topic import ControlTopic
from schemas.manifest import FaultTruth, Manifest
from schemas.packs import CHECKS as CHECKS_OF_A_PACK

_MANIFESTS = "SELECT run_id, shard, status, document FROM manifests ORDER BY run_id, shard"
_FAULTS = "SELECT run_id, shard, kind, unsure, first, next FROM manifest_faults ORDER BY ALL"
_AUDITS = "SELECT audit_id, run_id, verdict, document, CAST(epoch_us(audited_at) AS BIGINT) FROM audits ORDER BY number"
_CHECKED = "SELECT DISTINCT audit_id, run_id FROM check_results ORDER BY ALL"
_EXAMINED = "SELECT DISTINCT run_id FROM realism ORDER BY 1"
_POSITIONS = "SELECT partition, next_offset FROM load_offsets"
# What an audit counts, as its document and the findings of today name it.
_FIGURES = ("expected", "loaded", *(name for name in CLASSES if name != "lost"), "uncompared", "unattributed")

_NEWEST = Path(__file__).with_name("newest.sql")

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
        *_unordered(warehouse, "manifests"),
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


def prove_verdicts(warehouse: Warehouse) -> Proof:
    """Prove that each run's latest audit says what is found again now, and that every audit is whole."""
    rows = warehouse.rows(_AUDITS)
    faults = [*_document_faults(rows), *_unordered(warehouse, "verdicts")]
    notes: list[str] = []
    manifests = read_manifests(warehouse)
    runs = sorted({run_id for run_id, _ in manifests})
    verdicts = {run_id: verdict for _, run_id, verdict, *_ in rows}  # the latest of each
    for run_id in sorted(verdicts.keys() - set(runs)):
        # Its manifests were taken back, or claimed what cannot be: the audit did not let it pass for that.
        told = notes if verdicts[run_id] == "UNKNOWN" else faults
        told.append(f"audits: run {run_id} has no manifest")
    for run_id in runs:
        said = latest_audit(warehouse, run_id)
        if said is None:
            if run_id in verdicts:
                faults.append(f"run {run_id}: the document of its latest audit cannot be read whole")
            else:
                notes.append(f"run {run_id} was not audited")
            continue
        findings = find(
            warehouse, run_id, [manifest for (run, _), manifest in sorted(manifests.items()) if run == run_id]
        )
        findings = _with_outside(findings, said)
        differing = _differing(said, findings, judge(findings, _bounds(warehouse, said)))
        if differing:
            faults.append(f"run {run_id}: the audit is not what is found now: {differing}")
        elif said["verdict"] != "PASSED":
            notes.append(f"run {run_id} is {said['verdict']}, as its audit says")
    looked = f"{len(runs)} runs, {len(rows)} audits"
    return Proof.of("verdicts", "each run is judged as it is found now", looked, faults, notes=notes)


def _with_outside(findings: Findings, said: Mapping[str, Any]) -> Findings:
    """Return findings with what only the outside could tell the audit: what cannot be found again in the file.

    A doubt can only lower a verdict. A text that the registry vouched for is compared with it by its own proof.
    """
    doubts = [each for each in map(str, said.get("doubts", [])) if each == ONLY_HERE or each.startswith(UNREAD)]
    asked = replace(findings, unwitnessed=[])
    vouched = said.get("not_compared") == asked.not_compared
    return replace(asked if vouched else findings, doubts=[*findings.doubts, *doubts])


def _document_faults(rows: list[tuple[Any, ...]]) -> Iterator[str]:
    for audit_id, count in Counter(row[0] for row in rows).items():
        if count > 1:
            yield f"audit {audit_id} is there {count} times"
    for audit_id, run_id, verdict, document, at_us in rows:
        try:
            said = dict(json.loads(document))
        except ValueError:
            yield f"the document of audit {audit_id} cannot be read"
            continue
        for name, value in (("audit_id", audit_id), ("run_id", run_id), ("verdict", verdict)):
            if said.get(name) != value:
                yield f"audit {audit_id}: its document says {name} {said.get(name)}, its row {value}"
        if _microseconds(said.get("audited_at")) != at_us:
            yield f"audit {audit_id}: its document says another time than its row"


def _microseconds(said: object) -> int | None:
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _bounds(warehouse: Warehouse, said: Mapping[str, Any]) -> list[PartitionPosition]:
    """Return how far each partition is loaded now, held to the bounds of the audit."""
    at = dict(warehouse.rows(_POSITIONS))
    return [
        PartitionPosition(row["partition"], at.get(row["partition"], 0), row["bound"], row["end"])
        for row in said.get("partitions", [])
    ]


def _differing(said: Mapping[str, Any], findings: Findings, judgement: Judgement) -> str:
    """Return what an audit says otherwise than it is found now, with the first event of each kind."""
    now: dict[str, Any] = {name: getattr(findings, name) for name in _FIGURES}
    now |= {"lost": judgement.lost, "awaited": judgement.awaited, "verdict": judgement.verdict}
    parts = []
    for name, value in now.items():
        if said.get(name) != value:
            examples = findings.examples.get("lost" if name == "awaited" else name, [])
            first = f" ({examples[0].event_id})" if examples else ""
            parts.append(f"{name} was {said.get(name)}, is {value}{first}")
    if not parts and said.get("reason") != judgement.reason:
        parts.append("its sentence is another")
    return "; ".join(parts)


def prove_checks(warehouse: Warehouse) -> Proof:
    """Prove that the latest results of the checks are what the checks find now."""
    audits = {row[0] for row in warehouse.rows(_AUDITS)}
    checked = warehouse.rows(_CHECKED)
    runs = sorted({run_id for run_id, _ in read_manifests(warehouse)})
    faults = [
        f"check_results: run {r} is of audit {a}, which is not there" for a, r in checked if a and a not in audits
    ]
    faults += [f"check_results: run {r} has no manifest" for r in sorted({r for _, r in checked if r} - set(runs))]
    faults += [f"realism: run {r} has no manifest" for (r,) in warehouse.rows(_EXAMINED) if r not in runs]
    faults += _unordered(warehouse, "checks")
    looked, notes, unknown = 0, [], []
    for run_id in runs:
        stored = {each.check: each for each in latest_results(warehouse, run_id)}
        if not stored:
            notes.append(f"run {run_id} was not checked")
            continue
        pack = pack_of_run(warehouse, run_id)
        here, away = checks_of(pack), pack.absent(CHECKS_OF_A_PACK)
        unrun = {name for name, each in stored.items() if each.detail.startswith(NOT_RUN) and each.passed is False}
        known = [check for check in here if check.name in stored.keys() - unrun]
        looked += len(known)
        notes += [
            f"run {run_id}: {name} is not a check of this installation"
            for name in sorted(stored.keys() - unrun - away.keys())
            if name not in {c.name for c in known}
        ]
        notes += [f"run {run_id}: {name} was not run, as its pack was not there" for name in sorted(unrun)]
        unknown += [f"run {run_id}: {name} was not run again: {pack.why}" for name in sorted(away.keys() - unrun)]
        missing = sorted({check.name for check in here} - stored.keys())
        if missing:
            faults.append(f"run {run_id}: {', '.join(missing)} has no result")
        for result in evaluate(warehouse, run_id, known):
            if difference := _other_result(stored[result.check], result):
                faults.append(f"run {run_id}: {result.check} {difference}")
    return Proof.of(
        "checks",
        "each check finds what its kept result says",
        f"{looked} results of {len(runs)} runs",
        faults,
        unknown=unknown,
        notes=notes,
    )


def _other_result(kept: CheckResult, now: CheckResult) -> str:
    for name in ("severity", "passed", "offending", "detail"):
        before, after = getattr(kept, name), getattr(now, name)
        if before != after:
            return f"has the result {name} {before}, and is {after} now"
    return ""


_PUBLICATIONS = """
    SELECT number, run_id, path, rows, CAST(epoch_us(published_at) AS BIGINT) FROM publications ORDER BY number
"""
# Files of publications that are not there, and publications whose rows their files do not give. Those of earlier
# formats have no files.
_FILES = """
    SELECT format('published_files: publication {} is not there', publication)
    FROM published_files ANTI JOIN publications ON publication = number
    UNION ALL
    SELECT format('publication {} has {} rows, its files have {}', number, any_value(publications.rows),
                  sum(files.rows))
    FROM publications JOIN published_files AS files ON publication = number
    GROUP BY number HAVING any_value(publications.rows) <> sum(files.rows)
    UNION ALL
    SELECT format('published_files: {} of run {} is described in several ways', file, run_id)
    FROM published_files GROUP BY publication, run_id, file HAVING count(*) > 1
    UNION ALL
    SELECT format('published_files: {} is not of run {}', file, files.run_id)
    FROM published_files AS files JOIN publications ON publication = number
    WHERE publications.run_id = files.run_id
      AND NOT ends_with(path, '-' || regexp_replace(file, '[.]parquet$', ''))
    ORDER BY 1
"""
_DESCRIBED = """
    SELECT number, path, file, files.run_id, sha256, files.rows
    FROM published_files AS files JOIN publications ON publication = number ORDER BY number, file
"""


def prove_publications(warehouse: Warehouse) -> Proof:
    """Prove that what is kept of the publications agrees with itself; the folders are proved by themselves."""
    rows = warehouse.rows(_PUBLICATIONS)
    runs = {run_id for run_id, _ in read_manifests(warehouse)}
    faults = [*_publication_faults(rows, runs), *(fault for (fault,) in warehouse.rows(_FILES))]
    faults += _unordered(warehouse, "publications")
    looked = 0
    for number, folder, name, run_id, sha256, count in warehouse.rows(_DESCRIBED):
        path = Path(folder) / "events" / name
        if path.is_file():
            looked += 1
            if fault := fault_of(path, PublishedFile(run_id, name, sha256, count)):
                faults.append(f"publication {number}: {path}: {fault}")
    return Proof.of(
        "publications",
        "each publication is of a known run, under the name of its run and time; its files are what was published",
        f"{len(rows)} publications, {looked} files that are there",
        faults,
    )


def _unordered(warehouse: Warehouse, proof: str) -> list[str]:
    """Return what contradicts the numbers that say what is newest, as far as a proof is about it."""
    return [fault for about, fault in warehouse.rows(_NEWEST.read_text()) if about == proof]


def _publication_faults(rows: list[tuple[Any, ...]], runs: set[str]) -> Iterator[str]:
    for number, count in Counter(row[0] for row in rows).items():
        if count > 1:
            yield f"publication {number} is there {count} times"
    for number, run_id, path, _, at_us in rows:
        if run_id not in runs:
            yield f"publication {number} is of run {run_id}, which has no manifest"
        name = snapshot_name(at_us, str(run_id))
        if Path(path).name != name:
            yield f"publication {number} has the path {path}, and its run and time the name {name}"

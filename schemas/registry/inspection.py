"""What a subject holds beside a contract, and what speaks against the versions that it lacks: nothing is changed.

Open :func:`inspect_subject` first. ``diff.py`` says what changed, ``compatibility.py`` why something does not fit, and
``history.py`` what a table makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cluster.errors import Misconfigured
from schemas.columns.at_hand import AtHand
from schemas.formats import AVRO_NAME, value_format
from schemas.manifest import SchemaUsed
from schemas.registry.client import Registered, Registry
from schemas.registry.compatibility import reasons, remarks
from schemas.registry.contract import COMPATIBILITY_LEVELS, Contract, ContractVersion
from schemas.registry.diff import Change, diff_schemas
from schemas.registry.history import ColumnConflicts, told_of_history
from schemas.registry.normal import normal_text
from schemas.types.schema_text import load
from schemas.undecodable import UnsupportedSchema

_DIRECTIONS = {
    "NONE": frozenset[str](),
    "BACKWARD": frozenset({"backward"}),
    "FORWARD": frozenset({"forward"}),
    "FULL": frozenset({"backward", "forward"}),
}


@dataclass(frozen=True, slots=True)
class VersionResult:
    """One local version. ``compared_with`` names what ``changes`` are counted from.

    ``reasons`` speak against it. ``remarks`` do not, and somebody should know of them.
    """

    version: int
    status: Literal["present", "missing", "registered"]
    used: SchemaUsed | None = None
    compared_with: str | None = None
    changes: tuple[Change, ...] = ()
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownVersion:
    """A version that the registry holds and no local file knows: somebody else's."""

    used: SchemaUsed
    changes: tuple[Change, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate saw and did. ``level`` is what the contract (or the caller) asks for, ``level_held`` what holds."""

    contract: str
    subject: str
    level: str
    level_held: str | None
    level_conflict: str
    versions: tuple[VersionResult, ...]
    unknown: tuple[UnknownVersion, ...] = ()

    @property
    def reasons(self) -> list[str]:
        """Return everything that speaks against the schemas, each with the version that it is about."""
        ours = [f"v{version.version}: {reason}" for version in self.versions for reason in version.reasons]
        return ours + [
            f"registry version {version.used.version}: {reason}"
            for version in self.unknown
            for reason in version.reasons
        ]

    @property
    def current(self) -> SchemaUsed | None:
        """Return the newest version asked for, as registered; ``None`` before it is."""
        return self.versions[-1].used


def inspect_subject(
    registry: Registry,
    contract: Contract,
    subject: str,
    *,
    up_to: int | None = None,
    level: str | None = None,
    written: str = AVRO_NAME,
    table: AtHand | None = None,
    column_conflicts: ColumnConflicts | None = None,
) -> GateResult:
    """Compare and ask, and change nothing. What speaks against the contract is in ``reasons``, not raised.

    :raises Misconfigured: an unknown level, or a version that the contract does not have.
    """
    wanted = level or contract.compatibility
    if wanted not in COMPATIBILITY_LEVELS:
        raise Misconfigured(
            f"unknown compatibility level {wanted}", hint=f"Use one of {', '.join(COMPATIBILITY_LEVELS)}"
        )
    target = contract.version(up_to if up_to is not None else contract.active)

    held = registry.versions(subject)
    used = {version.version: _find(registry, subject, version, held, written) for version in contract.versions}
    ours = {found.version for found in used.values() if found is not None}
    strangers = [version for version in held if version.version not in ours]
    own_level = registry.compatibility(subject)
    level_in_force = own_level or (registry.default_compatibility() if held else None)

    results: list[VersionResult] = []
    history = [
        _Step(f"registry version {version.version} (id {version.id})", _record(version, written)) for version in held
    ]
    for version in contract.versions[: target.version]:
        present = used[version.version]
        if present is not None:
            results.append(_present(version, present, held, written))
            continue
        missing = _missing(version, history, wanted)
        # At a level that is to be loosened, the registry would answer another question.
        if (level_in_force is None or _keeps(wanted, level_in_force)) and _is_of(held, written):
            said = _said(registry, subject, version.text, held, written)
            missing = replace(missing, reasons=(*missing.reasons, *said))
        results.append(missing)
        history.append(_Step(f"v{version.version}", version.schema))

    results = _with_table(
        results,
        contract,
        held,
        table or AtHand(),
        column_conflicts=column_conflicts or registry.column_conflicts,
        written=written,
    )
    promised = level_in_force if strangers else own_level
    loosens = level is None and promised is not None and not _keeps(wanted, promised)
    return GateResult(
        contract=contract.name,
        subject=subject,
        level=wanted,
        level_held=own_level,
        level_conflict=f"the subject is held to {promised}, which {wanted} would loosen" if loosens else "",
        versions=tuple(results),
        unknown=tuple(
            _stranger(stranger, target, used[target.version], wanted, held, written=written) for stranger in strangers
        ),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """One version in the subject's history; ``schema`` is ``None`` when it is not a record of the format at hand."""

    name: str
    schema: dict[str, Any] | None


def _with_table(
    results: Sequence[VersionResult],
    contract: Contract,
    held: Sequence[Registered],
    table: AtHand,
    *,
    column_conflicts: ColumnConflicts,
    written: str,
) -> list[VersionResult]:
    """Add what a table says that takes the subject's whole history, and then the versions that are new.

    What is registered already is remarked on and not refused: its events may be in the topic.
    """
    missing = [contract.version(result.version).text for result in results if result.used is None]
    of_id, of_missing = told_of_history(table, held, missing, written)
    said = iter(of_missing)
    judged = []
    for result in results:
        told = next(said) if result.used is None else of_id[result.used.id]
        refused = result.used is None and column_conflicts == "refuse"
        against = [f"{conflict}; --column-conflicts warn allows it" for conflict in told.conflicts] if refused else []
        against += [told.impossible] if told.impossible and result.used is None else []
        notes = [*(() if refused else told.conflicts), *(told.remarks if result.used is None else ())]
        judged.append(replace(result, reasons=(*result.reasons, *against), remarks=(*result.remarks, *notes)))
    return judged


def _present(version: ContractVersion, present: SchemaUsed, held: list[Registered], written: str) -> VersionResult:
    """Report a version that is registered, with what differs all the same (Apicurio overlooks docs)."""
    there = next((_record(one, written) for one in held if one.version == present.version), None)
    changes = diff_schemas(there, version.schema) if there is not None else []
    return VersionResult(version.version, "present", present, changes=tuple(changes))


def _missing(version: ContractVersion, history: list[_Step], level: str) -> VersionResult:
    """Compare a version that is not registered with the one before it, and apply the level's rules."""
    if not history:
        return VersionResult(version.version, "missing")
    before = history[-1]
    return VersionResult(
        version.version,
        "missing",
        compared_with=before.name,
        changes=tuple(diff_schemas(before.schema, version.schema)) if before.schema is not None else (),
        reasons=tuple(_against(level, version.schema, history)),
        remarks=tuple(remarks(before.schema, version.schema)) if before.schema is not None else (),
    )


def _find(
    registry: Registry, subject: str, version: ContractVersion, held: list[Registered], written: str
) -> SchemaUsed | None:
    """Return how the subject holds a local version: in normal form, or as the registry recognises it."""
    if not held or not _is_of(held, written):
        return None
    ours = normal_text(version.schema)
    for candidate in held:
        schema = _record(candidate, written)
        if schema is not None and normal_text(schema) == ours:
            return candidate.used
    return registry.lookup(subject, version.text, written)


def _said(registry: Registry, subject: str, text: str, held: list[Registered], written: str) -> list[str]:
    """Return what the registry has against a version, or why it cannot tell.

    Apicurio Registry 3.3 compares nothing with a schema that takes types from other subjects, and would register
    nothing behind it either.
    """
    try:
        return [f"the registry says: {reason}" for reason in registry.compatible(subject, text, written)]
    except Misconfigured as error:
        if not any(one.retold for one in held):
            raise
        return [f"the subject takes types from other subjects, and with that {error.message}"]


def _is_of(held: list[Registered], written: str) -> bool:
    """Return whether a subject holds schemas of one format alone: of another, a registry can be asked nothing."""
    return all(version.kind == value_format(written).schema_type for version in held)


def _record(version: Registered | None, written: str) -> dict[str, Any] | None:
    """Return the contract of a registered version, or ``None`` if it is anything but a record of the format."""
    if version is None or version.kind != value_format(written).schema_type:
        return None
    try:
        schema = load(value_format(written).contract(version.text))
        normal_text(schema)
    except (UnsupportedSchema, ValueError):
        return None
    return schema if isinstance(schema, dict) and schema.get("type") == "record" else None


def _against(level: str, schema: dict[str, Any], before: list[_Step]) -> list[str]:
    """Apply the level to a new version: against the last one before it, or all of them for a transitive level."""
    found = []
    for step in before if level.endswith("_TRANSITIVE") else before[-1:]:
        if step.schema is None:
            found.append(f"{step.name} is not a record of the same format")
        else:
            found += [f"{reason} (against {step.name})" for reason in reasons(level, step.schema, schema)]
    return found


def _stranger(
    stranger: Registered,
    target: ContractVersion,
    registered: SchemaUsed | None,
    level: str,
    held: list[Registered],
    *,
    written: str,
) -> UnknownVersion:
    """Judge somebody else's version by the version that we are to write.

    A newer one always: its readers will meet our events. An older one if the level looks back that far. When ours is
    not registered yet, the rules for ours have judged it already.
    """
    schema = _record(stranger, written)
    if schema is None:
        return UnknownVersion(stranger.used, reasons=(f"it is {stranger.kind}, not a record of the same format",))
    changes = tuple(diff_schemas(target.schema, schema))
    if registered is None:
        return UnknownVersion(stranger.used, changes)
    if stranger.version > registered.version:
        return UnknownVersion(stranger.used, changes, tuple(reasons(level, target.schema, schema)))
    nearest = max(version.version for version in held if version.version < registered.version)
    if stranger.version == nearest or level.endswith("_TRANSITIVE"):
        return UnknownVersion(stranger.used, changes, tuple(reasons(level, schema, target.schema)))
    return UnknownVersion(stranger.used, changes)


def _keeps(wanted: str, holds: str) -> bool:
    """True if ``wanted`` demands at least what ``holds`` does.

    A level is a promise to everybody who uses the subject. It may be made stricter; it is loosened only on demand.
    """
    transitive = "_TRANSITIVE"
    if holds.endswith(transitive) and not wanted.endswith(transitive):
        return False
    return _DIRECTIONS[holds.removesuffix(transitive)] <= _DIRECTIONS[wanted.removesuffix(transitive)]

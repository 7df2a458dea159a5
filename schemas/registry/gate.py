"""The gate: what is on disk against what the registry holds, and nothing registered that does not fit.

Open :func:`gate` first. ``client.py`` talks to the registry, ``inspection.py`` says what speaks against a version.
"""

from __future__ import annotations

from dataclasses import replace

from cluster.errors import Misconfigured, SchemaIncompatible
from schemas.columns.at_hand import AtHand
from schemas.formats import AVRO_NAME
from schemas.registry.client import Registered, Registry, UnknownSchema
from schemas.registry.contract import Contract
from schemas.registry.history import ColumnConflicts
from schemas.registry.inspection import GateResult, UnknownVersion, VersionResult, inspect_subject

__all__ = [
    "GateResult",
    "Registered",
    "Registry",
    "UnknownSchema",
    "UnknownVersion",
    "VersionResult",
    "gate",
    "inspect_subject",
]


def gate(
    registry: Registry,
    contract: Contract,
    subject: str,
    *,
    up_to: int | None = None,
    mixing: bool = False,
    level: str | None = None,
    dry_run: bool = False,
    written: str = AVRO_NAME,
    table: AtHand | None = None,
    column_conflicts: ColumnConflicts | None = None,
) -> GateResult:
    """Register the contract's versions under ``subject``, in order, or refuse and register nothing.

    1. inspect: what the subject holds, what is missing, what changed, what a table makes of it, what speaks against it
    2. refuse: if anything does
    3. guard: give the subject its level, so that the registry holds everyone to it
    4. register: in order

    :param up_to: the newest version to register; the contract's ``active`` one unless given.
    :param mixing: register the version after it too, for a run that writes both.
    :param level: use this level instead of the contract's, and loosen the subject's own if need be.
    :param dry_run: stop after step 2.
    :param written: the format of the values that are to name the versions.
    :param table: the warehouse at hand; one that is yet to be made unless given.
    :param column_conflicts: what to do about a field that no column holds beside what it holds already: ``refuse``, or
        ``warn``, so that it gets a column of its own; as the settings say unless given.
    :raises SchemaIncompatible: a version does not fit, or the registry holds one of somebody else's that does not.
    :raises Misconfigured: the contract would loosen the level that the subject has, or lacks a version.
    """
    # 1. inspect
    newest = contract.after(up_to) if mixing else up_to
    seen = inspect_subject(
        registry,
        contract,
        subject,
        up_to=newest,
        level=level,
        written=written,
        table=table,
        column_conflicts=column_conflicts,
    )
    # 2. refuse
    if seen.reasons:
        raise SchemaIncompatible(
            f"the schema does not fit under {seen.level}: " + "; ".join(_shortened(seen.reasons)),
            where=f"subject {subject}",
            hint="Nothing was registered. See `streamproof schemas diff` with the same arguments",
        )
    if seen.level_conflict:
        raise Misconfigured(
            seen.level_conflict,
            where=f"subject {subject}",
            hint=f"Correct contract.yaml, or loosen the subject on purpose with --compatibility {seen.level}",
        )
    if dry_run:
        return seen
    # 3. guard
    if seen.level_held != seen.level:
        registry.set_compatibility(subject, seen.level)
    # 4. register
    versions = [
        result
        if result.used is not None
        else replace(
            result, status="registered", used=registry.register(subject, contract.version(result.version).text, written)
        )
        for result in seen.versions
    ]
    return replace(seen, versions=tuple(versions), level_held=seen.level)


def _shortened(found: list[str], most: int = 5) -> list[str]:
    return found if len(found) <= most else [*found[:most], f"and {len(found) - most} more"]

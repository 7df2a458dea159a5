"""The proof of the marts of a publication: each is made again from its files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from cluster.text.names import DEFAULT_NAME
from consumer.proof.packs import RunPack
from consumer.proof.sql_files import SqlFile, lacking
from consumer.publish.marts import marts_of_packs
from consumer.sinks.duckdb.catalogue import read_catalogue
from consumer.verify.proof import Proof
from consumer.verify.snapshot import Snapshot
from schemas.columns.column_type import quote
from schemas.packs import MARTS as MARTS_OF_A_PACK
from schemas.packs import find_pack

# Rounded figures of floating point: another order of summing may turn the last digit.
_ROUNDING = 0.0011
_MARTS = "SELECT mart, coalesce(scenario, '') FROM marts ORDER BY ALL"


@dataclass(frozen=True, slots=True)
class SnapshotMarts:
    """The marts that a snapshot must have.

    :param here: those that can be made again here, with the scenario whose they are; empty for those of every run.
    :param elsewhere: by name, why others cannot be made again here.
    :param said: what the snapshot itself says: mart and scenario; ``None`` in snapshots of earlier versions.
    """

    here: list[tuple[str, SqlFile]]
    elsewhere: dict[str, str]
    said: list[tuple[str, str]] | None

    @property
    def names(self) -> set[str]:
        """The names of all of them."""
        return {mart.name for _, mart in self.here} | self.elsewhere.keys()

    def misnamed(self) -> Iterator[str]:
        """Yield how what the snapshot says differs from what is here."""
        counts = Counter(self.said or [])
        for scenario, mart in self.here if self.said is not None else ():
            if counts[mart.name, scenario] != 1:
                whose = f"of the scenario {scenario}" if scenario else "of every run"
                yield f"the table marts does not name {mart.name}, {whose}, once"


def applicable(snapshot: Snapshot) -> SnapshotMarts:
    """Return the marts that a snapshot of these events has; those that it holds, where the events cannot be read.

    :raises Misconfigured: a pack of one of its scenarios has a fault.
    """
    there = read_catalogue(snapshot.connection).tables
    said = _said_marts(snapshot) if "marts" in there else None
    # Before packs were known, one scenario had marts.
    of: dict[str, dict[str, str]] = {DEFAULT_NAME: {}} if said is None else {}
    for mart, scenario in said or []:
        of.setdefault(scenario, {})[f"{MARTS_OF_A_PACK}/{mart}"] = ""
    packs = [RunPack(scenario, find_pack(scenario), told) for scenario, told in of.items() if scenario]
    known = marts_of_packs(packs).queries
    try:
        here = [(scenario, mart) for scenario, mart in known if not lacking(snapshot.connection, mart, has_run=True)]
    except duckdb.Error:
        here = [(scenario, mart) for scenario, mart in known if mart.name in there]
    elsewhere = {name: pack.why for pack in packs for name in pack.absent(MARTS_OF_A_PACK)}
    names = {mart.name for _, mart in known} | elsewhere.keys()
    elsewhere |= {mart: "it is not a mart of this installation" for mart, _ in said or [] if mart not in names}
    return SnapshotMarts(here, elsewhere, said)


def _said_marts(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return what the snapshot says of its marts; nothing where that cannot be read: then its names are not right."""
    try:
        return [(str(mart), str(scenario)) for mart, scenario in snapshot.rows(_MARTS)]
    except duckdb.Error:
        return []


def prove_marts(snapshot: Snapshot, marts: SnapshotMarts) -> Proof:
    """Prove that each mart is what its query gives for the files."""
    faults = []
    for _, mart in marts.here:
        try:
            stored = snapshot.rows(f"FROM {quote(mart.name)}")
            now = snapshot.rows(f"FROM (\n{mart.query}\n)")
        except duckdb.Error as error:
            faults.append(f"{mart.name} cannot be made again: {str(error).splitlines()[0]}")
            continue
        odd = _first_difference(stored, now)
        if odd:
            faults.append(f"{mart.name} is not what its query gives: {odd}")
    unknown = [f"{name} was not made again: {why}" for name, why in sorted(marts.elsewhere.items())]
    looked = f"{len(marts.here)} marts"
    return Proof.of("marts", "each mart is what its query gives for the files", looked, faults, unknown=unknown)


def _first_difference(stored: list[tuple[Any, ...]], now: list[tuple[Any, ...]]) -> str:
    if len(stored) != len(now):
        return f"it has {len(stored)} rows, not {len(now)}"
    for before, after in zip(sorted(stored, key=_in_order), sorted(now, key=_in_order), strict=True):
        if not all(_same(*pair) for pair in zip(before, after, strict=True)):
            return f"{_spelt(before)}, not {_spelt(after)}"
    return ""


def _in_order(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in row if not isinstance(value, float))


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=1e-9, abs_tol=_ROUNDING)
    return bool(before == after)


def _spelt(row: tuple[Any, ...]) -> str:
    return "(" + ", ".join(map(str, row)) + ")"

"""The tables of a snapshot beside its events: of every run, and of the scenarios whose runs are published.

Those of this folder are of every run; those of a scenario are in its pack (``schemas/packs.py``). The table ``marts``
of a snapshot says which there are and whose, so that somebody who has not got a pack can tell what is not proved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from consumer.proof.packs import RunPack, pack_of_run
from consumer.proof.sql_files import SqlFile, read_folder
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.packs import MARTS as MARTS_OF_A_PACK

MARTS = Path(__file__).parent
# What a snapshot has beside its marts.
TAKEN = frozenset({"events", "runs", "files", "publication", "marts"})


@dataclass(frozen=True, slots=True)
class Marts:
    """The marts of a snapshot, each with its scenario, empty for those of every run; and what cannot be made here."""

    queries: list[tuple[str, SqlFile]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def general_marts() -> list[SqlFile]:
    """Return the marts of every run."""
    return read_folder(MARTS)


def marts_of_packs(packs: Iterable[RunPack]) -> Marts:
    """Return the marts of every run and those of packs.

    :raises Misconfigured: a header is not complete, or a name is taken; two packs may not share one either.
    """
    queries = [("", mart) for mart in general_marts()]
    absent = []
    for scenario, pack in sorted({pack.scenario: pack for pack in packs if pack.scenario}.items()):
        taken = TAKEN | {mart.name for _, mart in queries}
        queries += [(scenario, mart) for mart in pack.queries(MARTS_OF_A_PACK, taken=taken)]
        if names := pack.absent(MARTS_OF_A_PACK):
            absent.append(f"{', '.join(names)}: not made: {pack.why}")
    return Marts(queries, absent)


def marts_of_runs(warehouse: Warehouse, run_ids: Iterable[str]) -> Marts:
    """Return the marts for runs of a warehouse."""
    return marts_of_packs([pack_of_run(warehouse, run_id) for run_id in run_ids])

"""The pack of a run's scenario, as far as this machine has it, and what of it was not run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.errors import Misconfigured
from cluster.text.visible import visible
from consumer.proof.sql_files import SqlFile, read_folder
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.packs import FOLDERS_VARIABLE, QUERY_NAME, find_pack

# A document that somebody made unreadable says nothing.
_SAID = """
    SELECT said ->> 'scenario', said ->> 'pack'
    FROM (SELECT shard, CASE WHEN json_valid(document) THEN document END AS said FROM manifests WHERE run_id = ?)
    WHERE said ->> 'scenario' IS NOT NULL ORDER BY shard LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class RunPack:
    """The pack of one run's scenario.

    :param scenario: its name; empty where no manifest says it.
    :param folder: where it is on this machine; ``None`` where it is not.
    :param told: what it held when the run began, by kind and name, with severities; empty in manifests of earlier
        versions, and where the scenario has none. What is not the name of a query is left out: others write the topic.
    """

    scenario: str = ""
    folder: Path | None = None
    told: Mapping[str, str] = field(default_factory=dict)

    def queries(
        self, kind: str, *, severities: tuple[str, ...] = ("",), taken: frozenset[str] = frozenset()
    ) -> list[SqlFile]:
        """Return the queries of one kind that are here.

        :param taken: names that something else has.
        :raises Misconfigured: a header is not complete, or a name is taken.
        """
        if self.folder is None:
            return []
        found = read_folder(self.folder / kind, severities=severities)
        if twice := sorted(taken & {query.name for query in found}):
            raise Misconfigured(
                f"{', '.join(twice)} has a name that is taken", where=str(self.folder / kind), hint="Rename the file"
            )
        return found

    def absent(self, kind: str) -> dict[str, str]:
        """Return the queries of one kind that the run began with and that no pack here has, with their severities."""
        if self.folder is not None:
            return {}
        return {
            name.removeprefix(f"{kind}/"): severity
            for name, severity in sorted(self.told.items())
            if name.startswith(f"{kind}/")
        }

    @property
    def why(self) -> str:
        """Why queries are absent, and what to do about it."""
        name = visible(self.scenario)
        return (
            f"the pack of the scenario {name} is not on this machine; "
            f"name the folder that holds {name}.pack in {FOLDERS_VARIABLE}"
        )


NO_PACK = RunPack()


def pack_of_run(warehouse: Warehouse, run_id: str | None) -> RunPack:
    """Return the pack of a run's scenario, by what its manifests say; :data:`NO_PACK` where none is stored."""
    rows = [] if run_id is None else warehouse.rows(_SAID, [run_id])
    if not rows:
        return NO_PACK
    scenario, said = str(rows[0][0]), json.loads(rows[0][1] or "{}")
    named = said.items() if isinstance(said, dict) else ()
    told = {name: str(severity) for name, severity in named if QUERY_NAME.fullmatch(name)}
    return RunPack(scenario, find_pack(scenario), told)

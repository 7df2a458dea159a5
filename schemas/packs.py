"""What a scenario brings for those who judge and read its events: its pack, a folder of queries (docs/adr/015).

::

    <pack>/checks/*.sql     what must hold, beside what holds for every run
    <pack>/marts/*.sql      tables of a publication
    <pack>/figures/*.sql    drawings of a report

A pack is found by the scenario's name, and never by a path that a manifest says: whoever may write to the control topic
chooses no file on the machine of whoever audits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from cluster.connection import ENV_PREFIX
from cluster.local import PROJECT_ROOT

CHECKS, MARTS, FIGURES = KINDS = ("checks", "marts", "figures")
FOLDERS_VARIABLE = f"{ENV_PREFIX}SCENARIO_PATH"
_OURS = PROJECT_ROOT / "producer" / "scenarios"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# How a manifest calls a query: no name of a file can be more.
QUERY_NAME = re.compile(rf"({'|'.join(KINDS)})/[A-Za-z0-9][A-Za-z0-9_.-]{{0,99}}")
_SEVERITY = re.compile(r"^-- severity: *(\S*)", re.MULTILINE)


def find_pack(scenario: str, *, beside: Path | None = None, env: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of a scenario's pack, or ``None`` where this machine has none of that name.

    It is ``producer/scenarios/<name>/pack`` for the scenarios that come with Streamproof, and else ``<name>.pack`` in
    ``beside`` or in a folder of ``STREAMPROOF_SCENARIO_PATH``.

    :param beside: folder of the scenario's file, where that is known.
    """
    if not _NAME.fullmatch(scenario):
        return None
    folders = [Path(part) for part in env.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    own = [folder / f"{scenario}.pack" for folder in (*([] if beside is None else [beside]), *folders)]
    return next((pack for pack in (_OURS / scenario / "pack", *own) if pack.is_dir()), None)


def queries_of(pack: Path | None) -> dict[str, str]:
    """Return what a pack holds: ``checks/<name>``, ``marts/<name>``, ``figures/<name>``, each with its severity if any.

    The manifest keeps it, so that whoever has not got the pack can say what was not run.
    """
    found: dict[str, str] = {}
    for kind in KINDS if pack is not None else ():
        for path in sorted((pack / kind).glob("*.sql")) if pack is not None else ():
            said = _SEVERITY.search(path.read_text(encoding="utf-8", errors="replace"))
            if QUERY_NAME.fullmatch(name := f"{kind}/{path.stem}"):
                found[name] = said[1] if said else ""
    return found

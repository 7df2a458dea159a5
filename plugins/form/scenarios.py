"""Which scenarios there are to rehearse, by name: those of the project, of installed packages, and of folders.

Their files are not opened here: the Dag processor asks every few seconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from cluster.connection import ENV_PREFIX
from cluster.errors import Misconfigured
from cluster.text.names import DEFAULT_NAME
from producer.scenarios.find import SCENARIOS, known_scenarios, locate, scenario_folders

DEFAULT_SCENARIO = DEFAULT_NAME
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")  # of a Dag, and of its topic


def folders(env: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the folders of ``STREAMPROOF_SCENARIO_PATH``, the same that the commands look into.

    :raises Misconfigured: one of them is not a folder.
    """
    return scenario_folders(env.get(f"{ENV_PREFIX}SCENARIO_PATH"))


def locate_scenario(reference: str, *, beside: Path | None = None) -> str:
    """Return a scenario's name, or the absolute path of its file.

    :param beside: folder that a relative path starts from.
    :raises Misconfigured: there is no such scenario; the nearest known is named.
    """
    if beside is not None and (beside / reference).is_file():
        reference = str(beside / reference)
    return locate(reference, folders())


def own_scenarios() -> tuple[dict[str, str], list[Misconfigured]]:
    """Return the scenarios that do not come with the project, by name, and the faults of those without a Dag."""
    try:
        found = folders()
    except Misconfigured as fault:
        return {}, [fault]
    known = {name: locate(name, found) for name in known_scenarios(found) if name not in SCENARIOS}
    faults = [
        Misconfigured(f"{name!r} cannot be part of a Dag's name", where=where, hint="Use letters, digits, '_' and '-'")
        for name, where in known.items()
        if not NAME_PATTERN.fullmatch(name)
    ]
    return {name: where for name, where in known.items() if NAME_PATTERN.fullmatch(name)}, faults

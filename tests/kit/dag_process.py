"""Running whole Dags by ``dag.test``, in a process with an Airflow of its own: see ``tests/e2e/dag_runs.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.local import PROJECT_ROOT
from stack.services.airflow import airflow_addresses, airflow_environment, connection_variables

# Of all runs together, on a machine that is busy with other things too.
SCRIPT_TIMEOUT_S = 500
SCRIPT = PROJECT_ROOT / "tests" / "e2e" / "dag_runs.py"


def dag_runs(
    folder: Path, connections: Mapping[str, Mapping[str, object]], env: Mapping[str, str], *arguments: str
) -> dict[str, Any]:
    """Run the Dag in some of the ways that the script knows and return what became of each.

    :param folder: gets Airflow's home, with its database, and ``said.log``, with what the tasks said.
    :param connections: what ``airflow_connections`` makes.
    :param arguments: of the script: a topic, and the ways.
    """
    addresses = airflow_addresses(folder, port=1)
    addresses.home.mkdir()
    sqlite = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{addresses.home}/airflow.db"}
    environment = os.environ | airflow_environment(addresses, database=sqlite) | connection_variables(connections)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        check=False,
        env=environment | env,
        cwd=addresses.home,
        capture_output=True,
        text=True,
        timeout=SCRIPT_TIMEOUT_S,
    )
    (folder / "said.log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found

"""A process that is of Airflow, and answers questions: Airflow takes its settings when it is first imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.local import PROJECT_ROOT

SCRIPT = Path(__file__).with_name("airflow_answers.py")


class AirflowProcess:
    """Puts questions to ``airflow_answers.py`` and returns its answers, one after the other."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def ask(self, question: str, /, env: Mapping[str, str] = {}, **arguments: Any) -> Any:
        """Return the answer of a function of the script.

        :param env: environment of this question alone.
        """
        asked = {"question": question, "env": dict(env), "arguments": arguments}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the process ended: {self._log.read_text()[-3000:]}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["answer"]


@contextmanager
def airflow_process(home: Path, env: Mapping[str, str] = {}) -> Iterator[AirflowProcess]:
    """Start a process with an ``AIRFLOW_HOME`` of its own and no metadata database, and end it."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "answers.log"
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Without a metadata database, Airflow looks for a connection in the environment only.
        "AIRFLOW__SECRETS__USE_CACHE": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            env=environment | dict(env),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with process:
        try:
            yield AirflowProcess(process, log)
        finally:
            process.kill()

"""What small services do, in a line of Python each, and how to find them in the record."""

from pathlib import Path

from stack.record import Identity, Record, read_record
from stack.request import UpRequest

WITH_AIRFLOW = UpRequest(frozenset({"airflow"}))
RUNS = "import time; time.sleep(600)"
FAILS = "import sys; print('the disk is on fire'); sys.exit(3)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
# A child that moved to a session of its own, so that neither its parent nor a process group leads to it.
HAS_A_CHILD = (
    "import subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True);"
    "time.sleep(600)"
)
# A title overwrites the environment that others can read, so that no mark is left to see. Airflow's processes do it.
TITLED = (
    "import setproctitle, time; setproctitle.setproctitle('t' * 4000); print('titled', flush=True); time.sleep(600)"
)
HAS_A_TITLED_CHILD = (
    f"import subprocess, sys, time;subprocess.Popen([sys.executable, '-c', {TITLED!r}]);time.sleep(600)"
)


def recorded(state: Path) -> Record:
    """The record of a stack that runs."""
    record = read_record(state)
    assert record is not None
    return record


def leader(record: Record, name: str) -> Identity:
    """The process of a service."""
    found = next(process.process for process in record.processes if process.name == name)
    assert found is not None
    return found

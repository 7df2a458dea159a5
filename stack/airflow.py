"""Airflow on this machine: three processes on SQLite, described as services for the supervisor.

The parts are an api-server, a scheduler (LocalExecutor, so tasks are its children) and a Dag processor; never
``airflow standalone``, which leaves its children behind when it is told to stop. No secret is in a service's
environment: Airflow writes its own keys into ``airflow.cfg`` and the password is in a file, both readable by
the owner only.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from cluster.connection import ENV_PREFIX
from cluster.local import PROJECT_ROOT
from stack.files import write_private
from stack.service import AliveProbe, HttpProbe, Service

API_SERVER = "airflow-api-server"
SCHEDULER = "airflow-scheduler"
DAG_PROCESSOR = "airflow-dag-processor"

ADMIN = "admin"
# Tasks at a time. SQLite takes this without complaint, and two cores gain nothing from more.
PARALLELISM = 4
# One slot: DuckDB takes one writer, and this keeps loads, audits, checks and publications in a queue.
WAREHOUSE_POOL = "warehouse"
NOTHING: Mapping[str, str] = MappingProxyType({})
# Folders that a task has to find too: Airflow works in a folder of its own.
_FOLDERS = ("PROFILES_DIR", "SCENARIO_PATH", "WAREHOUSE_DIR", "PUBLICATIONS_DIR")


@dataclass(frozen=True, slots=True)
class AirflowAddresses:
    """Where a local Airflow keeps things and answers."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        """Address of the UI and the REST API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password_file(self) -> Path:
        """JSON object of user names to passwords, mode 0600."""
        return password_file(self.home.parent)


def airflow_addresses(state: Path, port: int) -> AirflowAddresses:
    """Return where Airflow lives under a state folder."""
    return AirflowAddresses(home=state / "airflow", port=port)


def password_file(state: Path) -> Path:
    """Return the file that holds the UI's passwords, as ``{"admin": "..."}``."""
    return state / "airflow" / "passwords.json"


def read_password(state: Path, user: str = ADMIN) -> str | None:
    """Return the password of ``user``, or ``None`` when Airflow was never started under this state folder."""
    try:
        password = json.loads(password_file(state).read_text()).get(user)
    except (OSError, ValueError):
        return None
    return password if isinstance(password, str) else None


def prepare_home(state: Path) -> str | None:
    """Create Airflow's home; return the new password of ``admin``, or ``None`` when there was one already."""
    home = state / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if read_password(state):
        return None
    password = secrets.token_urlsafe(16)
    write_private(password_file(state), json.dumps({ADMIN: password}).encode())
    return password


def airflow_services(
    state: Path,
    logs: Path,
    *,
    port: int,
    bootstrap_servers: str,
    registry_url: str,
    kafka: Mapping[str, str] = NOTHING,
    registry: Mapping[str, str] = NOTHING,
) -> tuple[Service, ...]:
    """Describe the three processes. Call :func:`prepare_home` first.

    The Dag processor migrates the metadata database and makes the pool before it starts, and the other two wait
    for that. The api-server counts as ready when the API that tasks talk to answers: its first request takes
    seconds, which the first task of a run would spend otherwise.
    """
    addresses = airflow_addresses(state, port)
    env = airflow_environment(
        addresses, bootstrap_servers=bootstrap_servers, registry_url=registry_url, kafka=kafka, registry=registry
    )
    version = importlib.metadata.version("apache-airflow")
    airflow = (sys.executable, "-m", "airflow")

    def service(name: str, *command: str, ready: AliveProbe | HttpProbe, **more: object) -> Service:
        return Service.model_validate(
            {
                "name": name,
                "version": version,
                "argv": (*airflow, *command),
                "cwd": addresses.home,
                "log": logs / f"{name}.log",
                "address": addresses.url if name == API_SERVER else "",
                "ready": ready,
                "env": env,
                **more,
            }
        )

    return (
        service(
            DAG_PROCESSOR,
            "dag-processor",
            ready=AliveProbe(),
            prepare=(
                (*airflow, "db", "migrate"),
                (*airflow, "pools", "set", WAREHOUSE_POOL, "1", "One at a time: DuckDB takes a single writer"),
            ),
        ),
        service(
            API_SERVER,
            "api-server",
            ready=HttpProbe(url=f"{addresses.url}/execution/health"),
            needs=(DAG_PROCESSOR,),
        ),
        service(
            SCHEDULER,
            "scheduler",
            # The api-server reads task logs from the disk; without this the scheduler serves them on every interface.
            "--skip-serve-logs",
            ready=HttpProbe(
                url=f"{addresses.url}/api/v2/monitor/health",
                expect={
                    "metadatabase.status": "healthy",
                    "scheduler.status": "healthy",
                    "dag_processor.status": "healthy",
                },
            ),
            needs=(DAG_PROCESSOR,),
        ),
    )


def airflow_environment(
    addresses: AirflowAddresses,
    *,
    bootstrap_servers: str,
    registry_url: str,
    kafka: Mapping[str, str] = NOTHING,
    registry: Mapping[str, str] = NOTHING,
) -> dict[str, str]:
    """Return the environment of every Airflow process.

    :param kafka: further settings of a secured broker, with secrets as files.
    :param registry: the same of the registry.
    """
    url = urlsplit(registry_url)
    security = {name.replace("_", "."): value for name, value in kafka.items()}
    kafka_connection = {"conn_type": "kafka", "extra": {"bootstrap.servers": bootstrap_servers, **security}}
    registry_connection = {
        "conn_type": "http",
        "schema": url.scheme,
        "host": url.hostname,
        "port": url.port,
        "extra": {"path": url.path, **registry},
    }
    return {
        "AIRFLOW_HOME": str(addresses.home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{addresses.home}/airflow.db",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(addresses.password_file),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(addresses.port),
        # Tasks find the api-server by this address too.
        "AIRFLOW__API__BASE_URL": addresses.url,
        "AIRFLOW__API__WORKERS": "1",
        # A task starts within this of what it waits for; the default of 1 s adds up over the tasks of a run.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        # Dag files are read in one process at a time: two cores are better spent on the run.
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps(kafka_connection),
        "AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT": json.dumps(registry_connection),
        "PYTHONPATH": str(PROJECT_ROOT),
        # Airflow warns of itself once in every task's log.
        "PYTHONWARNINGS": "ignore:GitWildMatchPattern:DeprecationWarning",
        "STREAMPROOF_STATE_DIR": str(addresses.home.parent),
    } | absolute_folders(os.environ)


def absolute_folders(env: Mapping[str, str]) -> dict[str, str]:
    """Return those of our variables that name folders, with paths that mean the same in any working folder."""
    names = [f"{ENV_PREFIX}{name}" for name in _FOLDERS]
    return {
        name: os.pathsep.join(str(Path(part).absolute()) for part in env[name].split(os.pathsep) if part)
        for name in names
        if env.get(name)
    }

"""Airflow on this machine: four processes on PostgreSQL, described as services for the supervisor.

The parts are an api-server, a scheduler (LocalExecutor, so tasks are its children), a Dag processor and a triggerer;
never ``airflow standalone``, which leaves its children behind when it is told to stop. No secret is in a service's
environment: Airflow writes its own keys into ``airflow.cfg`` and the passwords are in files, all readable by the owner
only. The connections to Kafka and the registry are in the metadata database, where the UI shows and tests them.
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
from cluster.local import PROJECT_ROOT, Endpoint
from stack.files import write_private
from stack.services.component import Component, Described, Login, Site
from stack.services.postgres import POSTGRES, database_environment, postgres_home, postgres_service
from stack.services.service import AliveProbe, HttpProbe, Service

API_SERVER = "airflow-api-server"
SCHEDULER = "airflow-scheduler"
DAG_PROCESSOR = "airflow-dag-processor"
TRIGGERER = "airflow-triggerer"

NAME = "airflow"
TITLE = "Airflow"
ADMIN = "admin"
# Ten to twenty seconds on a machine that is free; more than a minute was seen on one with seven times its work.
START_TIMEOUT_S = 180
# Tasks at a time: two cores gain nothing from more.
PARALLELISM = 4
METADATA_PORT = "airflow-postgres"  # its name among ports: ``postgres`` is the server for warehouses
# Of one slot each. DuckDB takes one writer, so loads, audits, checks and publications wait for each other; the embedded
# metastore of Hive takes one process, and each lake one job.
WAREHOUSE_POOL, LAKE_POOL = "warehouse", "lake"
POOLS = (WAREHOUSE_POOL, LAKE_POOL)
CONNECTIONS_NAME = "connections.json"
# What Airflow used before: its runs stay in it, and nobody reads it any more.
SQLITE_NAME = "airflow.db"
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


def leaves_sqlite_behind(state: Path) -> bool:
    """Tell whether an earlier version kept Airflow's metadata here, and PostgreSQL has not begun yet."""
    return (state / "airflow" / SQLITE_NAME).exists() and not (postgres_home(state) / "data").exists()


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
    database_port: int,
    bootstrap_servers: str,
    registry_url: str,
    kafka: Mapping[str, str] = NOTHING,
    registry: Mapping[str, str] = NOTHING,
) -> tuple[Service, ...]:
    """Describe the database and the four processes. Call :func:`prepare_home` first.

    The Dag processor migrates the metadata database, makes the pools and stores the connections before it starts
    (`plugins.metadata`), and the others wait for that. The api-server counts as ready when the API that tasks talk to
    answers: its first request takes seconds, which the first task of a run would spend otherwise.
    """
    addresses = airflow_addresses(state, port)
    connections = airflow_connections(bootstrap_servers, registry_url, kafka, registry)
    connections_file = addresses.home / CONNECTIONS_NAME
    write_private(connections_file, json.dumps(connections, indent=1).encode())
    env = airflow_environment(addresses, database=database_environment(state, database_port))
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
                "endpoints": {NAME: Endpoint(addresses.url, TITLE)} if name == API_SERVER else {},
                "ready": ready,
                "start_timeout_s": START_TIMEOUT_S,
                "env": env,
                **more,
            }
        )

    health = f"{addresses.url}/api/v2/monitor/health"
    return (
        postgres_service(state, port=database_port),
        service(
            DAG_PROCESSOR,
            "dag-processor",
            ready=AliveProbe(),
            needs=(POSTGRES,),
            prepare=((sys.executable, "-m", "plugins.metadata", str(connections_file), *POOLS),),
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
                url=health,
                expect={
                    "metadatabase.status": "healthy",
                    "scheduler.status": "healthy",
                    "dag_processor.status": "healthy",
                },
            ),
            needs=(DAG_PROCESSOR,),
        ),
        service(
            TRIGGERER,
            "triggerer",
            "--skip-serve-logs",
            ready=HttpProbe(url=health, expect={"triggerer.status": "healthy"}),
            needs=(DAG_PROCESSOR,),
        ),
    )


def airflow_connections(
    bootstrap_servers: str, registry_url: str, kafka: Mapping[str, str] = NOTHING, registry: Mapping[str, str] = NOTHING
) -> dict[str, dict[str, object]]:
    """Return the two connections as Airflow's JSON has them.

    :param kafka: further settings of a secured broker, with secrets as files.
    :param registry: the same of the registry.
    """
    url = urlsplit(registry_url)
    security = {name.replace("_", "."): value for name, value in kafka.items()}
    return {
        "kafka_default": {"conn_type": "kafka", "extra": {"bootstrap.servers": bootstrap_servers, **security}},
        "schema_registry_default": {
            "conn_type": "schema_registry",
            "schema": url.scheme,
            "host": url.hostname,
            "port": url.port,
            "extra": {"path": url.path, **registry},
        },
    }


def connection_variables(connections: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Return connections as environment variables: for an Airflow whose database does not hold them."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in connections.items()}


def airflow_environment(addresses: AirflowAddresses, *, database: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every Airflow process.

    :param database: the variables that lead to the metadata.
    """
    return {
        "AIRFLOW_HOME": str(addresses.home),
        **database,
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
        # The button of the connections' page. It is off by default because a tester makes the api-server connect to any
        # address; this one is on the loopback address, and has one user, who may do everything here.
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        # A task starts within this of what it waits for; the default of 1 s adds up over the tasks of a run.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        # Dag files are read in one process at a time: two cores are better spent on the run.
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
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


def _describe(site: Site) -> Described:
    if leaves_sqlite_behind(site.state):
        site.say(
            "Airflow's metadata moves from SQLite to PostgreSQL and begins empty: the runs of before are in "
            f"{site.state / 'airflow' / SQLITE_NAME}, which is not read any more"
        )
    port, password = site.port(NAME), prepare_home(site.state)
    kafka, registry = site.endpoints["kafka"], site.endpoints["registry"]
    services = airflow_services(
        site.state,
        site.state / "log",
        port=port,
        database_port=site.port(METADATA_PORT),
        bootstrap_servers=kafka.address,
        registry_url=registry.address,
        kafka=kafka.settings,
        registry=registry.settings,
    )
    logins = (Login(TITLE, ADMIN, password, password_file(site.state)),) if password is not None else ()
    return Described(services, logins)


COMPONENT = Component(NAME, TITLE, _describe, needs=("kafka", "registry"), space_bytes=160_000_000)

"""docker-compose.yaml and the Dockerfile agree with the code, with each other, and with the images they name.

There is no Docker engine here, so this is all that is known: the form (each key is one of the Compose
Specification's), and that names, ports, paths and variables mean the same on both sides.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from cluster.connection import OTHER_VARIABLES, Connection
from cluster.local import PROJECT_ROOT, publications_dir, warehouse_path
from consumer.sinks.postgres.place import address_of
from stack.parts import spark
from stack.services import warehouses
from stack.services.airflow import POOLS, airflow_connections, connection_variables
from stack.services.postgres import DATABASE

AIRFLOW_SERVICES = (
    "airflow-init",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
)
SPARK_SERVICES = ("spark-master", "spark-worker")
REGISTRY_PATH = "/apis/ccompat/v7"


class Part(BaseModel):
    """A part of the Compose Specification: the keys in use here, and no others."""

    model_config = ConfigDict(extra="forbid")


class Build(Part):
    context: str
    target: Literal["airflow", "lake"]


class Need(Part):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Healthcheck(Part):
    test: list[str]
    interval: str
    timeout: str
    retries: int
    start_period: str | None = None


class Service(Part):
    image: str
    security_opt: list[str] = []
    cap_drop: list[str] = []
    cap_add: list[str] = []
    read_only: bool = False
    tmpfs: list[str] = []
    mem_limit: str | None = None
    pids_limit: int | None = None
    build: Build | None = None
    init: bool = False
    profiles: list[str] = []
    restart: Literal["no", "always", "on-failure", "unless-stopped"]
    command: list[str] = []
    environment: dict[str, str] = {}
    ports: list[str] = []
    volumes: list[str] = []
    depends_on: dict[str, Need] = {}
    healthcheck: Healthcheck | None = None


class ComposeFile(Part):
    name: str
    services: dict[str, Service]
    volumes: dict[str, None]


@pytest.fixture(scope="module")
def text() -> str:
    return (PROJECT_ROOT / "docker-compose.yaml").read_text()


@pytest.fixture(scope="module")
def compose(text: str) -> ComposeFile:
    document = yaml.safe_load(text)
    return ComposeFile.model_validate({key: value for key, value in document.items() if not key.startswith("x-")})


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (PROJECT_ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def make_env() -> Any:
    spec = importlib.util.spec_from_file_location("make_env", PROJECT_ROOT / "docker" / "make_env.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def airflow_environment_of(compose: ComposeFile) -> dict[str, str]:
    return compose.services["airflow-scheduler"].environment


def test_every_service_that_stays_says_how_it_is(compose: ComposeFile) -> None:
    for name, service in compose.services.items():
        if name == "airflow-init":
            assert service.restart == "no"
        else:
            assert service.healthcheck, name
            assert service.healthcheck.test[0] in {"CMD", "CMD-SHELL"}, name
            assert service.restart == "unless-stopped", name


def test_every_container_is_hardened_and_has_limits(compose: ComposeFile) -> None:
    for name, service in compose.services.items():
        assert service.security_opt == ["no-new-privileges:true"], name
        assert service.cap_drop == ["ALL"], name
        assert service.read_only, name
        assert service.mem_limit, name
        assert service.pids_limit, name
        assert any(folder.startswith("/tmp:") and "size=" in folder for folder in service.tmpfs), name
    # What PostgreSQL's entry point needs to become another user; nobody else needs a right of root's.
    assert {name for name, service in compose.services.items() if service.cap_add} == {"postgres", "warehouses"}
    for name in ("postgres", "warehouses"):
        assert set(compose.services[name].cap_add) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


def test_what_airflow_writes_is_a_volume_or_in_memory(compose: ComposeFile, dockerfile: str) -> None:
    home = re.search(r"AIRFLOW_HOME=(\S+)", dockerfile)
    assert home
    environment = airflow_environment_of(compose)
    written = [home[1], environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"], "/tmp/x"]
    written += [
        value for name, value in environment.items() if name.startswith("STREAMPROOF_") and name.endswith("DIR")
    ]
    for name in AIRFLOW_SERVICES:
        service = compose.services[name]
        writable = [folder.split(":")[0] for folder in service.tmpfs] + [target for _, target in _mounts(service)]
        for path in written:
            assert any(Path(path).is_relative_to(folder) for folder in writable), (name, path)


def test_every_port_is_on_the_loopback_address(compose: ComposeFile) -> None:
    ports = [port for service in compose.services.values() for port in service.ports]
    assert len(ports) == 6
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports), ports
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_a_server_for_warehouses_is_there_when_asked_for_as_in_the_local_stack(compose: ComposeFile) -> None:
    server = compose.services[warehouses.SERVICE]
    assert server.profiles == [warehouses.NAME]
    assert server.environment["POSTGRES_USER"] == warehouses.USER
    assert server.environment["POSTGRES_DB"] == DATABASE
    port = server.ports[0].split(":")[1]
    address = f"postgresql://{warehouses.USER}@localhost:{port}/{DATABASE}"
    assert address_of(address).shown == address
    assert address in (PROJECT_ROOT / "docs" / "compose.md").read_text()
    assert not any(warehouses.SERVICE in service.depends_on for service in compose.services.values())


def test_spark_is_there_when_asked_for_and_nothing_else_waits_for_it(compose: ComposeFile) -> None:
    asked_for = {name: service.profiles for name, service in compose.services.items() if service.profiles}
    assert asked_for == {warehouses.SERVICE: [warehouses.NAME]} | {name: ["spark"] for name in SPARK_SERVICES}
    for name, service in compose.services.items():
        assert name in SPARK_SERVICES or not set(service.depends_on) & set(SPARK_SERVICES), name
    guide = (PROJECT_ROOT / "docs" / "compose.md").read_text()
    assert "docker compose --profile spark up" in guide
    for name in SPARK_SERVICES:
        page = compose.services[name].ports[0].split(":")[1]
        assert f"<http://localhost:{page}>" in guide, name


def test_spark_answers_where_its_worker_and_the_form_look_for_it(compose: ComposeFile) -> None:
    master, worker = (compose.services[name].command for name in SPARK_SERVICES)
    address = f"spark://{_after(master, '--host')}:{_after(master, '--port')}"
    assert _after(master, "--host") == "spark-master"
    assert worker[-1] == address
    assert address in (PROJECT_ROOT / "docs" / "compose.md").read_text()
    for name, command in zip(SPARK_SERVICES, (master, worker), strict=True):
        service = compose.services[name]
        port = _after(command, "--webui-port")
        assert service.ports[0].endswith(f":{port}"), name
        assert service.healthcheck
        assert f"http://localhost:{port}/" in service.healthcheck.test[-1], name
        # What is submitted has no password here: only containers may come.
        assert not any(published.endswith(":7077") for published in service.ports), name


def test_the_image_of_the_lake_has_spark_where_the_code_looks_for_it(dockerfile: str) -> None:
    assert f"{spark.VARIABLE}=/opt/lake/bin/python" in dockerfile
    # What the module fetches at the build is found at run time, when nothing can be written.
    assert f"STREAMPROOF_CACHE_DIR=/opt/lake/cache python -m {spark.__name__}" in dockerfile
    assert re.search(r"^ENV (.*\\\n)*.*STREAMPROOF_CACHE_DIR=/opt/lake/cache", dockerfile, re.M)
    assert "JAVA_HOME=/opt/lake/java" in dockerfile


def test_spark_has_the_environment_and_the_folders_of_the_task_that_submits(compose: ComposeFile) -> None:
    scheduler, worker = compose.services["airflow-scheduler"], compose.services["spark-worker"]
    assert {compose.services[name].image for name in SPARK_SERVICES} == {scheduler.image}
    assert scheduler.build == worker.build == Build(context=".", target="lake")
    # Executors write what the driver publishes: both know it by the same path.
    shared = dict(_mounts(scheduler)).items() & dict(_mounts(worker)).items()
    assert ("data", "/data") in shared
    written = [worker.environment["SPARK_LOCAL_DIRS"], _after(worker.command, "--work-dir")]
    for path in written:
        assert any(Path(path).is_relative_to(target) for _, target in _mounts(worker)), path


def _after(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]


def test_what_a_service_needs_is_there_and_can_be_waited_for(compose: ComposeFile) -> None:
    for name, service in compose.services.items():
        for needed, need in service.depends_on.items():
            assert needed in compose.services, (name, needed)
            if need.condition == "service_healthy":
                assert compose.services[needed].healthcheck, (name, needed)
            if need.condition == "service_completed_successfully":
                assert compose.services[needed].restart == "no", (name, needed)


def test_every_volume_is_declared_and_used(compose: ComposeFile) -> None:
    used = {volume.split(":")[0] for service in compose.services.values() for volume in service.volumes}
    assert used == set(compose.volumes)


def test_warehouse_and_publications_are_shared_by_scheduler_and_api_server(compose: ComposeFile) -> None:
    mounted = {name: dict(_mounts(compose.services[name])) for name in ("airflow-scheduler", "airflow-api-server")}
    environment = airflow_environment_of(compose)
    for path in (warehouse_path("t", environment), publications_dir(environment)):
        for name, mounts in mounts_by_path(mounted).items():
            assert any(path.is_relative_to(target) for target in mounts), (name, path)
    # The api-server serves reports; only tasks write.
    assert "data:/data:ro" in compose.services["airflow-api-server"].volumes
    assert "data:/data" in compose.services["airflow-scheduler"].volumes


def mounts_by_path(mounted: dict[str, dict[str, str]]) -> dict[str, list[Path]]:
    return {name: [Path(target) for target in mounts.values()] for name, mounts in mounted.items()}


def _mounts(service: Service) -> Iterator[tuple[str, str]]:
    for volume in service.volumes:
        source, target = volume.split(":")[:2]
        yield source, target


def test_the_volumes_belong_to_the_user_of_the_image(compose: ComposeFile, dockerfile: str) -> None:
    owned = re.search(r"install --directory --owner=50000 --group=0 --mode=0700 (.+)", dockerfile)
    assert owned
    folders = owned[1].split()
    for name in (*AIRFLOW_SERVICES, *SPARK_SERVICES):
        for _, target in _mounts(compose.services[name]):
            assert target in folders, (name, target)
    # The first to mount them, and so the one that hands the ownership over.
    first = {target for _, target in _mounts(compose.services["airflow-init"])}
    assert first >= {target for name in AIRFLOW_SERVICES for _, target in _mounts(compose.services[name])}


def test_no_secret_is_in_the_file_and_compose_refuses_to_start_without_one(text: str, make_env: Any) -> None:
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked == set(make_env.make_secrets())
    assert all(f"${{{name}:?" in text for name in asked)
    # Every mention insists, not only the first.
    assert len(re.findall(r"\$\{\w+:\?", text)) == len(re.findall(r"\$\{", text))
    assert ".env" in (PROJECT_ROOT / ".gitignore").read_text().splitlines()
    assert ".env" not in (PROJECT_ROOT / "Dockerfile").read_text()
    assert (PROJECT_ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_secrets_are_fit_for_their_use_and_written_once(
    make_env: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make_env, "ENV_FILE", tmp_path / ".env")
    assert make_env.main() == 0
    written = (tmp_path / ".env").read_text()
    values = dict(line.split("=", 1) for line in written.splitlines())
    assert len(base64.urlsafe_b64decode(values["AIRFLOW_FERNET_KEY"])) == 32
    # They go into an address, a shell's printf and JSON as they are.
    for name in ("POSTGRES_PASSWORD", "WAREHOUSES_PASSWORD", "AIRFLOW_ADMIN_PASSWORD"):
        assert re.fullmatch(r"[\w-]{16,}", values[name]), name
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert not any(value in capsys.readouterr().out for value in values.values())
    assert make_env.main() == 1
    assert (tmp_path / ".env").read_text() == written


def test_airflow_reaches_kafka_and_the_registry_by_their_names(compose: ComposeFile) -> None:
    environment = airflow_environment_of(compose)
    kafka = json.loads(environment["AIRFLOW_CONN_KAFKA_DEFAULT"])
    registry = json.loads(environment["AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT"])
    listeners = compose.services["kafka"].environment["KAFKA_ADVERTISED_LISTENERS"]
    assert f"PLAINTEXT://{kafka['extra']['bootstrap.servers']}" in listeners.split(",")
    assert kafka["extra"]["bootstrap.servers"].split(":")[0] in compose.services
    assert registry["host"] in compose.services
    assert f":{registry['port']}" in compose.services["registry"].ports[0][-5:]
    url = f"{registry['schema']}://{registry['host']}:{registry['port']}{registry['extra']['path']}"
    allowed = {"allow_plaintext": environment["STREAMPROOF_ALLOW_PLAINTEXT"]}
    settings = Connection.of(
        allowed | {"bootstrap_servers": kafka["extra"]["bootstrap.servers"]}, allowed | {"url": url}
    )
    assert settings.registry.url.endswith(REGISTRY_PATH)
    health = compose.services["registry"].healthcheck
    assert health
    assert f"{REGISTRY_PATH}/subjects" in health.test[-1]


def test_the_connections_have_the_form_of_the_local_stack(compose: ComposeFile) -> None:
    local = connection_variables(airflow_connections("h:1", f"http://h:2{REGISTRY_PATH}"))
    environment = airflow_environment_of(compose)
    for name in ("AIRFLOW_CONN_KAFKA_DEFAULT", "AIRFLOW_CONN_SCHEMA_REGISTRY_DEFAULT"):
        ours, theirs = json.loads(environment[name]), json.loads(local[name])
        assert ours.keys() == theirs.keys(), name
        assert ours["extra"].keys() == theirs["extra"].keys(), name
        assert ours["conn_type"] == theirs["conn_type"], name


def test_programs_on_the_host_reach_kafka_and_the_registry_by_the_published_ports(compose: ComposeFile) -> None:
    kafka = compose.services["kafka"]
    host_port, port = kafka.ports[0].split(":")[1:]
    assert f"PLAINTEXT_HOST://localhost:{host_port}" in kafka.environment["KAFKA_ADVERTISED_LISTENERS"]
    assert f"PLAINTEXT_HOST://:{port}" in kafka.environment["KAFKA_LISTENERS"]
    names = {listener.split(":")[0] for listener in kafka.environment["KAFKA_LISTENERS"].split(",")}
    mapped = {pair.split(":")[0] for pair in kafka.environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")}
    assert names == mapped
    guide = (PROJECT_ROOT / "docs" / "compose.md").read_text()
    assert f"localhost:{host_port}" in guide
    assert f"http://localhost:{compose.services['registry'].ports[0].split(':')[1]}{REGISTRY_PATH}" in guide


def test_every_variable_for_airflow_is_an_option_that_airflow_has(compose: ComposeFile) -> None:
    options = yaml.safe_load((_airflow_folder() / "config_templates" / "config.yml").read_text())
    for name in AIRFLOW_SERVICES:
        for variable in compose.services[name].environment:
            if match := re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", variable):
                section, option = match[1].lower(), match[2].lower()
                assert option in options[section]["options"], variable


def test_every_variable_of_ours_is_one_that_the_code_reads(compose: ComposeFile) -> None:
    ours = {
        name for service in compose.services.values() for name in service.environment if name.startswith("STREAMPROOF_")
    }
    assert ours
    assert {name.removeprefix("STREAMPROOF_") for name in ours} <= OTHER_VARIABLES | {"ALLOW_PLAINTEXT"}


def test_tasks_find_the_api_server_and_everybody_shares_its_keys(compose: ComposeFile) -> None:
    api = compose.services["airflow-api-server"]
    port = api.command[api.command.index("--port") + 1]
    environment = airflow_environment_of(compose)
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"http://airflow-api-server:{port}/execution/"
    assert environment["AIRFLOW__API__BASE_URL"] == f"http://localhost:{api.ports[0].split(':')[1]}"
    assert api.ports[0].endswith(f":{port}")
    for key in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"):
        assert {compose.services[name].environment[key] for name in AIRFLOW_SERVICES} == {environment[key]}


def test_init_makes_the_pools_and_the_password_that_the_rest_relies_on(compose: ComposeFile) -> None:
    init = compose.services["airflow-init"]
    script = init.command[-1]
    assert "airflow db migrate" in script
    for pool in POOLS:
        assert f"airflow pools set {pool} 1 " in script
    passwords = init.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    assert f"> {passwords}" in script
    assert "umask 077" in script
    for name in ("airflow-init", "airflow-api-server"):
        assert any(Path(passwords).is_relative_to(target) for _, target in _mounts(compose.services[name])), name
    users = init.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert users.split(":")[0] in script


def test_the_versions_are_those_that_the_local_stack_runs(compose: ComposeFile) -> None:
    lock = (PROJECT_ROOT / "stack" / "parts" / "jgo.toml").read_text()
    kafka = compose.services["kafka"].image.split(":")[1]
    registry = compose.services["registry"].image.split(":")[1]
    assert f"kafka_2.13:{kafka}" in lock
    assert f"apicurio-registry-app:{registry}" in lock
    images = {service.image for service in compose.services.values()}
    assert all(re.search(r":\d", image) and not image.endswith(":latest") for image in images)


def test_the_image_installs_the_lock_by_hash(dockerfile: str) -> None:
    for lock in ("requirements.txt", "requirements-lake.txt"):
        assert f"--require-hashes --no-deps -r {lock}" in dockerfile
    # Without build isolation the build's own tools come from the lock; the driver of PostgreSQL is in it too.
    assert "--no-build-isolation" in dockerfile
    lock = (PROJECT_ROOT / "requirements.txt").read_text()
    assert "hatchling==" in lock
    assert "psycopg==" in lock
    assert "asyncpg==" in lock


def test_root_owns_the_code_and_whoever_runs_tasks_cannot_write_it(dockerfile: str) -> None:
    stages = {stage.split("\n")[0].split(" AS ")[1]: stage.splitlines() for stage in dockerfile.split("\nFROM ")[1:]}
    assert list(stages) == ["base", "lake", "airflow"]  # without a target the last one is built
    assert "USER root" not in dockerfile
    assert "--chown" not in dockerfile
    assert "USER airflow" not in stages["base"]
    for name in ("lake", "airflow"):
        assert stages[name][0] == f"base AS {name}"
        # Everything that makes files comes before, as root; what runs comes after.
        user = stages[name].index("USER airflow")
        assert not [line for line in stages[name][user:] if line.startswith(("COPY", "RUN", "ADD"))]
    owned = re.search(r"install --directory --owner=50000 .*", dockerfile)
    assert owned
    folders = [Path(part) for part in owned[0].split() if part.startswith("/")]
    for code in (Path("/opt/streamproof"), Path("/opt/venv"), Path("/opt/lake")):
        assert str(code) in dockerfile
        # Neither given away itself, nor in a folder that was: its owner could put another in its place.
        assert not [folder for folder in folders if code.is_relative_to(folder) or folder.is_relative_to(code)]


def test_the_image_has_the_code_that_airflow_is_told_to_find(compose: ComposeFile, dockerfile: str) -> None:
    copied = {source for line in re.findall(r"^COPY .*", dockerfile, re.M) for source in line.split()[1:-1]}
    assert all((PROJECT_ROOT / source).exists() for source in copied), copied
    allowed = {line[1:] for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed
    packages = set(_wheel_packages())
    assert packages <= copied
    environment = airflow_environment_of(compose)
    root = re.search(r"PYTHONPATH=(\S+)", dockerfile)
    assert root
    for variable in ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER"):
        folder = Path(environment[variable])
        assert folder.parent == Path(root[1]), variable
        assert folder.name in copied, variable


def _airflow_folder() -> Path:
    spec = importlib.util.find_spec("airflow")
    assert spec
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def _wheel_packages() -> list[str]:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return packages


def test_every_airflow_command_is_one_that_this_airflow_has(compose: ComposeFile) -> None:
    # Read, not imported: Airflow sets itself up in the home folder when it is imported.
    commands = (_airflow_folder() / "cli" / "cli_config.py").read_text()
    for name in AIRFLOW_SERVICES[1:]:
        command = compose.services[name].command
        assert command[0] == "airflow"
        assert f'name="{command[1]}"' in commands, name

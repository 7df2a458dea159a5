"""The local Airflow as services: loopback only, no secret in a plan, passwords that are made once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stack.security import secure
from stack.services.airflow import (
    API_SERVER,
    DAG_PROCESSOR,
    SCHEDULER,
    TRIGGERER,
    absolute_folders,
    airflow_connections,
    airflow_services,
    leaves_sqlite_behind,
    password_file,
    prepare_home,
    read_password,
)
from stack.services.postgres import POSTGRES
from stack.services.service import HttpProbe, Service

PROCESSES = (API_SERVER, SCHEDULER, DAG_PROCESSOR, TRIGGERER)


def services(state: Path) -> dict[str, Service]:
    (state / "airflow").mkdir(exist_ok=True)
    described = airflow_services(
        state,
        state / "log",
        port=28080,
        database_port=28081,
        bootstrap_servers="127.0.0.1:9092",
        registry_url="http://127.0.0.1:8081/apis/ccompat/v7",
    )
    return {service.name: service for service in described}


def test_the_password_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    made = prepare_home(tmp_path)
    assert made
    assert len(made) >= 16
    assert read_password(tmp_path) == made
    assert password_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "airflow").stat().st_mode & 0o777 == 0o700
    assert prepare_home(tmp_path) is None
    assert read_password(tmp_path) == made


def test_a_damaged_password_file_is_made_anew(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    password_file(tmp_path).write_text("{")
    assert read_password(tmp_path) is None
    assert prepare_home(tmp_path) == read_password(tmp_path)


def test_no_secret_is_in_the_description_that_goes_to_the_supervisor(tmp_path: Path) -> None:
    password = prepare_home(tmp_path)
    secrets = [password, (tmp_path / "postgres" / "password").read_text().strip()] if services(tmp_path) else []
    for service in services(tmp_path).values():
        told = service.model_dump_json()
        assert all(secrets)
        assert not [secret for secret in secrets if secret in told]  # type: ignore[operator]
        assert not re.search(r"FERNET_KEY|SECRET|JWT", told)


def test_everything_listens_on_the_loopback_address_only(tmp_path: Path) -> None:
    described = services(tmp_path)
    assert "listen_addresses=127.0.0.1" in described[POSTGRES].argv
    for service in (described[name] for name in PROCESSES):
        assert service.env["AIRFLOW__API__HOST"] == "127.0.0.1"
        assert service.env["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:28080"
    # Its log server listens on every interface.
    assert "--skip-serve-logs" in described[SCHEDULER].argv
    assert "--skip-serve-logs" in described[TRIGGERER].argv


def test_the_database_and_the_pools_are_there_before_anything_starts(tmp_path: Path) -> None:
    described = services(tmp_path)
    (ready,) = described[DAG_PROCESSOR].prepare
    assert ready[1:3] == ("-m", "plugins.metadata")
    assert ready[4:] == ("warehouse", "lake")
    assert described[DAG_PROCESSOR].needs == (POSTGRES,)
    assert all(described[name].needs == (DAG_PROCESSOR,) for name in (API_SERVER, SCHEDULER, TRIGGERER))
    # It is the last to end, because the others need it until then.
    assert [name for name, service in described.items() if service.ends_last] == [POSTGRES]
    assert not any("standalone" in service.argv for service in described.values())


def test_ready_means_that_tasks_can_run_and_not_only_that_a_port_is_open(tmp_path: Path) -> None:
    described = services(tmp_path)
    api, scheduler = described[API_SERVER].ready, described[SCHEDULER].ready
    assert isinstance(api, HttpProbe)
    assert api.url.endswith("/execution/health")
    assert isinstance(scheduler, HttpProbe)
    assert {"scheduler.status", "dag_processor.status", "metadatabase.status"} == set(scheduler.expect)


def test_the_connections_lead_to_the_stack(tmp_path: Path) -> None:
    env = services(tmp_path)[SCHEDULER].env
    file = tmp_path / "airflow" / "connections.json"
    found = json.loads(file.read_text())
    assert found["kafka_default"] == {"conn_type": "kafka", "extra": {"bootstrap.servers": "127.0.0.1:9092"}}
    registry = found["schema_registry_default"]
    assert (registry["host"], registry["port"]) == ("127.0.0.1", 8081)
    assert registry["extra"] == {"path": "/apis/ccompat/v7"}
    assert env["STREAMPROOF_STATE_DIR"] == str(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    # The database has them, so that the UI shows them: a variable would hide them.
    assert not [name for name in env if name.startswith("AIRFLOW_CONN_")]


def test_the_first_start_on_postgresql_says_that_the_runs_of_before_are_elsewhere(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    assert not leaves_sqlite_behind(tmp_path)
    (tmp_path / "airflow" / "airflow.db").touch()
    assert leaves_sqlite_behind(tmp_path)
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    assert not leaves_sqlite_behind(tmp_path)


def test_folders_that_are_named_relatively_are_the_same_for_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = {"STREAMPROOF_SCENARIO_PATH": "own:/srv/shared", "STREAMPROOF_PROFILES_DIR": "", "STREAMPROOF_X": "own"}
    assert absolute_folders(told) == {"STREAMPROOF_SCENARIO_PATH": f"{tmp_path}/own:/srv/shared"}
    monkeypatch.setenv("STREAMPROOF_SCENARIO_PATH", "own")
    assert services(tmp_path)[SCHEDULER].env["STREAMPROOF_SCENARIO_PATH"] == f"{tmp_path}/own"


def test_the_connections_of_a_secured_stack_name_files_and_hold_no_secret(tmp_path: Path) -> None:
    secured = secure(tmp_path, "scram")
    connections = airflow_connections(
        "127.0.0.1:9092", "https://127.0.0.1:8081/apis/ccompat/v7", secured.kafka, secured.registry
    )
    kafka, registry = (connections[name]["extra"] for name in ("kafka_default", "schema_registry_default"))
    assert isinstance(kafka, dict)
    assert isinstance(registry, dict)
    assert kafka["security.protocol"] == "sasl_ssl"
    assert kafka["ssl.ca.location"] == registry["ssl_ca_location"] == str(secured.authority)
    assert connections["schema_registry_default"]["schema"] == "https"
    file = Path(kafka["sasl.password.file"])
    assert file.read_text() not in json.dumps(connections)

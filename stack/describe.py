"""From what is asked for to the services that the supervisor runs: parts, ports, settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from stack.parts.artifacts import Artifacts, cache_dir, ensure_artifacts
from stack.ports import Ports
from stack.record import Record, Security
from stack.request import UpRequest, Watcher
from stack.security import SecuredStack, secure
from stack.services import airflow as local_airflow
from stack.services.apicurio import registry_service
from stack.services.kafka import KafkaPorts, kafka_service
from stack.services.service import Service


@dataclass(frozen=True, slots=True)
class Description:
    """The services to start and the addresses of the whole stack."""

    services: tuple[Service, ...]
    bootstrap_servers: str
    registry_url: str
    airflow_url: str | None
    security: Security = "none"
    kafka: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict)
    new_password: str | None = field(default=None, repr=False)


def describe(
    state: Path, request: UpRequest, running: Record | None, watcher: Watcher, stop: threading.Event
) -> Description:
    """Describe what is to be started beside ``running``, and write the settings of each service."""
    ports = Ports(state)
    ports.check(kafka=request.kafka_port, registry=request.registry_port, airflow=request.airflow_port)
    if running is None:
        security = request.security or "none"
        secured = None if security == "none" else secure(state, security)
        kafka, registry = (secured.kafka, secured.registry) if secured is not None else ({}, {})
        # Free ports are taken after this, because it may take minutes.
        artifacts = ensure_artifacts(cache_dir(), watcher.fetching, stop)
        services = _kafka_and_registry(state, request, artifacts, ports, secured)
        bootstrap_servers, registry_url = (service.address for service in services)
    else:
        security, kafka, registry = running.security, running.kafka, running.registry
        services, bootstrap_servers, registry_url = (), running.bootstrap_servers, running.registry_url
    airflow_url = new_password = None
    if request.airflow:
        port = ports.take("airflow", request.airflow_port)
        if local_airflow.leaves_sqlite_behind(state):
            watcher.say(
                "Airflow's metadata moves from SQLite to PostgreSQL and begins empty: the runs of before are in "
                f"{state / 'airflow' / local_airflow.SQLITE_NAME}, which is not read any more"
            )
        airflow_url = local_airflow.airflow_addresses(state, port).url
        new_password = local_airflow.prepare_home(state)
        services += local_airflow.airflow_services(
            state,
            state / "log",
            port=port,
            database_port=ports.take("postgres"),
            bootstrap_servers=bootstrap_servers,
            registry_url=registry_url,
            kafka=kafka,
            registry=registry,
        )
    ports.save()
    return Description(
        services,
        bootstrap_servers,
        registry_url,
        airflow_url,
        security=security,
        kafka=kafka,
        registry=registry,
        new_password=new_password,
    )


def _kafka_and_registry(
    state: Path, request: UpRequest, artifacts: Artifacts, ports: Ports, secured: SecuredStack | None
) -> tuple[Service, ...]:
    return (
        kafka_service(
            state,
            artifacts,
            KafkaPorts(
                client=ports.take("kafka", request.kafka_port),
                controller=ports.take("kafka-controller"),
                internal=ports.take("kafka-internal") if secured is not None else None,
            ),
            secured,
        ),
        registry_service(
            state,
            artifacts,
            port=ports.take("registry", request.registry_port),
            management_port=ports.take("registry-management"),
            secured=secured,
        ),
    )

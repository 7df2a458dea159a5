"""From what is asked for to the services that the supervisor runs: parts, ports, settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from stack import airflow as local_airflow
from stack.apicurio import registry_service
from stack.artifacts import cache_dir, ensure_artifacts
from stack.kafka import kafka_service
from stack.ports import Ports
from stack.record import Record
from stack.request import UpRequest, Watcher
from stack.service import Service


@dataclass(frozen=True, slots=True)
class Description:
    """The services to start and the addresses of the whole stack."""

    services: tuple[Service, ...]
    bootstrap_servers: str
    registry_url: str
    airflow_url: str | None
    new_password: str | None = field(default=None, repr=False)


def describe(
    state: Path, request: UpRequest, running: Record | None, watcher: Watcher, stop: threading.Event
) -> Description:
    """Describe what is to be started beside ``running``, and write the settings of each service."""
    ports = Ports(state)
    ports.check(kafka=request.kafka_port, registry=request.registry_port, airflow=request.airflow_port)
    if running is None:
        services = _kafka_and_registry(state, request, ports, watcher, stop)
        bootstrap_servers, registry = (service.address for service in services)
    else:
        services, bootstrap_servers, registry = (), running.bootstrap_servers, running.registry_url
    airflow_url = new_password = None
    if request.airflow:
        port = ports.take("airflow", request.airflow_port)
        airflow_url = local_airflow.airflow_addresses(state, port).url
        new_password = local_airflow.prepare_home(state)
        services += local_airflow.airflow_services(
            state, state / "log", port=port, bootstrap_servers=bootstrap_servers, registry_url=registry
        )
    ports.save()
    return Description(services, bootstrap_servers, registry, airflow_url, new_password)


def _kafka_and_registry(
    state: Path, request: UpRequest, ports: Ports, watcher: Watcher, stop: threading.Event
) -> tuple[Service, ...]:
    # Free ports are taken after this, because it may take minutes.
    artifacts = ensure_artifacts(cache_dir(), watcher.fetching, stop)
    return (
        kafka_service(
            state,
            artifacts,
            port=ports.take("kafka", request.kafka_port),
            controller_port=ports.take("kafka-controller"),
        ),
        registry_service(
            state,
            artifacts,
            port=ports.take("registry", request.registry_port),
            management_port=ports.take("registry-management"),
        ),
    )

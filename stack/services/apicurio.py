"""Apicurio Registry behind its Confluent-compatible API, with its schemas in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster.local import Endpoint
from stack.parts.java import JAVA, QUICK_START
from stack.ports import LOOPBACK
from stack.services.component import Component, Described, Site
from stack.services.service import HttpProbe, Service

if TYPE_CHECKING:
    from stack.parts.artifacts import Artifacts
    from stack.security import SecuredStack

HEAP = "256m"
NAME = "registry"
TITLE = "the registry"


def registry_url(port: int, *, encrypted: bool = False) -> str:
    """Return the address that Confluent's clients take."""
    return f"http{'s' if encrypted else ''}://{LOOPBACK}:{port}/apis/ccompat/v7"


def registry_service(
    state: Path, artifacts: Artifacts, *, port: int, management_port: int, secured: SecuredStack | None
) -> Service:
    """Describe the registry; where the stack is secured, it speaks TLS. It asks nobody for a login."""
    url = registry_url(port, encrypted=secured is not None)
    home = state / "registry"
    home.mkdir(parents=True, exist_ok=True)
    properties = {
        "quarkus.http.host": LOOPBACK,
        **_door(port, secured),
        # Health and metrics: on every address and port 9000 unless told.
        "quarkus.management.host": LOOPBACK,
        "quarkus.management.port": str(management_port),
        # One line for each request would be all that its log holds.
        "quarkus.http.access-log.enabled": "false",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "h2",
        # Relative to the working folder; written before a registration is answered.
        "apicurio.datasource.url": "jdbc:h2:file:./schemas;WRITE_DELAY=0",
    }
    return Service(
        name=NAME,
        version=artifacts.registry_version,
        argv=(
            str(JAVA),
            f"-Xmx{HEAP}",
            *QUICK_START,
            *(f"-D{name}={value}" for name, value in properties.items()),
            "-jar",
            str(artifacts.registry_home / "quarkus-run.jar"),
        ),
        cwd=home,
        log=state / "log" / "registry.log",
        ready=HttpProbe(url=f"{url}/subjects", authority=secured.authority if secured is not None else None),
        address=url,
        endpoints={NAME: Endpoint(url, TITLE, secured.registry if secured is not None else {})},
    )


def _door(port: int, secured: SecuredStack | None) -> dict[str, str]:
    if secured is None:
        return {"quarkus.http.port": str(port)}
    return {
        "quarkus.http.ssl-port": str(port),
        "quarkus.http.insecure-requests": "disabled",
        "quarkus.http.ssl.certificate.files": str(secured.server.certificate),
        "quarkus.http.ssl.certificate.key-files": str(secured.server.key),
    }


def _describe(site: Site) -> Described:
    artifacts = site.artifacts()
    service = registry_service(
        site.state,
        artifacts,
        port=site.port(NAME),
        management_port=site.port("registry-management"),
        secured=site.secured,
    )
    return Described((service,))


COMPONENT = Component(NAME, TITLE, _describe, always=True)

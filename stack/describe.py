"""From what is asked for to the services that the supervisor runs: parts, ports, settings."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from pathlib import Path

from stack.parts.artifacts import cache_dir, ensure_artifacts
from stack.ports import Ports
from stack.record import Record, Security
from stack.request import UpRequest, Watcher
from stack.security import secure
from stack.services.component import Component, Login, Site, wanted
from stack.services.service import Service


@dataclass(frozen=True, slots=True)
class Description:
    """The services to start, how the stack is secured, and the logins that were made."""

    services: tuple[Service, ...]
    security: Security = "none"
    logins: tuple[Login, ...] = ()


def missing(request: UpRequest, running: Record | None) -> tuple[Component, ...]:
    """Return what is asked for and not there. What every stack has came with it, and runs or has died."""
    asked = wanted(request.components)
    if running is None:
        return asked
    return tuple(each for each in asked if not each.always and each.name not in running.endpoints)


def describe(
    state: Path, request: UpRequest, running: Record | None, watcher: Watcher, stop: threading.Event
) -> Description:
    """Describe what is to be started beside ``running``, and write the settings of each service."""
    endpoints = dict(running.endpoints) if running is not None else {}
    ports = Ports(state)
    ports.check({name: port for name, port in request.ports.items() if name not in endpoints})
    security = running.security if running is not None else request.security or "none"
    secured = secure(state, security) if running is None and security != "none" else None
    site = Site(
        state=state,
        secured=secured,
        endpoints=endpoints,
        port=functools.cache(lambda name: ports.take(name, request.ports.get(name))),
        artifacts=functools.cache(lambda: ensure_artifacts(cache_dir(), watcher.fetching, stop)),
        say=watcher.say,
        brokers=request.brokers,
    )
    services: list[Service] = []
    logins: list[Login] = []
    for component in missing(request, running):
        described = component.describe(site)
        services += described.services
        logins += described.logins
        for service in described.services:
            endpoints.update(service.endpoints)
        if component.name not in endpoints:
            raise RuntimeError(f"no service of {component.name} tells an endpoint of this name")
    ports.save()
    return Description(tuple(services), security, tuple(logins))

"""What a person asks the stack for: Kafka, the registry, Airflow. Each is one or more services.

A module of this folder that holds a ``COMPONENT`` adds one, and nothing else has to be changed: `up` has its flags,
its services tell their endpoints in the record, and `status` and `down` see them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import stack.services
from cluster.local import Endpoint
from stack.services.service import Service

if TYPE_CHECKING:
    from stack.parts.artifacts import Artifacts
    from stack.security import SecuredStack


@dataclass(frozen=True, slots=True)
class Site:
    """What a component has to know to describe its services.

    :param secured: what a stack that begins is secured by; ``None`` where it is not, or runs already.
    :param endpoints: those of what runs, and of the components described before.
    :param port: gives the port of a name, the same each time: what was asked for, last time's, or a free one.
    :param artifacts: gives the Java programs; fetching them may take minutes, so take ports after it.
    :param say: takes a sentence for whoever looks on.
    :param brokers: how many brokers are asked for; ``None`` for as many as there were.
    """

    state: Path
    secured: SecuredStack | None
    endpoints: Mapping[str, Endpoint]
    port: Callable[[str], int]
    artifacts: Callable[[], Artifacts]
    say: Callable[[str], None]
    brokers: int | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A user whose password was made just now: shown once, and kept in a file."""

    title: str
    user: str
    password: str = field(repr=False)
    file: Path


@dataclass(frozen=True, slots=True)
class Described:
    """The services of a component, and the logins that were made for it."""

    services: tuple[Service, ...]
    logins: tuple[Login, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """Something that a stack may have.

    :param name: of its flag (``--NAME``), of the flag of its port and of its endpoint: one of its services tells an
        endpoint of this name, which says that it is there.
    :param title: as it stands in a sentence.
    :param describe: writes its settings and describes its services.
    :param always: every stack has it, and it has no flag.
    :param needs: components that are started with it, and described before it.
    :param space_bytes: what its first start writes, and some to go on with.
    """

    name: str
    title: str
    describe: Callable[[Site], Described]
    always: bool = False
    needs: tuple[str, ...] = ()
    space_bytes: int = 32_000_000


def components() -> tuple[Component, ...]:
    """Return all that there are, each after those that it needs."""
    names = [module.name for module in pkgutil.iter_modules(stack.services.__path__)]
    modules = (importlib.import_module(f"{stack.services.__name__}.{name}") for name in names)
    found = [held for module in modules if isinstance(held := vars(module).get("COMPONENT"), Component)]
    by_name = {component.name: component for component in sorted(found, key=lambda each: (not each.always, each.name))}
    order = TopologicalSorter({component.name: component.needs for component in by_name.values()})
    return tuple(by_name[name] for name in order.static_order())


def wanted(asked: Iterable[str]) -> tuple[Component, ...]:
    """Return what is to be there: what every stack has, what is asked for, and what those need."""
    known = {component.name: component for component in components()}
    names = {component.name for component in known.values() if component.always} | set(asked)
    while more := {need for name in names for need in known[name].needs} - names:
        names |= more
    return tuple(component for component in known.values() if component.name in names)

"""The flags that say where Kafka and the registry are: one place for every command that takes them.

A command with a parameter ``addresses: Addresses``, under :func:`takes_addresses`, has the flags in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

import typer

from cluster.connection import Connection

BootstrapFlag = Annotated[
    str | None, typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="Kafka brokers, comma separated.")
]
RegistryFlag = Annotated[str | None, typer.Option("--registry-url", metavar="URL", help="Schema Registry address.")]
AllowPlaintextFlag = Annotated[
    bool, typer.Option("--allow-plaintext", help="Allow unencrypted connections to other machines.")
]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Addresses:
    """The flags of a command that talks to Kafka, to the registry, or to both."""

    bootstrap_servers: BootstrapFlag = None
    registry_url: RegistryFlag = None
    allow_plaintext: AllowPlaintextFlag = False

    def connect(
        self,
        given: Mapping[str, object] | None = None,
        *,
        otherwise: Mapping[str, object] | None = None,
        uses: Collection[str] = ("kafka", "registry"),
    ) -> Connection:
        """Return the connection that the flags, the environment, a file and the local stack tell of.

        :param given: further settings that other flags brought, by their names in the settings file.
        :param otherwise: settings that hold where only the local stack says something else.
        :param uses: the halves that are certain to be used; what is wrong with another is told when it is asked for.
        :raises Misconfigured: a setting is unknown or invalid.
        """
        return Connection.discover(**asdict(self), given=given, otherwise=otherwise, uses=uses)


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """The flags of a command that talks to Kafka alone."""

    bootstrap_servers: BootstrapFlag = None
    allow_plaintext: AllowPlaintextFlag = False

    def connect(self) -> Connection:
        """Return the connection, as :meth:`Addresses.connect` does; nothing is asked of the registry."""
        return Connection.discover(**asdict(self), uses=("kafka",))


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """The flags of a command that talks to the registry alone."""

    registry_url: RegistryFlag = None
    allow_plaintext: AllowPlaintextFlag = False

    def connect(self, *, uses: Collection[str] = ("registry",)) -> Connection:
        """Return the connection, as :meth:`Addresses.connect` does; nothing is asked of Kafka."""
        return Connection.discover(**asdict(self), uses=uses)


def takes_addresses(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the flags of its parameter ``addresses`` in place of the parameter.

    Typer reads flags from the signature, so it is shown one in which the fields stand where the parameter stood.
    """
    signature = inspect.signature(command, eval_str=True)
    place = signature.parameters["addresses"]
    fields = inspect.signature(place.annotation, eval_str=True).parameters

    @functools.wraps(command)
    def told(**values: Any) -> Result:
        flags = {name: values.pop(name) for name in fields}
        return command(**values, addresses=place.annotation(**flags))

    shown: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        shown += [field.replace(kind=place.kind) for field in fields.values()] if parameter is place else [parameter]
    told.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]  # inspect looks for it
    return told

"""The flags that say where Kafka and the registry are, and how to log in: one place for every command that takes them.

A command with a parameter ``addresses: Addresses``, under :func:`takes_addresses`, has the flags in its place.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
import typer

from cluster.connection import ENV_PREFIX, Connection
from cluster.local import state_dir

BootstrapFlag = Annotated[
    str | None, typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="Kafka brokers, comma separated.")
]
RegistryFlag = Annotated[str | None, typer.Option("--registry-url", metavar="URL", help="Schema Registry address.")]
AllowPlaintextFlag = Annotated[
    bool, typer.Option("--allow-plaintext", help="Allow unencrypted connections to other machines.")
]
PropertiesFlag = Annotated[
    Path | None,
    typer.Option("--properties", metavar="FILE", help="A Java client's properties file: addresses, login, TLS."),
]
BOTH = ("kafka", "registry")
Result = TypeVar("Result")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Addresses:
    """The flags of a command that talks to Kafka, to the registry, or to both."""

    bootstrap_servers: BootstrapFlag = None
    registry_url: RegistryFlag = None
    properties: PropertiesFlag = None
    allow_plaintext: AllowPlaintextFlag = False

    def connect(
        self,
        *,
        tls: bool = False,
        otherwise: Mapping[str, object] | None = None,
        uses: Collection[str] = BOTH,
    ) -> Connection:
        """Return the connection that the flags, the environment, a file and the local stack tell of.

        :param tls: connect to Kafka with TLS, whatever else is said of it.
        :param otherwise: settings that hold where only the local stack says something else.
        :param uses: the halves that are certain to be used; what is wrong with another is told when it is asked for.
        :raises Misconfigured: a setting is unknown or invalid, or a fault in the properties file.
        """
        return _discover(self, self.bootstrap_servers, self.registry_url, tls=tls, otherwise=otherwise, uses=uses)


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """The flags of a command that talks to Kafka alone."""

    bootstrap_servers: BootstrapFlag = None
    properties: PropertiesFlag = None
    allow_plaintext: AllowPlaintextFlag = False

    def connect(self) -> Connection:
        """Return the connection, as :meth:`Addresses.connect` does; nothing is asked of the registry."""
        return _discover(self, self.bootstrap_servers, None, uses=("kafka",))


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """The flags of a command that talks to the registry alone."""

    registry_url: RegistryFlag = None
    properties: PropertiesFlag = None
    allow_plaintext: AllowPlaintextFlag = False

    def connect(self, *, uses: Collection[str] = ("registry",)) -> Connection:
        """Return the connection, as :meth:`Addresses.connect` does; nothing is asked of Kafka."""
        return _discover(self, None, self.registry_url, uses=uses)


def _discover(
    flags: Addresses | KafkaAddress | RegistryAddress,
    bootstrap_servers: str | None,
    registry_url: str | None,
    *,
    uses: Collection[str],
    tls: bool = False,
    otherwise: Mapping[str, object] | None = None,
) -> Connection:
    given: dict[str, object] = {}
    refused: Mapping[str, str] = {}
    if flags.properties is not None:
        from cluster.settings.java.client_file import read_client_file  # deferred: it loads the library of the stores

        read = read_client_file(flags.properties, state_dir() / "keystores", uses=uses)
        given, refused = dict(read.settings), read.refused
        if read.left_out:
            keys = ", ".join(f"{key} (here: {here})" if here else key for key, here in read.left_out.items())
            log.info("left out of the properties file, without a meaning here", keys=keys)
    if tls:
        login = "sasl_mechanism" in given or os.environ.get(f"{ENV_PREFIX}SASL_MECHANISM")
        given["security_protocol"] = "sasl_ssl" if login else "ssl"
    return Connection.discover(
        bootstrap_servers=bootstrap_servers,
        registry_url=registry_url,
        allow_plaintext=flags.allow_plaintext,
        given=given,
        refused={part: (said, str(flags.properties)) for part, said in refused.items()},
        otherwise=otherwise,
        uses=uses,
    )


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

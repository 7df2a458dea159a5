"""Flags of ``produce`` that say more than one setting: TLS at all, a scenario's own pace."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cluster.connection import ENV_PREFIX, Connection
from cluster.errors import Misconfigured
from streamproof.flags.connection import Addresses

ScenarioPathFlag = Annotated[
    str | None,
    typer.Option(
        "--scenario-path",
        envvar=f"{ENV_PREFIX}SCENARIO_PATH",
        metavar="FOLDERS",
        help="Folders in which scenarios are looked for, separated as in PATH.",
    ),
]
SecondsFlag = Annotated[float | None, typer.Option("--seconds", help="End after this long.")]
ShapeFlag = Annotated[
    str | None,
    typer.Option("--shape", help='Load shape, over all shards: "ramp(1000,20000,60s) + constant(20000,5m)".'),
]
CatchUpFlag = Annotated[
    str,
    typer.Option("--catch-up", help="What a stall held up: 'report' sends it late, 'skip' gives it up and counts it."),
]
RequireRateFlag = Annotated[
    str | None, typer.Option("--require-rate", metavar="P%", help="Fail (65) below this share of the rate.")
]
RunIdFlag = Annotated[
    str | None, typer.Option("--run-id", help="Name of the run; the same name continues it. Made up if not given.")
]
DeliveryTimeoutFlag = Annotated[
    float, typer.Option("--delivery-timeout", help="Seconds that an event may wait for its acknowledgement.")
]
EventLogFlag = Annotated[
    Path | None,
    typer.Option("--event-log", metavar="FOLDER", help="Write every event here, as JSON lines, a file for a shard."),
]
SslFlag = Annotated[bool, typer.Option("--ssl", help="Connect to Kafka with TLS.")]
MtlsFlag = Annotated[bool, typer.Option("--mtls", help="Connect with TLS, and show a client certificate.")]


def new_run_id() -> str:
    """Return a name for a run that nobody named."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def connect(
    addresses: Addresses,
    scenario: str,
    *,
    ssl: bool,
    mtls: bool,
    otherwise: Mapping[str, object] | None = None,
) -> Connection:
    """Return the connection that the flags, and what they name, ask for.

    :param scenario: what is to be sent: values that name no schema need no registry.
    :param otherwise: settings that hold where only the local stack says something else.
    :raises Misconfigured: a fault in the properties file or the settings, an address that nobody told, or no client
        certificate for ``--mtls``.
    """
    connection = addresses.connect(tls=ssl or mtls, otherwise=otherwise)
    if connection.missing and not (connection.known_kafka is not None and _needs_no_registry(scenario)):
        connection.whole()
    if mtls and connection.kafka.ssl_certificate_location is None:
        raise Misconfigured(
            "--mtls needs a client certificate, and none is set",
            hint="Set ssl.keystore.location in --properties, or STREAMPROOF_SSL_CERTIFICATE_LOCATION and its key",
        )
    return connection


def _needs_no_registry(scenario: str) -> bool:
    from producer.scenarios import find_scenario
    from schemas.formats import FRAMED

    try:
        return find_scenario(scenario).format not in FRAMED
    except Misconfigured:
        return False  # what is wrong with it is told when it is planned


def rate_of(
    scenario: str,
    connection: Connection,
    *,
    rate: float | None,
    shape: str | None,
    options: Mapping[str, str],
    shards: int,
) -> float:
    """Return the rate of a run: what was asked for, or the scenario's own pace for every shard.

    :raises Misconfigured: the pace depends on an option that the scenario does not take.
    """
    from producer.plan.rules import rate_or_own

    def own() -> float:
        from producer.scenarios import find_scenario, own_rate

        return own_rate(find_scenario(scenario, registry=connection.known_registry), shards, options)

    return rate_or_own(rate, shape, own)

"""Apache Kafka as one local KRaft node, or as three: each broker and controller in one, on the loopback address."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.errors import Misconfigured
from cluster.local import Endpoint, broker_service
from stack.files import write_private
from stack.parts.java import QUICK_START, java_command, log_options
from stack.ports import LOOPBACK
from stack.services.component import Component, Described, Site
from stack.services.service import KafkaProbe, Service

if TYPE_CHECKING:
    from stack.parts.artifacts import Artifacts
    from stack.security import SecuredStack

# What differs from Kafka's defaults, and why.
SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    # Relative to the working folder: a comma in the path would make two folders of an absolute one.
    "log.dirs": "data",
    # A mistyped topic must fail, not appear.
    "auto.create.topics.enable": "false",
    "num.partitions": "3",
    # Few partitions of the internal topics, which are made on first use.
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    # Nobody else joins a group of a rehearsal: do not wait 3 s for them.
    "group.initial.rebalance.delay.ms": "0",
    # A member that dies hands over within 6 s. Kafka's own 45 s are a bound that no client and no group may lower.
    "group.consumer.min.session.timeout.ms": "3000",
    "group.consumer.session.timeout.ms": "4000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    # The default buffer is 128 MiB of a heap of 512.
    "log.cleaner.dedupe.buffer.size": "16777216",
}
# A node of three has less to do than one that does everything.
HEAP, HEAP_OF_THREE = "512m", "320m"
NAME = "kafka"
TITLE = "Kafka"


@dataclass(frozen=True, slots=True)
class KafkaPorts:
    """Where one broker listens: for clients, as a controller, and for its like where it is secured."""

    client: int
    controller: int
    internal: int | None = None


def replication(brokers: int) -> dict[str, str]:
    """Return what follows from the number of brokers: how often everything is stored, and how often at least."""
    copies, least = str(brokers), str((brokers + 1) // 2)
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": least,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": least,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": least,
    }


def stored_brokers(home: Path) -> int | None:
    """Return for how many brokers a storage was formatted, ``None`` for one that is not there."""
    if _formatted(home):
        return 1
    several = [folder for folder in home.glob("broker-*") if _formatted(folder)]
    # A first start may have been interrupted before all of them were formatted.
    return 3 if several else None


def storage(state: Path, secured: SecuredStack | None) -> Path:
    """Return where brokers keep what they store: each way of securing has its own, because users are part of it."""
    return state / (NAME if secured is None else f"{NAME}-{secured.security}")


def chosen_brokers(home: Path, asked: int | None) -> int:
    """Return how many brokers there are to be: as many as are asked for, else as the storage has, else one.

    :raises Misconfigured: the storage is of another number.
    """
    stored = stored_brokers(home)
    if stored is not None and asked not in {None, stored}:
        has = "one broker" if stored == 1 else f"{stored} brokers"
        raise Misconfigured(
            f"Kafka's storage is that of {has}, and cannot become one of {asked}",
            where=str(home),
            hint=f"Leave --brokers out to go on with {has}; set STREAMPROOF_STATE_DIR to another folder for a second "
            f"stack; or delete {home}, and with it all topics, to begin anew",
        )
    return stored or asked or 1


def kafka_services(
    state: Path, artifacts: Artifacts, ports: Sequence[KafkaPorts], secured: SecuredStack | None
) -> tuple[Service, ...]:
    """Write the settings and describe the brokers, one for each of ``ports``.

    Their storage is formatted once, and keeps its cluster id.
    """
    home = storage(state, secured)
    home.mkdir(parents=True, exist_ok=True)
    if secured is not None:
        # What the broker asks a password for is in it, and what SCRAM keeps of the passwords.
        home.chmod(0o700)
    cluster_id = _cluster_id(home)
    servers = ",".join(f"{LOOPBACK}:{each.client}" for each in ports)
    return tuple(
        _broker(node, home, artifacts, ports, secured, cluster_id=cluster_id, servers=servers, log=state / "log")
        for node in range(1, len(ports) + 1)
    )


def _broker(
    node: int,
    home: Path,
    artifacts: Artifacts,
    ports: Sequence[KafkaPorts],
    secured: SecuredStack | None,
    *,
    cluster_id: str,
    servers: str,
    log: Path,
) -> Service:
    several, own = len(ports) > 1, ports[node - 1]
    folder = home / f"broker-{node}" if several else home
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    # For its owner's eyes: passwords of a secured broker are in it.
    settings = _settings(node, ports, secured)
    write_private(properties, "".join(f"{name}={value}\n" for name, value in settings.items()).encode())
    prepare: tuple[tuple[str, ...], ...] = ()
    if not _formatted(folder):
        # Formatting what an interrupted format left is allowed; formatting data is not asked for.
        arguments = ["format", "-t", cluster_id, "-c", properties.name, "--ignore-formatted"]
        if secured is not None and secured.format_arguments is not None:
            arguments.append(f"@{secured.format_arguments}")  # passwords: never arguments of a process
        options = ["-Xmx128m", *QUICK_START, *log_options()]
        prepare = (tuple(java_command(artifacts.kafka_jars, "kafka.tools.StorageTool", *arguments, options=options)),)
    options = [
        f"-Xmx{HEAP_OF_THREE if several else HEAP}",
        *QUICK_START,
        "-Djava.awt.headless=true",
        "-Dkafka.log.level=INFO",
        "-Dkafka.log.target=SYSTEM_OUT",
        *log_options(),
    ]
    address = f"{LOOPBACK}:{own.client}"
    client = secured.kafka if secured is not None else {}
    name = broker_service(node, len(ports))
    return Service(
        name=name,
        version=artifacts.kafka_version,
        argv=tuple(java_command(artifacts.kafka_jars, "kafka.Kafka", properties.name, options=options)),
        cwd=folder,
        log=log / f"{name}.log",
        ready=KafkaProbe(bootstrap_servers=address, settings=client, node=node if several else None),
        prepare=prepare,
        address=address,
        endpoints={NAME: Endpoint(servers, TITLE, client)} if node == 1 else {},
    )


def _settings(node: int, ports: Sequence[KafkaPorts], secured: SecuredStack | None) -> dict[str, str]:
    own = ports[node - 1]
    doors = {"CLIENT": own.client} | ({"INTERNAL": own.internal} if own.internal is not None else {})
    addresses = [f"{name}://{LOOPBACK}:{port}" for name, port in doors.items()]
    voters = (f"{number}@{LOOPBACK}:{each.controller}" for number, each in enumerate(ports, start=1))
    return {
        **SETTINGS,
        **replication(len(ports)),
        **(secured.broker if secured is not None else {}),
        "node.id": str(node),
        "listeners": ",".join([*addresses, f"CONTROLLER://{LOOPBACK}:{own.controller}"]),
        "advertised.listeners": ",".join(addresses),
        # Static voters: dynamic ones would keep the ports of the first start in the storage.
        "controller.quorum.voters": ",".join(voters),
    }


def _describe(site: Site) -> Described:
    brokers = chosen_brokers(storage(site.state, site.secured), site.brokers)
    artifacts = site.artifacts()
    names = [broker_service(node, brokers) if node > 1 else NAME for node in range(1, brokers + 1)]
    ports = [
        KafkaPorts(
            client=site.port(name),
            controller=site.port(f"{name}-controller"),
            internal=site.port(f"{name}-internal") if site.secured is not None else None,
        )
        for name in names
    ]
    return Described(kafka_services(site.state, artifacts, ports, site.secured))


COMPONENT = Component(NAME, TITLE, _describe, always=True)


def _formatted(folder: Path) -> bool:
    return (folder / "data" / "meta.properties").exists()


def _cluster_id(home: Path) -> str:
    """Return the cluster id of what is formatted already, of whichever broker, or a new one."""
    for told in sorted(home.glob("broker-*/data/meta.properties")):
        for line in told.read_text().splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "cluster.id" and value.strip():
                return value.strip()
    return _new_cluster_id()


def _new_cluster_id() -> str:
    """Return a cluster id as Kafka writes them: a UUID in URL-safe base 64, not starting with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text

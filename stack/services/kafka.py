"""Apache Kafka as one local KRaft node: broker and controller in one process, on the loopback address."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.local import Endpoint
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
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    # Relative to the working folder: a comma in the path would make two folders of an absolute one.
    "log.dirs": "data",
    # A mistyped topic must fail, not appear.
    "auto.create.topics.enable": "false",
    "num.partitions": "3",
    # One node: one replica of everything, and few partitions of the internal topics, which are made on first use.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "3",
    # Nobody else joins a group of a rehearsal: do not wait 3 s for them.
    "group.initial.rebalance.delay.ms": "0",
    # The default buffer is 128 MiB of a heap of 512.
    "log.cleaner.dedupe.buffer.size": "16777216",
}
HEAP = "512m"
NAME = "kafka"
TITLE = "Kafka"


@dataclass(frozen=True, slots=True)
class KafkaPorts:
    """Where the broker listens: for clients, as the controller, and for itself where it is secured."""

    client: int
    controller: int
    internal: int | None = None


def kafka_service(state: Path, artifacts: Artifacts, ports: KafkaPorts, secured: SecuredStack | None) -> Service:
    """Write the settings and describe the broker; its storage is formatted once, and keeps its cluster id.

    Each way of securing has a storage of its own, because users are part of it.
    """
    home = state / ("kafka" if secured is None else f"kafka-{secured.security}")
    home.mkdir(parents=True, exist_ok=True)
    if secured is not None:
        # What the broker asks a password for is in it, and what SCRAM keeps of the passwords.
        home.chmod(0o700)
    doors = {"CLIENT": ports.client} | ({"INTERNAL": ports.internal} if ports.internal is not None else {})
    addresses = [f"{name}://{LOOPBACK}:{port}" for name, port in doors.items()]
    settings = {
        **SETTINGS,
        **(secured.broker if secured is not None else {}),
        "listeners": ",".join([*addresses, f"CONTROLLER://{LOOPBACK}:{ports.controller}"]),
        "advertised.listeners": ",".join(addresses),
        # A static voter: a dynamic one would keep the port of the first start in the storage.
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports.controller}",
    }
    properties = home / "server.properties"
    # For its owner's eyes: passwords of a secured broker are in it.
    write_private(properties, "".join(f"{name}={value}\n" for name, value in settings.items()).encode())
    prepare: tuple[tuple[str, ...], ...] = ()
    if not (home / "data" / "meta.properties").exists():
        # Formatting what an interrupted format left is allowed; formatting data is not asked for.
        arguments = ["format", "-t", _new_cluster_id(), "-c", properties.name, "--ignore-formatted"]
        if secured is not None and secured.format_arguments is not None:
            arguments.append(f"@{secured.format_arguments}")  # passwords: never arguments of a process
        options = ["-Xmx128m", *QUICK_START, *log_options()]
        prepare = (tuple(java_command(artifacts.kafka_jars, "kafka.tools.StorageTool", *arguments, options=options)),)
    options = [
        f"-Xmx{HEAP}",
        *QUICK_START,
        "-Djava.awt.headless=true",
        "-Dkafka.log.level=INFO",
        "-Dkafka.log.target=SYSTEM_OUT",
        *log_options(),
    ]
    address = f"{LOOPBACK}:{ports.client}"
    client = secured.kafka if secured is not None else {}
    return Service(
        name=NAME,
        version=artifacts.kafka_version,
        argv=tuple(java_command(artifacts.kafka_jars, "kafka.Kafka", properties.name, options=options)),
        cwd=home,
        log=state / "log" / "kafka.log",
        ready=KafkaProbe(bootstrap_servers=address, settings=client),
        prepare=prepare,
        address=address,
        endpoints={NAME: Endpoint(address, TITLE, client)},
    )


def _describe(site: Site) -> Described:
    artifacts = site.artifacts()
    ports = KafkaPorts(
        client=site.port(NAME),
        controller=site.port("kafka-controller"),
        internal=site.port("kafka-internal") if site.secured is not None else None,
    )
    return Described((kafka_service(site.state, artifacts, ports, site.secured),))


COMPONENT = Component(NAME, TITLE, _describe, always=True)


def _new_cluster_id() -> str:
    """Return a cluster id as Kafka writes them: a UUID in URL-safe base 64, not starting with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text

"""Apache Kafka as one local KRaft node: broker and controller in one process, on the loopback address."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

from stack.artifacts import Artifacts
from stack.java import java_command, log_options
from stack.ports import LOOPBACK
from stack.service import KafkaProbe, Service

# What differs from Kafka's defaults, and why.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
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


def kafka_service(state: Path, artifacts: Artifacts, *, port: int, controller_port: int) -> Service:
    """Write the settings and describe the broker; its storage is formatted once, and keeps its cluster id."""
    home = state / "kafka"
    home.mkdir(parents=True, exist_ok=True)
    settings = {
        **SETTINGS,
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        # A static voter: a dynamic one would keep the port of the first start in the storage.
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
    }
    properties = home / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    prepare: tuple[tuple[str, ...], ...] = ()
    if not (home / "data" / "meta.properties").exists():
        # Formatting what an interrupted format left is allowed; formatting data is not asked for.
        arguments = ("format", "-t", _new_cluster_id(), "-c", properties.name, "--ignore-formatted")
        options = ["-Xmx128m", "-XX:TieredStopAtLevel=1", *log_options()]
        prepare = (tuple(java_command(artifacts.kafka_jars, "kafka.tools.StorageTool", *arguments, options=options)),)
    options = [
        f"-Xmx{HEAP}",
        "-XX:MaxGCPauseMillis=20",
        "-Djava.awt.headless=true",
        "-Dkafka.log.level=INFO",
        "-Dkafka.log.target=SYSTEM_OUT",
        *log_options(),
    ]
    return Service(
        name="kafka",
        version=artifacts.kafka_version,
        argv=tuple(java_command(artifacts.kafka_jars, "kafka.Kafka", properties.name, options=options)),
        cwd=home,
        log=state / "log" / "kafka.log",
        ready=KafkaProbe(bootstrap_servers=f"{LOOPBACK}:{port}"),
        prepare=prepare,
        address=f"{LOOPBACK}:{port}",
    )


def _new_cluster_id() -> str:
    """Return a cluster id as Kafka writes them: a UUID in URL-safe base 64, not starting with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text

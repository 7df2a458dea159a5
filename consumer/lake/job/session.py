"""A session of Spark as the lake needs it, and what its failures are in our tree."""

from __future__ import annotations

import re
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.errors import (
    BrokerUnreachable,
    DependencyDown,
    Misconfigured,
    Refused,
    StoreFailed,
    StoreFull,
    StreamproofError,
    TopicRecreated,
)
from cluster.machine.disk import says_full

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_MASTER = re.compile(r"spark://(.+)")
_REACH_S = 5.0
# What one of Spark's own lines says, and what it is here: the first that is found.
_KNOWN: tuple[tuple[str, type[StreamproofError], str, str], ...] = (
    (
        r"SaslAuthenticationException|TopicAuthorizationException|SslAuthenticationException|GroupAuthorizationException",
        Refused,
        "Kafka refused Spark's login",
        "Check the login and the rights of the connection",
    ),
    (
        r"KAFKA_DATA_LOSS|failOnDataLoss|Partition .* offset was changed|UnknownTopicOrPartition|OffsetOutOfRange",
        TopicRecreated,
        "records that the job was to read are gone from the topic",
        "The same command says which: it compares the listed positions with the topic before it starts",
    ),
    (
        r"Cannot fetch record|TimeoutException|DisconnectException|No resolvable bootstrap urls|KafkaException",
        BrokerUnreachable,
        "Kafka did not answer Spark in time",
        "Look at the brokers (`streamproof status`); the same command continues",
    ),
    (
        r"OutOfMemoryError",
        Misconfigured,
        "Spark has too little memory",
        "Give --memory 1g or more, or --max-records with a lower number",
    ),
)


def reach_master(master: str) -> None:
    """Make sure that somebody listens at a master's address: Spark itself would try for a minute.

    :raises DependencyDown: nobody does.
    :raises Misconfigured: it is no address.
    """
    if master.startswith("local"):
        return
    found = _MASTER.fullmatch(master)
    if found is None:
        raise Misconfigured(
            f"{master!r} is no master",
            where="--master",
            hint="Give local[2], local[*] or spark://host:port with --master",
        )
    faults = []
    for address in found[1].split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=_REACH_S):
                return
        except (OSError, ValueError) as error:
            faults.append(f"{address}: {error}")
    raise DependencyDown(
        "the master of Spark is not reached", where="; ".join(faults), hint="Start it, or leave --master out"
    )


def open_session(
    master: str, memory: str, jars: list[str], conf: Mapping[str, str], *, work: Path, java_options: str = ""
) -> SparkSession:
    """Start Spark.

    :param work: where Spark keeps what it needs while it runs; what a killed one left there is removed. Only one
        session at a time may have it.
    :param java_options: further properties of the JVMs; anybody on the machine may read them.
    """
    from pyspark.sql import SparkSession

    local, scratch = master.startswith("local"), work / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    log = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()} {java_options}"
    places = f"-Dderby.system.home={work} -Djava.io.tmpdir={scratch}"
    root = str(Path(__file__).resolve().parents[3])
    settings = {
        "spark.app.name": "streamproof lake",
        "spark.jars": ",".join(jars),
        "spark.driver.memory": memory,
        "spark.executor.memory": memory,
        "spark.driver.extraJavaOptions": f"{log} -XX:+UseSerialGC {places}",
        "spark.local.dir": str(scratch),
        "spark.executor.extraJavaOptions": java_options,
        "spark.executorEnv.PYTHONPATH": root,
        "spark.pyspark.python": sys.executable,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.artifact.isolation.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
        "spark.sql.execution.arrow.maxBytesPerBatch": str(32 << 20),
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|jaas|keystore",
        "spark.sql.redaction.options.regex": "(?i)url|secret|password|token|jaas|keystore|truststore",
    }
    if local:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.master(master)
    for name, value in (settings | dict(conf)).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def error_of(said: str) -> StreamproofError:
    """Return what Spark's words mean; its own first line where nobody knows."""
    if says_full(said):
        return StoreFull(
            "no space left for the lake, or for Spark's work", hint="Make room; the same command continues"
        )
    for pattern, kind, message, hint in _KNOWN:
        if re.search(pattern, said):
            return kind(message, hint=hint)
    first = next((line.strip() for line in said.splitlines() if line.strip()), "nothing")
    return StoreFailed(f"Spark ended the job: {first[:300]}", hint="The log has the whole of it")

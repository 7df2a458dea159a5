"""Every failure of Kafka as an error of our tree: the one translation, for admin, producer and consumer.

Two doors:

* :func:`translate` turns one ``KafkaError`` (from a delivery report, a future, ``message.error()``, an exception)
  into an error of the tree;
* :class:`BrokerWatch` listens to a client's error callback, which is where librdkafka says that it cannot reach or
  enter the cluster; calls themselves only time out. Share one per client::

      watch = BrokerWatch(settings)
      client = Producer(settings.as_librdkafka() | watch.settings())
      while ...:
          client.poll(0.1)          # callbacks run inside poll() or consume()
          watch.check()             # raises Refused at once, BrokerUnreachable after ``patience_s``
          ... watch.answered()      # after any delivery report or message
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from cluster.errors import (
    BrokerUnreachable,
    DataRejected,
    DependencyDown,
    LeaderMoving,
    Misconfigured,
    Refused,
    StreamproofError,
    TopicConflict,
    TopicMissing,
)
from cluster.settings.kafka import KafkaSettings
from cluster.settings.tls import alert_fault, kafka_fault

PATIENCE_S = 10.0
# Partitions are assigned, and nothing that matters is kept in a group: who may not use one reads all the same.
NO_GROUP = KafkaError.GROUP_AUTHORIZATION_FAILED
# A look at a failed handshake waits for a broker that hangs.
LOOK_EVERY_S = 5.0
# A server that judges the client's certificate late answers with this, and librdkafka calls it a lost connection.
_ALERT = "SSL alert"
_ALERT_WORDS = re.compile(r"routines::(?:\w+ )?alert ([\w ]+): SSL alert")
# A token endpoint that does not answer is a service that is away; one that says no has refused.
_NO_TOKEN = "OAUTHBEARER token"  # noqa: S105 - librdkafka's words
_ENDPOINT_AWAY = ("Could not connect", "Could not resolve", "imeout", "timed out")
_BROKER = re.compile(r"(?:sasl_)?ssl://(?P<host>\[[^\]]+\]|[^/:\s]+):(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which codes, by librdkafka's names, become which error."""

    names: tuple[str, ...]
    kind: type[StreamproofError]
    says: str  # {doing} and {said} are filled in
    hint: str = ""

    def codes(self) -> frozenset[int]:
        return frozenset(getattr(KafkaError, name) for name in self.names)


_REFUSED = _Rule(
    (
        "_AUTHENTICATION",
        "_SSL",
        "SASL_AUTHENTICATION_FAILED",
        "UNSUPPORTED_SASL_MECHANISM",
        "ILLEGAL_SASL_STATE",
        "SECURITY_DISABLED",
    ),
    Refused,
    "Kafka refused {doing}: {said}",
    "Check the login, its secret and sasl_mechanism",
)
_DENIED = _Rule(
    (
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    ),
    Refused,
    "Kafka does not allow {doing}: {said}",
    "An ACL is missing: docs/security.md lists those that each command needs",
)
_RULES = (
    _REFUSED,
    _DENIED,
    _Rule(
        (
            "_TRANSPORT",
            "_ALL_BROKERS_DOWN",
            "_RESOLVE",
            "_TIMED_OUT",
            "_TIMED_OUT_QUEUE",
            "_MSG_TIMED_OUT",
            "_WAIT_COORD",
            "REQUEST_TIMED_OUT",
            "BROKER_NOT_AVAILABLE",
            "NETWORK_EXCEPTION",
            "COORDINATOR_NOT_AVAILABLE",
        ),
        BrokerUnreachable,
        "no broker answered while {doing}: {said}",
        "Check that Kafka runs and the address",
    ),
    _Rule(
        (
            "LEADER_NOT_AVAILABLE",
            "NOT_LEADER_FOR_PARTITION",
            "FENCED_LEADER_EPOCH",
            "UNKNOWN_LEADER_EPOCH",
            "PREFERRED_LEADER_NOT_AVAILABLE",
            "ELIGIBLE_LEADERS_NOT_AVAILABLE",
            "REPLICA_NOT_AVAILABLE",
            "OFFSET_NOT_AVAILABLE",
        ),
        LeaderMoving,
        "a partition has no leader that answers while {doing}: {said}",
        "Try again in a moment; if it stays so, check that all brokers run",
    ),
    _Rule(
        ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"),
        TopicMissing,
        "the topic does not exist ({doing})",
        "Create it with `streamproof topics apply`",
    ),
    _Rule(
        (
            "INVALID_PARTITIONS",
            "INVALID_REPLICATION_FACTOR",
            "INVALID_REPLICA_ASSIGNMENT",
            "POLICY_VIOLATION",
        ),
        TopicConflict,
        "Kafka cannot do it while {doing}: {said}",
    ),
    _Rule(
        (
            "_INVALID_ARG",
            "_CONFLICT",
            "_NOT_IMPLEMENTED",
            "TOPIC_EXCEPTION",
            "INVALID_CONFIG",
            "UNSUPPORTED_VERSION",
            "INVALID_REQUEST",
        ),
        Misconfigured,
        "Kafka does not accept the settings while {doing}: {said}",
    ),
    _Rule(
        ("MSG_SIZE_TOO_LARGE", "INVALID_MSG", "INVALID_RECORD"),
        DataRejected,
        "Kafka does not take the record while {doing}: {said}",
    ),
)
_BY_CODE = {code: rule for rule in _RULES for code in rule.codes()}
_OTHER = _Rule((), DependencyDown, "Kafka failed while {doing}: {said}")
_NO_TLS = KafkaError._SSL  # noqa: SLF001 - librdkafka's name for it
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - librdkafka's name for it


def translate(error: KafkaError | KafkaException, doing: str, *, where: str = "") -> StreamproofError:
    """Return the error of the tree for a failure of Kafka.

    :param doing: what was being done, as in "creating the topic".
    :param where: topic, partition or address.
    """
    cause = error.args[0] if isinstance(error, KafkaException) else error
    rule = _BY_CODE.get(cause.code(), _OTHER)
    return rule.kind(rule.says.format(doing=doing, said=_said(cause)), where=where, hint=rule.hint)


class BrokerWatch:
    """What a client's error callback said about the brokers, and whether it is time to give up.

    A TLS failure is looked into before it counts: librdkafka has one sentence for all of them, and reports a broker
    that went away in the middle of a handshake as one, too.

    :param patience_s: how long all brokers may be down before :meth:`check` raises.
    """

    def __init__(self, kafka: KafkaSettings, *, patience_s: float = PATIENCE_S) -> None:
        self.servers = kafka.bootstrap_servers
        self._kafka = kafka
        self.patience_s = patience_s
        self._refused: KafkaError | None = None
        self._unclear: KafkaError | None = None
        self._look_again_at = 0.0
        self._last: KafkaError | None = None
        self._down_since: float | None = None

    def settings(self) -> dict[str, Any]:
        """Return what to add to the client's configuration: the callback, and silence on stderr."""
        return {"error_cb": self.on_error, "log_level": 0}

    def on_error(self, error: KafkaError) -> None:
        """Take one report of librdkafka. Cheap: a broker that is away reports many times a second."""
        code = error.code()
        if code == NO_GROUP:
            return
        if code == _NO_TLS or _ALERT in error.str():
            self._unclear = error
        elif _NO_TOKEN in error.str() and any(words in error.str() for words in _ENDPOINT_AWAY):
            self._last, self._down_since = error, self._down_since or time.monotonic()
        elif _BY_CODE.get(code) in {_REFUSED, _DENIED}:
            self._refused = error
        elif code == _ALL_DOWN:
            self._down_since = self._down_since or time.monotonic()
        else:
            self._last = error

    def answered(self) -> None:
        """A broker answered: forget that all were down."""
        self._down_since = None

    def check(self, doing: str = "waiting for an answer") -> None:
        """Raise if the cluster let nobody in, or if all brokers have been down for ``patience_s``.

        :raises Refused: authentication or TLS failed.
        :raises BrokerUnreachable: no broker for too long.
        """
        if self._refused is not None:
            raise translate(self._refused, "the connection", where=self.servers)
        if self._unclear is not None and time.monotonic() >= self._look_again_at:
            unclear, self._unclear = self._unclear, None
            self._look_into(unclear)
        if self._down_since is not None and time.monotonic() - self._down_since >= self.patience_s:
            raise self.unreachable(doing)

    def _look_into(self, error: KafkaError) -> None:
        """Raise if a handshake fails for a reason; otherwise take the error as that of a broker that went away."""
        self._last, self._down_since = error, self._down_since or time.monotonic()
        self._look_again_at = time.monotonic() + LOOK_EVERY_S
        host, port = _address(error)
        alert = _ALERT_WORDS.search(error.str())
        if alert is not None:
            has_certificate = self._kafka.ssl_certificate_location is not None
            fault = alert_fault(alert[1], server="the broker", has_certificate=has_certificate)
        else:
            fault = kafka_fault(self._kafka, host, port) if host else _said(error)
        if fault:
            raise Refused(
                f"no connection to Kafka: {fault}",
                where=f"{host}:{port}" if host else self.servers,
                hint="Check ssl_ca_location, the client certificate and the address",
            )

    def unreachable(self, doing: str) -> BrokerUnreachable:
        """Return the error for a call that found no broker, with librdkafka's last word on why."""
        reason = f": {_said(self._last)}" if self._last is not None else ""
        return BrokerUnreachable(
            f"no broker answered while {doing}{reason}",
            where=self.servers,
            hint="Check that Kafka runs (`streamproof status`), the address and security_protocol",
        )


def _address(error: KafkaError) -> tuple[str, int]:
    """Return host and port of the broker that librdkafka speaks of: ``ssl://host:port/...``."""
    found = _BROKER.search(error.str())
    return (found["host"].strip("[]"), int(found["port"])) if found else ("", 0)


def _said(error: KafkaError) -> str:
    """Return librdkafka's words, shortened: they name addresses, never credentials."""
    return f"{error.str().strip().splitlines()[0][:300]} [{error.name()}]" if error.str() else error.name()

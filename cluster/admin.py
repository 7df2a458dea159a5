"""Kafka's AdminClient with a deadline on every call and every failure in our tree."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, wait
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cluster.committed import committed_offsets
from cluster.connection import KafkaSettings
from cluster.errors import BrokerUnreachable
from cluster.kafka_errors import BrokerWatch, translate

CALL_TIMEOUT_S = 10.0
# For what is asked of the coordinator of a group. librdkafka 2.16 ends the process when such a request is answered once
# it was given up (an assertion in ``rd_kafka_enq_once_del_source_return``), as by a broker that hung for a while. So it
# is not given up, and whoever asks waits no longer than it suits: see :meth:`Admin.ask`.
COORDINATOR_S = 3600.0
# All brokers refusing connections for this long is an answer in itself.
DOWN_S = 5.0
_TICK_S = 0.05
# A client answers from a thread of its own. If that thread happens to collect the client as garbage, while it delivers
# an answer that nobody waits for any more, librdkafka ends the process. So each is kept past its last answer.
_KEPT_S = 90.0
_kept: deque[tuple[float, Admin]] = deque()


class Admin(AdminClient):
    """An AdminClient that waits with a deadline; made by :func:`admin_client`.

    :ivar committed: what groups have committed; the client's own call for it is not safe.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self.watch = BrokerWatch(kafka, patience_s=DOWN_S)
        self.committed = committed_offsets(kafka)
        super().__init__(kafka.as_librdkafka() | self.watch.settings())

    def ask(
        self,
        future: Future[Any],
        doing: str,
        *,
        where: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
        accept: int | None = None,
    ) -> Any:
        """Return the result of one call, or ``None`` if it failed with the Kafka error code ``accept``.

        :raises BrokerUnreachable: nobody answered within ``timeout_s``.
        :raises Refused: the cluster lets this client not in, or not do this.
        :raises StreamproofError: what :func:`cluster.kafka_errors.translate` says.
        """
        deadline = time.monotonic() + timeout_s
        while not wait([future], timeout=_TICK_S).done:
            self.poll(0)
            self.watch.check(doing)
            if time.monotonic() > deadline:
                raise self.watch.unreachable(doing)
        try:
            result = future.result()
        except KafkaException as error:
            if accept is not None and error.args[0].code() == accept:
                return None
            failure = translate(error, doing, where=where or self.watch.servers)
            if isinstance(failure, BrokerUnreachable):
                self.poll(0)  # the reason waits in the callbacks
                self.watch.check(doing)
                raise self.watch.unreachable(doing) from None
            raise failure from None
        self.watch.answered()
        return result


def admin_client(kafka: KafkaSettings) -> Admin:
    """Return a client for the cluster; nothing is sent yet.

    :raises Misconfigured: librdkafka does not take the settings (a certificate file that is not there ...).
    """
    try:
        admin = Admin(kafka)
    except KafkaException as error:
        raise translate(error, "opening the connection", where=kafka.bootstrap_servers) from None
    now = time.monotonic()
    while _kept and now - _kept[0][0] > _KEPT_S:
        _kept.popleft()
    _kept.append((now, admin))
    return admin

"""Questions that only the leader of a partition answers, asked again while leadership is on its way.

A broker says that it leads a partition a moment before it does: metadata names the leader of a topic that was just
created, and that broker still answers "not leader", or has not heard of the topic. The same happens when a broker
restarts. librdkafka repeats fetches and deliveries by itself, and not what is asked here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import OFFSET_INVALID, IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.admin import CALL_TIMEOUT_S, Admin
from cluster.errors import LeaderMoving, StreamproofError, TopicMissing

_ANSWER_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5

Answer = TypeVar("Answer")


def while_leaders_move(ask: Callable[[], Answer], *, until_s: float = CALL_TIMEOUT_S) -> Answer:
    """Return what ``ask`` returns; ask again as long as it raises :class:`LeaderMoving`.

    :raises LeaderMoving: still so after ``until_s`` seconds.
    """
    deadline = time.monotonic() + until_s
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return ask()
        except LeaderMoving:
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def not_heard_of_it(failure: StreamproofError) -> StreamproofError:
    """Return the failure of a question about a topic that metadata names.

    A leader that does not know the topic has not heard of it yet.
    """
    if isinstance(failure, TopicMissing):
        return LeaderMoving(
            "a broker does not know a topic that the cluster names", where=failure.where, hint="Try again in a moment"
        )
    return failure


def list_offsets(
    admin: Admin, topic: str, asked: Mapping[int, OffsetSpec], doing: str, *, committed: bool = True
) -> dict[int, int]:
    """Return the offset of each partition that its specification asks for, as a reader of committed records sees it.

    :param asked: a specification for each partition of a topic that exists; an answer of -1 says that no record fits.
    :param committed: leave out what stands behind the beginning of a transaction that is open.
    :raises LeaderMoving: a partition has no leader that answers.
    :raises BrokerUnreachable: no answer.
    """

    def ask() -> dict[int, int]:
        answers = admin.list_offsets(
            {TopicPartition(topic, partition): spec for partition, spec in asked.items()},
            isolation_level=IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED,
            request_timeout=_ANSWER_S,
        )
        return {place.partition: one(place.partition, answer) for place, answer in answers.items()}

    def one(partition: int, answer: Future[Any]) -> int:
        try:
            offset = int(admin.ask(answer, doing, where=f"{topic}/{partition}", timeout_s=_ANSWER_S).offset)
        except TopicMissing as failure:
            raise not_heard_of_it(failure) from None
        if offset == OFFSET_INVALID:  # what the client says, without an error, when nobody answered in time
            raise admin.watch.unreachable(doing)
        return offset

    return while_leaders_move(ask)

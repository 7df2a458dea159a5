"""Reading a control topic to its end."""

from __future__ import annotations

from cluster.connection import KafkaSettings
from cluster.errors import TopicMissing
from cluster.reading import TopicReader
from cluster.topics import admin_client, describe
from schemas.control_topic.content import ControlTopic
from schemas.control_topic.keys import key_of, shard_of
from schemas.incidents import KEY_SUFFIX, Incident
from schemas.ledgers import is_ledger_id
from schemas.manifest import control_topic_of

# A transaction that was left open is rolled back within less (``producer/fence``).
_DECIDED_WITHIN_S = 90.0


def read_control_topic(kafka: KafkaSettings, topic: str, *, run_id: str | None = None) -> ControlTopic:
    """Read the control topic of ``topic`` from its first record to its end, open transactions included.

    :param run_id: take the manifests of this run, its leases and its incidents, and nothing else.
    :raises TopicMissing: there is no control topic, or not even the topic; the error says which.
    :raises BrokerUnreachable: no broker answered within the deadline.
    :raises BrokerSilent: the end was not reached: the broker stopped delivering.
    """
    found = ControlTopic()
    with TopicReader(kafka, control_topic_of(topic)) as reader:
        decided = reader.watermarks(range(_partitions(kafka, reader, topic)))
        marks = reader.watermarks(decided, committed=False)
        found.ends = {partition: mark.high for partition, mark in marks.items()}
        if any(decided[partition].high < end for partition, end in found.ends.items()):
            reader.silence_s = _DECIDED_WITHIN_S
        ledgers = others = 0
        reader.assign({p: mark.low for p, mark in marks.items()}, found.ends)
        for message in reader.messages():
            of_ledger = is_ledger_id(key_of(message))
            ledgers, others = ledgers + of_ledger, others + (not of_ledger)
            if run_id is None or key_of(message) == f"{run_id}{KEY_SUFFIX}":
                found.take(message)
            elif (shard := shard_of(key_of(message))) is not None and shard[0] == run_id:
                found.take_manifest(message)
            elif key_of(message).startswith(f"{run_id}/"):
                found.take_lease(message)
        found.untouched = not others and bool(ledgers or not any(mark.high for mark in marks.values()))
    return found


def read_incidents(kafka: KafkaSettings, topic: str, run_id: str) -> list[Incident]:
    """Return the incidents of a run, by their planned beginnings; none where none are recorded.

    :raises StreamproofError: as :func:`read_control_topic`.
    """
    found = read_control_topic(kafka, topic, run_id=run_id).incidents.get(run_id)
    return [] if found is None else found.incidents


def _partitions(kafka: KafkaSettings, reader: TopicReader, topic: str) -> int:
    try:
        return reader.identify().partitions
    except TopicMissing as error:
        describe(admin_client(kafka), topic)  # the topic itself is missing: that is what to say
        raise TopicMissing(
            f"topic {reader.topic}, which holds the manifests, does not exist",
            where=error.where,
            hint="If it was deleted, what the runs claim is gone with it; "
            f"`streamproof topics apply --topic {topic}` makes it for new runs",
        ) from None

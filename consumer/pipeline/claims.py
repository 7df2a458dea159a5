"""What a run claims, read from the control topic of the topic that a pipeline reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cluster.connection import Connection
from cluster.reading import look_at_topic
from consumer.pipeline.asked import AlsoAsked
from consumer.pipeline.joined import RunOf, joined_manifests, numbered_through
from consumer.proof.kept_manifests import hold_against
from consumer.proof.run_scope import unknown_run
from schemas.control_topic import ControlTopic, read_control_topic
from schemas.ledgers import BY_FIELD, FIELD, IDENTITY, is_ledger, is_ledger_id
from schemas.manifest import Manifest, count, disagreements

_UNREAD = "a shard that no manifest speaks of has one that cannot be read"


@dataclass(frozen=True, slots=True)
class Claims:
    """The manifests of one run, with the truth about injected faults in them; or of all, numbered through.

    :ivar impossible: what manifests claim that the topic cannot hold, a sentence each: they stand for none.
    :ivar unread: manifests that cannot be read and may be of this run, a sentence each.
    :ivar runs: the runs, where all of a topic are taken together; none where it is one.
    """

    run_id: str
    manifests: list[Manifest]
    impossible: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    runs: list[RunOf] = field(default_factory=list)

    @property
    def is_ledger(self) -> bool:
        """Whether they are of a ledger: shards are partitions then, and sequences offsets."""
        return any(is_ledger(manifest) for manifest in self.manifests)

    @property
    def field(self) -> str | None:
        """The field that tells the records of a ledger apart; ``None`` where something else does."""
        said = self.manifests[0].settings if self.is_ledger else {}
        return str(said[FIELD]) if said.get(IDENTITY) == BY_FIELD else None

    @property
    def finished(self) -> list[Manifest]:
        """The manifests of shards that came to an end: what they sent is known."""
        return [manifest for manifest in self.manifests if manifest.status == "finished"]

    @property
    def disagreements(self) -> list[str]:
        """In what the shards of a run were begun differently, a sentence each."""
        if self.runs:
            return [sentence for run in self.runs for sentence in run.disagreements()]
        return [str(each) for each in disagreements(self.manifests)]

    @property
    def fingerprint(self) -> str:
        """A digest of what is claimed."""
        texts = "\n".join(manifest.model_dump_json() for manifest in self.manifests)
        return hashlib.sha256(texts.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Also:
    """What was sent to another topic, for expectations.

    :ivar name: of the relation.
    """

    name: str
    topic: str
    claims: Claims

    def unsettled(self) -> list[str]:
        """Return what its manifests do not say, a sentence each."""
        runs = self.claims.runs or [RunOf(self.claims.run_id, 0, self.claims.manifests)]
        return [
            *(f"{self.topic}: {sentence}" for run in runs for sentence in run.unsettled()),
            *(f"{self.topic}: {sentence}" for sentence in self.claims.unread),
            *(f"{self.topic}: {sentence}" for sentence in self.claims.disagreements),
        ]

    def doubts(self) -> list[str]:
        """Return what nobody knows of its events, a sentence each."""
        unknown = sum(count(manifest.unknown) for manifest in self.claims.finished if not self.claims.is_ledger)
        sent = (
            f"{self.topic}: {unknown:,} events were sent, and neither acknowledged nor refused: they may count or not"
        )
        return [sent] if unknown else []


def read_also(connection: Connection, asked: AlsoAsked, claims: Claims, *, all_runs: bool) -> Also:
    """Read what was claimed of another topic: of the run that is told, else of the same run, or of all where all are.

    :raises Misconfigured: that topic has no such run.
    """
    if all_runs and asked.run_id is None:
        return Also(asked.name, asked.topic, read_all_claims(connection, asked.topic))
    return Also(asked.name, asked.topic, read_claims(connection, asked.topic, asked.run_id or claims.run_id))


def read_claims(connection: Connection, topic: str, run_id: str | None) -> Claims:
    """Read what a run claims; what the topic cannot hold is set aside.

    :param run_id: the run, or the ledger; when ``None`` the latest run, or the latest ledger where no run is known.
    :raises Misconfigured: no manifest names the run.
    :raises TopicMissing: there is no such topic, or it has no control topic.
    :raises BrokerUnreachable: no broker answers.
    """
    control = read_control_topic(connection.kafka, topic)
    _, marks = look_at_topic(connection.kafka, topic)
    hold_against(control, {partition: mark.high for partition, mark in marks.items()})
    chosen = _chosen(control, run_id, topic)
    said = control.ledgers if is_ledger_id(chosen) else control.manifests
    manifests = [_whole(control, manifest) for (run, _), manifest in sorted(said.items()) if run == chosen]
    counted = {manifest.shard for manifest in manifests}
    unread = control.unread_of(chosen)
    return Claims(
        chosen,
        manifests,
        [f"shard {shard}: {claim}" for (run, shard), claim in sorted(control.impossible.items()) if run == chosen],
        [f"{_UNREAD}: shard {number}, {unread[number]}" for number in sorted(unread.keys() - counted)],
    )


def read_all_claims(connection: Connection, topic: str) -> Claims:
    """Read what all runs of a topic claim, as if they were one; ledgers are none of them.

    :raises Misconfigured: no manifest names a run.
    :raises TopicMissing: there is no such topic, or it has no control topic.
    :raises BrokerUnreachable: no broker answers.
    """
    control = read_control_topic(connection.kafka, topic)
    _, marks = look_at_topic(connection.kafka, topic)
    hold_against(control, {partition: mark.high for partition, mark in marks.items()})
    names = control.runs()
    if not names and not control.impossible:
        raise unknown_run(None, [], f"control topic of {topic}")
    of_run: dict[str, list[Manifest]] = {name: [] for name in names}
    for (run, _), manifest in sorted(control.manifests.items()):
        of_run[run].append(_whole(control, manifest))
    runs = numbered_through(list(of_run.items()))
    return Claims(
        f"all of {len(runs):,}",
        joined_manifests(runs),
        [f"run {run}, shard {shard}: {claim}" for (run, shard), claim in sorted(control.impossible.items())],
        [f"{_UNREAD}: {each}" for each in control.unreadable],
        runs,
    )


def _chosen(control: ControlTopic, run_id: str | None, topic: str) -> str:
    known = [*control.ledger_ids(), *control.runs()]
    if run_id is None and known:
        return known[-1]
    if run_id is not None and (run_id in known or any(run == run_id for run, _ in control.impossible)):
        return run_id
    raise unknown_run(run_id, known[::-1], f"control topic of {topic}")


def _whole(control: ControlTopic, manifest: Manifest) -> Manifest:
    """Return a manifest with its truth about injected faults in it, wherever that is kept."""
    truth = control.truth(manifest)
    if truth is None:
        return manifest.model_copy(update={"truth_complete": False})
    return manifest.model_copy(update={"faults": truth, "fault_pages": 0})

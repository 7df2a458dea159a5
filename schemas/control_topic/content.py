"""What the newest records of a control topic say, taken one by one by the rules of the package's docstring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from cluster.records import Message
from schemas.control_topic.keys import Shard, key_of, page_of, position_of, shard_of
from schemas.incidents import KEY_SUFFIX, RunIncidents, incidents_in, is_incidents_key
from schemas.leases import Lease, lease_in
from schemas.ledgers import is_ledger
from schemas.manifest import CONTROL_SUFFIX, FaultPage, FaultTruth, Manifest, Terms, count


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that stands for nothing; in words, its position and not its content.

    :ivar terms: what the shard was begun with, where at least that can be read.
    """

    position: str
    why: str = ""
    terms: Terms | None = None

    def __str__(self) -> str:
        """Return where it is, and what is known of the reason."""
        return f"{self.position}, {self.why}" if self.why else self.position


@dataclass(slots=True)
class ControlTopic:
    """What the newest record of each key says.

    :ivar ledgers: manifests of ledgers.
    :ivar incidents: what was done to the local stack, by run.
    :ivar deleted: shards of which a record was taken that is not a manifest, or no longer: they have none.
    :ivar impossible: manifests that were set aside, and what they claim: they stand for none either.
    :ivar began: offset and partition of a run's first manifest.
    :ivar unread: the unreadable records, by key, or by position where there is no key.
    :ivar leases: the newest lease of a shard; of the shards of one run, where that was asked for.
    :ivar yielded: tokens of leases whose holders were fenced and have stopped.
    :ivar ends: where each partition ended when it was read.
    :ivar untouched: nothing was ever written to the topic, ledgers aside: whoever asks whether a run left its events
        without its manifests is told nothing by those.
    """

    manifests: dict[Shard, Manifest] = field(default_factory=dict)
    ledgers: dict[Shard, Manifest] = field(default_factory=dict)
    incidents: dict[str, RunIncidents] = field(default_factory=dict)
    deleted: set[Shard] = field(default_factory=set)
    unread: dict[str, Unreadable] = field(default_factory=dict)
    pages: dict[Shard, dict[int, FaultPage]] = field(default_factory=dict)
    impossible: dict[Shard, str] = field(default_factory=dict)
    began: dict[str, tuple[int, int]] = field(default_factory=dict)
    leases: dict[Shard, Lease] = field(default_factory=dict)
    yielded: set[str] = field(default_factory=set)
    ends: dict[int, int] = field(default_factory=dict)
    untouched: bool = False

    @property
    def unreadable(self) -> list[str]:
        """Where the unreadable records are, in words."""
        return [str(record) for record in self.unread.values()]

    def unread_of(self, run_id: str) -> dict[int, Unreadable]:
        """Return the unreadable records that stand where manifests of a run would, by shard."""
        found = {shard_of(key): record for key, record in self.unread.items()}
        return {shard[1]: record for shard, record in found.items() if shard is not None and shard[0] == run_id}

    def take(self, message: Message) -> None:
        """Apply one record; those of a partition come in their order."""
        if not self._take_incidents(message) and not self._take_page(message):
            self.take_manifest(message)

    def take_manifest(self, message: Message) -> None:
        """Apply one record where nothing but a manifest may be."""
        key, position = key_of(message), position_of(message)
        shard = shard_of(key)
        self._forget(key, shard)
        value = message.value()
        if value is None:
            return
        manifest = None if shard is None else _read(value, shard, message.topic() or "", position)
        if not isinstance(manifest, Manifest):
            self.unread[key or position] = manifest or Unreadable(position)
            return
        found = self.ledgers if is_ledger(manifest) else self.manifests
        found[manifest.run_id, manifest.shard] = manifest
        self.deleted.discard((manifest.run_id, manifest.shard))
        place = (message.offset() or 0, message.partition() or 0)
        self.began[manifest.run_id] = min(place, self.began.get(manifest.run_id, place))

    def take_lease(self, message: Message) -> bool:
        """Apply a record if it tells of a lease; return whether it does."""
        lease = lease_in(message)
        if lease is None:
            return False
        if key_of(message) == lease.places()[0]:
            self.leases[lease.run_id, lease.shard] = lease
        else:
            self.yielded.add(lease.token)
        return True

    def _take_incidents(self, message: Message) -> bool:
        """Apply a record if its key is that of a run's incidents; return whether it is."""
        key = key_of(message)
        if not is_incidents_key(key):
            return False
        found = incidents_in(key, message.value())
        if found is not None and found.topic + CONTROL_SUFFIX == message.topic():
            self.incidents[found.run_id] = found
        else:
            self.incidents.pop(key.removesuffix(KEY_SUFFIX), None)
        return True

    def _take_page(self, message: Message) -> bool:
        """Apply a record if it is a page of injected faults; return whether it is one."""
        key = key_of(message)
        value = message.value()
        if value is None or page_of(key) is None:
            return False
        try:
            page = FaultPage.model_validate_json(value)
        except ValidationError:
            return False  # a run may be called as pages are: then it is a manifest
        if page.key() != key:
            return False
        self._forget(key, shard_of(key))
        self.pages.setdefault((page.run_id, page.shard), {})[page.page] = page
        return True

    def _forget(self, key: str, shard: Shard | None) -> None:
        """Drop what an earlier record under the key said."""
        self.unread.pop(key, None)
        if shard is None:
            return
        self.manifests.pop(shard, None)
        self.ledgers.pop(shard, None)
        self.deleted.add(shard)
        if (page := page_of(key)) is not None:
            self.pages.get(page[0], {}).pop(page[1], None)

    def set_aside(self, impossible: Mapping[Shard, str]) -> None:
        """Let manifests stand for none, as they claim what cannot be."""
        self.impossible = dict(impossible)
        for shard in self.impossible:
            self.manifests.pop(shard, None)
            self.ledgers.pop(shard, None)

    def runs(self) -> list[str]:
        """Return the runs that have a manifest here, in the order in which they began to write."""
        return self._in_order(self.manifests)

    def ledger_ids(self) -> list[str]:
        """Return the ids of the ledgers that have a manifest here, in the order in which they were written."""
        return self._in_order(self.ledgers)

    def _in_order(self, manifests: Mapping[Shard, Manifest]) -> list[str]:
        runs = dict.fromkeys(run_id for run_id, _ in manifests)
        return sorted(runs, key=lambda run_id: self.began.get(run_id, (0, 0)))

    def truth(self, manifest: Manifest) -> list[FaultTruth] | None:
        """Return what a shard says was injected.

        :return: ``None`` where a page is missing or of another attempt, or where it is not what the manifest sums.
        """
        if not manifest.fault_pages:
            return manifest.faults if _adds_up(manifest, manifest.faults) else None
        pages = self.pages.get((manifest.run_id, manifest.shard), {})
        wanted = [pages.get(number) for number in range(manifest.fault_pages)]
        if any(page is None or page.attempt != manifest.resumed for page in wanted):
            return None
        truth = [said for page in wanted if page is not None for said in page.faults]
        return truth if _adds_up(manifest, truth) else None


def _read(value: bytes, shard: Shard, control: str, position: str) -> Manifest | Unreadable:
    """Return the manifest of a shard, or why there is none to be read."""
    try:
        terms: Terms = Manifest.model_validate_json(value)
    except ValidationError:
        try:
            terms = Terms.model_validate_json(value)
        except ValidationError:
            return Unreadable(position)
    if (terms.run_id, terms.shard) != shard:
        return Unreadable(position)
    if terms.topic + CONTROL_SUFFIX != control:
        # The offsets in a copy, and what it claims, are of the other topic.
        return Unreadable(position, f"as it is of topic {terms.topic}")
    return terms if isinstance(terms, Manifest) else Unreadable(position, terms=terms)


def _adds_up(manifest: Manifest, truth: list[FaultTruth]) -> bool:
    """Return whether a truth has the sums that the manifest gives; those of earlier versions give none."""
    if not manifest.injected and not manifest.injected_unsure:
        return True
    sums: dict[str, int] = {}
    for said in truth:
        if said.sequences:
            sums[said.kind] = sums.get(said.kind, 0) + count(said.sequences)
    claimed = {kind: number for kind, number in manifest.injected.items() if number}
    return sums == claimed and sum(count(said.unsure) for said in truth) == manifest.injected_unsure

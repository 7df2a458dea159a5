"""The events of a run, made again from its manifests: as they were sent, or a refusal in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from cluster.connection import Connection
from cluster.errors import Misconfigured
from producer.plan.unchanged import refuse_other_events
from producer.regenerate.begun import plan_of, scenario_of, schemas_of
from producer.regenerate.proof import prove
from producer.regenerate.shard import ShardAgain, joined_schema
from producer.scenarios import Scenario
from schemas.manifest import Manifest, control_topic_of, disagreements
from schemas.registry.contract import ContractVersion
from schemas.types.arrow import arrow_schema
from schemas.types.tree import parse

SEQUENCE = "_sequence"
BATCH_EVENTS = 4_096


def regenerated(
    manifests: Sequence[Manifest],
    *,
    connection: Connection | None = None,
    scenario: str | None = None,
    folders: Sequence[Path] = (),
) -> Regenerated:
    """Return what makes the events of a run again. Nothing is made yet.

    1. find: the scenario, by its name in the manifests, or the one that is given
    2. refuse: scenario, format and libraries are those that the run was begun with
    3. schemas: from the contract on disk, or from the registry by their ids
    4. prove, when events of a shard are asked for first: a sample is encoded and held against the checksums

    :param manifests: of the shards of one run, with the whole truth about injected faults.
    :param connection: where the registry is, for a schema that is not on disk.
    :param scenario: name or file of the scenario, where the name in the manifests does not lead to it.
    :param folders: where else a scenario of that name is looked for.
    :raises Misconfigured: the scenario is not found, or it or a library is another one; a schema cannot be had.
    """
    if not manifests:
        raise Misconfigured("there is no manifest: nobody says which events were sent")
    # 1. find
    found = scenario_of(manifests[0], scenario, folders, connection)
    # 2. refuse
    if differing := disagreements(manifests):
        raise Misconfigured(
            f"the events of run {manifests[0].run_id} cannot be made again: " + "; ".join(map(str, differing)),
            where=f"topic {control_topic_of(manifests[0].topic)}",
        )
    for manifest in manifests:
        refuse_other_events(found, manifest)
    # 3. schemas: a shard that came to its end says most of them
    schemas = schemas_of(max(manifests, key=lambda manifest: len(manifest.versions)), found, connection)
    return Regenerated(manifests, found, schemas)


class Regenerated:
    """The events of one run, as they were sent: what ``Truth`` of ``consumer/pipeline/truth.py`` asks for.

    One shard is open at a time, with one block of it: who goes through a shard in order, or nearly, is quick.

    :param schemas: contracts that the values were written with, by id.
    :ivar unproved: why events could not be compared with what was sent, a sentence for each shard that was asked for.
    """

    def __init__(
        self, manifests: Sequence[Manifest], scenario: Scenario, schemas: Mapping[int, ContractVersion]
    ) -> None:
        self._manifests = {manifest.shard: manifest for manifest in manifests}
        self._scenario = scenario
        self._schemas = schemas
        self._schema = joined_schema([arrow_schema(parse(version.text)) for version in schemas.values()])
        self._proved: dict[int, int] = {}
        self._open: tuple[int, ShardAgain] | None = None
        self.unproved: list[str] = []

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of an event; of a run that mixes versions those of both, null where one has it not."""
        return self._schema

    @property
    def key(self) -> str | None:
        """Return the column whose text is the key of the records."""
        return self._scenario.key

    def events(self, shard: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        """Yield the events ``[first, end)`` of a shard in their order, up to 4,096 at a time.

        Columns: ``_sequence`` (int64), then those of ``schema``. Faults that change an event are in it. One that was
        left out on purpose, or whose value was taken away or broken, is among them as it was before.

        :raises Misconfigured: there is no such shard, or the scenario's code fails.
        :raises DataRejected: what is made now is not what was sent.
        """
        again = self._shard(shard)
        first, end = max(0, first), min(end, again.end)
        while first < end:
            until = min(end, first - first % again.block_events + again.block_events, first + BATCH_EVENTS)
            batch = self._shard(shard).batch(first, until)
            sequences = pa.array(range(first, until), pa.int64())
            yield pa.RecordBatch.from_arrays(
                [sequences, *batch.columns],
                schema=self._schema.insert(0, pa.field(SEQUENCE, pa.int64(), nullable=False)),
            )
            first = until

    def _shard(self, number: int) -> ShardAgain:
        if self._open is not None and self._open[0] == number:
            return self._open[1]
        manifest = self._manifests.get(number)
        if manifest is None:
            raise Misconfigured(f"there is no manifest of shard {number}: nobody says which events were sent")
        self._open = None  # two shards would take twice the room
        again = ShardAgain(manifest, plan_of(manifest), self._scenario, self._schemas, self._schema)
        if number in self._proved:
            again.cut_at(self._proved[number])
        else:
            why = prove(again, manifest)
            self.unproved += [why] if why else []
            self._proved[number] = again.end
        self._open = number, again
        return again

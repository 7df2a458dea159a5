"""All runs of a topic as one: their shards numbered through, and their events told one run after the other.

Totals are of everything that a topic was sent. So they are held against every run that it has manifests of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from cluster.errors import Misconfigured
from consumer.pipeline.truth import SEQUENCE, Truth
from schemas.manifest import Manifest, disagreements


@dataclass(frozen=True, slots=True)
class RunOf:
    """One of several runs.

    :ivar first_shard: the number that its shard 0 has among the shards of all runs.
    :ivar manifests: as the run wrote them.
    """

    run_id: str
    first_shard: int
    manifests: list[Manifest]

    @property
    def finished(self) -> list[Manifest]:
        """The manifests of shards that came to an end."""
        return [manifest for manifest in self.manifests if manifest.status == "finished"]

    @property
    def shards(self) -> int:
        """How many shards there must be, and those that there should not be."""
        return max(max(manifest.shards, manifest.shard + 1) for manifest in self.manifests)

    def disagreements(self) -> list[str]:
        """Return in what its shards were begun differently, a sentence each."""
        return [f"{self.run_id}: {each}" for each in disagreements(self.manifests)]

    def unsettled(self) -> list[str]:
        """Return which of its shards did not end, a sentence each."""
        said = {manifest.shard: manifest.status for manifest in self.manifests}
        words = {"running": "has only begun, or was cut off", None: "left no manifest"}
        return [
            f"shard {shard} of run {self.run_id} {words[said.get(shard)]}"
            for shard in range(self.shards)
            if said.get(shard) != "finished"
        ]


def numbered_through(runs: Sequence[tuple[str, list[Manifest]]]) -> list[RunOf]:
    """Return runs with the numbers that their shards have among all."""
    found: list[RunOf] = []
    for run_id, manifests in runs:
        first = found[-1].first_shard + found[-1].shards if found else 0
        found.append(RunOf(run_id, first, manifests))
    return found


def joined_manifests(runs: Sequence[RunOf]) -> list[Manifest]:
    """Return the manifests of all runs as if they were of one."""
    shards = sum(run.shards for run in runs)
    return [
        manifest.model_copy(update={"shard": run.first_shard + manifest.shard, "shards": shards})
        for run in runs
        for manifest in run.manifests
    ]


class JoinedTruth:
    """The events of several runs: a :class:`consumer.pipeline.truth.Truth`.

    :param truths: what tells each run again, with the number that its shard 0 has among all.
    """

    key = None

    def __init__(self, truths: Sequence[tuple[RunOf, Truth]]) -> None:
        self._truths = truths
        try:
            self.schema: pa.Schema = pa.unify_schemas(
                [truth.schema for _, truth in truths], promote_options="permissive"
            )
        except pa.ArrowTypeError as error:
            raise Misconfigured(
                f"the runs have fields of one name and different types: {str(error).splitlines()[0]}",
                hint="Prove one of them, with --run-id",
            ) from None
        for field in self.schema:
            kinds = {truth.schema.field(field.name).type for _, truth in truths if field.name in truth.schema.names}
            if pa.types.is_floating(field.type) and pa.int64() in kinds:  # which would be rounded
                raise Misconfigured(
                    f"the runs have a field {field.name} of different types: long and {field.type}",
                    hint="Prove one of them, with --run-id",
                )

    @property
    def unproved(self) -> list[str]:
        """Why events could not be compared with what was sent, a sentence each."""
        return [f"run {run.run_id}: {why}" for run, truth in self._truths for why in getattr(truth, "unproved", ())]

    def events(self, shard: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        """Yield the events ``[first, end)`` of a shard, by its number among all, in their order."""
        run, truth = next(
            (run, truth) for run, truth in self._truths if run.first_shard <= shard < run.first_shard + run.shards
        )
        wanted = self.schema.insert(0, pa.field(SEQUENCE, pa.int64(), nullable=False))
        for batch in truth.events(shard - run.first_shard, first, end):
            columns = [
                batch.column(field.name).cast(field.type)
                if field.name in batch.schema.names
                else pa.nulls(len(batch), field.type)
                for field in wanted
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=pa.schema([field.with_nullable(True) for field in wanted]))

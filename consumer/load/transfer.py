"""Records from a reader into an open sink: fetch, decode, commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from cluster.reading import TopicFollower, TopicReader
from consumer.load.decode import decode
from consumer.load.follow_progress import FollowMeter
from consumer.load.naming import TopicNaming
from consumer.load.readers import SchemaShelf
from consumer.load.writer import Writer
from consumer.sinks import BATCH_ROWS, Batches, RowsRefused, Sink, Stored
from consumer.sinks.limit import NO_LIMIT, Limit

# How often whoever watches is told, at least.
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Transfer:
    """What stays the same while records go into an open sink.

    :param stop: commits or rolls back the batch at hand, and ends it.
    :param stored: called with what each batch held, once it is durable.
    :param batch_rows: how many records one transaction stores, about.
    :ivar not_compared: why the kept text of a schema was not compared with the registry's, by id.
    """

    sink: Sink
    shelf: SchemaShelf
    naming: TopicNaming
    load_id: str
    stop: threading.Event
    stored: Callable[[Stored], None]
    limit: Limit = NO_LIMIT
    batch_rows: int = BATCH_ROWS
    not_compared: dict[int, str] = field(default_factory=dict)

    def to_ends(self, source: TopicReader, ends: Mapping[int, int]) -> None:
        """Store what lies between the stored positions and the ends, or what comes before a stop.

        Where the sink refuses a row, all of it from there on is tried row by row.
        """
        batches = partial(self.sink.batches, self.load_id, limit=self.limit, batch_rows=self.batch_rows)
        try:
            self._to_ends(source, ends, batches())
        except RowsRefused:
            self._to_ends(source, ends, batches(careful=True))

    def _to_ends(self, source: TopicReader, ends: Mapping[int, int], batches: Batches) -> None:
        """Do so with these batches.

        :raises RowsRefused: the sink refused a row, and the batch is rolled back.
        """
        source.assign({partition: at for partition, at in self.sink.positions().items() if partition in ends}, ends)
        with Writer(batches, self.stop, self.stored) as writer:
            readers = self.shelf.readers(lambda *schema: writer.call(self.shelf.adopt, *schema), self.naming)
            keys = self.shelf.keys(lambda *schema: writer.call(self.shelf.keep_key, *schema))
            while not (source.finished or self.stop.is_set()):
                # fetch and decode
                records, spans = source.fetch(batches.chunk_rows, self.stop)
                chunk = replace(decode(records, spans, readers, self.naming, keys), left=source.left)
                self.not_compared.update(readers.not_compared)
                # commit
                writer.submit(chunk if batches.careful else chunk.lean())

    def on_and_on(
        self,
        source: TopicFollower,
        partitions: Collection[int],
        commit_s: float,
        may_go_on: Callable[[threading.Event], bool],
        meter: FollowMeter,
    ) -> None:
        """Store what comes, a batch every ``commit_s``, until ``may_go_on`` says no before a commit, or a stop.

        :param may_go_on: raises where what was read must not be committed.
        :param meter: is told of every chunk, and several times a second how far the source is behind.
        :raises RowsRefused: the sink refused a row, and the batch is rolled back.
        """
        source.assign({partition: at for partition, at in self.sink.positions().items() if partition in partitions})
        batches = self.sink.batches(self.load_id, limit=self.limit, batch_rows=self.batch_rows)
        going_on = True
        with Writer(batches, self.stop, self.stored) as writer:
            readers = self.shelf.readers(lambda *schema: writer.call(self.shelf.adopt, *schema), self.naming)
            keys = self.shelf.keys(lambda *schema: writer.call(self.shelf.keep_key, *schema))
            while going_on:
                due = time.monotonic() + commit_s
                while (left_s := due - time.monotonic()) > 0 and not self.stop.is_set():
                    # fetch and decode
                    records, spans = source.fetch(batches.chunk_rows, self.stop, wait_s=min(left_s, _LOOK_S))
                    if spans:
                        chunk = decode(records, spans, readers, self.naming, keys)
                        self.not_compared.update(readers.not_compared)
                        meter.handed_over(chunk)
                        writer.submit(chunk.lean())
                    writer.settle()
                    meter.look(_in_all(source.lag))
                # commit
                going_on = may_go_on(self.stop) and not self.stop.is_set()
                writer.commit()
        meter.look(_in_all(source.lag))


def _in_all(lag: Mapping[int, int | None]) -> int | None:
    """Return the sum; ``None`` where one is not known."""
    known = [behind for behind in lag.values() if behind is not None]
    return sum(known) if len(known) == len(lag) else None

"""Where records go: a store that takes rows and positions in one transaction.

A sink is an object with the members of :class:`Sink`, opened by a :class:`Place`; ``duckdb/`` is the first. Open
``duckdb/sink.py`` to see one whole. ``batch.py`` is what a sink is given, ``limit.py`` what it holds a load to.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.errors import StreamproofError
from cluster.local import warehouse_path

if TYPE_CHECKING:  # who only names a sink loads no Arrow
    from cluster.records import Span
    from cluster.topics import TopicInfo
    from consumer.sinks.batch import Chunk
    from consumer.sinks.duckdb.warehouse import Warehouse
    from consumer.sinks.held import HeldRecord, QuarantineClass
    from consumer.sinks.limit import Limit
    from schemas.columns.at_hand import AtHand
    from schemas.formats import WrittenSchema
    from schemas.types.node import Node
from schemas.manifest import SchemaUsed

# How long to wait for another process that has the sink open.
DEFAULT_WAIT_S = 10.0
# How many records one transaction stores, about: one row group of DuckDB.
BATCH_ROWS = 122_880


class RowsRefused(Exception):
    """The sink refused a row, and the batch is rolled back: load on from the stored positions, carefully."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a committed batch held.

    :ivar positions: the next offset of each partition that it moved.
    :ivar first_reject: place and class of the first record in it that could not be decoded; empty where all could.
    """

    events: int
    quarantined: int
    tombstones: int
    absent: int
    positions: Mapping[int, int] = field(default_factory=dict, compare=False)
    first_reject: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all that a sink holds."""

    events: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The topic that positions were taken from. A topic that is made anew has another id."""

    cluster_id: str
    topic_id: str


class Batches(Protocol):
    """Chunks into transactions. One thread calls it, :meth:`interrupt` apart. Any error rolls the open batch back.

    ``careful`` says that every row is tried before it is stored; ``chunk_rows`` how many records a chunk should have.
    """

    careful: bool

    @property
    def chunk_rows(self) -> int:
        """Return how many records a chunk should have."""
        ...

    def add(self, chunk: Chunk) -> Stored | None:
        """Put a chunk into the batch. If that makes the batch full, commit it and return what it held.

        :raises RowsRefused: a row was refused, and the batches are not careful.
        :raises StreamproofError: as :meth:`commit`.
        """
        ...

    def commit(self) -> Stored | None:
        """Commit the batch, if there is one: rows, quarantine, ledger, and each position by compare-and-set.

        :raises LimitBroken: the quarantine would hold more than the limit.
        :raises WarehouseLocked: somebody else moved a position.
        :raises StoreFull: there is no room.
        """
        ...

    def rollback(self) -> None:
        """Forget what was added since the last commit."""
        ...

    def interrupt(self) -> None:
        """End what the other thread waits for; its call fails."""
        ...


class Sink(Protocol):
    """The store of one topic, open."""

    @property
    def where(self) -> str:
        """Return what messages call it, without secrets."""
        ...

    @property
    def topic(self) -> str | None:
        """Return the topic that it holds, ``None`` where nobody noted it."""
        ...

    def verify(self) -> None:
        """Check that positions, ledger and rows agree.

        :raises WarehouseDamaged: they do not.
        """
        ...

    def origins(self) -> list[Origin]:
        """Return which topics the positions were taken from: one, or none yet."""
        ...

    def positions(self) -> dict[int, int]:
        """Return the offset at which every partition goes on."""
        ...

    def totals(self) -> Totals:
        """Return how many events and quarantined records the ledger holds."""
        ...

    def begin(self, topic: TopicInfo, first: Mapping[int, int], expired: list[Span], load_id: str) -> None:
        """Note where new partitions begin, and go on behind what retention deleted, as one transaction."""
        ...

    def schemas(self) -> dict[int, WrittenSchema]:
        """Return the schemas that it has met, by id."""
        ...

    def adopt(self, schema_id: int, root: Node) -> list[str]:
        """Make room for records of a schema, and return what decoded rows call the columns of its fields.

        :raises SchemaConflict: it cannot hold them beside what it holds.
        """
        ...

    def keep_schema(self, schema_id: int, schema: WrittenSchema, used: SchemaUsed | None) -> None:
        """Keep the text and the format of a schema that is new."""
        ...

    def key_schemas(self) -> dict[int, str]:
        """Return the texts of the schemas of keys that it has met, by id."""
        ...

    def keep_key_schema(self, schema_id: int, text: str) -> None:
        """Make room for decoded keys, and keep the text of a schema of them that is new."""
        ...

    def batches(self, load_id: str, *, limit: Limit, batch_rows: int, careful: bool = False) -> Batches:
        """Return what stores chunks."""
        ...

    def checkpoint(self) -> None:
        """Make what is committed durable in its final form."""
        ...

    def quarantined(self) -> list[QuarantineClass]:
        """Return what the quarantine holds, by phase and class, most frequent first."""
        ...

    def held(self) -> Iterator[list[HeldRecord]]:
        """Yield the quarantine in pages of bounded size; records may leave it meanwhile."""
        ...

    def readmit(self, load_id: str, chunk: Chunk) -> int:
        """Move the decoded records of a page from the quarantine to the events, as one transaction.

        :return: how many; those that the store refuses stay.
        """
        ...


class Place(Protocol):
    """Where a sink is, open or not."""

    @property
    def shown(self) -> str:
        """Return what messages call it, without secrets."""
        ...

    def open(
        self,
        *,
        topic: str | None = None,
        wait_s: float = DEFAULT_WAIT_S,
        create: bool = True,
        stop: threading.Event | None = None,
    ) -> AbstractContextManager[Sink]:
        """Open the sink, and close it in the end.

        :param create: make one where there is none.
        :raises StreamproofError: docs/consumer.md lists each kind.
        """
        ...

    def set_aside(self) -> str:
        """Give a closed sink another name, so that a new one can take its place, and return that name."""
        ...

    def exists(self) -> bool:
        """Tell whether there is a sink."""
        ...

    def to_prove(
        self, *, topic: str | None = None, wait_s: float = DEFAULT_WAIT_S
    ) -> AbstractContextManager[Warehouse]:
        """Open what the sink holds as a warehouse of DuckDB, for a proof that writes down what it found.

        Proofs are SQL of DuckDB: another store gives a copy of its tables, and takes back what was written down.

        :raises StreamproofError: as :meth:`open`; there is no sink, too.
        """
        ...

    def to_look(self, *, topic: str | None = None, wait_s: float = DEFAULT_WAIT_S) -> AbstractContextManager[Warehouse]:
        """Open the same to read it, whatever is in it: nothing is made, brought to today's format or refused."""
        ...

    def at_hand(self, topic: str) -> AtHand | None:
        """Return what a table of it holds of a topic, without waiting for anybody, ``None`` where there is none yet.

        :raises StreamproofError: it cannot be read: somebody loads into it, it does not answer, it is damaged.
        """
        ...


def place_named(said: str | None, topic: str, env: Mapping[str, str] = os.environ) -> Place:
    """Return the place of a topic's warehouse that a person named: an address of PostgreSQL's, or the path of a file.

    Without a name, it is the one in ``STREAMPROOF_WAREHOUSE``, else the topic's file in the state folder.

    :raises Misconfigured: it looks like an address, and is not one.
    """
    from consumer.sinks.postgres.place import address_of, is_address

    said = said or env.get("STREAMPROOF_WAREHOUSE")
    if not said:
        return place_of(warehouse_path(topic, env))
    if not is_address(said):
        return place_of(Path(said))
    from consumer.sinks.postgres.sink import PostgresSchema  # deferred: it loads the driver

    return PostgresSchema(address_of(said), topic)


def table_at_hand(
    said: str | None, topic: str, unasked: Callable[[str], None], env: Mapping[str, str] = os.environ
) -> AtHand | None:
    """Return what the warehouse of a topic holds, as :func:`place_named` finds it; ``None`` where there is none yet.

    :param unasked: is told of one that cannot be asked; see :func:`asked_place`.
    :raises Misconfigured: the address of a warehouse cannot be read.
    """
    if not (said or env.get("STREAMPROOF_WAREHOUSE") or warehouse_path(topic, env).exists()):
        return None  # the usual case before a first load, for which no store has to be imported
    return asked_place(place_named(said, topic, env), topic, unasked)


def asked_place(place: Place, topic: str, unasked: Callable[[str], None]) -> AtHand | None:
    """Return what a place holds of a topic, before anything is sent. Nobody waits for it, and it stops nobody.

    :param unasked: is given one line about a place that cannot be asked, as one that somebody loads into.
    """
    try:
        return place.at_hand(topic)
    except StreamproofError as error:
        what = "A field that none of its columns can hold will get a column of its own"
        unasked(f"{place.shown} was not asked what it holds: {error.message}. {what}")
        return None


def place_to_verify(said: str, topic: str | None) -> Place:
    """Return the place that a person named, of a topic, or of the only one that it holds.

    :raises Misconfigured: a database holds the warehouses of several topics, or of none.
    """
    from consumer.sinks.postgres.place import address_of, is_address

    if topic is not None or not is_address(said):
        return place_named(said, topic or "")
    from consumer.sinks.postgres.sink import PostgresSchema  # deferred: it loads the driver

    return PostgresSchema.only_one(address_of(said))


def place_of(warehouse: Path | Place) -> Place:
    """Return the place that a path names."""
    from consumer.sinks.duckdb.sink import DuckDBFile  # deferred: it loads DuckDB

    return DuckDBFile(warehouse) if isinstance(warehouse, Path) else warehouse

"""From a schema id to the reader of its values: known schemas from the sink, new ones from the registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from cluster.connection import Connection
from cluster.errors import Misconfigured, Refused, RegistryUnreachable, SchemaReplaced, StreamproofError
from consumer.load.decode import Reader
from consumer.load.keys import KeyReader, KeySchemas
from consumer.load.naming import TopicNaming
from consumer.load.unforeseen import barrier
from consumer.sinks import Sink
from schemas.formats import FRAMED, WrittenSchema
from schemas.formats.headers import guid_of_nobody
from schemas.manifest import SchemaUsed
from schemas.registry.client import UnknownSchema
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry
from schemas.types.node import Node
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema

_NO_ANSWER = "the registry does not answer"

# Makes the sink ready for a schema (id, contract and format, its record) and returns the columns of its fields.
Adopt = Callable[[int, WrittenSchema, Node], list[str]]


class SchemaShelf:
    """The schemas that a sink has met, kept with it, so that a registry that is down does not stop them."""

    def __init__(self, sink: Sink, topic: str, registry: SchemaSource) -> None:
        self._sink = sink
        self._topic = topic
        self._subject = subject_for(topic)
        self._registry = registry
        self.kept = sink.schemas()

    def adopt(self, schema_id: int, written: WrittenSchema, root: Node) -> list[str]:
        """Make the sink accept a schema, keep its text and format, and return the columns of its fields.

        :raises SchemaConflict: the sink cannot hold it beside what it holds.
        """
        with barrier("schema"):
            columns = self._sink.adopt(schema_id, root)
        if schema_id not in self.kept:
            self._sink.keep_schema(schema_id, written, self._named(written))
            self.kept[schema_id] = written
        return columns

    def keys(self, keep: Callable[[int, str], None]) -> KeyReader:
        """Return what decodes keys.

        :param keep: :meth:`keep_key`, where the warehouse is written.
        """
        return KeyReader(KeySchemas(self._registry, self._topic, self._sink.key_schemas()), keep)

    def keep_key(self, schema_id: int, text: str) -> None:
        """Make room for decoded keys in the sink, and keep the text of their schema."""
        self._sink.keep_key_schema(schema_id, text)

    def readers(self, adopt: Adopt, naming: TopicNaming) -> Readers:
        """Return the readers of the topic's values.

        :param adopt: :meth:`adopt`, where the warehouse is written.
        """
        return Readers(self._registry, self.kept, adopt, lambda: naming.plain)

    def _named(self, written: WrittenSchema) -> SchemaUsed | None:
        """Return subject and version of a schema, for the reader of the ledger; it is not needed for loading."""
        if written.format not in FRAMED:
            return None
        try:
            return self._registry.lookup(self._subject, written.text, written.format)
        except StreamproofError:
            return None


class SchemaSource(Protocol):
    """What knows the schemas of ids: a registry, or what stands for one whose address nobody told."""

    url: str

    def schema(self, schema_id: int) -> WrittenSchema:
        """Return the schema of an id; :meth:`schemas.registry.client.Registry.schema` has the errors."""
        ...

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        """Return the subjects that have a schema, each with its version; empty where nobody says."""
        ...

    def id_of(self, guid: UUID) -> int:
        """Return the id of the schema with a GUID; :meth:`schemas.registry.client.Registry.id_of` has the errors."""
        ...

    def lookup(self, subject: str, text: str, written: str) -> SchemaUsed | None:
        """Return how a subject holds a contract."""
        ...


class Unregistered:
    """Stands for a registry whose address nobody told, where values are expected to name no schema."""

    url = ""

    def schema(self, schema_id: int) -> WrittenSchema:
        """Know no id: a value that names one waits in the quarantine.

        :raises UnknownSchema: always.
        """
        raise UnknownSchema(f"no address of a registry is known that could have schema {schema_id}")

    def named(self, schema_id: int) -> list[tuple[str, int]]:  # noqa: ARG002
        """Return none."""
        return []

    def id_of(self, guid: UUID) -> int:
        """Know no GUID: a record that names one waits in the quarantine.

        :raises UnknownGuid: always.
        """
        return guid_of_nobody(guid)

    def lookup(self, subject: str, text: str, written: str) -> SchemaUsed | None:  # noqa: ARG002
        """Return nothing."""
        return None


@contextmanager
def source_of_schemas(connection: Connection, *, needed: bool) -> Iterator[SchemaSource]:
    """Open the registry of a connection.

    :param needed: values are expected to name their schemas.
    :raises Misconfigured: it is needed, and nobody told its address.
    """
    if connection.known_registry is None and not needed:
        yield Unregistered()
        return
    with Registry(connection.registry) as registry:
        yield registry


class Readers:
    """Readers by schema id, each made once.

    A registry that was made anew, or another environment's, may give an id to another schema. So the text that the
    sink keeps of an id is compared with the registry's before the first value of it is read.

    :param known: schemas by id, as the warehouse keeps them.
    :param adopt: runs where the warehouse is written, once a first value of a schema was decoded.
    :param plain: schemas of values that name none, by their numbers; more may come to it.
    :ivar not_compared: why the kept text of a schema could not be compared, by id.
    """

    def __init__(
        self,
        registry: SchemaSource,
        known: Mapping[int, WrittenSchema],
        adopt: Adopt,
        plain: Callable[[], Mapping[int, WrittenSchema]] = dict,
    ) -> None:
        self._plain = plain
        self._registry = registry
        self._known = dict(known)
        self._adopt = adopt
        self.not_compared: dict[int, str] = {}
        self._made: dict[int, Reader | UndecodableValue] = {}

    def __call__(self, schema_id: int) -> Reader:
        """Return the reader of a schema.

        :raises UndecodableValue: the registry does not know the id, or the schema cannot be read.
        :raises RegistryUnreachable: the id is new and the registry does not answer.
        :raises SchemaReplaced: the registry gives the id to another schema now.
        """
        made = self._made.get(schema_id)
        if made is None:
            try:
                made = self._make(schema_id)
            except UndecodableValue as fault:
                made = fault
            self._made[schema_id] = made
        if isinstance(made, UndecodableValue):
            raise made
        return made

    def _make(self, schema_id: int) -> Reader:
        schema = self._known.get(schema_id) or self._plain().get(schema_id)
        if schema is None:
            schema = self._registry.schema(schema_id)
        elif schema.format in FRAMED:  # others have their numbers from their texts
            self._compare(schema_id, schema)
        with barrier("schema"):
            decoder = schema.written.decoder(schema.text)
        return Reader(schema_id, decoder, lambda: self._adopt(schema_id, schema, decoder.root), schema.written)

    def _compare(self, schema_id: int, kept: WrittenSchema) -> None:
        """Compare a kept schema with the registry's. One that does not answer is asked once, and stops nothing."""
        if _NO_ANSWER in self.not_compared.values():
            self.not_compared[schema_id] = _NO_ANSWER
            return
        try:
            there = self._registry.schema(schema_id)
        except UnknownSchema:
            self.not_compared[schema_id] = "the registry does not know the id any more"
            return
        except UnsupportedSchema as fault:
            raise self._replaced(schema_id, fault.message) from None
        except RegistryUnreachable:
            self.not_compared[schema_id] = _NO_ANSWER
            return
        except (Refused, Misconfigured) as error:
            self.not_compared[schema_id] = error.message
            return
        if kept.format != there.format:
            raise self._replaced(schema_id, f"its values are {there.format}, and not {kept.format}")
        if not _same(kept.text, there.text):
            raise self._replaced(schema_id, "its text differs from the one that the warehouse keeps")

    def _replaced(self, schema_id: int, why: str) -> SchemaReplaced:
        return SchemaReplaced(
            f"the registry gives id {schema_id} to another schema now: {why}; nothing of it was stored",
            where=self._registry.url,
            hint="Was the registry made anew, or is it another environment's? Load with the registry that the topic "
            "was written with, or into a new file (--warehouse)",
        )


def _same(kept: str, there: str) -> bool:
    """Tell whether two texts are one schema: the same JSON, or the same types under the same names."""
    try:
        return kept == there or json.loads(kept) == json.loads(there) or parse(kept) == parse(there)
    except (ValueError, UnsupportedSchema):
        return False

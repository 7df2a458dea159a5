"""From a schema id to the reader of its values: known schemas from the warehouse, new ones from the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from cluster.errors import StreamproofError
from consumer.columns import EventColumns
from consumer.decode import Reader
from consumer.unforeseen import barrier
from consumer.warehouse import Warehouse
from schemas.codec import Decoder
from schemas.contract import subject_for
from schemas.frame import UndecodableValue
from schemas.manifest import SchemaUsed
from schemas.registry import Registry

# Makes the warehouse ready for a schema (id, text, Arrow schema) and returns the columns of its fields.
Adopt = Callable[[int, str, pa.Schema], list[str]]


class SchemaShelf:
    """The schemas that a warehouse has met, kept with it, so that a registry that is down does not stop them."""

    def __init__(self, warehouse: Warehouse, topic: str, registry: Registry) -> None:
        self._warehouse = warehouse
        self._subject = subject_for(topic)
        self._registry = registry
        self._columns = EventColumns(warehouse)
        rows = warehouse.rows("SELECT schema_id, schema FROM schema_versions")
        self.texts: dict[int, str] = {int(schema_id): str(text) for schema_id, text in rows}

    def adopt(self, schema_id: int, text: str, schema: pa.Schema) -> list[str]:
        """Make ``events`` accept a schema, keep its text, and return the columns of its fields.

        :raises SchemaConflict: the table cannot hold it beside what it holds.
        """
        with barrier("schema"), self._warehouse.errors():
            columns = self._columns.fit(schema)
        if schema_id not in self.texts:
            used = self._named(text)
            with self._warehouse.transaction() as connection:
                connection.execute(
                    "INSERT INTO schema_versions VALUES (?, ?, ?, ?, now())",
                    [schema_id, used and used.subject, used and used.version, text],
                )
            self.texts[schema_id] = text
        return columns

    def _named(self, text: str) -> SchemaUsed | None:
        """Return subject and version of a schema, for the reader of the ledger; it is not needed for loading."""
        try:
            return self._registry.lookup(self._subject, text)
        except StreamproofError:
            return None


class Readers:
    """Readers by schema id, each made once.

    :param known: texts of schemas by id.
    :param adopt: runs where the warehouse is written.
    """

    def __init__(self, registry: Registry, known: Mapping[int, str], adopt: Adopt) -> None:
        self._registry = registry
        self._known = known
        self._adopt = adopt
        self._made: dict[int, Reader | UndecodableValue] = {}

    def __call__(self, schema_id: int) -> Reader:
        """Return the reader of a schema.

        :raises UndecodableValue: the registry does not know the id, or no table can hold the schema.
        :raises RegistryUnreachable: the id is new and the registry does not answer.
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
        text = self._known.get(schema_id) or self._registry.schema_text(schema_id)
        with barrier("schema"):
            decoder = Decoder(text)
        return Reader(schema_id, decoder, self._adopt(schema_id, text, decoder.arrow_schema))

"""How rows become values and values rows: one folder for each format.

A format is an object with the members of :class:`ValueFormat`: ``avro/`` and ``json/``. Open ``avro/format.py`` to see
one whole. Who produces, loads or proves asks :func:`value_format` for it, and knows no format by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from schemas.formats.headers import VALUE_SCHEMA, said_in
from schemas.undecodable import UndecodableValue, UnsupportedSchema

if TYPE_CHECKING:  # who only asks which formats there are loads no Arrow
    import pyarrow as pa

    from schemas.types.node import Node


@dataclass(frozen=True, slots=True)
class WrittenSchema:
    """What values that name one schema are written with: its contract, and the format, by its name."""

    text: str
    format: str = "avro"

    @property
    def written(self) -> ValueFormat:
        """Return the format.

        :raises UnsupportedSchema: it is unknown.
        """
        try:
            return value_format(self.format)
        except ValueError as error:
            raise UnsupportedSchema(str(error)) from None


# Makes a value undecodable: its kind (``schemas/faults.py``), the value, and a number in [0, 1) that decides the rest.
Breaker = Callable[[str, bytes, float], bytes]

AVRO_NAME, PLAIN_JSON_NAME = "avro", "plain-json"
# Where each format is, and whether its values name schemas of a registry. A module is loaded when its format is used.
_FORMATS = {
    AVRO_NAME: ("schemas.formats.avro.format:AVRO", True),
    "json": ("schemas.formats.json.format:JSON", True),
    PLAIN_JSON_NAME: ("schemas.formats.json.format:PLAIN_JSON", False),
}
NAMES = tuple(_FORMATS)
FRAMED = tuple(name for name, (_, framed) in _FORMATS.items() if framed)
PLAIN = tuple(name for name in NAMES if name not in FRAMED)


class CodecMismatch(RuntimeError):
    """Two programs disagree about the same rows: a bug, never data."""


class RowEncoder(Protocol):
    """Encodes batches of one schema.

    ``arrow_schema`` is what it takes, ``schema_id`` what its values name.
    """

    arrow_schema: pa.Schema
    schema_id: int

    def encode(self, batch: pa.RecordBatch) -> pa.BinaryArray:
        """Return one value per row. Columns are taken by name and cast without loss.

        :raises ValueError: a column is missing or of another type, or a null stands where the schema allows none.
        """
        ...

    def verify(self, batch: pa.RecordBatch, rows: int = 64) -> None:
        """Encode and decode a sample of ``batch`` by another program, and compare.

        :raises CodecMismatch: the two differ.
        """
        ...


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be decoded of a group.

    ``batch`` holds the good rows in order, ``kept`` their indices in the group, ``faults`` the rest by index.
    """

    batch: pa.RecordBatch
    kept: list[int]
    faults: dict[int, UndecodableValue] = field(default_factory=dict)


class ValueDecoder(Protocol):
    """Decodes what stands behind the head of values that name one schema."""

    arrow_schema: pa.Schema

    @property
    def root(self) -> Node | None:
        """Return the record that the values are of; ``None`` where nobody knows their contract."""
        ...

    def salvage(self, values: list[bytes]) -> Salvaged:
        """Decode what can be decoded: the good rows as one batch, and the fault of every other value."""
        ...

    def decode_one(self, value: bytes) -> dict[str, Any]:
        """Return one value as Python values.

        :raises UndecodableValue: what is wrong with it.
        """
        ...


class ContractDecoder(ValueDecoder, Protocol):
    """Decodes values whose contract is known."""

    @property
    def root(self) -> Node:
        """Return the record that the values are of."""
        ...


class ValueFormat(Protocol):
    """One way of writing records as values.

    A value begins with a *head* of ``head_bytes``, which names its schema by the number that the registry gave it. A
    schema is the text of a contract (``schemas/types/tree.py``).
    """

    @property
    def name(self) -> str:
        """What scenarios, manifests and warehouses call it."""
        ...

    @property
    def schema_type(self) -> str:
        """What a registry calls the kind of schema: ``AVRO`` or ``JSON``."""
        ...

    @property
    def head_bytes(self) -> int:
        """How many bytes name the schema; 0 for a format whose values do not."""
        ...

    @property
    def breaks(self) -> frozenset[str]:
        """The kinds ``undecodable.*`` that :meth:`breaker` takes."""
        ...

    def encoder(self, schema: str, schema_id: int) -> RowEncoder:
        """Return what writes values of a schema.

        :raises Misconfigured: no table can hold the schema.
        """
        ...

    def decoder(self, schema: str) -> ContractDecoder:
        """Return what reads values of a schema.

        :raises UnsupportedSchema: no typed table can hold it; every value of it is undecodable.
        """
        ...

    def schema_id(self, head: bytes) -> int:
        """Return the schema that a value names.

        :raises UndecodableValue: in phase ``frame``.
        """
        ...

    def registered(self, contract: str) -> str:
        """Return what a registry is given as the schema of values that follow a contract.

        :raises UnsupportedSchema: the format cannot tell its types.
        """
        ...

    def contract(self, registered: str) -> str:
        """Return the contract of a registered schema.

        :raises UnsupportedSchema: the schema does not carry one.
        """
        ...

    def identity(self, value: bytes) -> bytes:
        """Return the identity that a value of ours carries, as ASCII, without decoding it; empty where it has none."""
        ...

    def identity_sql(self, value: str) -> str:
        """Return the same as an expression of DuckDB over a column of values; NULL where there is none."""
        ...

    def breaker(self, schemas: Mapping[int, Mapping[str, Any]], text: str | None) -> Breaker:
        """Return what makes values undecodable; every kind that it takes is certain to be refused.

        :param schemas: what values are written with, by id.
        :param text: the field whose text is broken, at the top of each schema; the first field where there is none.
        """
        ...


class Naming(Protocol):
    """How the values of a topic name their schemas."""

    @property
    def head_bytes(self) -> int:
        """How many bytes of a value are looked at."""
        ...

    def schema_id(self, head: bytes) -> int:
        """Return the schema that a value names.

        :raises UndecodableValue: in phase ``frame``.
        """
        ...

    def schema_id_in_header(self, header: bytes) -> int:
        """Return the schema that a record names in a header (``headers.py``).

        :raises UndecodableValue: in phase ``frame``, or ``schema`` where nobody knows its GUID.
        """
        ...


def value_format(name: str = AVRO_NAME) -> ValueFormat:
    """Return a format by its name.

    :raises ValueError: there is none.
    """
    if name not in _FORMATS:
        raise ValueError(f"no format is named {name!r}")
    module, _, attribute = _FORMATS[name][0].partition(":")
    found: ValueFormat = getattr(importlib.import_module(module), attribute)
    return found


def identity(value: bytes) -> bytes:
    """Return the identity that a value of ours carries, whatever its format; empty where it has none."""
    return next((found for name in NAMES if (found := value_format(name).identity(value))), b"")


def identity_sql(value: str) -> str:
    """Return the same as an expression of DuckDB over a column of values; NULL where there is none."""
    return f"COALESCE({', '.join(value_format(name).identity_sql(value) for name in NAMES)})"


def of_schema_type(schema_type: str) -> ValueFormat | None:
    """Return the format whose values name schemas of a kind, as registries call kinds; ``None`` for any other."""
    named = (value_format(name) for name in NAMES)
    return next((one for one in named if one.schema_type == schema_type and one.head_bytes), None)


def named_schema(naming: Naming, value: bytes, headers: Sequence[tuple[str, bytes | None]] | None = None) -> int | None:
    """Return the schema that a record names, in a header or in its value; ``None`` where it names none."""
    header = said_in(headers, VALUE_SCHEMA)
    try:
        if header is not None:
            return naming.schema_id_in_header(header)
        return naming.schema_id(value[: naming.head_bytes])
    except UndecodableValue:
        return None

"""Keys that Avro wrote, as JSON text beside the raw bytes.

A key names its schema as a value does: in a header, or in a frame. Many keys that nobody framed begin like a frame,
such as a number of eight bytes. So what stands in a frame counts only where the registry has that schema for keys of
the topic: under ``<topic>-key``, or under the name of its record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.errors import Misconfigured, Refused, RegistryUnreachable
from cluster.records import Records
from consumer.load.unforeseen import barrier
from consumer.sinks.batch import KEY_COLUMN, EventGroup
from schemas.formats import AVRO_NAME, PLAIN_JSON_NAME, Naming, WrittenSchema, value_format
from schemas.formats.frame import HEADER_BYTES, MAGIC, schema_id_in
from schemas.formats.headers import KEY_SCHEMA, said_in
from schemas.undecodable import UndecodableValue, UnsupportedSchema

# Keys without a frame into JSON text; ``None`` for one that cannot be decoded.
DecodeKeys = Callable[[Sequence[bytes]], list[str | None]]
_ALONE = "key"  # the only field of the record that stands for a key which is none
_NOBODYS = "__key__"  # and its name, which no type of a key has
# So many ids that are of no key, and the registry is asked for no other: each number of eight bytes may look like one.
_MOST_STRANGERS = 50


class KeySource(Protocol):
    """What knows the schemas of keys: a registry."""

    def schema(self, schema_id: int) -> WrittenSchema:
        """Return the schema of an id."""
        ...

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        """Return the subjects that have it, with their versions."""
        ...


class KeySchemas:
    """The schemas of a topic's keys, by id: known ones, and those that the registry has for them.

    :param known: texts by id, of keys that were decoded before.
    """

    def __init__(self, registry: KeySource, topic: str, known: Mapping[int, str]) -> None:
        self._registry = registry
        self._topic = topic
        self._known = dict(known)
        self._silent = False
        self._strangers = 0

    @property
    def settled(self) -> bool:
        """Tell whether nobody is asked for an id in a frame any more: those that are not known are of no key."""
        return self._silent or self._strangers >= _MOST_STRANGERS

    def __call__(self, schema_id: int, *, in_header: bool) -> str | None:
        """Return the text of a schema; ``None`` for an id that is none of a key of this topic.

        :param in_header: the record says itself that it is.
        :raises RegistryUnreachable: the registry does not answer, and keys of this topic were decoded before.
        """
        if schema_id in self._known:
            return self._known[schema_id]
        if self.settled or not schema_id:
            return None
        text = self._asked(schema_id, in_header=in_header)
        if text is None:
            self._strangers += 1
        else:
            self._known[schema_id] = text
        return text

    def _asked(self, schema_id: int, *, in_header: bool) -> str | None:
        try:
            written = self._registry.schema(schema_id)
            subjects = [] if in_header else [subject for subject, _ in self._registry.named(schema_id)]
        except UndecodableValue:
            return None
        except (RegistryUnreachable, Refused, Misconfigured):
            if self._known:
                raise
            self._silent = True  # as far as anybody knows, keys of this topic are bytes
            return None
        if written.format != AVRO_NAME or not (in_header or self._is_for_keys(written.text, subjects)):
            return None
        return written.text

    def _is_for_keys(self, text: str, subjects: Sequence[str]) -> bool:
        name = record_name(text)
        own = {f"{self._topic}-key"} | (set() if name is None else {name, f"{self._topic}-{name}"})
        return not own.isdisjoint(subjects)


class KeyReader:
    """Adds the column of decoded keys to groups of events.

    :param text_of: the text of a schema by its id, ``None`` where it is none of a key; see :class:`KeySchemas`.
    :param keep: is told of each schema, id and text, before the first column with keys of it.
    """

    def __init__(self, text_of: TextOf, keep: Callable[[int, str], None]) -> None:
        self._text_of = text_of
        self._keep = keep
        self._decoders: dict[tuple[int, bool], tuple[str, DecodeKeys] | None] = {}
        self._kept: set[int] = set()

    def added(self, records: Records, group: EventGroup, naming: Naming) -> EventGroup:
        """Return the group with its decoded keys; as it is where there are none.

        :raises RegistryUnreachable: as :class:`KeySchemas`.
        """
        # Most topics have no such key, and that is seen without a loop over their records.
        if not _any_framed(group.table["_key"]) and not _any_named(group.table):
            return group
        texts = self.texts(records.keys(group.rows), _headers(records, group.rows), naming)
        if not any(text is not None for text in texts):
            return group
        return replace(group, table=group.table.append_column(KEY_COLUMN, pa.array(texts, pa.string())))

    def texts(self, keys: Sequence[bytes | None], headers: Sequence[bytes | None], naming: Naming) -> list[str | None]:
        """Return the JSON text of each key; ``None`` where it is not known to be Avro's, or cannot be decoded.

        :param headers: what a header says of the schema of each key.
        """
        found: list[str | None] = [None] * len(keys)
        named: dict[tuple[int, bool], list[int]] = {}
        for row, key in enumerate(keys):
            said = headers[row] if headers else None
            if key is None or (said is None and key[:1] != MAGIC):
                continue
            try:
                number = schema_id_in(key[:HEADER_BYTES]) if said is None else naming.schema_id_in_header(said)
            except UndecodableValue:
                continue
            named.setdefault((number, said is not None), []).append(row)
        for (number, in_header), rows in named.items():
            decoder = self._decoder(number, in_header=in_header)
            if decoder is None:
                continue
            text, decode = decoder
            start = 0 if in_header else HEADER_BYTES
            read = decode([(keys[row] or b"")[start:] for row in rows])
            if number not in self._kept and any(one is not None for one in read):
                self._keep(number, text)
                self._kept.add(number)
            for row, one in zip(rows, read, strict=True):
                found[row] = one
        return found

    def _decoder(self, number: int, *, in_header: bool) -> tuple[str, DecodeKeys] | None:
        if (number, in_header) not in self._decoders:
            text = self._text_of(number, in_header=in_header)
            if text is None and len(self._decoders) > 2 * _MOST_STRANGERS:
                return None  # nobody is asked any more, and nothing need be remembered
            try:
                self._decoders[number, in_header] = None if text is None else (text, decoder_of_keys(text))
            except (UnsupportedSchema, Misconfigured):
                self._decoders[number, in_header] = None
        return self._decoders[number, in_header]


class TextOf(Protocol):
    """See :class:`KeySchemas`."""

    def __call__(self, schema_id: int, *, in_header: bool) -> str | None:
        """Return the text of a schema."""
        ...


def decoder_of_keys(text: str) -> DecodeKeys:
    """Return what makes JSON text of payloads, as docs/json.md writes values.

    A schema that is no record is read as the only field of one: its bytes are the same.

    :raises UnsupportedSchema: nobody can read values of the schema.
    :raises Misconfigured: JSON has no form for it.
    """
    alone = record_name(text) is None
    contract = text if not alone else _as_record(text)
    with barrier("schema"):
        decoder = value_format(AVRO_NAME).decoder(contract)
        encoder = value_format(PLAIN_JSON_NAME).encoder(contract, 0)
    outer = slice(len(f'{{"{_ALONE}":'), -1) if alone else slice(None)

    def decode(payloads: Sequence[bytes]) -> list[str | None]:
        found: list[str | None] = [None] * len(payloads)
        try:
            with barrier("decode"):
                salvaged = decoder.salvage(list(payloads))
                if salvaged.kept:
                    written: list[bytes] = encoder.encode(salvaged.batch).to_pylist()  # type: ignore[assignment]
                    for row, one in zip(salvaged.kept, written, strict=True):
                        found[row] = one.decode()[outer]
        except UndecodableValue:  # what nobody foresaw, about a group: each by itself
            return found if len(payloads) == 1 else [one for each in payloads for one in decode([each])]
        return found

    return decode


def record_name(text: str) -> str | None:
    """Return the full name of the record that a schema is; ``None`` for a schema that is no record."""
    try:
        schema = json.loads(text)
    except ValueError:
        return None
    if not isinstance(schema, dict) or schema.get("type") not in {"record", "error"}:
        return None
    name, space = str(schema.get("name")), schema.get("namespace")
    return name if "." in name or not space else f"{space}.{name}"


def _as_record(text: str) -> str:
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise UnsupportedSchema("the schema of a key is not JSON") from error
    return json.dumps({"type": "record", "name": _NOBODYS, "fields": [{"name": _ALONE, "type": schema}]})


def _any_framed(keys: pa.ChunkedArray[Any]) -> bool:
    looks_framed: Any = pc.starts_with(keys, MAGIC.decode())
    return bool(pc.any(looks_framed).as_py())


def _any_named(rows: pa.Table) -> bool:
    if "_headers" not in rows.column_names:
        return False
    flat: Any = pc.list_flatten(rows["_headers"])
    names: Any = pc.struct_field(flat, "name")
    names_keys: Any = pc.equal(names, pa.scalar(KEY_SCHEMA))
    return bool(pc.any(names_keys).as_py())


def _headers(records: Records, rows: NDArray[np.int64]) -> list[bytes | None]:
    """Return what headers say of the schema of each key; nothing where no record has one."""
    headers = records.headers(rows)
    return [said_in(each, KEY_SCHEMA) for each in headers] if any(headers) else []

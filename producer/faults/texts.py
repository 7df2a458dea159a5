"""Where in a framed value the first byte of a text stands."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import fastavro

from schemas.formats.avro.frame import HEADER_BYTES

_ID_BYTES = slice(1, HEADER_BYTES)


class TextPlace:
    """Finds one text field at the top of a schema in any value of it.

    :param schemas: the schemas that values are written with, by id.
    :param field: a text, or a text or null; what stands before it is read and left behind.
    """

    def __init__(self, schemas: Mapping[int, Mapping[str, Any]], field: str) -> None:
        self._before = {number: _fields_before(schema, field) for number, schema in schemas.items()}

    def __call__(self, value: bytes) -> int:
        """Return the place of the text's first byte. The text is there, and not empty."""
        before, nullable = self._before[int.from_bytes(value[_ID_BYTES], "big")]
        stream = io.BytesIO(value)
        stream.seek(HEADER_BYTES)
        if before is not None:
            fastavro.schemaless_reader(stream, before, None)
        for _ in range(2 if nullable else 1):  # the branch of the union, and the length
            while stream.read(1)[0] & 0x80:
                pass
        return stream.tell()


def _fields_before(schema: Mapping[str, Any], field: str) -> tuple[Any, bool]:
    """Return the schema of what stands before a field, ``None`` for nothing, and whether the field is a union."""
    names = [one["name"] for one in schema["fields"]]
    place = names.index(field)
    nullable = isinstance(schema["fields"][place]["type"], list)
    if not place:
        return None, nullable
    return fastavro.parse_schema({**schema, "fields": schema["fields"][:place]}), nullable

"""Types inside themselves: their Avro bytes as JSON text, and back, without loss.

The text is as Avro itself writes values in JSON: a branch of a union is an object of one member, named as the branch's
type or by its whole name; bytes are text of the code points 0 to 255; logical types are the number or the bytes
beneath. There are no blanks, and members are in the order of the schema. A number that is not finite is text:
``"NaN"``, ``"Infinity"``, ``"-Infinity"``; a NaN with bits of its own has them behind it, in hexadecimal digits.

Neither way has a function for each level of a value: a list of ten thousand links is read and written as well.
"""

from __future__ import annotations

from schemas.formats.avro.json_text.reading import text_reader
from schemas.formats.avro.json_text.writing import text_writer

__all__ = ["text_reader", "text_writer"]

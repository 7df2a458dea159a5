"""The kinds of faults that values of Avro take: some that make a value undecodable are of JSON alone."""

from __future__ import annotations

from schemas.faults import KINDS, UNDECODABLE
from schemas.formats import value_format

OF_AVRO = {kind for kind in KINDS if not kind.startswith(f"{UNDECODABLE}.")} | value_format().breaks

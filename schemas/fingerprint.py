"""The fingerprint of a schema: two texts have the same one exactly when they are the same JSON."""

from __future__ import annotations

import hashlib
import json


def fingerprint(schema_text: str) -> str:
    """Return SHA-256, in hexadecimal, of the schema's JSON with sorted keys and without white space.

    Avro's own parsing canonical form drops logical types, defaults, aliases and docs: a decimal whose scale was
    changed, and so means another number, would keep its fingerprint.

    :raises ValueError: the text is not JSON, or nested too deeply to be read.
    """
    try:
        canonical = json.dumps(json.loads(schema_text), sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise ValueError("the text is nested too deeply") from None
    return hashlib.sha256(canonical.encode()).hexdigest()


def number_of(schema_text: str) -> int:
    """Return the number of a schema that no registry has numbered: below zero, and the same for the same JSON."""
    return -1 - int(fingerprint(schema_text)[:8], 16) % (1 << 31)

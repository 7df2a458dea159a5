"""Event identity: an id alone says which run, which shard and which number an event was.

An id is a UUIDv8 (RFC 9562 section 5.8)::

    48 bits  first 48 bits of SHA-256(run id)
     4 bits  version, 8
    12 bits  shard
     2 bits  variant, 0b10
    62 bits  sequence

Sequences are dense per shard from 0, so a lost event is a missing number.

An event carries its id in its value, in the field ``event_id``, or, where the schema has no such field, in a header of
its record. A record whose value is made undecodable on purpose carries it in the header as well.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

IDENTITY_FIELD = "event_id"
IDENTITY_HEADER = "streamproof-event-id"  # the id in its canonical form, as ASCII
ID_CHARACTERS = 36
MAX_SHARDS = 1 << 12
MAX_SEQUENCE = (1 << 62) - 1
_BEFORE_THE_SEQUENCE = 16  # hexadecimal digits, the version and the shard among them


@dataclass(frozen=True, slots=True)
class EventIdentity:
    """What an event id says."""

    run_prefix: str
    shard: int
    sequence: int


def run_prefix(run_id: str) -> str:
    """Return the 12 hexadecimal digits (48 bits) with which every event id of a run begins."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:12]


def event_id(run_id: str, shard: int, sequence: int) -> str:
    """Return the id of one event, in the canonical 36-character form.

    :raises ValueError: shard or sequence out of range.
    """
    if not 0 <= shard < MAX_SHARDS:
        raise ValueError(f"shard {shard} is not in [0, {MAX_SHARDS})")
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise ValueError(f"sequence {sequence} is not in [0, 2^62)")
    high = int(run_prefix(run_id), 16) << 80
    return str(uuid.UUID(int=high | (0x8 << 76) | (shard << 64) | (0b10 << 62) | sequence))


def event_ids_begin(run_id: str) -> str:
    """Return how every event id of a run begins: 48 bits of the run, and the version digit."""
    prefix = run_prefix(run_id)
    return f"{prefix[:8]}-{prefix[8:]}-8"


def sequence_in(event_id: bytes) -> int:
    """Return the sequence that an id of ours ends with; nothing else of it is looked at.

    :raises ValueError: it does not end with hexadecimal digits.
    """
    return int(event_id.replace(b"-", b"")[_BEFORE_THE_SEQUENCE:], 16) & MAX_SEQUENCE


def id_in_header(headers: Iterable[tuple[str, str | bytes | None]] | None) -> bytes | None:
    """Return what the headers of a record say its identity is, ``None`` where they say nothing."""
    for name, value in headers or ():
        if name == IDENTITY_HEADER and value is not None:
            return value.encode() if isinstance(value, str) else bytes(value)
    return None


def read_event_id(text: str) -> EventIdentity | None:
    """Return what an id says, or ``None`` when it is not one of ours (not a UUIDv8)."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    if str(value) != text.lower() or value.version != 8:
        return None
    bits = value.int
    return EventIdentity(f"{bits >> 80:012x}", (bits >> 64) & 0xFFF, bits & MAX_SEQUENCE)

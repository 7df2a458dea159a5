"""The kinds of faults that a rehearsal injects, by the names that producer, manifest and audit share.

The part before the dot is the family. A finding counts for a family; the truth names the kind.
"""

from __future__ import annotations

DUPLICATE = "duplicate"
DROPPED = "dropped"
TOMBSTONE = "tombstone"
OUT_OF_ORDER = "out_of_order"
LATE = "late"
HOT_KEY = "hot_key"
CLOCK_SKEW = "clock_skew"
UNDECODABLE = "undecodable"
ALTERED = "altered"

# What each is, for the help, the guide and the report.
KINDS: dict[str, str] = {
    DROPPED: "never sent: its sequence is skipped",
    TOMBSTONE: "sent with its key and without a value",
    "undecodable.truncated": "its value ends too early",
    "undecodable.bad_magic": "its value does not begin with the frame's byte",
    "undecodable.unknown_schema": "its value names a schema that the registry does not know",
    "undecodable.invalid_utf8": "a text of its value is not UTF-8",
    "undecodable.trailing_bytes": "bytes follow the end of its value",
    "undecodable.empty": "its value has no bytes",
    "undecodable.wrong_type": "its value is an array, and the schema has an object (JSON)",
    "undecodable.unknown_member": "its value has a member that the schema does not have (JSON)",
    "undecodable.duplicate_member": "its value has a member twice (JSON)",
    HOT_KEY: "its key is one that all events with this fault share",
    OUT_OF_ORDER: "sent behind the next event of its key",
    DUPLICATE: "sent twice, byte for byte",
    "altered.negative_duration": "its duration is below zero",
    "altered.future_date": "it is dated a hundred years ahead",
    "altered.unknown_text": "a text that is one of a few is another one",
    LATE: "dated behind the event before it, by at least a minute",
    CLOCK_SKEW: "the clock of its shard is wrong, for event time and record time",
}
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(kind.split(".")[0] for kind in KINDS))


def members(name: str) -> tuple[str, ...]:
    """Return the kinds that a name stands for: itself, or all of a family; empty when it is unknown."""
    return tuple(kind for kind in KINDS if name in (kind, kind.split(".")[0]))

"""The control topic ``<topic>.manifests``: what the shards of every run say, written and read by this package alone.

A record is JSON under a key: a manifest under ``<run id>/<shard>``, and pages of its truth about injected faults, which
may not fit into it, under ``<run id>/<shard>/faults/<page>``. What was done to the local stack while a run went stands
under ``<run id>/incidents`` (``schemas/incidents.py``): nothing is accounted for by it, so that one that cannot be read
is as good as none. A record without a value takes back what is there under its key. The topic is compacted.

What a running shard tells once a second is in it as well, and who holds it, under keys that no shard has and without a
value (``schemas/progress.py``, ``schemas/leases.py``): to whoever reads manifests it is nothing.

A process that holds its shard by a transactional id writes its manifests in transactions. So a reader takes committed
records alone, and reads to the end of the topic as it is: where a transaction is open there, as one that a killed
process left, it waits until that is decided. What follows it may be a manifest, and must not be missed.

Ledgers of what others sent are in it, too (``schemas/ledgers.py``). They are kept apart: whoever asks for manifests
gets those of runs.

**Records that cannot be read.** Two promises decide: PASSED is never said of what could not be looked at, and a
producer never sends again what a manifest might account for.

1. Of each key the newest record counts, and no other. What an earlier one says is out of date, and Kafka may remove it
   at any moment: nothing may depend on whether it has.
2. A record is *unreadable* when it is not a manifest or page that this version understands, when it is of another shard
   than its key, or of another topic than it is in, as a copy is. It stands for nothing. That it is there, and where, is
   kept.
3. Who judges takes a shard with an unreadable manifest for one without: its run is UNKNOWN at best.
4. Who sends refuses the run (:class:`Misconfigured`): what the record accounts for would perhaps be sent twice. Of the
   other shards of its run it needs what they were begun with, and no more: a manifest of a later version that still
   says that stops nobody.
5. A manifest that was taken back accounts for nothing, and what it did account for may still be in the topic: who sends
   looks there first, who judges has no manifest.
6. A record whose key names no shard is of no run. It is told of, and stops nobody.

Open ``content.py`` first: what the newest records say. ``keys.py`` has whose a record is.
"""

from schemas.control_topic.content import ControlTopic, Unreadable
from schemas.control_topic.keys import Shard, page_of, shard_of
from schemas.control_topic.reading import read_control_topic, read_incidents
from schemas.control_topic.writing import (
    INLINE_RANGES,
    LARGEST_BYTES,
    LEDGER_TIMEOUT_S,
    PAGE_RANGES,
    WRITE_TIMEOUT_S,
    manifest_records,
    paged,
    write_incidents,
    write_ledger,
    write_manifest,
)

__all__ = [
    "INLINE_RANGES",
    "LARGEST_BYTES",
    "LEDGER_TIMEOUT_S",
    "PAGE_RANGES",
    "WRITE_TIMEOUT_S",
    "ControlTopic",
    "Shard",
    "Unreadable",
    "manifest_records",
    "page_of",
    "paged",
    "read_control_topic",
    "read_incidents",
    "shard_of",
    "write_incidents",
    "write_ledger",
    "write_manifest",
]

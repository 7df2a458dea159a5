"""Ledgers: manifests of a topic that somebody else filled, written from what Kafka holds of it.

A ledger has the form of a run: a manifest for each partition, whose shard is the partition and whose sequences are
offsets. It is none: nobody sent it, and no load of ours is asked for it. Only a proof of somebody else's pipeline takes
it, so :class:`schemas.control_topic.ControlTopic` keeps the two apart.
"""

from __future__ import annotations

from schemas.manifest import Terms

SCENARIO = "ledger"
RUN_PREFIX = "ledger/"
# What tells the records of a ledger apart, as its settings say it.
IDENTITY = "identity"
BY_POSITION, BY_FIELD = "position", "field"
FIELD = "field"
KEYED = "keyed"


def is_ledger_id(run_id: str) -> bool:
    """Tell whether an id is that of a ledger: no run is called so."""
    return run_id.startswith(RUN_PREFIX)


def is_ledger(terms: Terms) -> bool:
    """Tell whether a manifest is of a ledger. A scenario of somebody's own may be called as ledgers are."""
    return terms.scenario == SCENARIO and is_ledger_id(terms.run_id)

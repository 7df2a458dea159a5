"""Reading a topic: its identity, watermarks, and records as columns, from given positions on.

Open ``bounded.py`` first: :class:`TopicReader` reads up to fixed ends, and a topic gives the same records in the same
order to every reader. :class:`TopicFollower` (``following.py``) reads on without an end. ``client.py`` is what both
have; ``intake.py`` is what comes out of a client, as records and positions; ``watermarks.py`` where partitions begin
and end.

Positions are assigned, never subscribed to: no consumer group can move, steal or repeat them.
"""

from cluster.reading.bounded import SILENCE_S, TopicReader
from cluster.reading.following import TopicFollower
from cluster.reading.group_note import GROUP_PREFIX
from cluster.reading.watermarks import Watermarks, look_at_topic, offsets_at, watermarks

__all__ = [
    "GROUP_PREFIX",
    "SILENCE_S",
    "TopicFollower",
    "TopicReader",
    "Watermarks",
    "look_at_topic",
    "offsets_at",
    "watermarks",
]

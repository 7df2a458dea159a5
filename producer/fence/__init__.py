"""Who may send a shard, wherever its processes run: open ``fence.py`` first.

``waiting.py`` is what a process does that took a shard from another one, ``unfenced.py`` goes without.
"""

from producer.fence.right import Right

__all__ = ["Right"]

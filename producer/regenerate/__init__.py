"""What was sent, made again from the manifests alone: open ``events.py`` first.

``begun.py`` reads from a manifest what its shard was begun with, ``shard.py`` makes the events of one shard, and
``proof.py`` holds a sample of them against the checksums of what was sent, before any is believed.
"""

from producer.regenerate.events import Regenerated, regenerated

__all__ = ["Regenerated", "regenerated"]

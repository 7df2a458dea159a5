"""Several feeds of files, replayed in one run: what ``streamproof replay`` does, and what a Dag can do task by task.

Open ``replay.py`` first: ``replay`` is the whole. ``feed.py`` says what a feed is and makes its staged copy,
``ready.py`` has topics and schemas ready.
"""

from producer.feeds.feed import Feed, StagedFeed, Timing, stage_feeds
from producer.feeds.replay import Replayed, replay, requests_of

__all__ = ["Feed", "Replayed", "StagedFeed", "Timing", "replay", "requests_of", "stage_feeds"]

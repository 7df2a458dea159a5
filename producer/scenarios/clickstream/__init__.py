"""Visitors of a web shop: they come, browse, fill a cart, and now and then buy (docs/clickstream.md).

Open ``scenario.py`` first. ``graph`` is where a visitor goes next and how long it takes, ``visitors`` who comes.
"""

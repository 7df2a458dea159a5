"""Somebody else's pipeline: what it stored, against the ledger of the topic that it read.

Open ``audit.py`` first: it is the protocol. ``truth.py`` is what was sent, told again; ``stored/`` is what a pipeline
stored, wherever that is. ``topic_rows.py`` reads any topic as rows, for both.
"""

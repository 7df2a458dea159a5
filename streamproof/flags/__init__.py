"""Flags that several commands take: ``common.py`` first, then ``connection.py``; ``run.py`` has those of a run."""

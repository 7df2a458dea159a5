"""Flags that more than one command takes: open ``common.py`` first, ``run.py`` turns those of a run into a request."""

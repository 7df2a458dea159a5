"""Scenarios whose events are the rows of files (docs/replay.md).

Open ``scenario.py`` first. ``files`` finds the files, ``reading`` says how they are read, ``rows/`` reads them, and
``staged/`` keeps what was read as a copy that gives row n at once.
"""

"""Loading: records from stored positions up to a fixed end, decoded and handed to a sink, each exactly once.

Open ``load.py`` first: ``load`` is the protocol. ``transfer.py`` is its inner loop: ``cluster/reading/`` reads,
``readers.py`` and ``decode.py`` turn values into rows, ``writer.py`` stores them in a thread of its own.
``quarantine.py`` tries again what could not be decoded.
"""

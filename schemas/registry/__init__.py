"""The Schema Registry: open ``gate.py`` first (load, diff, ask, register).

``contract.py`` is what lies on disk, ``client.py`` what the registry holds. ``diff.py`` and ``compatibility.py`` say
what is between them.
"""

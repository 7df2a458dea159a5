"""The contracts: what producer and consumer agree on, and the gate that guards the registry.

A folder with ``v1.avsc`` in it is a contract. ``registry/`` loads, compares and registers them; ``formats/`` turns rows
into values and back. ``identity.py`` and ``manifest.py`` say what an event and a run are called and claim;
``control_topic/`` writes and reads the claims.
"""

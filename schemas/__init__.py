"""The contracts: Avro schemas, event identity, the manifest, and the gate that guards the registry.

Open ``registry.py`` first (load, diff, ask, register). ``codec.py`` turns Arrow batches into framed Avro and back;
``identity.py`` and ``manifest.py`` are what producer and consumer agree on.
"""

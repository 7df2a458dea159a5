"""What only the warehouse itself can be asked, because only it holds columns, schemas and what was set aside.

Open ``column_proof.py`` first: columns against the bytes of their records. ``quarantine_proof.py`` does the same for
what is held, ``contradictions.py`` holds schemas, columns and topic against each other, ``scoring.py`` says which
injected faults were found.
"""

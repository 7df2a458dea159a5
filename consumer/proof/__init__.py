"""Proving a run: is everything that Kafka acknowledged in the warehouse, once, unaltered?

Open ``audit.py`` first, then ``verdict.py``, the one rule that turns findings into a verdict. ``comparison.py`` holds
records against claims, and ``evidence.py`` says what it needs; ``run_scope.py`` makes that of a warehouse. Each
``*_proof.py`` proves one thing by making it again; ``detectors/`` and ``checks/`` are folders of queries to which one
adds by adding a file.
"""

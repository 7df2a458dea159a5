"""Proving a run: is everything that Kafka acknowledged in the warehouse, once, unaltered?

Open ``audit.py`` first, then ``verdict.py``, the one rule that turns findings into a verdict. ``run_scope.py`` is what
all queries look at; each ``*_proof.py`` proves one thing by making it again; ``detectors/`` and ``checks/`` are folders
of queries to which one adds by adding a file.
"""

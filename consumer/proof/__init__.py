"""Proving a run: is everything that Kafka acknowledged in the warehouse, once, unaltered?

Open ``audit.py`` first, then ``verdict.py``, the one rule that turns findings (``found.py``) into a verdict;
``result.py`` is what an audit says. ``findings.py`` puts together what two folders find: ``evidence/`` holds records
against claims, wherever the records lie, and ``inside/`` looks at what only the warehouse itself can be asked.
``run_scope.py`` makes evidence of a warehouse. ``detectors/`` and ``checks/`` are folders of queries to which one
adds by adding a file.
"""

"""Incidents of a run: a broker or the registry of the local stack is taken away while the run goes, and given back.

Open ``performance.py`` first: it waits for the moment of each, asks for it, and records what happened. ``stage.py``
says whether there is a stack to do it to, and ``clocks.py`` which second of the run it is. The stack itself is not
known here: its supervisor is asked through files (``cluster/incidents.py``), and what was asked for is read by
``producer/plan/incidents.py``.
"""

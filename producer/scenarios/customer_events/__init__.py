"""Customers of a media streaming service who browse, search and play.

Open ``scenario.py`` first. ``world/`` is who and what there is, ``behaviour/`` what customers do and when,
``columns.py`` makes Arrow columns of it. ``realism/`` is the other side: what must never be violated, and what is
declared beside what data shows. ``pack/`` holds the queries that the scenario brings.
"""

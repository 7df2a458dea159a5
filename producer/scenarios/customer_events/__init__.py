"""Customers of a media streaming service who browse, search and play.

Open ``scenario.py`` first. ``population`` and ``catalogue`` are who and what, ``sessions`` what they do and when,
``plays`` how a play went, ``columns`` the Arrow columns, ``rules`` what must never be violated, ``distributions`` what
is declared beside what data shows.
"""

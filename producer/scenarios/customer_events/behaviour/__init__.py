"""What customers do.

Open ``sessions.py`` first: which events there are, and when. ``plays.py`` is how a play went, ``story.py`` what
connects the events of a session.
"""

"""What readers see.

Open ``publish.py`` first. ``permit.py`` says whether a run may be shown, ``snapshot.py`` what is shown.
"""

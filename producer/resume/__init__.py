"""What an earlier attempt left: open ``resume.py`` first. The broker is asked which events are there.

``earlier.py`` tells what the control topic holds of the run, ``placing.py`` notes where records lie.
"""

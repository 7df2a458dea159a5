"""What an earlier attempt left: open ``resume.py`` first. The broker is asked which events are there.

``reading.py`` reads a range of a topic once, ``control_topic.py`` writes and reads manifests, ``placing.py`` notes
where records lie.
"""

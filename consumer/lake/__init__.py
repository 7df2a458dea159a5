"""The lake: topics as folders of Parquet or Delta, written by Spark, read by anything. Open ``lake.py`` first.

``lake.py`` starts, watches and ends the job; ``job/`` is what runs inside Spark. ``published.py`` is the list of what
is committed: for a reader, what it does not name is not there.
"""

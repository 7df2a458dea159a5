"""The lake: topics as folders of Parquet, written by Spark, read by anything. Open ``published.py`` first.

``published.py`` is the list of what is committed: for a reader, what it does not name is not there.
"""

"""A Hive table of the lake: clicks joined with the newest metadata of their articles, counted by hour.

Open ``aggregate.py`` first: it is the protocol, and runs inside Spark, which ``table.py`` starts. ``state.py`` says
which batches are in the table; ``clicks_by_category.sql`` is what is counted.
"""

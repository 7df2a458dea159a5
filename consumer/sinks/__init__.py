"""Where records go.

``batch.py`` is what a sink is given, ``limit.py`` what it holds a load to, ``duckdb/`` the sink.
"""

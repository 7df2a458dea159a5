"""A table, a view or a query of PostgreSQL. Open ``place.py`` first.

``columns.py`` says which column of a row becomes which of DuckDB's, ``errors.py`` what the server says, in our words.
"""

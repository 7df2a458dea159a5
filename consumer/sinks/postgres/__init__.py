"""PostgreSQL as a sink: one schema per topic, in any database.

Open ``warehouse.py`` first, the schema and how it is made. ``types.py`` says which of its types holds which column;
``into_text.py`` and ``from_text.py`` turn columns into COPY's text and back, inside DuckDB.
"""

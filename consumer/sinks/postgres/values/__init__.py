"""Values there and back: open ``types.py`` first, which type of PostgreSQL holds which column.

``into_text.py`` and ``from_text.py`` turn columns into COPY's text and back, inside DuckDB. ``copying.py`` moves the
text, and ``documents.py`` looks whether documents are of the types that their columns are said to have.
"""

"""One module for each format; alembic finds them by their folder."""

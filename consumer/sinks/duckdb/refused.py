"""What DuckDB refuses a row for: a number or a time beyond the range of the table's type."""

from __future__ import annotations

import duckdb
import pyarrow as pa

# What a row can be blamed for; everything else that DuckDB raises is the store's.
DATA_ERRORS = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
    duckdb.ConstraintException,
    duckdb.NotImplementedException,
    pa.ArrowException,
)


def reason_of(error: Exception) -> str | None:
    """Return DuckDB's sentence without the value that it quotes; ``None`` where the row is not at fault."""
    if not isinstance(error, DATA_ERRORS):
        return None
    return str(error).split("\n", 1)[0].split(" with value ", 1)[0][:200]

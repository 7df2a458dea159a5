"""Rows of Parquet files, by DuckDB. Columns go by their names; a type that differs between files gives way to one that
holds both, or to text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from cluster.errors import DataRejected, Misconfigured, StoreFailed, StoreOutOfMemory
from cluster.machine.disk import says_refused
from consumer.pipeline.stored import StoredColumn
from consumer.pipeline.stored.files.found import DataFile
from consumer.pipeline.stored.files.merging import merge
from consumer.pipeline.stored.tabled import VECTOR_ROWS, gathered, names_apart, selected, types_in_a_session
from consumer.sinks.duckdb.column_types import column_type
from schemas.columns.column_type import ColumnType, SchemaConflict, quote

_TEXT = ColumnType("VARCHAR")
_READ = "read_parquet({path}, hive_partitioning = false)"


class ParquetReader:
    """Reads files whose columns may differ.

    :raises StoreFailed: one is not a whole Parquet file.
    """

    def __init__(self, session: duckdb.DuckDBPyConnection, files: Sequence[DataFile]) -> None:
        self._session = session
        self._kinds: dict[str, ColumnType] = {}
        self._names: dict[str, str] = {}  # the column of each name in lower case
        self._there: dict[str, dict[str, tuple[str, ColumnType]]] = {}  # of each file: column to its name and type
        for file in files:
            self._there[file.name] = self._look_at(file)
        common = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in self._kinds.items())
        schema = session.sql(f"SELECT {common} LIMIT 0").to_arrow_table().schema if common else pa.schema([])
        kinds = types_in_a_session(schema) if common else []
        self.columns = [StoredColumn(name, kind) for name, kind in zip(self._kinds, kinds, strict=True)]

    def tables(self, file: DataFile, columns: Sequence[StoredColumn]) -> Iterator[pa.Table]:
        """Yield the rows of a file."""
        there = self._there[file.name]
        expressions: dict[str, str] = {}
        for column in columns:
            target = self._kinds[column.name]
            if column.name in there:
                name, kind = there[column.name]
                expressions[column.name] = _converted(quote(name), kind, target)
            else:
                expressions[column.name] = f"CAST(NULL AS {target})"
        query = f"SELECT {selected(expressions) or 'NULL'} FROM {_from(file)}"  # noqa: S608 - names are quoted
        with _errors(file):
            yield from gathered(self._session.sql(query).to_arrow_reader(VECTOR_ROWS))

    def _look_at(self, file: DataFile) -> dict[str, tuple[str, ColumnType]]:
        with _errors(file):
            empty = self._session.sql(f"SELECT * FROM {_from(file)} LIMIT 0")  # noqa: S608 - a literal
            columns = list(zip(empty.columns, map(column_type, empty.types), strict=True))
        there: dict[str, tuple[str, ColumnType]] = {}
        for (name, kind), apart in zip(columns, names_apart(name for name, _ in columns).values(), strict=True):
            column = self._names.setdefault(apart.lower(), apart)
            self._kinds[column] = _merged(self._kinds.get(column, kind), kind, column)
            there[column] = (name, kind)
        return there


def _merged(old: ColumnType, new: ColumnType, name: str) -> ColumnType:
    try:
        return merge(old, new, name)
    except SchemaConflict:
        return _TEXT


def _converted(column: str, kind: ColumnType, target: ColumnType) -> str:
    if kind == target:
        return column
    if target == _TEXT and kind.members:
        return f"CAST(to_json({column}) AS VARCHAR)"
    return f"CAST({column} AS {target})"


def _from(file: DataFile) -> str:
    """Return a file as a relation; what DuckDB would take for a pattern stands for itself."""
    path = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in file.path)
    literal = "'" + path.replace("'", "''") + "'"
    return _READ.format(path=literal)


@contextmanager
def _errors(file: DataFile) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise StoreOutOfMemory(
            "DuckDB needs more memory for the file than it may have here",
            where=file.name,
            hint="Values of hundreds of kilobytes are read in row groups of a few rows: write the file with such",
        ) from None
    except duckdb.ConversionException:
        raise DataRejected("a value does not fit the type that other files give its column", where=file.name) from None
    except duckdb.BinderException as error:
        raise Misconfigured("the file's columns cannot be told apart", where=file.name) from error
    except duckdb.Error as error:
        if says_refused(str(error)):
            raise StoreFailed("the file may not be read", where=file.name, hint="Check whose it is") from error
        raise StoreFailed(
            "the file is not a whole Parquet file",
            where=f"{file.name}: {str(error).split(chr(10), 1)[0][:160]}",
            hint="Is somebody still writing it? Then try again",
        ) from error

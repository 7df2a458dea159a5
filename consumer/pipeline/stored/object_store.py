"""Parquet files in S3, or in what speaks as it does: by DuckDB's own extension and settings, where they are installed.

Nothing is installed here. Credentials and endpoint are what DuckDB finds: a secret that it keeps, or the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import duckdb

from cluster.errors import DependencyDown, Misconfigured, Refused, StreamproofError
from consumer.pipeline.stored.files.found import PARQUET, DataFile, FoundFiles, Stamp, kind_of, parts_of
from consumer.pipeline.stored.files.parquet import ParquetReader
from consumer.pipeline.stored.files.place import FileRows
from consumer.pipeline.stored.sessions import reading_session

_PATTERN = re.compile(r"[*\[]")
_LIST = "SELECT filename, size, epoch_ns(last_modified::TIMESTAMP) FROM read_blob(?) ORDER BY 1"


@dataclass(frozen=True, slots=True)
class ObjectStorePlace:
    """A path with a pattern, or a folder."""

    where: str

    @property
    def shown(self) -> str:
        """Return the address."""
        return self.where

    @contextmanager
    def open(self) -> Iterator[FileRows]:
        """List the files, and read what columns they have.

        :raises Misconfigured: DuckDB's extension is not installed, or there is no such file.
        :raises DependencyDown: the store does not answer.
        """
        with ExitStack() as opened:
            session = opened.enter_context(reading_session(reaching=_reach))
            found = self._find(session)
            yield FileRows(self.where, found, ParquetReader(session, found.files), lambda: self._find(session))

    def _find(self, session: duckdb.DuckDBPyConnection) -> FoundFiles:
        pattern = self.where if PurePosixPath(self.where).suffix else f"{self.where.rstrip('/')}/**"
        try:
            rows = session.execute(_LIST, [pattern]).fetchall()
        except duckdb.Error as error:
            raise _meaning(error, self.where) from error
        base = _PATTERN.split(pattern)[0].rpartition("/")[0] + "/"
        files, hidden, others = [], 0, []
        for name, size_bytes, modified_ns in rows:
            inside = PurePosixPath(str(name).removeprefix(base))
            if any(part.startswith((".", "_")) for part in inside.parts):
                hidden += 1
            elif kind_of(inside.name) == PARQUET:
                stamp = Stamp(int(size_bytes), int(modified_ns), 0)
                files.append(DataFile(str(name), str(inside), stamp, parts_of(inside)))
            else:
                others.append(str(inside))
        if not files:
            raise Misconfigured(
                "there is no Parquet file", where=self.where, hint="Other kinds are read from this machine's disks"
            )
        return FoundFiles(PARQUET, files, hidden, others)


def _reach(session: duckdb.DuckDBPyConnection) -> None:
    try:
        session.execute("LOAD httpfs")
    except duckdb.Error:
        raise Misconfigured(
            "DuckDB's extension httpfs is not installed, and nothing is installed here",
            hint="Run INSTALL httpfs in DuckDB of the same version, or copy the files to this machine",
        ) from None


def _meaning(error: duckdb.Error, where: str) -> StreamproofError:
    said = str(error)
    if any(sign in said for sign in ("403", "401", "Forbidden", "Access Denied", "credential")):
        return Refused("the store refuses the login", where=where, hint="Check the secret that DuckDB uses")
    if "404" in said or "NoSuchBucket" in said or "No files found" in said:
        return Misconfigured("there is no such bucket or file", where=where)
    return DependencyDown("the store does not answer as S3 does", where=where, hint="Check the endpoint, and try again")

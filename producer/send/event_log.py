"""A log of the events that a shard sends, for who wants to see them without a consumer: one JSON object a line."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from cluster.errors import Misconfigured, StoreFailed, StoreFull
from cluster.machine.disk import is_full
from producer.toolkit.arrays import plain
from schemas.identity import IDENTITY_FIELD, run_prefix
from schemas.manifest import Manifest

_BUFFER_BYTES = 1 << 20
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class EventLog:
    """One file of one shard, written through one buffer. Use as a context manager.

    A continued shard appends what it sends now. The log says what was handed over, not what was acknowledged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=_BUFFER_BYTES)
        except OSError as error:
            if is_full(error):
                raise self._unwritten(error) from None
            raise Misconfigured(
                f"the event log cannot be opened: {error.strerror}", where=str(path), hint="Correct --event-log"
            ) from None

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> Self:
        """Open the log of a shard: ``<scenario>-<run>-<shard>.jsonl``, the run's name made safe for a file."""
        run = f"{_UNSAFE.sub('_', manifest.run_id)[:80]}-{run_prefix(manifest.run_id)[:6]}"
        return cls(folder / f"{manifest.scenario}-{run}-{manifest.shard}.jsonl")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self._file.close()
        except OSError as failure:
            if error is None:  # otherwise that is what to tell
                raise self._unwritten(failure) from None

    def write(self, batch: pa.RecordBatch, ids: Any) -> None:
        """Append the rows of a batch with their identities.

        :raises StoreFailed: the log cannot be written; :class:`StoreFull` when there is no space left.
        """
        lines = [
            json.dumps({IDENTITY_FIELD: name} | row, default=readable, ensure_ascii=False)
            for name, row in zip(plain(ids), batch.to_pylist(), strict=True)
        ]
        try:
            self._file.write("\n".join(lines) + "\n")
        except OSError as error:
            raise self._unwritten(error) from None

    def _unwritten(self, error: OSError) -> StoreFailed:
        kind = StoreFull if is_full(error) else StoreFailed
        return kind(
            f"the event log cannot be written: {error.strerror}",
            where=str(self.path),
            hint="Free some space, or leave --event-log out; the same command finds out what was sent and continues",
        )


def readable(value: Any) -> Any:
    """Return what JSON can hold of a value: times as ISO 8601 with UTC, decimals as text, bytes in base 64."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no JSON form")

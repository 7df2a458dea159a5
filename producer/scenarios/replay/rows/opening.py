"""Opening a file of a replay: unpacked as it is read, with its place in the packed file for whoever looks on."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from cluster.errors import Misconfigured, StoreFailed
from producer.scenarios.replay.files import PACKED

_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
# Where a packed file ends too early, what was unpacked before is given out in pieces of this size.
_AT_ONCE = 1 << 16


class EndsTooEarly(Exception):
    """A packed file has no end, or is damaged from here on; says what its reader says."""


class Opened:
    """The bytes of a file, unpacked.

    :ivar packed: ``none``, ``gzip`` or ``zstd``.
    """

    def __init__(self, path: Path, raw: BinaryIO, packed: str) -> None:
        self.path = path
        self.packed = packed
        self._raw = raw
        self._broken: EndsTooEarly | None = None
        self._stream: Any = raw
        if packed == "gzip":
            self._stream = gzip.GzipFile(fileobj=raw)
        elif packed == "zstd":
            self._stream = pa.CompressedInputStream(pa.PythonFile(cast("Any", raw), mode="r"), "zstd")

    @property
    def place(self) -> int:
        """Bytes of the file that were read so far."""
        return self._raw.tell()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end.

        :raises EndsTooEarly: the file is packed and damaged behind what was given out.
        :raises StoreFailed: the disk does not give it.
        """
        if self._broken is not None:
            raise self._broken
        parts: list[bytes] = []
        while size > 0:
            try:
                part = self._piece(size)
            except EndsTooEarly as error:
                if not parts:
                    raise
                self._broken = error
                break
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _piece(self, size: int) -> bytes:
        if self.packed == "none":
            try:
                return bytes(self._stream.read(size))
            except OSError as error:
                raise unreadable(self.path, error) from None
        try:
            if self.packed == "gzip":
                return bytes(self._stream.read1(min(size, _AT_ONCE)))
            return bytes(self._stream.read(min(size, _AT_ONCE)))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise EndsTooEarly(str(error) or type(error).__name__) from None
        except OSError as error:
            if error.errno is not None:
                raise unreadable(self.path, error) from None
            raise EndsTooEarly(str(error)) from None  # what Arrow says of a damaged frame


@contextmanager
def opened(path: Path, compression: str | None) -> Iterator[Opened]:
    """Open a file.

    :param compression: how it is packed; ``None`` looks at its first bytes.
    :raises Misconfigured: it is not packed as it is said, or as its name says.
    :raises StoreFailed: it cannot be read.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None
    with raw:
        packed = _packed(path, raw, compression)
        yield Opened(path, raw, packed)


def _packed(path: Path, raw: BinaryIO, compression: str | None) -> str:
    try:
        head = raw.read(4)
        raw.seek(0)
    except OSError as error:
        raise unreadable(path, error) from None
    content = "gzip" if head.startswith(_GZIP) else "zstd" if head == _ZSTD else "none"
    said = compression or PACKED.get(path.suffix.lower()) or content
    if head and said != content:
        raise Misconfigured(
            f"the file is not packed with {said}" if said != "none" else f"the file is packed with {content}",
            where=str(path),
            hint="Correct its name or the compression, or leave the compression out",
        )
    return content


def unreadable(path: Path, error: OSError) -> StoreFailed:
    """Return the error of a file that the disk does not give."""
    return StoreFailed(
        f"the file cannot be read: {error.strerror or error}",
        where=str(path),
        hint="See that it is there and may be read, and run the same command again",
    )

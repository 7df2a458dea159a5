"""Opening a file of a replay: unpacked as it is read, with its place in the packed file for whoever looks on."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from cluster.errors import Misconfigured
from producer.scenarios.replay.files import PACKED, unreadable

_GZIP, _ZSTD, _SKIPPED = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
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
        self._given = 0  # bytes that were unpacked
        self._read = raw.read if packed == "none" else _unpacking(raw, packed)

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
                self._broken = error
                part = self._salvaged()
                if not parts and not part:
                    raise
                parts.append(part)
                break
            if not part:
                break
            parts.append(part)
            size -= len(part)
            self._given += len(part)
        return b"".join(parts)

    def _salvaged(self) -> bytes:
        """Return what can be unpacked before a damage: the piece in which one is met is not given out at all."""
        found = bytearray()
        with self.path.open("rb") as raw, suppress(EndsTooEarly):
            read, left = _unpacking(raw, self.packed), self._given
            while left > 0:
                left -= len(_unpacked(self.path, read, min(left, _AT_ONCE)))
            while part := _unpacked(self.path, read, 1):
                found += part
        return bytes(found)

    def _piece(self, size: int) -> bytes:
        if self.packed == "none":
            try:
                return bytes(self._read(size))
            except OSError as error:
                raise unreadable(self.path, error) from None
        return _unpacked(self.path, self._read, min(size, _AT_ONCE))


def _unpacking(raw: BinaryIO, packed: str) -> Callable[[int], Any]:
    """Return what gives up to so many unpacked bytes."""
    if packed == "gzip":
        return gzip.GzipFile(fileobj=raw).read1
    return pa.CompressedInputStream(pa.PythonFile(cast("Any", raw), mode="r"), "zstd").read


def _unpacked(path: Path, read: Callable[[int], Any], size: int) -> bytes:
    """Return what a reader of packed bytes gives.

    :raises EndsTooEarly: they are damaged, or cut off.
    :raises StoreFailed: the disk does not give them.
    """
    try:
        return bytes(read(size))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise EndsTooEarly(str(error) or type(error).__name__) from None
    except OSError as error:
        if error.errno is not None:
            raise unreadable(path, error) from None
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
    # A frame to be skipped may come first, as pzstd writes it.
    zstd = head == _ZSTD or (head[1:] == _SKIPPED and 0x50 <= head[0] <= 0x5F)
    content = "gzip" if head.startswith(_GZIP) else "zstd" if zstd else "none"
    said = compression or PACKED.get(path.suffix.lower()) or content
    if head and said != content:
        raise Misconfigured(
            f"the file is not packed with {said}" if said != "none" else f"the file is packed with {content}",
            where=str(path),
            hint="Correct its name or the compression, or leave the compression out",
        )
    return content

"""What a text file begins with: a mark that says its encoding, which is no part of its first line."""

from __future__ import annotations

from cluster.errors import Misconfigured
from producer.scenarios.replay.rows.opening import EndsTooEarly, Opened

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_WIDEST = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")  # of which the first begins as one of utf-16 does
_NEWLINES = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}


def newline_of(encoding: str) -> bytes:
    """Return the bytes that end a line."""
    return _NEWLINES.get(encoding, b"\n")


def without_mark(opened: Opened, encoding: str) -> tuple[str, bytes, bytes]:
    """Return the encoding with its order of bytes, the mark that the file begins with, and what was read behind it.

    :raises Misconfigured: the mark is of another encoding, or utf-16 has none.
    """
    try:
        head = opened.read(4)
    except EndsTooEarly:  # the reader of lines meets it again
        head = b""
    if head in _WIDEST:
        raise Misconfigured(
            "the file begins with the byte-order mark of utf-32",
            where=str(opened.path),
            hint="Convert it to utf-8: no line is told apart in it",
        )
    mark, said = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", ""))
    if encoding == "utf-16":
        if head and said not in _NEWLINES:
            raise Misconfigured(
                "the file has no byte-order mark, which utf-16 begins with",
                where=str(opened.path),
                hint="Say the order in the encoding: utf-16-le or utf-16-be; or another encoding",
            )
        return said or "utf-16-le", mark, head[len(mark) :]
    if said in _NEWLINES and encoding in ("utf-8", "ascii", *_NEWLINES) and said != encoding:
        raise Misconfigured(
            f"the file begins with the byte-order mark of {said}, and its encoding is said to be {encoding}",
            where=str(opened.path),
            hint="Say the encoding utf-16",
        )
    if said == encoding or (said == "utf-8" and encoding == "ascii"):
        return encoding, mark, head[len(mark) :]
    return encoding, b"", head

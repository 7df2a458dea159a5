"""What a disk says when it takes no more: the one place that knows its codes and words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

# No space, no quota, or a limit on the size of files: nothing more fits, and the remedy is the same.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def no_space(said: str, path: Path | None = None) -> OSError:
    """Return the error of a full disk, where that is found out before the system says so, or when it says nothing."""
    return OSError(errno.ENOSPC, said, *([] if path is None else [str(path)]))


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that there is no space left. Libraries hand the system's words on, if not its code."""
    return _says(error, _FULL)


def is_refused(error: BaseException) -> bool:
    """Tell whether an error says that the disk may not be written: it is read-only, or belongs to somebody else."""
    return _says(error, _REFUSED)


def says_full(text: str) -> bool:
    """Tell whether a library's message holds the system's words for a full disk."""
    return _holds_words(text, _FULL)


def says_refused(text: str) -> bool:
    """Tell whether a library's message holds the system's words for a disk that may not be written."""
    return _holds_words(text, _REFUSED)


def _says(error: BaseException, codes: frozenset[int]) -> bool:
    code = getattr(error, "errno", None)
    return code in codes if code is not None else _holds_words(str(error), codes)


def _holds_words(text: str, codes: frozenset[int]) -> bool:
    return any(os.strerror(code) in text for code in sorted(codes))

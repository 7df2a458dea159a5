"""Writing a file whole: it has its permissions before its content, and a disk that is full leaves no draft behind."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o600
# What holds no secret, such as addresses and certificates.
READABLE = 0o644


def write_private(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Replace a file in one step.

    :raises OSError: it could not be written; the one that was there is as it was.
    """
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise

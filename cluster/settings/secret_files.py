"""Secrets that lie in files: passwords in a file of their own, and private keys. Neither may be open to others."""

from __future__ import annotations

from pathlib import Path

from cluster.errors import Misconfigured

# Anybody's rights, and writing by the group. Reading by the group is what Kubernetes gives a mounted secret (0440).
_OPEN = 0o027
MAX_SECRET_BYTES = 64 * 1024


def check_private(path: str | Path, setting: str) -> None:
    """Refuse a file that others may read or write. A file that is not there is left to whoever opens it.

    :raises Misconfigured: its permissions are open.
    """
    try:
        mode = Path(path).stat().st_mode & 0o777
    except OSError:
        return
    if mode & _OPEN:
        raise Misconfigured(
            f"the file of {setting} is open to other users of this machine: mode {mode:04o}",
            where=str(path),
            hint=f"Run `chmod 600 {path}` (0640 is accepted: the group may read)",
        )


def read_secret(path: str | Path, setting: str) -> str:
    """Return the content of a file without the line end that editors add.

    :raises Misconfigured: it cannot be read, is empty, is not text, or others may read it.
    """
    check_private(path, setting)
    fault = ""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        secret = content.decode().rstrip("\r\n")
        if not secret:
            fault = "it is empty"
        elif len(content) > MAX_SECRET_BYTES:
            fault = "it is too large for a secret"
    except OSError as error:
        fault = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        fault = "it is not UTF-8"
    if fault:
        raise Misconfigured(f"the file of {setting} cannot be used: {fault}", where=str(path))
    return secret

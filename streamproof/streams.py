"""Standard output and standard error that never end the work: whoever reads them may go away at any moment.

Without this, a log line into a pipe whose reader has gone (``load ... 2>&1 | head``) would end a load in the middle, a
sign that the terminal cannot show would end a command as a bug, and a socket could be given the number of a stream that
the shell has closed, and receive what is printed.
"""

from __future__ import annotations

import io
import os
import sys

from cluster.errors import StoreFailed, StoreFull
from cluster.machine.disk import is_full

_STREAMS = ("stdin", "stdout", "stderr")  # by their numbers


class TolerantStream(io.TextIOWrapper):
    """A text stream that goes quiet when it cannot be written any more. ``failure`` is set unless its reader left."""

    failure: OSError | None = None
    quiet = False

    def write(self, text: str) -> int:
        """Write, or go quiet."""
        try:
            return super().write(text)
        except OSError as error:
            self._go_quiet(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or go quiet."""
        try:
            super().flush()
        except OSError as error:
            self._go_quiet(error)

    def _go_quiet(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.failure = self.failure or error
        self.quiet = True
        # What is still in the buffer goes there too, at the latest when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def ready_streams() -> None:
    """Make the standard streams of this process safe to use. Call it once, before anything opens a file."""
    for number, name in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _open_to_nowhere(number, name)
    for name in ("stdout", "stderr"):
        plain = getattr(sys, name)
        if type(plain) is not io.TextIOWrapper:
            continue
        encoding, errors, by_line = plain.encoding, plain.errors, plain.line_buffering
        errors = "replace" if errors == "strict" else errors
        tolerant = TolerantStream(plain.detach(), encoding=encoding, errors=errors, line_buffering=by_line)
        setattr(sys, name, tolerant)
        setattr(sys, f"__{name}__", tolerant)


def reader_left() -> bool:
    """Tell whether what is printed reaches nobody any more: who goes on and on may end."""
    return isinstance(sys.stdout, TolerantStream) and sys.stdout.quiet


def output_failure() -> StoreFailed | None:
    """Return why the result could not be written, or ``None`` when it was, or nobody wanted it any more."""
    sys.stdout.flush()
    failure = sys.stdout.failure if isinstance(sys.stdout, TolerantStream) else None
    if failure is None:
        return None
    kind = StoreFull if is_full(failure) else StoreFailed
    return kind(
        f"the result could not be written to standard output: {failure.strerror}",
        hint="The work itself was done; run the command again to see its result",
    )


def _open_to_nowhere(number: int, name: str) -> None:
    """Open ``/dev/null`` under the number of a stream that is closed: 0, 1 or 2."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    os.set_inheritable(number, True)
    setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115 - kept

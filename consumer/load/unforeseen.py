"""The fault barrier: what a library raises about one schema or one value is that value's fault, never the load's.

Nobody can foresee what a foreign value makes a library do. What is foreseen comes as ``UndecodableValue``; anything
else that is raised while a schema is read or values are decoded becomes one too, with the class of what was raised.
Only what has nothing to do with the values ends a load: no memory, a disk or a network that fails, a stop, or an error
of the tree.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import StreamproofError
from schemas.undecodable import Phase, UndecodableValue

_SYSTEMIC = (StreamproofError, MemoryError, OSError, KeyboardInterrupt, SystemExit, GeneratorExit)
_PANIC = "PanicException"  # what a library in Rust raises; it is no Exception


@contextmanager
def barrier(phase: Phase) -> Iterator[None]:
    """Raise whatever is raised inside about schema or values as :class:`UndecodableValue`.

    The message says which class and where it was raised. Its own words are left out: they may quote the value.
    """
    try:
        yield
    except UndecodableValue:
        raise
    except BaseException as error:
        if isinstance(error, _SYSTEMIC) or not (isinstance(error, Exception) or type(error).__name__ == _PANIC):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        message = f"{kind} was raised in {Path(frame.filename).name}, line {frame.lineno}"
        raise UndecodableValue(kind, message, phase=phase) from error

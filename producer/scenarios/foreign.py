"""Scenarios of somebody else: an exception in their code names their file and line, and is no fault of ours."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured, StreamproofError


class Foreign:
    """An object of a scenario's code, or its stream: what it has, with every call watched.

    Each attribute and method is that of the object, those included that not every scenario has. The errors of
    Streamproof's own functions pass.
    """

    def __init__(self, inner: Any, file: str) -> None:
        self._inner = inner
        self._file = file

    def __getattr__(self, name: str) -> Any:
        try:
            found = getattr(self._inner, name)
        except AttributeError:
            raise
        except Exception as error:
            raise fault_in(error, self._file, f"reading {name}") from error
        return self._watched(name, found) if inspect.isroutine(found) else found

    def _watched(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            try:
                found = method(*arguments, **named)
            except (StreamproofError, MemoryError):
                raise
            except Exception as error:
                raise fault_in(error, self._file, f"{name}()") from error
            if name == "open":
                return Foreign(found, self._file)
            if name == "block" and not _is_batch(found):
                raise Misconfigured(
                    f"block() of the scenario gives a {type(found).__name__}, it must be an Arrow RecordBatch",
                    where=self._file,
                )
            return found

        return watched

    def unfit(self, error: Exception) -> Misconfigured:
        """Return an error that says of a block that it is not what the scenario promised."""
        return Misconfigured(
            f"a block of the scenario does not fit it: {error}",
            where=self._file,
            hint="block() returns the columns of the schema, and key, mix and event_time name some of them",
        )


def _is_batch(found: object) -> bool:
    import pyarrow as pa  # deferred: finding a scenario by its name does not load it

    return isinstance(found, pa.RecordBatch)


@contextmanager
def blaming(stream: object) -> Iterator[None]:
    """Blame the scenario whose block lacks a column, or has one that does not fit its schema, if it is foreign."""
    try:
        yield
    except (KeyError, ValueError) as error:
        if isinstance(stream, Foreign):
            raise stream.unfit(error) from error
        raise


def file_of(made: object) -> str:
    """Return the file in which an object's class is written."""
    kind = made if isinstance(made, type) else type(made)
    try:
        return inspect.getfile(kind)
    except (TypeError, OSError):
        return kind.__module__


def fault_in(error: BaseException, file: str, doing: str) -> Misconfigured:
    """Return an error that names the innermost line of the scenario's own folder that led to ``error``."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file] or [
        frame for frame in frames if Path(frame.filename).parent == Path(file).parent
    ]
    where = f"{own[-1].filename}, line {own[-1].lineno}: {own[-1].line}" if own else file
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return Misconfigured(
        f"the code of the scenario failed in {doing}: {said}", where=where, hint="Correct the scenario; preview runs it"
    )

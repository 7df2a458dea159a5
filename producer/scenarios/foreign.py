"""Scenarios of somebody else: an exception in their code names their file and line, and is not a fault of ours."""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.errors import Misconfigured, StreamproofError
from producer.scenarios import NOTHING_MORE, Asked, BaseScenario, BaseStream, Examined, Identity, Rule, Settings
from producer.scenarios.options import Option

if TYPE_CHECKING:
    import pyarrow as pa

    from schemas.registry.contract import Contract


# What a scenario may leave unsaid, apart from what it does and from its options, which are read in their own way.
_LEFT_UNSAID = tuple(
    name
    for name, value in vars(BaseScenario).items()
    if not name.startswith("_") and not callable(value) and name != "options"
)
# By so much must a name be like that of a member to be a slip of it.
_A_SLIP = 0.85


class Foreign:
    """An object of somebody else's code, of which only what the interface names is read and called."""

    def __init__(self, inner: Any, file: str) -> None:
        self._inner = inner
        self._file = file

    def _read(self, name: str) -> Any:
        """Return an attribute.

        :raises AttributeError: the object has none by that name.
        """
        try:
            return getattr(self._inner, name)
        except Exception as error:
            if isinstance(error, AttributeError) and inspect.getattr_static(self._inner, name, self) is self:
                raise
            raise fault_in(error, self._file, f"reading {name}") from error

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            return getattr(self._inner, name)(*arguments)
        except (StreamproofError, MemoryError):
            raise
        except Exception as error:
            raise fault_in(error, self._file, f"{name}()") from error

    def _lacks(self, name: str) -> bool:
        try:
            self._read(name)
        except AttributeError:
            return True
        return False

    def _refuse_unlike(self, what: str, required: tuple[str, ...], base: type, where: str) -> None:
        """Refuse an object that lacks members, or has one that is not named as the interface names it.

        :param base: class whose members may be left out.
        :raises Misconfigured: names all of them.
        """
        lacking = [name for name in required if self._lacks(name)]
        if lacking:
            raise Misconfigured(
                f"the {what} lacks {', '.join(lacking)}", where=where, hint="docs/scenarios.md describes each member"
            )
        optional = [name for name in vars(base) if not name.startswith("_") and self._lacks(name)]
        for given in (name for name in dir(self._inner) if not name.startswith("_") and name not in required):
            if meant := difflib.get_close_matches(given, optional, n=1, cutoff=_A_SLIP):
                raise Misconfigured(
                    f"the {what} has {given}, which nobody asks for: did you mean {meant[0]}?",
                    where=where,
                    hint="Correct the name, or begin it with _",
                )


class ForeignScenario(Foreign, BaseScenario):
    """A scenario of somebody else. What it does not say, :class:`BaseScenario` says for it.

    :raises Misconfigured: it lacks a member, or reading one fails.
    """

    def __init__(self, inner: Any, file: str, where: str) -> None:
        super().__init__(inner, file)
        attributes = ("name", "version", "contract", "key", "identity", "most")
        self._refuse_unlike("scenario", (*attributes, "settings", "open"), BaseScenario, where)
        self.name: str = self._read("name")
        self.version: int = self._read("version")
        self.contract: str | Contract = self._read("contract")
        self.key: str | None = self._read("key")
        self.identity: Identity = self._read("identity")
        self.most: int = self._read("most")
        for name in _LEFT_UNSAID:
            if not self._lacks(name):
                setattr(self, name, self._read(name))
        if not self._lacks("options"):
            self.options = _declared(self._read("options"), where)

    def settings(
        self, planned: int | None, started_at_ms: int, asked: Asked = NOTHING_MORE, /
    ) -> dict[str, int | float | str | None]:
        """Return what the scenario's own method does."""
        found: dict[str, int | float | str | None] = self._call("settings", planned, started_at_ms, asked)
        return found

    def libraries(self) -> dict[str, str]:
        """Return what the scenario's own method does, if it has one."""
        found: dict[str, str] = {} if self._lacks("libraries") else self._call("libraries")
        return found

    def prepare(self, asked: Asked, /) -> None:
        """Call the scenario's own method, if it has one."""
        if not self._lacks("prepare"):
            self._call("prepare", asked)

    def resumed(self, settings: Settings, asked: Asked, /) -> Settings:
        """Return what the scenario's own method does, if it has one."""
        found: Settings = settings if self._lacks("resumed") else self._call("resumed", settings, asked)
        return found

    def open(self, seed: int, shard: int, settings: Settings) -> ForeignStream:
        """Return the scenario's own stream, watched."""
        return ForeignStream(self._call("open", seed, shard, settings), self._file)

    def examine(
        self, connection: Any, source: str, run: Examined, progress: Callable[[Rule], None] | None = None, /
    ) -> dict[str, Any] | None:
        """Return what the scenario's own method does, if it has one."""
        if self._lacks("examine"):
            return None
        found: dict[str, Any] | None = self._call("examine", connection, source, run, progress)
        return found


class ForeignStream(Foreign):
    """A stream of somebody else. Without ``later_columns`` it is one that knows no later version.

    :raises Misconfigured: it lacks a member, or reading one fails.
    """

    def __init__(self, inner: Any, file: str) -> None:
        super().__init__(inner, file)
        self._refuse_unlike("stream that open() returns", ("block_events", "limit", "block"), BaseStream, file)
        self.block_events: int = self._read("block_events")
        self.limit: int = self._read("limit")
        self.due = None if self._lacks("due") else self._read("due")
        self._knows_later = not self._lacks("later_columns")

    def block(self, number: int) -> pa.RecordBatch:
        """Return a block of the scenario's own stream.

        :raises Misconfigured: it is something else than a batch.
        """
        found = self._call("block", number)
        if not _is_batch(found):
            raise Misconfigured(
                f"block() of the scenario gives a {type(found).__name__}, it must be an Arrow RecordBatch",
                where=self._file,
            )
        batch: pa.RecordBatch = found
        return batch

    def later_columns(self, number: int, block: pa.RecordBatch, /) -> Mapping[str, pa.Array[Any]]:
        """Return what the scenario's own method does, if it has one."""
        found: Mapping[str, pa.Array[Any]] = self._call("later_columns", number, block) if self._knows_later else {}
        return found

    def unfit(self, error: Exception) -> Misconfigured:
        """Return an error that says of a block that it is not what the scenario promised."""
        return Misconfigured(
            f"a block of the scenario does not fit it: {error}",
            where=self._file,
            hint="block() returns the columns of the schema, and key, mix and event_time name some of them",
        )


def _declared(options: Any, where: str) -> tuple[Option, ...]:
    """Return declared options.

    :raises Misconfigured: one is something else, or there are two of a name.
    """
    hint = "Declare each as producer.scenarios.options.Option(name, type, help)"
    if isinstance(options, str) or not isinstance(options, Iterable):
        raise Misconfigured(
            f"options is a {type(options).__name__}, it must be a list of options", where=where, hint=hint
        )
    declared = tuple(options)
    if strange := [repr(option) for option in declared if not isinstance(option, Option)]:
        raise Misconfigured(f"not an option: {', '.join(strange)}", where=where, hint=hint)
    if twice := [name for name, number in Counter(option.name for option in declared).items() if number > 1]:
        raise Misconfigured(
            f"declared twice: option {', '.join(twice)}", where=where, hint="Give each a name of its own"
        )
    return declared


def _is_batch(found: object) -> bool:
    import pyarrow as pa  # deferred: finding a scenario by its name does not load it

    return isinstance(found, pa.RecordBatch)


@contextmanager
def blaming(stream: object) -> Iterator[None]:
    """Blame the scenario whose block lacks a column, or has one that does not fit its schema, if it is foreign."""
    try:
        yield
    except (KeyError, ValueError) as error:
        if isinstance(stream, ForeignStream):
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

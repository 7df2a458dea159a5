"""The scenario: event n of a shard is row n of its files, as they were read into the staged copy."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog

from cluster.errors import Misconfigured
from cluster.local import state_dir
from cluster.text.nearest import meant
from producer.faults.targets import FaultTargets
from producer.scenarios import DECLARATION, NOTHING_MORE, Asked, BaseScenario, Identity, Settings
from producer.scenarios.options import Options
from producer.scenarios.replay.clock import epoch_ms
from producer.scenarios.replay.files import Files, readable
from producer.scenarios.replay.options import (
    ALONGSIDE,
    CLOCK_FROM,
    FOLDER,
    LONGEST_GAP,
    ORDER,
    PREFIX,
    SPEED,
    SUFFIX,
    TIME_ORDER,
)
from producer.scenarios.replay.reading import Reading, format_named
from producer.scenarios.replay.staged.aside import NAME as ASIDE_NAME
from producer.scenarios.replay.staged.copy import Staged
from producer.scenarios.replay.staged.index import INDEX
from producer.scenarios.replay.staged.make import Told, stage
from producer.scenarios.replay.stream import CLOCK_OF, ReplayStream
from producer.scenarios.replay.targets import targets_of
from schemas.registry.contract import Contract, load_contract
from schemas.types.tree import parse

# Names of settings: what the files hold, how many rows of them are taken, and how many were set aside.
CONTENT, ROWS, ROWS_OF_RUN, SET_ASIDE, FILES, SHARDS = "content", "rows", "rows_of_run", "set_aside", "files", "shards"
# A folder in which the same files are looked for when a run is made again.
FOLDER_VARIABLE = "STREAMPROOF_REPLAY_FOLDER"
_MOST = 1 << 53
_SHOWN = 5
# What a staged copy is known by.
_CONTENT = re.compile(r"[0-9a-f]{32}")

log = structlog.get_logger()


def copies_home(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the staged copies."""
    return state_dir(env) / "replay"


@dataclass(frozen=True, slots=True)
class Sources:
    """Which files are replayed, and how they are read. ``reading.format`` is empty where their names say it."""

    files: Files
    reading: Reading

    def in_folder(self, folder: str | Path) -> Sources:
        """Return the same of another folder."""
        return replace(self, files=replace(self.files, folder=Path(folder)))

    def stage(self, *, told: Told | None = None, stop: threading.Event | None = None) -> Staged:
        """Find the files, and return their staged copy; it is made if need be.

        :raises StreamproofError: as :meth:`Files.find` and :func:`stage`.
        """
        paths = self.files.find()
        reading = replace(self.reading, format=format_named(self.reading.format or None, paths))
        if reading.names and reading.format != "csv":
            raise Misconfigured(
                f"names are given, and files of {reading.format} have their own",
                where=str(self.files.folder),
                hint="Leave names out; columns gives other ones",
            )
        return stage(paths, reading, copies_home(), told=told, stop=stop)


class ReplayScenario(BaseScenario):
    """The rows of files.

    :param sources: what is replayed with the options of a run; raises Misconfigured where they lack a folder.
    :param contract: ``None`` where the schema is inferred: it then takes the files to say it.
    """

    version = 1
    identity: Identity = "header"
    most = _MOST
    common: Sequence[str] = (CONTENT, ROWS_OF_RUN)

    def __init__(
        self,
        name: str,
        sources: Callable[[Options], Sources],
        *,
        contract: Contract | None,
        options: Sequence[Any],
        written: str,
        key: str | None = None,
        event_time: str | None = None,
        mix: str | None = None,
        digest: str | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.format = written
        self.key = key
        self.event_time = event_time
        self.mix = mix
        self._sources = sources
        self._contract = contract
        self._digest = digest
        self._prepared: Staged | None = None
        self._by_time = False

    @cached_property
    def contract(self) -> Contract:
        """The contract: as it is given, or as all rows of the files say."""
        if self._contract is not None:
            return self._contract
        staged = self._prepared or self._sources_alone().stage()
        path = staged.folder / f"{self.name}.avsc"
        contract = Contract(self.name, load_contract(str(path)).versions, source=str(path))
        fields = [name for name, _ in parse(staged.index.contract).fields]
        named = {"key": self.key, "mix": self.mix}
        unknown = {what: name for what, name in named.items() if name is not None and name not in fields}
        if unknown:
            told = [f"{what}: the files have no column {name}{meant(name, fields)}" for what, name in unknown.items()]
            raise Misconfigured("; ".join(told), where=path.stem, hint=f"The columns are {', '.join(fields)}")
        return contract

    @property
    def fault_targets(self) -> FaultTargets:  # type: ignore[override]
        """What the types of the fields allow, and what holds of all rows once they are known."""
        root = parse(self.contract.version(self.contract.active).text)
        return targets_of(
            root,
            None if self._prepared is None else self._prepared.whole,
            key=self.key,
            event_time=self.event_time,
            by_time=self._by_time,
            now_ms=int(time.time() * 1000),
        )

    def sources(self, options: Options) -> Sources:
        """Return what is replayed.

        :raises Misconfigured: the options do not say it.
        """
        return self._sources(options)

    def _sources_alone(self) -> Sources:
        """Return what is replayed where nobody asks, in the folder that the environment names if need be."""
        sources, elsewhere = self.sources({}), os.environ.get(FOLDER_VARIABLE)
        return sources.in_folder(elsewhere) if elsewhere and not sources.files.folder.is_dir() else sources

    def prepare(self, asked: Asked, /) -> None:
        """Stage the files, and tell of what was set aside, and of what looks like a file of them and is none.

        :raises StreamproofError: as :meth:`Sources.stage`.
        """
        sources = self.sources(asked.options)
        staged = self._prepared = sources.stage(stop=asked.stop)
        self._by_time = asked.options.get(ORDER) == TIME_ORDER
        if asked.shard == 0 and (left := sources.files.left_alone()):
            log.warning(
                "files were left alone",
                files=len(left),
                first=", ".join(left[:_SHOWN]),
                replayed=f"what {sources.files.said}",
            )
        first = next(staged.read_aside(), None) if asked.shard == 0 else None
        if first is not None:
            log.warning(
                "rows were set aside",
                rows=staged.set_aside,
                reasons=staged.index.set_aside,
                first=f"{first.file}, line {first.aside.line}: {first.aside.detail}",
                kept=str(staged.folder / ASIDE_NAME),
            )

    def settings(
        self,
        planned: int | None,  # noqa: ARG002 - there are as many events as rows
        started_at_ms: int,  # noqa: ARG002
        asked: Asked = NOTHING_MORE,
        /,
    ) -> dict[str, int | float | str | None]:
        """Return what the files hold, how many rows of them are taken, and where they are.

        :raises Misconfigured: the files are not there, or cannot be read as is said; or a shard would have none.
        :raises StreamproofError: as :func:`stage`.
        """
        sources = self.sources(asked.options)
        staged = sources.stage(stop=asked.stop)
        files = len(staged.index.files)
        if asked.shards > files:
            raise Misconfigured(
                f"{asked.shards} shards cannot share {files} file{'s' * (files != 1)}: a shard replays whole files",
                where=str(sources.files.folder),
                hint=f"Ask for at most {files} shard{'s' * (files != 1)}, or split the files",
            )
        return {
            CONTENT: staged.content,
            ROWS: staged.shard(asked.shard, asked.shards).rows,
            ROWS_OF_RUN: staged.rows,
            SET_ASIDE: staged.set_aside,
            FILES: files,
            SHARDS: asked.shards,
            FOLDER: readable(str(sources.files.folder.absolute())),
            PREFIX: sources.files.prefix,
            SUFFIX: sources.files.suffix,
            **self._clock_settings(asked),
            **self.libraries(),
        }

    def _clock_settings(self, asked: Asked) -> dict[str, int | float | str | None]:
        """Return which copies the clock counts, and stage those that are told as files.

        :raises Misconfigured: what belongs to a speed is asked for without one, or cannot be read.
        """
        options = asked.options
        if options.get(SPEED) is None:
            alone = [name for name in (LONGEST_GAP, CLOCK_FROM, ALONGSIDE) if options.get(name) is not None]
            if alone:
                raise Misconfigured(
                    f"{', '.join(alone)} without a speed: only then a clock counts", hint="Give a speed"
                )
            return {}
        if options.get(CLOCK_FROM) is not None:
            epoch_ms(str(options[CLOCK_FROM]))
        named = [name for name in str(options.get(ALONGSIDE) or "").split(",") if name]
        return {CLOCK_OF: ",".join(_content_of(name, asked) for name in named)}

    def libraries(self) -> dict[str, str]:
        """Return a digest of the file that declares it, if one does."""
        return {} if self._digest is None else {DECLARATION: self._digest}

    def resumed(self, settings: Settings, asked: Asked, /) -> Settings:
        """Return the settings with the folder that the files are in now.

        :raises Misconfigured: the files are others, or are read in another way.
        """
        sources = self.sources(asked.options)
        staged = sources.stage(stop=asked.stop)
        if staged.content != settings.get(CONTENT):
            raise Misconfigured(
                f"the files are not those that the run was begun with: it had {settings.get(ROWS_OF_RUN):,} rows of "
                f"{settings.get(FILES)} files, now there are {staged.rows:,} rows of {len(staged.index.files)} files"
                if _differs(settings, staged)
                else "the files are not those that the run was begun with: some of their bytes, their order, or how "
                "they are read is different",
                where=str(sources.files.folder),
                hint="Bring back the files that it was begun with, or start a new run",
            )
        return {**settings, FOLDER: readable(str(sources.files.folder.absolute()))}

    def open(self, seed: int, shard: int, settings: Settings) -> ReplayStream:  # noqa: ARG002 - rows need no seed
        """Open the copy of what the settings say; it is made of the files again if it is not there.

        :raises Misconfigured: neither the copy nor the files are here, or the files are others.
        """
        content, shards = settings.get(CONTENT), settings.get(SHARDS)
        if not isinstance(content, str) or not isinstance(shards, int):
            raise Misconfigured(f"the settings of {self.name} lack {CONTENT} or {SHARDS}")
        return ReplayStream(self._staged(content, settings), shard, shards, settings, _copy)

    def _staged(self, content: str, settings: Settings) -> Staged:
        there = copies_home() / content
        if (there / INDEX).exists():
            return Staged(there)
        looked = [str(copies_home())]
        for folder in (os.environ.get(FOLDER_VARIABLE), settings.get(FOLDER)):
            if folder and Path(str(folder)).is_dir():
                looked.append(str(folder))
                staged = self.sources({**settings, FOLDER: str(folder)}).stage()
                if staged.content == content:
                    return staged
        raise Misconfigured(
            f"the files that were replayed are not here: nothing holds the content {content}",
            where=f"looked in {', '.join(looked)}",
            hint=f"Say in {FOLDER_VARIABLE} which folder the files are in, as they were",
        )


def _content_of(name: str, asked: Asked) -> str:
    """Return what a feed that shares the clock is known by: told so already, or by its name or file."""
    if (copies_home() / name / INDEX).exists():
        return name
    from producer.scenarios.find import find  # deferred: it finds this

    if _CONTENT.fullmatch(name):
        raise _no_copy(name)
    other = find(name)
    if not isinstance(other, ReplayScenario):
        raise Misconfigured(f"{name} replays no files, so that it has no times to share", hint=f"Correct {ALONGSIDE}")
    folder = {} if Path(name).suffix else {FOLDER: asked.options.get(FOLDER)}
    return other.sources(folder).stage(stop=asked.stop).content


def _copy(content: str) -> Staged:
    there = copies_home() / content
    if not (there / INDEX).exists():
        raise _no_copy(content)
    return Staged(there)


def _no_copy(content: str) -> Misconfigured:
    return Misconfigured(
        f"the files of a feed that shares the clock are not here: nothing holds the content {content}",
        where=str(copies_home()),
        hint="Produce that feed here once, with --events 0, or start a new run",
    )


def _differs(settings: Settings, staged: Staged) -> bool:
    return (settings.get(ROWS_OF_RUN), settings.get(FILES)) != (staged.rows, len(staged.index.files))

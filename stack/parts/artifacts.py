"""Jars and archives: fetched once per user, exactly as a lock names them. ``jgo.lock.toml`` is the local stack's.

A file enters the cache by a rename after its SHA-256 agreed with the lock, so a reader never meets half of one,
and a fetch that was cut off leaves nothing behind that counts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog

from cluster.errors import DependencyDown, Interrupted, StoreFailed, StoreFull
from cluster.machine.disk import is_full
from cluster.machine.turns import take_turn

SPEC_FILE = Path(__file__).with_name("jgo.toml")
LOCK_FILE = Path(__file__).with_name("jgo.lock.toml")
# One answer of the repository; the registry's archive alone takes minutes on a slow line, so the whole has no limit.
REQUEST_TIMEOUT_S = 30
ATTEMPTS = 3
PARALLEL_FETCHES = 4
# How long to wait for another process that fetches the same files.
LOCK_TIMEOUT_S = 900.0

# Takes a file name and its size in bytes, and gives a function that takes the bytes that arrived since.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of the lock."""

    group: str
    name: str
    version: str
    packaging: str
    classifier: str
    sha256: str

    @property
    def filename(self) -> str:
        """Return the name that Maven repositories give the file."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{classifier}.{self.packaging}"

    def path(self, cache: Path) -> Path:
        """Return where the file is kept; an archive is kept unpacked, as a folder."""
        if self.packaging == "jar":
            return cache / "jars" / Path(*self.group.split(".")) / self.filename
        return cache / f"{self.name}-{self.version}-{self.sha256[:12]}"

    def is_cached(self, cache: Path) -> bool:
        """Tell whether the cache holds it; a jar is read through, which takes 0.1 s for all of them."""
        path = self.path(cache)
        if self.packaging != "jar":
            return path.is_dir()
        return path.is_file() and sha256_of(path) == self.sha256


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What the stack runs."""

    kafka_jars: tuple[Path, ...]
    kafka_version: str
    registry_home: Path
    registry_version: str


def cache_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return the user's cache: ``STREAMPROOF_CACHE_DIR``, or ``streamproof`` in the XDG cache folder."""
    named = env.get("STREAMPROOF_CACHE_DIR")
    if named:
        return Path(named).resolve()
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamproof"


@cache
def locked(lock_file: Path = LOCK_FILE) -> tuple[Artifact, ...]:
    """Read a lock."""
    document = tomllib.loads(lock_file.read_text())
    return tuple(
        Artifact(
            group=entry["groupId"],
            name=entry["artifactId"],
            version=entry["version"],
            packaging=entry["packaging"],
            classifier=entry.get("classifier", ""),
            sha256=entry["sha256"],
        )
        for entry in document["dependencies"]
    )


@contextmanager
def _silent(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
    yield lambda _arrived: None


def ensure_artifacts(cache: Path, progress: Progress = _silent, stop: threading.Event | None = None) -> Artifacts:
    """Return the paths of what the stack runs. What the cache lacks is fetched, as :func:`fetch_locked` says."""
    artifacts = locked()
    fetch_locked(artifacts, cache, progress, stop)
    kafka = next(artifact for artifact in artifacts if artifact.name == "kafka_2.13")
    registry = next(artifact for artifact in artifacts if artifact.name == "apicurio-registry-app")
    return Artifacts(
        kafka_jars=tuple(artifact.path(cache) for artifact in artifacts if artifact.packaging == "jar"),
        kafka_version=kafka.version,
        registry_home=registry.path(cache),
        registry_version=registry.version,
    )


def fetch_locked(
    artifacts: Sequence[Artifact], cache: Path, progress: Progress = _silent, stop: threading.Event | None = None
) -> None:
    """Fetch what the cache lacks of a lock.

    :raises DependencyDown: the repository cannot be reached, lacks a file, or gives another one than the lock names.
    :raises StoreFailed: the cache cannot be written; :class:`StoreFull` when there is no space left.
    :raises Interrupted: ``stop`` was set; nothing half-fetched is kept.
    """
    stop = stop or threading.Event()
    if any(not artifact.is_cached(cache) for artifact in artifacts):
        try:
            with _one_at_a_time(cache, stop):
                missing = [artifact for artifact in artifacts if not artifact.is_cached(cache)]
                _fetch(missing, cache, _stoppable(progress, stop))
        except OSError as error:
            raise _store_error(error, cache) from error


def _stoppable(progress: Progress, stop: threading.Event) -> Progress:
    """Wrap a progress so that a set ``stop`` breaks off a download at its next chunk."""

    @contextmanager
    def watched(name: str, size: int) -> Iterator[Callable[[int], None]]:
        with progress(name, size) as advance:

            def arrived(count: int) -> None:
                if stop.is_set():
                    raise _interrupted()
                advance(count)

            yield arrived

    return watched


@contextmanager
def _one_at_a_time(cache: Path, stop: threading.Event) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as handle:
        take_turn(
            handle,
            wait_s=LOCK_TIMEOUT_S,
            busy=DependencyDown(
                f"another process has been fetching the same files for {LOCK_TIMEOUT_S:.0f} s",
                where=str(cache),
                hint="Look at what it does, end it, and try again",
            ),
            stop=stop,
            stopped=_interrupted(),
            on_wait=lambda: log.info("waiting for another process that fetches the same files", cache=str(cache)),
        )
        yield


def _fetch(missing: list[Artifact], cache: Path, progress: Progress) -> None:
    """Fetch into a folder of our own, verify, rename; what is verified stays when another file fails.

    The caller holds the lock.
    """
    for left_over in cache.glob(".fetch-*"):
        shutil.rmtree(left_over)
    # The largest first: the others fit beside it.
    missing.sort(key=lambda artifact: artifact.packaging == "jar")
    with (
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder,
        ThreadPoolExecutor(PARALLEL_FETCHES) as pool,
    ):
        fetches = [pool.submit(_fetch_one, artifact, Path(folder), cache, progress) for artifact in missing]
        try:
            for fetch in as_completed(fetches):
                fetch.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _fetch_one(artifact: Artifact, folder: Path, cache: Path, progress: Progress) -> None:
    import requests
    from jgo.maven import MavenContext, PythonResolver

    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress), repo_cache=folder, timeout=REQUEST_TIMEOUT_S
    )
    source = context.project(artifact.group, artifact.name).at_version(artifact.version)
    remote = source.artifact(artifact.classifier, artifact.packaging)
    fault = ""
    for _ in range(ATTEMPTS):
        try:
            file: Path = remote.resolve()
        except requests.RequestException as error:
            fault = f"{type(error).__name__} while fetching it"
            for piece in folder.rglob(artifact.filename):
                piece.unlink()
            continue
        except RuntimeError:
            fault = "Maven Central does not have it"
            break
        found = sha256_of(file)
        if found == artifact.sha256:
            _install(artifact, file, cache)
            return
        fault = f"its SHA-256 is {found[:16]}..., the lock says {artifact.sha256[:16]}..."
        file.unlink()
    raise DependencyDown(
        f"{artifact.filename} could not be fetched: {fault}",
        where="Maven Central",
        hint="Check the network (and HTTPS_PROXY) and run the same command again; what arrived is kept",
    )


def _install(artifact: Artifact, file: Path, cache: Path) -> None:
    target = artifact.path(cache)
    if artifact.packaging == "jar":
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        file.replace(target)
        return
    unpacked = file.parent / "unpacked"
    with tarfile.open(file) as archive:
        archive.extractall(unpacked, filter="data")
    # The folder is trusted as soon as it has its name: its files must survive a power cut that comes right after.
    os.sync()
    unpacked.rename(target)


def _interrupted() -> Interrupted:
    return Interrupted("fetching the Java parts was interrupted", hint="Run the same command again")


def _store_error(error: OSError, cache: Path) -> StoreFailed:
    if is_full(error):
        return StoreFull(
            "no space left for the jars, which take up to 370 MB once and 220 MB afterwards",
            where=str(cache),
            hint="Free some space, or set STREAMPROOF_CACHE_DIR to a folder on another disk",
        )
    return StoreFailed(
        f"the cache cannot be written: {error.strerror or error}",
        where=str(error.filename or cache),
        hint="Set STREAMPROOF_CACHE_DIR to a folder that you may write",
    )


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

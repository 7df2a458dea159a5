"""Fetching, from a repository on the loopback address that misbehaves on demand."""

import errno
import gc
import hashlib
import io
import tarfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jgo.maven._core
import pytest
from jgo.env import EnvironmentSpec, LockFile
from jgo.env._lockfile import compute_spec_hash

from cluster.errors import DependencyDown, Interrupted, StoreFailed, StoreFull
from stack.parts import artifacts
from stack.parts.artifacts import LOCK_FILE, SPEC_FILE, Artifact, ensure_artifacts

JAR = b"a jar" * 50_000


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("quarkus-run.jar")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"main"))
    return buffer.getvalue()


ARCHIVE = _archive()


class Repository:
    """Serves files by name; ``cut`` names those whose next answer breaks off half way."""

    def __init__(self) -> None:
        self.files = {"kafka_2.13-4.jar": JAR, "apicurio-registry-app-3-all.tar.gz": ARCHIVE}
        self.cut: set[str] = set()
        self.answers: Counter[str] = Counter()


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A repository that jgo takes for Maven Central, and a lock that names its two files."""
    repository = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            body = repository.files.get(name)
            if body is None:
                self.send_error(404)
                return
            repository.answers[name] += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if name in repository.cut:
                repository.cut.remove(name)
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    locked = tuple(
        Artifact(group, name, version, packaging, classifier, hashlib.sha256(body).hexdigest())
        for group, name, version, packaging, classifier, body in (
            ("org.apache.kafka", "kafka_2.13", "4", "jar", "", JAR),
            ("io.apicurio", "apicurio-registry-app", "3", "tar.gz", "all", ARCHIVE),
        )
    )
    monkeypatch.setattr(artifacts, "locked", lambda *_: locked)
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(jgo.maven._core, "DEFAULT_REMOTE_REPOS", {"central": url})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield repository
    server.shutdown()
    server.server_close()
    thread.join()
    # jgo leaves an answer that it does not read to its end to the garbage collector: have it collected here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_what_is_fetched_is_verified_and_kept(repository: Repository, tmp_path: Path) -> None:
    found = ensure_artifacts(tmp_path)
    assert [jar.read_bytes() for jar in found.kafka_jars] == [JAR]
    assert (found.registry_home / "quarkus-run.jar").read_bytes() == b"main"
    assert (found.kafka_version, found.registry_version) == ("4", "3")
    assert not list(tmp_path.glob(".fetch-*"))


def test_the_second_start_needs_no_network(repository: Repository, tmp_path: Path) -> None:
    ensure_artifacts(tmp_path)
    repository.answers.clear()
    ensure_artifacts(tmp_path)
    assert not repository.answers


def test_a_file_that_is_not_the_locked_one_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.files["kafka_2.13-4.jar"] = b"another jar"
    with pytest.raises(DependencyDown, match=r"kafka_2\.13-4\.jar could not be fetched: its SHA-256 is"):
        ensure_artifacts(tmp_path)
    assert not list(tmp_path.rglob("kafka*"))


def test_a_download_that_breaks_off_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    repository.cut.add("kafka_2.13-4.jar")
    assert ensure_artifacts(tmp_path).kafka_jars[0].read_bytes() == JAR
    assert repository.answers["kafka_2.13-4.jar"] == 2


def test_a_file_that_the_repository_lacks_is_named(repository: Repository, tmp_path: Path) -> None:
    del repository.files["apicurio-registry-app-3-all.tar.gz"]
    with pytest.raises(DependencyDown, match=r"apicurio-registry-app-3-all\.tar\.gz .* does not have it"):
        ensure_artifacts(tmp_path)


def test_what_arrived_before_a_failure_is_not_fetched_again(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "PARALLEL_FETCHES", 1)
    jar = repository.files.pop("kafka_2.13-4.jar")
    with pytest.raises(DependencyDown):
        ensure_artifacts(tmp_path)
    repository.files["kafka_2.13-4.jar"] = jar
    ensure_artifacts(tmp_path)
    assert set(repository.answers.values()) == {1}


def test_without_a_network_the_error_says_what_to_do(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 of the loopback address: nobody listens.
    monkeypatch.setattr(jgo.maven._core, "DEFAULT_REMOTE_REPOS", {"central": "http://127.0.0.1:9"})
    with pytest.raises(DependencyDown, match="Check the network") as caught:
        ensure_artifacts(tmp_path)
    assert caught.value.exit_code == 69


def test_a_damaged_file_in_the_cache_is_replaced(repository: Repository, tmp_path: Path) -> None:
    jar = ensure_artifacts(tmp_path).kafka_jars[0]
    jar.write_bytes(b"half of it")
    assert ensure_artifacts(tmp_path).kafka_jars[0].read_bytes() == JAR
    assert repository.answers == {"kafka_2.13-4.jar": 2, "apicurio-registry-app-3-all.tar.gz": 1}


def test_two_starts_at_once_fetch_everything_once(repository: Repository, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: ensure_artifacts(tmp_path), range(2))
    assert first == second
    assert set(repository.answers.values()) == {1}


def test_what_a_killed_fetch_left_is_removed(repository: Repository, tmp_path: Path) -> None:
    left = tmp_path / ".fetch-left" / "half.jar"
    left.parent.mkdir()
    left.write_bytes(b"half")
    ensure_artifacts(tmp_path)
    assert not left.parent.exists()


def test_an_interrupted_fetch_keeps_nothing(repository: Repository, tmp_path: Path) -> None:
    stop = threading.Event()

    @contextmanager
    def stop_at_once(name: str, size: int) -> Iterator[Callable[[int], None]]:
        stop.set()
        yield lambda _: None

    with pytest.raises(Interrupted):
        ensure_artifacts(tmp_path, stop_at_once, stop)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_full_disk_is_named_as_such(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "_install", no_space)
    with pytest.raises(StoreFull, match="STREAMPROOF_CACHE_DIR"):
        ensure_artifacts(tmp_path)


def test_a_cache_that_cannot_be_written_is_named(repository: Repository, tmp_path: Path) -> None:
    occupied = tmp_path / "cache"
    occupied.write_text("a file")
    with pytest.raises(StoreFailed, match="STREAMPROOF_CACHE_DIR"):
        ensure_artifacts(occupied)


def test_the_lock_is_that_of_the_specification() -> None:
    specification, lock = EnvironmentSpec.load(SPEC_FILE), LockFile.load(LOCK_FILE)
    assert lock.spec_hash == compute_spec_hash(SPEC_FILE), "run `python -m stack.parts.lock`"
    named = {f"{entry.groupId}:{entry.artifactId}:{entry.version}" for entry in lock.dependencies}
    for coordinate in specification.coordinates:
        assert ":".join(coordinate.rstrip("!").split(":")[:3]) in named
    assert all(entry.sha256 for entry in lock.dependencies)


def test_every_kafka_jar_has_the_version_of_the_broker() -> None:
    kafka = [artifact for artifact in artifacts.locked() if artifact.group == "org.apache.kafka"]
    assert {artifact.version for artifact in kafka} == {"4.3.1"}

"""What every test stands on: an environment of its own, and one real stack for the session.

``stack`` starts a Kafka and a registry through the project's own code, once, on free ports and in a temporary
folder, for the first test that asks. Unit tests do not ask, and cannot reach a stack that a developer runs.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.connection import Connection
from cluster.local import LocalStack, read_local_stack
from stack.down import stop_stack
from stack.record import Record
from stack.request import UpRequest
from stack.up import up

MARKERS = ("integration", "faults", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the folder they are in."""
    for item in items:
        for name in MARKERS:
            if name in item.path.parts:
                item.add_marker(name)


class SilentWatcher:
    """A start that nobody looks at."""

    @contextmanager
    def fetching(self, name: str, size: int, /) -> Iterator[Callable[[int], None]]:
        yield lambda arrived: None

    def say(self, sentence: str) -> None:
        pass

    def look(self, record: Record) -> None:
        pass


@pytest.fixture(scope="session")
def silent() -> SilentWatcher:
    """A watcher that shows nothing."""
    return SilentWatcher()


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Take every setting of the developer away, except where the jars are cached."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("STREAMPROOF_") and name != "STREAMPROOF_CACHE_DIR":
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _own_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Point the test at the session's stack if it asked for one, and at an empty state folder otherwise."""
    state = request.getfixturevalue("stack").state_dir if "stack" in request.fixturenames else tmp_path / "var"
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(state))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A real Kafka and a real registry, shared by the session: use topics and subjects of your own."""
    state = tmp_path_factory.mktemp("stack")
    try:
        # Owned: it ends with this process even when pytest is killed.
        up(state, UpRequest(owned=True), SilentWatcher(), threading.Event())
        running = read_local_stack(state)
        assert running is not None
        yield running
    finally:
        stop_stack(state)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def connection(stack: LocalStack) -> Connection:
    """The settings that reach the session's stack."""
    return Connection.of({"bootstrap_servers": stack.bootstrap_servers}, {"url": stack.registry_url})


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A factory of topic names that nobody used: ``topic_name("late")``. The topic is not created."""
    return lambda hint="topic": f"{hint}-{uuid.uuid4().hex[:12]}"

"""What every test stands on: an environment of its own, and one real stack for the session.

``stack`` is a Kafka and a registry that the project's own code starts, once, on free ports and in a temporary folder,
for all workers together. Unit tests do not ask, and cannot reach a stack that a developer runs.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from cluster.connection import Connection
from cluster.local import LocalStack
from tests.kit.depth import examples
from tests.kit.order import GroupScheduling, arranged
from tests.kit.postgres import PostgresServer, running_postgres
from tests.kit.shared_stack import HeadStart, SharedStack
from tests.kit.stops import StopAt
from tests.kit.topics import make_ready

MARKERS = ("integration", "faults", "e2e")
# What a developer may set for the tests; every other setting is taken away.
KEPT = {"STREAMPROOF_CACHE_DIR", "STREAMPROOF_LAKE_PYTHON"}
SHARED = pytest.StashKey[SharedStack]()
HEAD_START = pytest.StashKey[HeadStart]()
# A property that says nothing of its own takes these.
hypothesis.settings.register_profile("depth", max_examples=examples(100))
hypothesis.settings.load_profile("depth")


@pytest.hookimpl(trylast=True)  # after pytest and xdist have set themselves up
def pytest_configure(config: pytest.Config) -> None:
    """Say which stack the session has; where workers will run tests that need one, start it now."""
    for name in [name for name in os.environ if name.startswith("STREAMPROOF_") and name not in KEPT]:
        del os.environ[name]
    given = getattr(config, "workerinput", None)
    if given is not None:
        config.stash[SHARED] = SharedStack(Path(given["stack_state"]), given["stack_owner"])
        return
    folder: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # there is no public way here
    config.stash[SHARED] = SharedStack(folder / "stack", os.getpid())
    only_units = all("unit" in Path(argument.partition("::")[0]).parts for argument in config.args)
    if config.getoption("numprocesses", None) and not config.option.collectonly and not only_units:
        config.stash[HEAD_START] = HeadStart(config.stash[SHARED])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker which stack the session has."""
    shared = node.config.stash[SHARED]
    node.workerinput |= {"stack_state": str(shared.state), "stack_owner": shared.owner}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what needs Spark, unless it is asked for: `make test-lake`."""
    asked = any("lake" in Path(argument.partition("::")[0]).parts for argument in config.args)
    return True if collection_path == Path(__file__).with_name("lake") and not asked else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the stack of the session, in the process that owns it."""
    if HEAD_START in config.stash:
        config.stash[HEAD_START].end()
    if SHARED in config.stash and config.stash[SHARED].owner == os.getpid():
        config.stash[SHARED].stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the folder they are in, and say what runs beside what."""
    for item in items:
        for name in MARKERS:
            if name in item.path.parts:
                item.add_marker(name)
    items[:] = arranged(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    """Deal the tests out in groups."""
    return GroupScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def _loggers_that_can_be_looked_at() -> Iterator[None]:
    """Keep commands of this process from caching their loggers: ``capture_logs`` would not see what they say."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **how: configure(**how | {"cache_logger_on_first_use": False}))
        yield


@pytest.fixture(autouse=True)
def _own_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Point the test at the session's stack if it asked for one, and at an empty state folder otherwise."""
    state = request.getfixturevalue("stack").state_dir if "stack" in request.fixturenames else tmp_path / "var"
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(state))


@pytest.fixture(scope="session")
def shared_folder(pytestconfig: pytest.Config) -> Path:
    """A folder that all workers of the session know."""
    return pytestconfig.stash[SHARED].state.with_name("shared")


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> LocalStack:
    """A real Kafka and a real registry, shared by the session: use topics and subjects of your own."""
    return pytestconfig.stash[SHARED].running()


@pytest.fixture(scope="session")
def connection(stack: LocalStack) -> Connection:
    """The settings that reach the session's stack."""
    return Connection.of({"bootstrap_servers": stack.bootstrap_servers}, {"url": stack.registry_url})


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A real PostgreSQL of this worker's: take a database of your own."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A factory of topic names that nobody used: ``topic_name("late")``. The topic is not created."""
    return lambda hint="topic": f"{hint}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def ready_topic(connection: Connection, topic_name: Callable[[str], str]) -> str:
    """A topic of the session's stack with its control topic and version 1 of customer_events: a run can begin."""
    return make_ready(connection, topic_name("ready"))


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> type[StopAt]:
    """A stop at a number of events: ``stop_at(1_000, total=4_000)``."""
    monkeypatch.setattr("producer.send.watching._PROGRESS_EVERY_S", 0.0)
    return StopAt

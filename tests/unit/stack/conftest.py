"""A stack of small processes of our own in the place of Kafka and the registry."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.local import PROJECT_ROOT, Endpoint
from stack import up as starting
from stack.children import members
from stack.describe import Description
from stack.down import stop_stack
from stack.request import UpRequest, Watcher
from stack.services.service import AliveProbe, Service
from stack.up import UpResult, up
from tests.kit.shared_stack import SilentWatcher
from tests.unit.stack.small_services import RUNS


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "state"
    yield state
    stop_stack(state)
    assert not members(state)


@pytest.fixture
def service(state: Path) -> Callable[..., Service]:
    """A factory of services that run a line of Python."""

    def make(name: str, line: str = RUNS, **more: object) -> Service:
        return Service.model_validate(
            {
                "name": name,
                "version": "1",
                "argv": (sys.executable, "-c", line),
                "cwd": PROJECT_ROOT,
                "log": state / "log" / f"{name}.log",
                "ready": AliveProbe(),
                "stop_grace_s": 5,
                "endpoints": {name: Endpoint(f"127.0.0.1:2000{len(name)}", name)},
                **more,
            }
        )

    return make


@pytest.fixture
def start(state: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., UpResult]:
    """``up`` with the services that it is given instead of Kafka and the registry."""

    def run(
        *services: Service,
        request: UpRequest = UpRequest(),  # noqa: B008 - frozen
        watcher: Watcher = SilentWatcher(),  # noqa: B008 - it has no state
        stop: threading.Event | None = None,
    ) -> UpResult:
        description = Description(services)
        monkeypatch.setattr(starting, "describe", lambda *_: description)
        return up(state, request, watcher, stop or threading.Event())

    return run

"""Airflow added to the session's stack, a rehearsal run through ``streamproof demo``, and a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from cluster.local import PROJECT_ROOT, LocalStack, read_local_stack
from stack.record import read_record
from stack.request import UpRequest
from stack.services.airflow import ADMIN, airflow_addresses, airflow_environment, read_password
from stack.services.postgres import POSTGRES, database_environment
from stack.supervisor import Change
from stack.up import up
from streamproof.airflow_api import Airflow
from streamproof.views.start import start_view
from tests.kit.commands import command_line
from tests.kit.order import group_of

# A browser shares the machine with all other tests.
expect.set_options(timeout=30_000)
CHROMIUM = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
# Signs in as somebody whom Airflow knows and who may see nothing.
STRANGERS_TOKEN = """
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
print("\\n" + create_auth_manager().generate_jwt(SimpleAuthManagerUser(username="stranger", role=None)))
"""
# What was added to the session's stack for the group of tests that look at Airflow.
ADDED = pytest.StashKey[tuple[Path, tuple[str, ...]]]()


@pytest.hookimpl(trylast=True)  # after the fixtures that use it have ended
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End Airflow when no test is left that looks at it: with nothing to do, it takes a quarter of a core."""
    if ADDED in item.config.stash and (nextitem is None or group_of(nextitem.nodeid) != group_of(item.nodeid)):
        state, names = item.config.stash[ADDED]
        del item.config.stash[ADDED]
        Change(end=names).hand_over(state)


@dataclass(frozen=True)
class Demo:
    """One ``streamproof demo --json``."""

    exit_code: int
    document: dict[str, Any]
    said: str

    @property
    def dag_run(self) -> tuple[str, str]:
        """Return Dag id and run id as Airflow has them."""
        dag_id, _, run_id = self.document["run_id"].partition("/")
        return dag_id, run_id


@pytest.fixture(scope="session")
def airflow_stack(stack: LocalStack, pytestconfig: pytest.Config) -> LocalStack:
    """The session's stack with Airflow's four processes and their database."""
    with start_view() as watcher:
        result = up(stack.state_dir, UpRequest(frozenset({"airflow"}), owner=os.getpid()), watcher, threading.Event())
    pytestconfig.stash[ADDED] = stack.state_dir, result.started
    running = read_local_stack(stack.state_dir)
    assert running is not None
    assert running.airflow_url
    return running


@pytest.fixture(scope="session")
def password(airflow_stack: LocalStack) -> str:
    """The password of admin."""
    found = read_password(airflow_stack.state_dir)
    assert found
    return found


@pytest.fixture(scope="session")
def airflow(airflow_stack: LocalStack, password: str) -> Iterator[Airflow]:
    """A client that is signed in as admin."""
    assert airflow_stack.airflow_url
    with Airflow(airflow_stack.airflow_url, ADMIN, password) as client:
        client.wait_for_dag("rehearse_customer_events", threading.Event())
        yield client


@pytest.fixture(scope="session")
def shop_run(airflow: Airflow) -> str:
    """The id of a run of the web shop in which all goes well, on the topic ``e2e-shop``; it may be going on yet."""
    airflow.wait_for_dag("rehearse_clickstream", threading.Event())
    conf = {"shards": 1, "users": 100, "no_delay": True, "topic": "e2e-shop"}
    return airflow.trigger("rehearse_clickstream", conf)


@pytest.fixture(scope="session")
def airflow_env(airflow_stack: LocalStack) -> dict[str, str]:
    """The environment of a process that is to be of the running Airflow."""
    port = int((airflow_stack.airflow_url or "").rpartition(":")[2])
    addresses = airflow_addresses(airflow_stack.state_dir, port)
    record = read_record(airflow_stack.state_dir)
    assert record is not None
    database = next(process.address for process in record.processes if process.name == POSTGRES)
    metadata = database_environment(airflow_stack.state_dir, int(database.rpartition(":")[2]))
    return os.environ | airflow_environment(addresses, database=metadata)


@pytest.fixture(scope="session")
def run_demo(airflow_stack: LocalStack) -> Callable[..., Demo]:
    """Run ``streamproof demo`` against the running stack, without a terminal, as CI does."""

    def run(*flags: str) -> Demo:
        done = subprocess.run(
            command_line("demo", "--json", *flags),
            cwd=PROJECT_ROOT,
            env=os.environ | {"STREAMPROOF_STATE_DIR": str(airflow_stack.state_dir)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.stdout, done.stderr
        return Demo(done.returncode, json.loads(done.stdout), done.stderr)

    return run


@pytest.fixture(scope="session")
def demo(run_demo: Callable[..., Demo]) -> Demo:
    """A rehearsal that everything went well in, on a topic of its own."""
    return run_demo("--events", "6000", "--shards", "2", "--rate", "3000", "--topic", "e2e-demo")


@pytest.fixture(scope="session")
def strangers_token(airflow_env: dict[str, str]) -> str:
    """A genuine token of a user without any role."""
    done = subprocess.run(
        [sys.executable, "-c", STRANGERS_TOKEN],
        env=airflow_env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


@pytest.fixture
def web(airflow_stack: LocalStack) -> Iterator[httpx.Client]:
    """A client that nobody signed in."""
    with httpx.Client(base_url=airflow_stack.airflow_url or "", timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Without one, browser tests are named as not run; in CI that is a failure."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        told = "NOT RUN: browser tests need Chromium (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: ``SCREENSHOTS_DIR`` when it is set, to look at them."""
    folder = os.environ.get("SCREENSHOTS_DIR")
    return Path(folder) if folder else tmp_path_factory.mktemp("screenshots")

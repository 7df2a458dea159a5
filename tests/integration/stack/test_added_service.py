"""A service that one file adds: `up` has its flags, the record its endpoint, and `status` and `down` see it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cluster.local import read_local_stack
from stack.children import members
from stack.down import stop_stack
from tests.kit.commands import COMMAND

TOY = """
import sys

from cluster.local import Endpoint
from stack.services.component import Component, Described, Site
from stack.services.service import HttpProbe, Service


def _describe(site: Site) -> Described:
    url = f"http://127.0.0.1:{site.port('toy')}/"
    home = site.state / "toy"
    home.mkdir()
    (home / "kafka").write_text(site.endpoints["kafka"].address)
    toy = Service(
        name="toy",
        version="1",
        argv=(sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(site.port("toy"))),
        cwd=home,
        log=site.state / "log" / "toy.log",
        ready=HttpProbe(url=url),
        address=url,
        endpoints={"toy": Endpoint(url, "the toy", {"user": "somebody"})},
    )
    return Described((toy,))


COMPONENT = Component("toy", "the toy", _describe, needs=("kafka",))
"""
# What `python -m streamproof` does, with a folder more in which services are found.
WITH_TOY = """
import sys
import stack.services
stack.services.__path__.append(sys.argv.pop(1))
from streamproof.cli import main
main()
"""

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def own_state(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "state"
    yield state
    stop_stack(state)
    assert not members(state)


@pytest.fixture
def streamproof(tmp_path: Path, own_state: Path) -> Command:
    """Run a command as a checkout would that has the file of the toy."""
    folder = tmp_path / "services"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)

    def run(*arguments: str, toy: bool = True) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", WITH_TOY, str(folder), *arguments] if toy else [*COMMAND, *arguments]
        env = {**os.environ, "STREAMPROOF_STATE_DIR": str(own_state), "COLUMNS": "160"}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_a_service_that_one_file_adds_is_started_listed_told_and_stopped(streamproof: Command, own_state: Path) -> None:
    shown = streamproof("up", "--help").stdout
    assert "Start the toy too, or add it to what runs." in shown
    assert "--toy-port" in shown

    begun = streamproof("up", "--json")
    assert begun.returncode == 0, begun.stderr
    assert [process["name"] for process in json.loads(begun.stdout)["processes"]] == ["kafka", "registry"]
    added = streamproof("up", "--toy", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["started"] == ["toy"]
    assert json.loads(streamproof("up", "--toy", "--json").stdout)["started"] == []

    found = read_local_stack(own_state)
    assert found is not None
    toy = found.endpoints["toy"]
    assert toy.settings == {"user": "somebody"}
    assert httpx.get(f"{toy.address}kafka").text == found.bootstrap_servers

    # Whoever looks and stops needs to know nothing of it.
    status = json.loads(streamproof("status", "--json", toy=False).stdout)
    assert status["endpoints"]["toy"] == toy.address
    assert [(each["name"], each["healthy"]) for each in status["processes"]][2:] == [("toy", True)]
    assert f"Toy      {toy.address}" in streamproof("status", toy=False).stdout
    port = toy.address.rpartition(":")[2].strip("/")
    refused = streamproof("up", "--toy", "--toy-port", str(int(port) + 1))
    assert refused.returncode == 78
    assert f"the toy runs already, and not on port {int(port) + 1}" in refused.stderr
    assert json.loads(streamproof("down", "--json", toy=False).stdout)["stopped"] == ["kafka", "registry", "toy"]
    assert not members(own_state)

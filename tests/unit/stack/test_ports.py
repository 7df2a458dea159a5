import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import Misconfigured
from stack.ports import LOOPBACK, Ports


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which this very process listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_ports_of_one_stack_differ(tmp_path: Path) -> None:
    ports = Ports(tmp_path)
    assert len({ports.take(f"service {number}") for number in range(50)}) == 50


def test_a_port_is_taken_again_at_the_next_start(tmp_path: Path) -> None:
    first = Ports(tmp_path)
    port = first.take("kafka")
    first.save()
    assert Ports(tmp_path).take("kafka") == port


def test_a_remembered_port_that_is_taken_meanwhile_gives_way(tmp_path: Path, taken_port: int) -> None:
    (tmp_path / "ports.json").write_text(f'{{"kafka": {taken_port}}}')
    assert Ports(tmp_path).take("kafka") != taken_port


@pytest.mark.parametrize("damage", ["", "[]", '{"kafka": "x"}', '{"kafka": null}'])
def test_a_damaged_memory_of_ports_is_forgotten(tmp_path: Path, damage: str) -> None:
    (tmp_path / "ports.json").write_text(damage)
    assert Ports(tmp_path).take("kafka")


def test_a_taken_port_is_named_with_its_holder(taken_port: int) -> None:
    with pytest.raises(Misconfigured, match=rf"port {taken_port} for kafka is taken by .*\(process \d+\)") as caught:
        Ports.check({"kafka": taken_port})
    assert caught.value.exit_code == 78


def test_a_port_can_be_asked_for_once_only() -> None:
    with pytest.raises(Misconfigured, match="port 20123 is asked for twice"):
        Ports.check({"kafka": 20123, "registry": 20123})


@pytest.mark.parametrize("number", [0, -1, 65_536])
def test_a_number_that_is_no_port_is_refused(number: int) -> None:
    with pytest.raises(Misconfigured, match="is not a port for kafka"):
        Ports.check({"kafka": number})

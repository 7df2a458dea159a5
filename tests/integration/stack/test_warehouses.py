"""`up --postgres`: a real server for warehouses, whose address a load takes as it is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import stack.up as starting
from consumer.sinks import place_named
from stack.children import members
from stack.describe import Description
from stack.down import stop_stack
from stack.ports import Ports
from stack.record import read_record
from stack.request import UpRequest
from stack.services.warehouses import NAME, SERVICE, warehouses_home, warehouses_service
from stack.up import up
from tests.kit.shared_stack import SilentWatcher


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder with a path that has to be written as %XX in an address."""
    state = tmp_path / "état of 100 % & more"
    (state / "log").mkdir(parents=True)
    yield state
    stop_stack(state)
    assert not members(state)


def start(state: Path) -> str:
    service = warehouses_service(state, port=Ports(state).take(NAME))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "describe", lambda *_: Description((service,)))
        up(state, UpRequest(owner=os.getpid()), SilentWatcher(), threading.Event())
    record = read_record(state)
    assert record is not None
    assert [(process.name, process.stage) for process in record.processes] == [(SERVICE, "ready")]
    return record.endpoints[NAME].address


def test_its_address_is_one_that_load_takes_and_holds_no_secret(state: Path) -> None:
    address = start(state)
    password = (warehouses_home(state) / "password").read_text().strip()
    assert password not in address
    assert (warehouses_home(state) / "password").stat().st_mode & 0o077 == 0
    place = place_named(address, "clicks")
    assert not place.exists()
    with place.open() as sink:
        assert sink.topic == "clicks"
    assert place.exists()
    assert "passfile" not in place.shown


def test_nobody_gets_in_without_the_password_and_what_was_stored_is_there_after_the_next_start(state: Path) -> None:
    address = start(state)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(address.partition("?")[0], passfile="/nonexistent")
    with place_named(address, "clicks").open():
        pass
    stop_stack(state)
    assert place_named(start(state), "clicks").exists()

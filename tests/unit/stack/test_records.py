"""What the record of a stack says, which records count, and what is not in it."""

import json
import os
from pathlib import Path

import pytest

from cluster.errors import Misconfigured, StoreFailed
from cluster.local import process_started, read_local_stack
from stack.children import members
from stack.down import stop_stack
from stack.request import UpRequest
from stack.status import stack_status
from tests.unit.stack.small_services import WITH_AIRFLOW, leader


def test_a_record_from_before_a_reboot_is_not_taken_for_a_running_stack(start, service, state) -> None:
    start(service("kafka"))
    stop_stack(state)
    # The number of a process that lives, and a start that is not its.
    document = {
        "supervisor": {"pid": os.getpid(), "started_at": "another boot/1"},
        "started": "2026-01-01T00:00:00+00:00",
        "bootstrap_servers": "127.0.0.1:1",
        "registry_url": "http://127.0.0.1:2",
        "processes": [],
    }
    (state / "stack.json").write_text(json.dumps(document))
    assert read_local_stack(state) is None
    assert start(service("kafka")).started == ("kafka",)
    assert process_started(os.getpid()) is not None


def test_a_state_folder_that_is_none_has_no_stack_and_a_record_that_cannot_be_read_is_told(tmp_path) -> None:
    (tmp_path / "file").touch()
    assert read_local_stack(tmp_path / "file" / "below") is None
    (tmp_path / "stack.json").mkdir()
    with pytest.raises(StoreFailed, match="the record of the local stack cannot be read"):
        read_local_stack(tmp_path)


def as_format_1(state: Path) -> None:
    """Write the record as a version did that had the addresses in fields of their own."""
    record = json.loads((state / "stack.json").read_text())
    endpoints = record.pop("endpoints")
    del record["format"]
    record |= {"bootstrap_servers": endpoints["kafka"]["address"], "registry_url": endpoints["registry"]["address"]}
    record |= {"airflow_url": None, "kafka": {"ssl_ca_location": "ca.crt"}, "registry": {}}
    (state / "stack.json").write_text(json.dumps(record))


def test_what_an_earlier_version_recorded_is_read(start, service, state) -> None:
    start(service("kafka"), service("registry"))
    before = read_local_stack(state)
    assert before is not None
    as_format_1(state)
    found = read_local_stack(state)
    assert found is not None
    assert (found.bootstrap_servers, found.registry_url) == (before.bootstrap_servers, before.registry_url)
    assert found.airflow_url is None
    assert found.endpoints["kafka"].settings == {"ssl_ca_location": "ca.crt"}
    assert stack_status(state).healthy
    assert start(request=UpRequest()).started == ()
    assert stop_stack(state) == ["kafka", "registry"]


def test_what_an_earlier_version_started_is_changed_by_that_version_alone(start, service, state) -> None:
    record = start(service("kafka"), service("registry")).record
    as_format_1(state)
    with pytest.raises(Misconfigured, match="started by another version of Streamproof") as caught:
        start(service("airflow"), request=WITH_AIRFLOW)
    assert "streamproof down" in caught.value.hint
    assert all(leader(record, name).is_alive() for name in ("kafka", "registry"))


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"supervisor": 1}', "\x00" * 64])
def test_a_damaged_record_is_no_record(state, start, service, damage) -> None:
    state.mkdir()
    (state / "stack.json").write_text(damage)
    assert read_local_stack(state) is None
    assert start(service("kafka")).started == ("kafka",)


def test_the_environment_of_a_service_is_not_recorded(start, service, state) -> None:
    start(service("kafka", env={"TOKEN": "a-secret-of-the-service"}))
    written = [path for path in state.rglob("*") if path.is_file() and b"a-secret-of" in path.read_bytes()]
    assert written == []
    (process,) = members(state)
    assert process.environ()["TOKEN"] == "a-secret-of-the-service"

"""One broker or three: what their settings say, and that a storage keeps the number that it was made for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import Misconfigured
from stack.parts.artifacts import Artifacts
from stack.request import UpRequest
from stack.services.kafka import KafkaPorts, chosen_brokers, kafka_services, storage
from stack.services.service import KafkaProbe, Service
from tests.kit.commands import streamproof

PARTS = Artifacts(kafka_jars=(Path("k.jar"),), kafka_version="1", registry_home=Path("r"), registry_version="1")
PORTS = [KafkaPorts(client=100 + number, controller=200 + number) for number in (1, 2, 3)]


def services(state: Path, brokers: int) -> tuple[Service, ...]:
    return kafka_services(state, PARTS, PORTS[:brokers], None)


def settings_of(service: Service) -> dict[str, str]:
    lines = (service.cwd / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def formatted(service: Service, cluster_id: str = "a-cluster") -> None:
    """Leave what the format of a storage leaves."""
    (service.cwd / "data").mkdir()
    (service.cwd / "data" / "meta.properties").write_text(f"version=1\ncluster.id={cluster_id}\n")


def test_one_broker_is_called_and_lies_as_ever(tmp_path: Path) -> None:
    (broker,) = services(tmp_path, 1)
    assert (broker.name, broker.cwd, broker.log.name) == ("kafka", tmp_path / "kafka", "kafka.log")
    assert broker.endpoints["kafka"].address == broker.address == "127.0.0.1:101"
    told = settings_of(broker)
    assert (told["node.id"], told["controller.quorum.voters"]) == ("1", "1@127.0.0.1:201")
    assert {told[name] for name in told if name.endswith(("replication.factor", "min.isr", "insync.replicas"))} == {"1"}


def test_three_brokers_store_everything_three_times_and_answer_while_one_is_away(tmp_path: Path) -> None:
    brokers = services(tmp_path, 3)
    assert [broker.name for broker in brokers] == ["kafka-1", "kafka-2", "kafka-3"]
    for number, broker in enumerate(brokers, start=1):
        told = settings_of(broker)
        assert told["node.id"] == str(number)
        assert told["advertised.listeners"] == f"CLIENT://{broker.address}" == f"CLIENT://127.0.0.1:10{number}"
        assert told["controller.quorum.voters"] == "1@127.0.0.1:201,2@127.0.0.1:202,3@127.0.0.1:203"
        assert {value for name, value in told.items() if name.endswith("replication.factor")} == {"3"}
        assert {value for name, value in told.items() if name.endswith(("min.isr", "min.insync.replicas"))} == {"2"}
        # Another one that answers must not speak for it.
        assert isinstance(broker.ready, KafkaProbe)
        assert (broker.ready.bootstrap_servers, broker.ready.node) == (broker.address, number)


def test_clients_are_told_of_all_three_brokers_once(tmp_path: Path) -> None:
    told = [broker.endpoints["kafka"] for broker in services(tmp_path, 3) if "kafka" in broker.endpoints]
    assert [each.address for each in told] == ["127.0.0.1:101,127.0.0.1:102,127.0.0.1:103"]


def test_the_brokers_of_a_first_start_that_was_interrupted_end_up_in_one_cluster(tmp_path: Path) -> None:
    formatted(services(tmp_path, 3)[1], "half-done")
    first, second, third = services(tmp_path, 3)
    assert second.prepare == ()
    for broker in (first, third):
        (command,) = broker.prepare
        assert command[command.index("-t") + 1] == "half-done"


@pytest.mark.parametrize(("stored", "asked"), [(1, 3), (3, 1)])
def test_a_storage_keeps_the_number_of_brokers_that_it_was_made_for(tmp_path: Path, stored: int, asked: int) -> None:
    formatted(services(tmp_path, stored)[-1])
    home = storage(tmp_path, None)
    assert chosen_brokers(home, None) == chosen_brokers(home, stored) == stored
    with pytest.raises(Misconfigured, match="storage is that of") as refused:
        chosen_brokers(home, asked)
    assert str(home) in refused.value.hint
    assert "STREAMPROOF_STATE_DIR" in refused.value.hint


def test_a_storage_that_begins_is_of_one_broker_unless_more_are_asked_for(tmp_path: Path) -> None:
    assert (chosen_brokers(tmp_path, None), chosen_brokers(tmp_path, 3)) == (1, 3)


@pytest.mark.parametrize("brokers", [0, 2, 5])
def test_a_number_of_brokers_that_makes_no_sense_is_refused(brokers: int) -> None:
    with pytest.raises(Misconfigured, match=f"cannot have {brokers} brokers"):
        UpRequest(brokers=brokers)


def test_the_command_refuses_it_too_and_starts_nothing(tmp_path: Path) -> None:
    asked = streamproof("up", "--brokers", "2", "--json", env={"STREAMPROOF_STATE_DIR": str(tmp_path)})
    assert asked.exit_code == 78
    assert asked.document["error"]["message"] == "a local stack cannot have 2 brokers"
    assert list(tmp_path.iterdir()) == []

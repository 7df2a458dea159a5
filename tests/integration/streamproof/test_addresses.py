"""Each command asks for the addresses that it uses: it works without the others, and names the one that it lacks."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import typer

from cluster.connection import Connection
from cluster.local import PROJECT_ROOT
from streamproof.cli import app
from tests.kit.commands import Ended, streamproof
from tests.kit.topics import make_gated, make_topic

SAMPLES = PROJECT_ROOT / "samples" / "click_stream"
FLAGS = {"kafka": "--bootstrap-servers", "registry": "--registry-url"}
SHOWN = {"kafka": "Kafka", "registry": "the Schema Registry"}
KAFKA, REGISTRY = frozenset({"kafka"}), frozenset({"registry"})
NOTHING: Mapping[str, str] = MappingProxyType({})
# What is refused as an address.
WRONG = {"kafka": ("STREAMPROOF_BOOTSTRAP_SERVERS", "kafka:0"), "registry": ("STREAMPROOF_REGISTRY_URL", "nowhere")}
NEITHER, BOTH = KAFKA & REGISTRY, KAFKA | REGISTRY
# What each command that takes an address is given besides, and which of them it uses.
TAKES: dict[str, tuple[str, frozenset[str]]] = {
    "topics apply": ("--topic {topic}", KAFKA),
    "topics diff": ("--topic {topic}", KAFKA),
    "schemas diff": ("customer_events --topic {topic}", REGISTRY),
    "schemas gate": ("customer_events --topic {topic}", REGISTRY),
    "preview": ("customer_events --events 100", NEITHER),
    "produce": ("customer_events --topic {topic} --events 10 --run-id whole", BOTH),
    "replay": ("{files} --topic {topic}.clicks --metadata-topic {topic}.articles --run-id whole", BOTH),
    "load": ("{topic} --warehouse {warehouse}", BOTH),
    "tail": ("{topic} --count 1", KAFKA),
    "count": ("{topic} --by event_type --to {topic}.totals --until-end", KAFKA),
    "live": ("{topic} --once", KAFKA),
    "audit": ("{topic} --warehouse {warehouse} --publications {publications}", KAFKA),
    "ledger": ("{topic}", KAFKA),
    "quarantine replay": ("{topic} --warehouse {warehouse}", REGISTRY),
    "verify": ("{warehouse}", NEITHER),
}
# This one asks for Kafka, and for the registry when a value names a schema, as those of the topic here do.
TAKES_WHAT_VALUES_NEED = {"consume"}
# This one asks for both, and needs an environment of its own: tests/lake has it.
TAKES_WITH_SPARK = {"lake"}
# These take none: they look at files, or start what has the addresses.
TAKE_NONE = {
    "check",
    "publish",
    "report",
    "realism",
    "quarantine list",
    "up",
    "down",
    "status",
    "demo",
    "demo-lake",
    "samples",
}


def commands(group: Any, *before: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every command by its words, with its flags."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join([*before, name]), {flag for parameter in command.params for flag in parameter.opts}


COMMANDS = dict(commands(typer.main.get_command(app)))
LACKS = [(command, half) for command, (_, uses) in TAKES.items() for half in sorted(uses)]


class Place:
    """A topic with a run of ten events, loaded into a warehouse; commands find no stack but by their flags."""

    def __init__(self, connection: Connection, folder: Path, topic: str) -> None:
        self.addresses = {"kafka": connection.kafka.bootstrap_servers, "registry": connection.registry.url}
        self.folder, self.topic = folder, topic

    def at(self, folder: Path) -> dict[str, str]:
        """Return what the words of ``TAKES`` name, with files of one's own."""
        warehouse = folder / "warehouse.duckdb"
        if (self.folder / warehouse.name).exists():
            shutil.copy(self.folder / warehouse.name, warehouse)
        return {
            "topic": self.topic,
            "warehouse": str(warehouse),
            "publications": str(folder / "publications"),
            "files": str(SAMPLES),
        }

    def run(self, command: str, folder: Path, told: frozenset[str], env: Mapping[str, str] = NOTHING) -> Ended:
        """Run a command that is told these addresses, with more environment if it is given."""
        words = [*command.split(), *TAKES[command][0].format(**self.at(folder)).split(), "--json"]
        words += [word for half in sorted(told) for word in (FLAGS[half], self.addresses[half])]
        return streamproof(*words, env={"STREAMPROOF_STATE_DIR": str(folder / "nowhere"), **env})


@pytest.fixture(scope="module")
def place(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The topic and the warehouse of the module."""
    made = Place(
        connection, tmp_path_factory.mktemp("place"), make_gated(connection, f"addresses-{uuid.uuid4().hex[:12]}")
    )
    make_topic(connection, f"{made.topic}.totals")
    for command in ("produce", "load"):
        ended = made.run(command, made.folder if command == "load" else tmp_path_factory.mktemp("first"), BOTH)
        assert ended.exit_code == 0, ended.text
    return made


def test_every_command_says_which_addresses_it_uses() -> None:
    assert COMMANDS.keys() == TAKES.keys() | TAKES_WHAT_VALUES_NEED | TAKES_WITH_SPARK | TAKE_NONE
    taking = {name for name, flags in COMMANDS.items() if flags & {*FLAGS.values()}}
    assert taking == TAKES.keys() | TAKES_WHAT_VALUES_NEED | TAKES_WITH_SPARK
    assert {name for name, flags in COMMANDS.items() if "--properties" in flags} == taking


@pytest.mark.parametrize("command", TAKES)
def test_a_command_asks_for_no_address_that_it_does_not_use(place: Place, tmp_path: Path, command: str) -> None:
    ended = place.run(command, tmp_path, TAKES[command][1])
    assert ended.exit_code == 0, ended.text


@pytest.mark.parametrize("command", ["topics diff", "schemas diff", "audit"])
def test_a_java_clients_file_is_enough_and_what_means_nothing_is_told_in_one_line(
    place: Place, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "client.properties"
    file.write_text(
        f"bootstrap.servers = {place.addresses['kafka']} \r\nschema.registry.url={place.addresses['registry']}\t\r\n"
        "acks=all\r\nsession.timeout.ms=45000\r\nkey.serializer=x\r\n"
    )
    words = [*command.split(), *TAKES[command][0].format(**place.at(tmp_path)).split(), "--properties", file]
    ended = streamproof(*words, env={"STREAMPROOF_STATE_DIR": str(tmp_path / "nowhere")})
    assert ended.exit_code == 0, ended.text
    (line,) = (line for line in ended.text.splitlines() if "left out of the properties file" in line)
    assert all(key in line for key in ("acks", "session.timeout.ms", "key.serializer"))


@pytest.mark.parametrize(("command", "half"), LACKS)
def test_a_command_names_the_address_that_it_lacks(place: Place, tmp_path: Path, command: str, half: str) -> None:
    told = frozenset(other for other, flag in FLAGS.items() if other != half and flag in COMMANDS[command])
    error = place.run(command, tmp_path, told).document["error"]
    assert (error["exit_code"], error["message"]) == (78, f"no address of {SHOWN[half]} is known")
    assert f"{tmp_path}" in error["where"]
    assert FLAGS[half] in error["hint"]


@pytest.mark.parametrize("command", [name for name, (_, uses) in TAKES.items() if uses != BOTH and name != "verify"])
def test_an_address_that_cannot_be_one_stops_no_command_that_does_not_use_it(
    place: Place, tmp_path: Path, command: str
) -> None:
    uses = TAKES[command][1]
    ended = place.run(command, tmp_path, uses, dict(WRONG[half] for half in BOTH - uses))
    assert ended.exit_code == 0, ended.text


@pytest.mark.parametrize(("command", "half"), LACKS)
def test_an_address_that_cannot_be_one_stops_the_commands_that_use_it(
    place: Place, tmp_path: Path, command: str, half: str
) -> None:
    error = place.run(command, tmp_path, TAKES[command][1] - {half}, dict([WRONG[half]])).document["error"]
    assert error["exit_code"] == 78
    assert "the connection settings are not valid" in error["message"]


@pytest.mark.parametrize("command", [name for name, (_, uses) in TAKES.items() if uses == BOTH])
def test_a_command_that_lacks_both_says_so_at_once(place: Place, tmp_path: Path, command: str) -> None:
    error = place.run(command, tmp_path, NEITHER).document["error"]
    assert error["exit_code"] == 78
    assert all(f"no address of {shown} is known" in error["message"] for shown in SHOWN.values())


@pytest.mark.parametrize(
    ("told", "proofs", "said"),
    [
        (NEITHER, set(), "itself alone: no broker and no registry was asked"),
        (KAFKA, {"topic", "sample"}, ": no registry was asked"),
        (REGISTRY, {"registry"}, ": no broker was asked"),
        (BOTH, {"topic", "registry", "sample"}, " and the registry at "),
    ],
)
def test_verify_holds_a_warehouse_against_what_it_is_told_of(
    place: Place, tmp_path: Path, told: frozenset[str], proofs: set[str], said: str
) -> None:
    found = place.run("verify", tmp_path, told).document
    outside = {proof["name"] for proof in found["proofs"]} & {"topic", "registry", "sample"}
    assert (found["verdict"], outside) == ("PASSED", proofs)
    assert said in found["against"]


def test_a_preview_of_a_subject_asks_for_the_registry(place: Place, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(f"subject: {place.topic}-value\n")
    words = ("preview", scenario, "--events", "10", "--json")
    nowhere = {"STREAMPROOF_STATE_DIR": str(tmp_path / "nowhere")}
    error = streamproof(*words, env=nowhere).document["error"]
    assert error["exit_code"] == 78
    assert "no registry is known" in error["message"]
    ended = streamproof(*words, FLAGS["registry"], place.addresses["registry"], env=nowhere)
    assert ended.exit_code == 0, ended.text

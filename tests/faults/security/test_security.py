"""A real broker with TLS, passwords and ACLs: what it lets in, what it refuses, and that no secret is ever shown."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # its stubs do not re-export it
from cryptography.hazmat.primitives import serialization

from cluster.admin import admin_client
from cluster.connection import Connection, kafka_settings
from cluster.declarations import specs_for
from cluster.errors import Refused
from cluster.topics import apply_topics, describe
from schemas.registry.gate import Registry
from stack.certificates import Identity
from stack.down import stop_stack
from stack.parts.java import kafka_command
from stack.request import UpRequest
from stack.security import GUEST, HOSTS, USER, client_settings, properties_file
from stack.services.airflow import airflow_connections
from tests.faults.security.secured import Ended, Secured, TokenEndpoint
from tests.kit.dag_process import dag_runs
from tests.kit.seconds import held, within
from tests.kit.shared_stack import started

BOUND_S = 15.0

# What is let in -------------------------------------------------------------------------------------------------


def test_the_whole_path_works_without_a_word_about_security(secured: Secured, topic: str) -> None:
    steps: tuple[tuple[str, ...], ...] = (
        ("topics", "apply", "--topic", topic),
        ("schemas", "gate", "customer_events", "--topic", topic),
        ("produce", "customer_events", "--topic", topic, "--events", "500", "--run-id", "r"),
        ("load", topic),
        ("audit", topic, "--run-id", "r"),
    )
    for step in steps:
        ended = secured.run(*step)
        assert ended.exit_code == 0, ended.text
    assert "PASSED" in ended.text


def test_the_whole_path_works_with_a_java_clients_file_and_nothing_else(
    secured: Secured, topic: str, tmp_path: Path
) -> None:
    """The file of Kafka's own tools, with the addresses, in a state folder that knows of no stack."""
    security = secured.local.state_dir / "security"
    file = tmp_path / "theirs.properties"
    file.touch(mode=0o600)
    file.write_text(
        f"{properties_file(security).read_text()}bootstrap.servers = {secured.local.bootstrap_servers} \r\n"
        f"schema.registry.url={secured.local.registry_url}\nacks=all\n"
        f"schema.registry.ssl.truststore.location={security / 'ca.crt'}\nschema.registry.ssl.truststore.type=PEM\n"
    )
    for step in (
        ("schemas", "gate", "customer_events", "--topic", topic),
        ("produce", "customer_events", "--topic", topic, "--events", "100", "--run-id", "theirs"),
        ("load", topic),
        ("audit", topic, "--run-id", "theirs"),
    ):
        ended = secured.run(*step, "--properties", str(file), env={"STREAMPROOF_STATE_DIR": str(tmp_path)})
        assert ended.exit_code == 0, ended.text
    assert "PASSED  All 100 acknowledged events" in ended.text


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_every_kind_of_password_is_taken(secured: Secured, topic: str, mechanism: str) -> None:
    assert describe(admin_client(secured.client(sasl_mechanism=mechanism)), topic).partitions == 3


def test_a_token_is_taken_and_a_wrong_client_secret_is_refused(
    secured: Secured, topic: str, tokens: TokenEndpoint
) -> None:
    with tokens.serving() as url:
        settings = {
            "SASL_MECHANISM": "OAUTHBEARER",
            "SECURITY_PROTOCOL": "sasl_ssl",
            "BOOTSTRAP_SERVERS": secured.local.bootstrap_servers,
            "SSL_CA_LOCATION": secured.local.endpoints["kafka"].settings["ssl_ca_location"],
            "SASL_OAUTHBEARER_CLIENT_ID": "client",
            "SASL_OAUTHBEARER_CLIENT_SECRET": f"{secured.planted}-client",
            "SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": url,
            "HTTPS_CA_LOCATION": str(tokens.ca),
        }
        env = {f"STREAMPROOF_{name}": value for name, value in settings.items()}
        taken = secured.run("topics", "diff", "--topic", topic, env=secured.elsewhere() | env)
        assert taken.exit_code == 0, taken.text
        wrong = {"STREAMPROOF_SASL_OAUTHBEARER_CLIENT_SECRET": f"{secured.planted}-wrong"}
        ended = secured.run("topics", "diff", "--topic", topic, env=secured.elsewhere() | env | wrong)
        refused(ended, "invalid_client")


def test_a_client_certificate_is_taken_with_an_encrypted_key(secured: Secured, topic: str) -> None:
    issued = Identity.at(secured.local.state_dir / "security", USER)
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    locked = secured.folder / "locked.key"
    locked.touch(mode=0o600)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(f"{secured.planted}-key".encode()),
        )
    )
    settings = secured.inner(issued) | {"ssl_key_location": str(locked), "ssl_key_password": f"{secured.planted}-key"}
    assert describe(admin_client(kafka_settings(settings)), topic).partitions == 3
    env = {f"STREAMPROOF_{name.upper()}": value for name, value in settings.items()}
    assert secured.run("topics", "diff", "--topic", topic, env=env).exit_code == 0
    wrong = {"STREAMPROOF_SSL_KEY_PASSWORD": f"{secured.planted}-wrong"}
    ended = secured.run("topics", "diff", "--topic", topic, env=env | wrong)
    assert ended.exit_code == 78
    assert "ssl.key.location" in ended.text


def test_the_stack_says_how_it_is_secured_and_does_not_become_another(secured: Secured) -> None:
    status = secured.run("status", "--json")
    assert status.exit_code == 0, status.text
    document = json.loads(status.text.splitlines()[-1])
    assert document["security"] == "scram"
    assert Path(document["client_properties"]).is_file()
    assert secured.run("up").exit_code == 0
    other = secured.run("up", "--security", "mtls")
    assert other.exit_code == 78
    assert "with security scram" in other.text


def test_kafkas_own_tools_take_the_properties_file(secured: Secured, topic: str) -> None:
    properties = properties_file(secured.local.state_dir / "security")
    arguments = ("--bootstrap-server", secured.local.bootstrap_servers, "--command-config", str(properties), "--list")
    command = kafka_command("org.apache.kafka.tools.TopicCommand", *arguments)
    listed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert topic in listed.stdout.split(), listed.stderr


def test_a_user_with_the_documented_rights_and_no_others_can_do_its_work(
    secured: Secured, topic: str, guest: dict[str, str]
) -> None:
    rights = [
        (name, operation)
        for name in (topic, f"{topic}.manifests")
        for operation in (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE)
    ]
    ids = [(f"streamproof-produce/{topic}/by-guest/0", right) for right in (AclOperation.WRITE, AclOperation.DESCRIBE)]
    with secured.granted(*rights, transactional=ids):
        made = secured.run(
            "produce", "customer_events", "--topic", topic, "--events", "100", "--run-id", "by-guest", env=guest
        )
        assert made.exit_code == 0, made.text
        warehouse = {"STREAMPROOF_WAREHOUSE_DIR": str(secured.folder / "guest")}
        for command in (("load", topic), ("audit", topic, "--run-id", "by-guest")):
            ended = secured.run(*command, env=guest | warehouse)
            assert ended.exit_code == 0, ended.text
            held(ended.seconds, BOUND_S, command[0])  # without a right to the group, nothing waits for one


def test_a_shard_needs_its_transactional_id_or_a_setting_that_goes_without_and_says_so(
    secured: Secured, topic: str, guest: dict[str, str]
) -> None:
    names, rights = (topic, f"{topic}.manifests"), (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE)
    words = ("produce", "customer_events", "--topic", topic, "--events", "100", "--run-id", "unfenced")
    with secured.granted(*((name, right) for name in names for right in rights)):
        ended = secured.run(*words, env=guest)
        refused(ended, "Kafka does not allow taking the transactional id")
        assert f"Write and Describe on the transactional id streamproof-produce/{topic}/unfenced/0" in ended.text
        without = secured.run(*words, env=guest | {"STREAMPROOF_SHARD_FENCE": "false"})
        assert without.exit_code == 0, without.text
        assert "another machine that produces the same shard is not held back" in without.text


def test_a_counter_needs_its_transactional_id_and_no_group(secured: Secured, topic: str, guest: dict[str, str]) -> None:
    (totals, *_) = specs_for(f"{topic}-totals")
    apply_topics(secured.admin(), [totals])
    secured.run("produce", "customer_events", "--topic", topic, "--events", "100", "--run-id", "for-guest")
    words = ("count", topic, "--by", "event_type", "--to", totals.name, "--until-end", "--json")
    reads = (AclOperation.READ, AclOperation.DESCRIBE)
    rights = [(name, right) for name in (topic, f"{topic}.manifests", totals.name) for right in reads]
    with secured.granted(*rights, (totals.name, AclOperation.WRITE)):
        refused(secured.run(*words, env=guest), "Kafka does not allow taking the transactional id")
    ids = [(f"streamproof-count/{topic}/{totals.name}", right) for right in (AclOperation.WRITE, AclOperation.DESCRIBE)]
    with secured.granted(*rights, (totals.name, AclOperation.WRITE), transactional=ids):
        ended = secured.run(*words, env=guest)
        assert ended.exit_code == 0, ended.text
        counted = json.loads(ended.text.strip().splitlines()[-1])
        # Other tests send to the topic too.
        assert sum(counted["totals"].values()) == counted["events_in_totals"] >= 100
        held(ended.seconds, BOUND_S, "the count")


# What is refused ------------------------------------------------------------------------------------------------


def refused(ended: Ended, words: str) -> None:
    """Check that a command was refused in time, once, with its cause."""
    print(f"exit {ended.exit_code} after {ended.seconds:.1f} s: {ended.text.strip()}")
    assert ended.exit_code == 77, ended.text
    assert words in ended.text
    held(ended.seconds, BOUND_S, "the refusal")
    assert ended.text.count("error ") == 1


COMMANDS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "topics": lambda topic: ("topics", "diff", "--topic", topic),
    "produce": lambda topic: (
        "produce",
        "customer_events",
        "--topic",
        topic,
        "--events",
        "10",
        "--run-id",
        uuid.uuid4().hex,
    ),
    "load": lambda topic: ("load", topic),
}


@pytest.mark.parametrize("command", [COMMANDS["produce"], COMMANDS["load"]], ids=["produce", "load"])
def test_a_wrong_password_is_refused(secured: Secured, topic: str, command: Callable[[str], tuple[str, ...]]) -> None:
    ended = secured.run(*command(topic), env={"STREAMPROOF_SASL_PASSWORD": f"{secured.planted}-wrong"})
    refused(ended, "invalid credentials")


@pytest.mark.parametrize("command", [COMMANDS["produce"], COMMANDS["load"]], ids=["produce", "load"])
def test_a_missing_right_is_refused_and_the_topic_is_named(
    secured: Secured, topic: str, guest: dict[str, str], command: Callable[[str], tuple[str, ...]]
) -> None:
    ended = secured.run(*command(topic), env=guest)
    refused(ended, "authorization failed")
    assert topic in ended.text


def test_a_right_to_look_is_no_right_to_read_or_write(secured: Secured, topic: str, guest: dict[str, str]) -> None:
    looks = [(topic, AclOperation.DESCRIBE), (f"{topic}.manifests", AclOperation.ALL)]
    warehouse = {"STREAMPROOF_WAREHOUSE_DIR": str(secured.folder / "looks")}
    with secured.granted(*looks):
        for command in ("produce", "load"):
            ended = secured.run(*COMMANDS[command](topic), env=guest | warehouse)
            refused(ended, "authorization failed")


def test_a_ledger_needs_no_more_than_it_says_and_is_refused_before_it_reads(
    secured: Secured, topic: str, guest: dict[str, str]
) -> None:
    control = f"{topic}.manifests"
    reads = [(topic, AclOperation.READ), (topic, AclOperation.DESCRIBE)]
    reads += [(control, AclOperation.READ), (control, AclOperation.DESCRIBE)]
    with secured.granted(*reads):
        refused(secured.run("ledger", topic, env=guest), f"Kafka does not allow writing to topic {control}")
    with secured.granted(*reads, (control, AclOperation.WRITE)):
        ended = secured.run("ledger", topic, "--name", "by-guest", env=guest)
        assert ended.exit_code == 0, ended.text
    # Where the control topic is not there, the right to make it is asked for before anything is read.
    bare = f"{topic}-bare"
    spec, companion = specs_for(bare)
    apply_topics(secured.admin(), [spec])
    reads = [(name, right) for name in (bare, companion.name) for right in (AclOperation.READ, AclOperation.DESCRIBE)]
    with secured.granted(*reads):
        refused(secured.run("ledger", bare, env=guest), f"Kafka does not allow creating topic {companion.name}")
    makes = [(companion.name, right) for right in (AclOperation.CREATE, AclOperation.DESCRIBE_CONFIGS)]
    with secured.granted(*reads, *makes, (companion.name, AclOperation.WRITE)):
        ended = secured.run("ledger", bare, env=guest)
        assert ended.exit_code == 0, ended.text
        assert "made the topic" in ended.text


def test_who_looks_on_sees_what_the_rights_allow_and_that_the_rest_is_unknown(
    secured: Secured, own_topic: str, guest: dict[str, str]
) -> None:
    topic = own_topic
    denied = secured.run("live", topic, "--once", "--json", env=guest)
    assert (denied.exit_code, "authorization failed" in denied.text) == (77, True)
    assert secured.run(*COMMANDS["produce"](topic)).exit_code == 0
    with secured.granted((topic, AclOperation.DESCRIBE)):
        seen = _seen(secured.run("live", topic, "--once", "--json", env=guest))
    stages = {stage["name"]: stage for stage in seen["stages"]}
    assert stages["in the topic"]["count"] == 10
    for part in (stages["generated"], stages["acknowledged"], stages["loaded"], seen["newest"], seen["runs"]):
        assert "does not allow" in part["unknown"] or "authorization failed" in part["unknown"]
    with secured.granted((topic, AclOperation.READ), (f"{topic}.manifests", AclOperation.READ)):
        seen = _seen(secured.run("live", topic, "--once", "--json", env=guest))
    assert [stage["count"] for stage in seen["stages"][:3]] == [10, 10, 10]
    assert len(seen["newest"]["rows"]) == 10


def _seen(ended: Ended) -> dict[str, Any]:
    """Return the topic in the snapshot that was printed."""
    assert ended.exit_code == 0, ended.text
    line = next(line for line in ended.text.splitlines() if line.startswith('{"number"'))
    found: dict[str, Any] = json.loads(line)["topics"][0]
    return found


def test_an_authority_of_somebody_else_is_refused(secured: Secured, topic: str) -> None:
    other = secured.folder / "other.crt"
    secured.authority.write_certificate(other)
    ended = secured.run("topics", "diff", "--topic", topic, env={"STREAMPROOF_SSL_CA_LOCATION": str(other)})
    refused(ended, "not signed by an authority in ssl_ca_location")
    registry = {"STREAMPROOF_REGISTRY_SSL_CA_LOCATION": str(other)}
    ended = secured.run("schemas", "diff", "customer_events", "--topic", topic, env=registry)
    refused(ended, "not signed by an authority in registry_ssl_ca_location")


def test_a_missing_client_certificate_is_refused(secured: Secured, topic: str) -> None:
    env = {f"STREAMPROOF_{name.upper()}": value for name, value in secured.inner(None).items()}
    refused(secured.run("topics", "diff", "--topic", topic, env=env), "wants a client certificate, and none is set")


def test_a_client_certificate_of_a_stranger_is_refused(secured: Secured, topic: str) -> None:
    stranger = Identity.at(secured.folder, "stranger")
    secured.authority.issue(stranger, USER)
    env = {f"STREAMPROOF_{name.upper()}": value for name, value in secured.inner(stranger).items()}
    refused(secured.run("topics", "diff", "--topic", topic, env=env), "does not accept the client certificate")


def test_another_name_than_the_certificates_is_refused(secured: Secured, topic: str) -> None:
    with secured.forwarded() as address:
        settings = client_settings(secured.local.state_dir / "security", "scram") | {"bootstrap_servers": address}
        env = {f"STREAMPROOF_{name.upper()}": value for name, value in settings.items()}
        ended = secured.run("topics", "diff", "--topic", topic, env=env)
    refused(ended, "for another address than 127.0.0.2")


def test_an_expired_certificate_is_refused(secured: Secured, topic: str) -> None:
    expired = Identity.at(secured.folder, "expired")
    days = timedelta(days=1)
    secured.authority.issue(expired, "broker", hosts=HOSTS, not_before=datetime.now(UTC) - 9 * days, life=8 * days)
    ca = secured.folder / "expired-ca.crt"
    secured.authority.write_certificate(ca)
    with secured.showing(expired):
        ended = secured.run("topics", "diff", "--topic", topic, env={"STREAMPROOF_SSL_CA_LOCATION": str(ca)})
    refused(ended, "has expired")


# Client certificates at the door for clients --------------------------------------------------------------------


def test_with_mtls_a_certificate_is_the_login(tmp_path: Path) -> None:
    state = tmp_path / "mutual"
    try:
        started(state, UpRequest(security="mtls", owner=os.getpid()))
        found = Connection.discover(env={"STREAMPROOF_STATE_DIR": str(state)})
        admin = admin_client(found.kafka)
        apply_topics(admin, specs_for("t"))
        with Registry(found.registry) as registry:
            assert registry.versions("t-value") == []
        address = {"bootstrap_servers": found.kafka.bootstrap_servers}
        for user, words in ((GUEST, "does not allow"), (None, "wants a client certificate, and none is set")):
            settings = client_settings(state / "security", "mtls", user or GUEST) | address
            if user is None:
                del settings["ssl_certificate_location"], settings["ssl_key_location"]
            began = time.monotonic()
            with pytest.raises(Refused, match=words):
                describe(admin_client(kafka_settings(settings)), "t")
            within(BOUND_S, began, "the refusal")
    finally:
        stop_stack(state)


# In Airflow -----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_a_rehearsal_in_airflow_passes_and_its_files_hold_no_secret(secured: Secured) -> None:
    local, folder = secured.local, secured.folder
    kafka, registry = local.endpoints["kafka"], local.endpoints["registry"]
    connections = airflow_connections(kafka.address, registry.address, kafka.settings, registry.settings)
    env = {
        "STREAMPROOF_WAREHOUSE_DIR": str(folder / "dag" / "warehouse"),
        "STREAMPROOF_PUBLICATIONS_DIR": str(folder / "dag" / "publications"),
    }
    (folder / "airflow").mkdir()
    run = dag_runs(folder / "airflow", connections, env, "rehearsed", "green")["green"]
    assert run["state"] == "success", run
    assert any(path.name == "snapshot.duckdb" for path in secured.files())
    assert "Kafka at" in (folder / "airflow" / "said.log").read_text()  # the tasks' logs are among the files
    assert secured.leaks() == []


# What nobody sees -----------------------------------------------------------------------------------------------


def test_no_secret_is_in_any_output_argument_or_file(secured: Secured, topic: str) -> None:
    """The fixture looks again when the last test of the module has ended."""
    assert secured.run(*COMMANDS["load"](topic)).exit_code == 0
    assert (
        secured.run(*COMMANDS["load"](topic), env={"STREAMPROOF_SASL_PASSWORD": f"{secured.planted}-x"}).exit_code == 77
    )
    assert any(path.suffix == ".duckdb" for path in secured.files())
    assert secured.leaks() == []

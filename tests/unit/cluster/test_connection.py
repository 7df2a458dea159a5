"""Settings: where they come from, how faults are told, and that secrets stay secret."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
from pathlib import Path

import pytest

from cluster.connection import (
    ENV_PREFIX,
    OTHER_VARIABLES,
    Connection,
    KafkaSettings,
    RegistrySettings,
    setting_names,
)
from cluster.errors import Misconfigured
from cluster.local import process_started, publications_dir, read_local_stack, state_dir, warehouse_path
from tests.kit import ROOT

ADDRESSES = {
    "STREAMPROOF_BOOTSTRAP_SERVERS": "env.localhost:9092",
    "STREAMPROOF_REGISTRY_URL": "http://env.localhost:8081",
}
# What librdkafka is not told.
OURS = {"allow_plaintext", "shard_fence"}
# Settings of the registry's half that go by their own names.
UNPREFIXED = ("allow_plaintext", "column_conflicts")
# Values that each setting takes, as text, the way an environment gives them. What does not go together is apart.
SHARED = {
    "bootstrap_servers": "h:1,h:2",
    "security_protocol": "SASL_SSL",
    "allow_plaintext": "true",
    "shard_fence": "false",
    "ssl_ca_location": "/ca.pem",
    "ssl_certificate_location": "/cert.pem",
    "ssl_key_location": "/key.pem",
    "ssl_key_password": "hunter2-key",
    "client_id": "rehearsal",
    "client_rack": "eu-west-1a",
    "client_dns_lookup": "use_all_dns_ips",
}
# Of these librdkafka takes the numbers.
NUMBERS = {
    "connections_max_idle_ms": "540000",
    "metadata_max_age_ms": "300000",
    "reconnect_backoff_ms": "50",
    "reconnect_backoff_max_ms": "1000",
    "retry_backoff_ms": "100",
    "retry_backoff_max_ms": "1000",
    "socket_connection_setup_timeout_ms": "10000",
    "socket_send_buffer_bytes": "131072",
    "socket_receive_buffer_bytes": "65536",
}
SHARED |= NUMBERS
KAFKA = SHARED | {"sasl_mechanism": "plain", "sasl_username": "user", "sasl_password": "hunter2-sasl"}
KAFKA_OAUTH = SHARED | {
    "sasl_mechanism": "oauthbearer",
    "sasl_oauthbearer_method": "oidc",
    "sasl_oauthbearer_client_id": "id",
    "sasl_oauthbearer_client_secret": "hunter2-oauth",
    "sasl_oauthbearer_token_endpoint_url": "https://login.example/token",
    "sasl_oauthbearer_scope": "kafka",
    "sasl_oauthbearer_extensions": "logicalCluster=lkc-1",
    "https_ca_location": "/ca3.pem",
}
REGISTRY = {
    "url": "https://registry.example/",
    "allow_plaintext": "true",
    "username": "user",
    "password": "hunter2-registry",
    "ssl_ca_location": "/ca2.pem",
    "ssl_certificate_location": "/cert2.pem",
    "ssl_key_location": "/key2.pem",
    "ssl_key_password": "hunter2-key2",
    "timeout_s": "2.5",
    "column_conflicts": "warn",
}
REGISTRY_TOKEN = {
    "url": "https://registry.example/",
    "bearer_token": "hunter2-bearer",
    "column_conflicts": "refuse",
}


def flat(kafka, registry):
    """The names of the settings file."""
    prefixed = {f"registry_{name}": value for name, value in registry.items() if name not in UNPREFIXED}
    return kafka | {name: registry[name] for name in UNPREFIXED if name in registry} | prefixed


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder, where no streamproof.toml lies."""
    monkeypatch.chdir(tmp_path)


def env(tmp_path, **more):
    return {"STREAMPROOF_STATE_DIR": str(tmp_path / "var")} | more


def toml(tmp_path, **values):
    path = tmp_path / "settings.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))
    return {"STREAMPROOF_CONFIG": str(path)}


def test_the_running_local_stack_is_found_and_anything_said_wins_over_it(tmp_path):
    folder = tmp_path / "var"
    folder.mkdir()
    supervisor = {"pid": os.getpid(), "started_at": process_started(os.getpid())}
    record = {
        "endpoints": {
            "kafka": {"address": "stack.localhost:1"},
            "registry": {"address": "http://stack.localhost:2"},
        },
        "supervisor": supervisor,
    }
    (folder / "stack.json").write_text(json.dumps(record))
    found = Connection.discover(env=env(tmp_path))
    assert (found.kafka.bootstrap_servers, found.registry.url) == ("stack.localhost:1", "http://stack.localhost:2")
    told = Connection.discover(env=env(tmp_path, STREAMPROOF_BOOTSTRAP_SERVERS="env.localhost:1"))
    assert (told.kafka.bootstrap_servers, told.registry.url) == ("env.localhost:1", "http://stack.localhost:2")
    # The number of a process that is gone, taken by another one since.
    (folder / "stack.json").write_text(json.dumps(record | {"supervisor": supervisor | {"started_at": "before"}}))
    with pytest.raises(Misconfigured, match="no local stack is running"):
        _ = Connection.discover(env=env(tmp_path)).kafka


@pytest.mark.parametrize(("kafka", "registry"), [(KAFKA, REGISTRY), (KAFKA_OAUTH, REGISTRY_TOKEN)])
def test_every_setting_comes_from_the_environment_or_the_file(tmp_path, kafka, registry):
    values = flat(kafka, registry)
    given = {ENV_PREFIX + name.upper(): value for name, value in values.items()}
    assert_complete(Connection.discover(env=env(tmp_path, **given)), kafka, registry)
    assert_complete(Connection.discover(env=env(tmp_path, **toml(tmp_path, **values))), kafka, registry)
    assert_complete(Connection.discover(given=values, env=env(tmp_path)), kafka, registry)


def test_the_tables_of_this_test_name_every_setting():
    assert (KAFKA | KAFKA_OAUTH).keys() == KafkaSettings.model_fields.keys()
    assert (REGISTRY | REGISTRY_TOKEN).keys() == RegistrySettings.model_fields.keys()


def assert_complete(connection, kafka, registry):
    expected = {name.replace("_", "."): value for name, value in kafka.items() if name not in OURS}
    expected |= {"security.protocol": "sasl_ssl", "sasl.mechanism": kafka["sasl_mechanism"].upper()}
    expected |= {name.replace("_", "."): int(value) for name, value in NUMBERS.items()}
    expected |= {"enable.ssl.certificate.verification": True, "ssl.endpoint.identification.algorithm": "https"}
    assert connection.kafka.as_librdkafka() == expected
    assert connection.kafka.allow_plaintext
    assert not connection.kafka.shard_fence
    shown = connection.registry.model_dump(exclude_none=True)
    assert shown.pop("allow_plaintext") is True  # one setting for both
    assert shown.pop("url") == "https://registry.example"
    assert shown.pop("timeout_s") == float(registry.get("timeout_s", 5))
    plain = {name: getattr(value, "get_secret_value", lambda value=value: value)() for name, value in shown.items()}
    assert plain == {name: registry[name] for name in registry if name not in ("url", "timeout_s", "allow_plaintext")}


def test_flags_win_over_environment_over_file(tmp_path):
    given = toml(
        tmp_path,
        bootstrap_servers="file.localhost:9092",
        registry_url="http://file.localhost:8081",
        ssl_ca_location="file",
        security_protocol="ssl",
    )
    from_file = Connection.discover(env=env(tmp_path, **given))
    assert (from_file.kafka.bootstrap_servers, from_file.registry.url) == (
        "file.localhost:9092",
        "http://file.localhost:8081",
    )
    from_env = Connection.discover(env=env(tmp_path, **given, **ADDRESSES))
    assert (from_env.kafka.bootstrap_servers, from_env.registry.url) == (
        "env.localhost:9092",
        "http://env.localhost:8081",
    )
    assert from_env.kafka.ssl_ca_location == "file"
    flags = {"bootstrap_servers": "flag.localhost:9092", "registry_url": "http://flag.localhost:8081"}
    from_flags = Connection.discover(**flags, env=env(tmp_path, **given, **ADDRESSES))
    assert (from_flags.kafka.bootstrap_servers, from_flags.registry.url) == (
        "flag.localhost:9092",
        "http://flag.localhost:8081",
    )


def test_a_file_in_the_working_folder_is_found_without_being_named(tmp_path):
    (tmp_path / "streamproof.toml").write_text(
        'bootstrap_servers = "f.localhost:1"\nregistry_url = "http://f.localhost:2"\n'
    )
    assert Connection.discover(env=env(tmp_path)).kafka.bootstrap_servers == "f.localhost:1"


def test_without_any_address_the_error_says_what_to_do(tmp_path):
    with pytest.raises(Misconfigured) as raised:
        Connection.discover(env=env(tmp_path)).whole()
    text = str(raised.value)
    assert "no address of Kafka is known; no address of the Schema Registry is known" in text
    assert "streamproof up" in text
    assert str(tmp_path / "var") in text
    assert text.count(str(tmp_path)) == 1


@pytest.mark.parametrize(
    ("told", "here", "there", "names"),
    [
        ({"bootstrap_servers": "localhost:1"}, "kafka", "registry", "the Schema Registry"),
        ({"registry_url": "http://localhost:1"}, "registry", "kafka", "Kafka"),
    ],
)
def test_an_address_is_missed_when_it_is_asked_for_and_not_before(tmp_path, told, here, there, names):
    found = Connection.discover(**told, env=env(tmp_path, STREAMPROOF_ALLOW_PLAINTEXT="true"))
    assert getattr(found, here) == getattr(found, f"known_{here}")
    assert getattr(found, f"known_{there}") is None
    for asked in (lambda: getattr(found, there), found.whole):
        with pytest.raises(Misconfigured, match=f"no address of {names} is known") as raised:
            asked()
        setting = {"kafka": "STREAMPROOF_BOOTSTRAP_SERVERS", "registry": "STREAMPROOF_REGISTRY_URL"}[there]
        assert setting in raised.value.hint
    assert pickle.loads(pickle.dumps(found)) == found
    assert list(found.secrets()) == []


def test_an_unknown_setting_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(Misconfigured, match="Did you mean STREAMPROOF_BOOTSTRAP_SERVERS"):
        Connection.discover(env=env(tmp_path, STREAMPROOF_BOOTSTRAP_SERVER="x"))
    with pytest.raises(Misconfigured, match="Did you mean registry_timeout_s"):
        Connection.discover(env=env(tmp_path, **toml(tmp_path, registry_timeout=5)))
    with pytest.raises(Misconfigured, match=r"unknown setting STREAMPROOF_QQQQ.*docs/settings\.md"):
        Connection.discover(env=env(tmp_path, STREAMPROOF_QQQQ="x"))


def test_variables_that_are_no_connection_settings_are_let_through(tmp_path):
    others = {ENV_PREFIX + name: "x" for name in OTHER_VARIABLES - {"CONFIG", "STATE_DIR"}}
    Connection.discover(env=env(tmp_path, **ADDRESSES, **others))


def test_an_empty_variable_is_no_setting(tmp_path):
    given = env(tmp_path, **ADDRESSES, STREAMPROOF_SASL_USERNAME="", STREAMPROOF_SASL_MECHANISM="")
    assert Connection.discover(env=given).kafka.sasl_username is None


def test_all_faults_are_named_at_once_and_no_value_is_shown():
    with pytest.raises(Misconfigured) as raised:
        Connection.of(
            {"bootstrap_servers": "", "security_protocol": "hunter2-a", "sasl_mechanism": "hunter2-b"},
            {"url": "hunter2-c", "timeout_s": "hunter2-d", "nonsense": "hunter2-e"},
        )
    text = str(raised.value)
    for name in (
        "bootstrap_servers is empty",
        "security_protocol is none of 'plaintext', 'ssl', 'sasl_plaintext' or 'sasl_ssl'",
        "sasl_mechanism is none of 'PLAIN'",
        "registry_url is not an address with http:// or https://",
        "registry_timeout_s is not a number",
        "registry_nonsense is an unknown setting",
    ):
        assert name in text
    assert "Input should" not in text
    assert "kafka_" not in text
    assert "hunter2" not in text


@pytest.mark.parametrize("value", ["0", "-1", "121", "soon"])
def test_a_deadline_out_of_range_is_refused(value):
    with pytest.raises(Misconfigured, match="registry_timeout_s"):
        Connection.of({"bootstrap_servers": "h:1"}, {"url": "http://h", "timeout_s": value})


def test_credentials_in_the_address_are_refused_and_not_shown():
    with pytest.raises(Misconfigured, match="credentials do not belong into the address") as raised:
        Connection.of({"bootstrap_servers": "h:1"}, {"url": "http://user:hunter2@h:8081"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "words"), [(b"a = ", "not TOML"), (b"\xff\xfe", "not TOML"), (None, "cannot be read")]
)
def test_a_settings_file_that_cannot_be_used_is_named(tmp_path, content, words):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=words) as raised:
        Connection.discover(env=env(tmp_path, STREAMPROOF_CONFIG=str(path)))
    assert str(path) in str(raised.value)


def test_secrets_are_in_no_text_that_anybody_sees():
    connection = Connection.of(KAFKA, REGISTRY)
    shown = [repr(connection), str(connection), f"{connection.kafka.sasl_password}"]
    for half in (connection.kafka, connection.registry):
        shown += [repr(half), half.model_dump_json(), str(half.model_dump())]
    assert not [text for text in shown if "hunter2" in text]


def test_a_connection_crosses_process_boundaries_whole():
    connection = Connection.of(KAFKA, REGISTRY)
    copy = pickle.loads(pickle.dumps(connection))
    assert copy == connection
    assert copy.kafka.as_librdkafka()["sasl.password"] == "hunter2-sasl"


def test_extra_librdkafka_settings_win():
    settings = KafkaSettings(bootstrap_servers="localhost:1")
    assert settings.as_librdkafka(linger_ms=20, bootstrap_servers="x:1") == {
        "bootstrap.servers": "x:1",
        "security.protocol": "plaintext",
        "linger.ms": 20,
    }


def test_settings_do_not_change_once_made():
    with pytest.raises(Exception, match="frozen"):
        KafkaSettings(bootstrap_servers="localhost:1").bootstrap_servers = "x"


# Places ---------------------------------------------------------------------------------------------------------


def test_the_folders_follow_their_variables(tmp_path):
    given = env(tmp_path)
    assert state_dir(given) == tmp_path / "var"
    assert warehouse_path("t", given) == tmp_path / "var" / "warehouse" / "t.duckdb"
    assert publications_dir(given) == tmp_path / "var" / "publications"
    given |= {"STREAMPROOF_WAREHOUSE_DIR": "/w", "STREAMPROOF_PUBLICATIONS_DIR": "/p"}
    assert warehouse_path("t", given) == Path("/w/t.duckdb")
    assert publications_dir(given) == Path("/p")
    assert state_dir({}) == ROOT / "var"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"supervisor": {"pid": 1, "started_at": 0}}', '{"supervisor": 5}']
)
def test_a_record_that_says_nothing_is_no_stack(tmp_path, content):
    (tmp_path / "stack.json").write_text(content)
    assert read_local_stack(tmp_path) is None


# Documentation --------------------------------------------------------------------------------------------------


def test_every_setting_is_documented():
    text = (ROOT / "docs" / "settings.md").read_text()
    names = setting_names()
    missing = [name for name in names if f"`{name}`" not in text or f"`{ENV_PREFIX}{name.upper()}`" not in text]
    assert missing == []
    assert [name for name in OTHER_VARIABLES if f"`{ENV_PREFIX}{name}`" not in text] == []


def test_every_variable_that_the_code_mentions_is_documented_and_the_other_way_round():
    listing = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    sources = [ROOT / name for name in listing.split() if not name.startswith("tests/") and (ROOT / name).is_file()]
    pattern = re.compile(rf"\b{ENV_PREFIX}[A-Z_]*[A-Z]\b")
    used = {name for path in sources for name in pattern.findall(path.read_text())}
    text = (ROOT / "docs" / "settings.md").read_text()
    known = {ENV_PREFIX + name.upper() for name in [*setting_names(), *OTHER_VARIABLES]}
    assert used - set(pattern.findall(text)) == set()
    assert set(pattern.findall(text)) - known - used == set()

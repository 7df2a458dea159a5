"""Settings of secured connections: what fits together, what is refused, and where secrets may come from."""

from __future__ import annotations

import json
import os

import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.local import process_started
from cluster.settings.hosts import foreign_hosts, is_foreign_url

REGISTRY = {"url": "https://registry.example"}
SECURE = {"bootstrap_servers": "kafka.example:9093", "security_protocol": "ssl"}
LOGIN = SECURE | {"security_protocol": "sasl_ssl", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "u"}
OAUTH = SECURE | {
    "security_protocol": "sasl_ssl",
    "sasl_mechanism": "OAUTHBEARER",
    "sasl_oauthbearer_client_id": "id",
    "sasl_oauthbearer_client_secret": "hunter2-oauth",
    "sasl_oauthbearer_token_endpoint_url": "https://login.example/token",
}


def fault(kafka=SECURE, registry=REGISTRY):
    with pytest.raises(Misconfigured) as raised:
        Connection.of(kafka, registry)
    assert raised.value.exit_code == 78
    assert "hunter2" not in str(raised.value)
    return str(raised.value)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def env(tmp_path, **more):
    return {"STREAMPROOF_STATE_DIR": str(tmp_path / "var")} | more


# Plaintext ------------------------------------------------------------------------------------------------------


def test_unencrypted_connections_to_other_machines_are_refused_unless_asked_for(tmp_path):
    plain = {"bootstrap_servers": "127.0.0.1:1,kafka.example:9092"}
    told = fault(plain)
    assert "plaintext would go unencrypted to kafka.example:9092," in told
    assert "--allow-plaintext" in told
    assert "STREAMPROOF_ALLOW_PLAINTEXT" in told
    assert "set security_protocol to sasl_ssl" in fault(
        LOGIN | {"security_protocol": "sasl_plaintext", "sasl_password": "x"}
    )
    assert "http://registry.example is unencrypted" in fault(registry={"url": "http://registry.example"})
    allowed = {"allow_plaintext": True}
    Connection.of(plain | allowed, {"url": "http://registry.example"} | allowed)
    addresses = {"bootstrap_servers": "kafka.example:9092", "registry_url": "http://registry.example"}
    Connection.discover(**addresses, allow_plaintext=True, env=env(tmp_path))
    Connection.discover(**addresses, env=env(tmp_path, STREAMPROOF_ALLOW_PLAINTEXT="true"))
    with pytest.raises(Misconfigured, match="unencrypted"):
        Connection.discover(**addresses, env=env(tmp_path, STREAMPROOF_ALLOW_PLAINTEXT="false"))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "[::1]", "kafka.localhost"])
def test_the_loopback_address_has_many_names(host):
    assert foreign_hosts(f"{host}:9092,PLAINTEXT://{host}:9093") == []
    assert not is_foreign_url(f"http://{host}:8081/apis")


@pytest.mark.parametrize(
    "host", ["kafka", "10.0.0.1", "0.0.0.0", "localhost.example", "[2001:db8::1]", "127.0.0.1.example"]
)
def test_what_only_looks_like_the_loopback_address_is_another_machine(host):
    assert foreign_hosts(f"localhost:1, {host}:9092") == [f"{host}:9092"]
    assert is_foreign_url(f"http://{host}:8081")


def test_a_client_secret_does_not_go_unencrypted_to_a_token_endpoint():
    plain = OAUTH | {"sasl_oauthbearer_token_endpoint_url": "http://login.example/token"}
    assert "client secret would go unencrypted" in fault(plain)
    Connection.of(plain | {"sasl_oauthbearer_token_endpoint_url": "http://127.0.0.1:1/token"}, REGISTRY)
    credentials = OAUTH | {"sasl_oauthbearer_token_endpoint_url": "https://id:hunter2@login.example/token"}
    assert "credentials do not belong" in fault(credentials)


# What fits together ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kafka", "words"),
    [
        (SECURE | {"sasl_username": "u"}, "sasl_username is set, but security_protocol is ssl"),
        (SECURE | {"security_protocol": "sasl_ssl"}, "sasl_ssl needs sasl_mechanism"),
        (LOGIN, "SCRAM-SHA-512 needs sasl_password"),
        (
            LOGIN | {"sasl_password": "x", "sasl_oauthbearer_client_id": "i"},
            "sasl_oauthbearer_client_id is not for SCRAM",
        ),
        (OAUTH | {"sasl_oauthbearer_client_secret": None}, "OAUTHBEARER needs sasl_oauthbearer_client_secret"),
        (OAUTH | {"sasl_username": "u"}, "sasl_username is not for OAUTHBEARER"),
        (
            {"bootstrap_servers": "localhost:1", "ssl_ca_location": "/ca"},
            "ssl_ca_location is set, but security_protocol is plaintext",
        ),
        (SECURE | {"ssl_key_location": "/k"}, "needs both ssl_certificate_location and ssl_key_location"),
        (SECURE | {"ssl_key_password": "hunter2"}, "ssl_key_password is set without ssl_key_location"),
    ],
)
def test_settings_of_kafka_that_do_not_fit_together_are_named(kafka, words):
    assert words in fault(kafka)


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        (
            REGISTRY | {"username": "u", "bearer_token": "hunter2"},
            "registry_username or registry_bearer_token, not both",
        ),
        (REGISTRY | {"password": "hunter2"}, "registry_password is set without registry_username"),
        (
            REGISTRY | {"ssl_certificate_location": "/c"},
            "registry_ssl_certificate_location and registry_ssl_key_location",
        ),
        (REGISTRY | {"ssl_key_password": "hunter2"}, "registry_ssl_key_password is set without"),
        (
            {"url": "http://localhost", "ssl_ca_location": "/c"},
            "registry_ssl_ca_location is set, but the address is not",
        ),
    ],
)
def test_settings_of_the_registry_that_do_not_fit_together_are_named(registry, words):
    assert words in fault(registry=registry)


@pytest.mark.parametrize(
    "setting",
    [
        {"enable_ssl_certificate_verification": False},
        {"ssl_endpoint_identification_algorithm": "none"},
        {"ssl_certificate_verify_cb": "x"},
    ],
)
def test_nothing_switches_the_verification_off(setting):
    assert next(iter(setting)) in fault(SECURE | setting)
    settings = Connection.of(SECURE, REGISTRY).kafka.as_librdkafka(
        enable_ssl_certificate_verification=False, ssl_endpoint_identification_algorithm="none"
    )
    assert settings["enable.ssl.certificate.verification"] is True
    assert settings["ssl.endpoint.identification.algorithm"] == "https"
    for extra in ({"verify": False}, {"ssl_verify": False}):
        assert "unknown setting" in fault(registry=REGISTRY | extra)


# Secrets in files -----------------------------------------------------------------------------------------------


def secret_file(folder, content="hunter2-file\n", mode=0o600):
    path = folder / "secret"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return str(path)


def test_every_secret_can_lie_in_a_file(tmp_path):
    path = secret_file(tmp_path)
    key = {"ssl_certificate_location": "/c", "ssl_key_location": "/k", "ssl_key_password_file": path}
    first = Connection.of(
        LOGIN | key | {"sasl_password_file": path}, REGISTRY | key | {"username": "u", "password_file": path}
    )
    oauth = {name: value for name, value in OAUTH.items() if name != "sasl_oauthbearer_client_secret"}
    second = Connection.of(
        oauth | {"sasl_oauthbearer_client_secret_file": path}, REGISTRY | {"bearer_token_file": path}
    )
    assert [*first.secrets()] == ["hunter2-file"] * 4
    assert [*second.secrets()] == ["hunter2-file"] * 2
    assert "hunter2" not in repr((first, second))


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("hunter2", 0o644, "open to other users .* mode 0644"),
        ("hunter2", 0o660, "open to other users .* mode 0660"),
        ("\n", 0o600, "it is empty"),
        (b"\xff\xfe", 0o600, "not UTF-8"),
        ("hunter2" * 20_000, 0o600, "too large"),
    ],
)
def test_a_file_that_cannot_be_a_secret_is_refused(tmp_path, content, mode, words):
    path = secret_file(tmp_path, content, mode)
    with pytest.raises(Misconfigured, match=f"sasl_password_file.*{words}") as raised:
        Connection.of(LOGIN | {"sasl_password_file": path}, REGISTRY)
    assert path in str(raised.value)
    assert "hunter2" not in str(raised.value).replace(path, "")


def test_a_file_of_a_secret_that_is_not_there_is_named(tmp_path):
    assert "No such file" in fault(LOGIN | {"sasl_password_file": str(tmp_path / "none")})
    assert "both sasl_password_file and the secret itself" in fault(
        LOGIN | {"sasl_password": "hunter2", "sasl_password_file": secret_file(tmp_path)}
    )


def test_a_secret_and_its_file_are_one_setting_of_which_the_stronger_source_wins(tmp_path):
    file = tmp_path / "streamproof.toml"
    file.touch(mode=0o600)
    values = LOGIN | {"registry_url": "https://r.example", "sasl_password": "hunter2-toml"}
    file.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))
    given = env(tmp_path, STREAMPROOF_SASL_PASSWORD_FILE=secret_file(tmp_path))
    assert [*Connection.discover(env=given).secrets()] == ["hunter2-file"]
    assert [*Connection.discover(env=env(tmp_path)).secrets()] == ["hunter2-toml"]
    file.chmod(0o644)
    with pytest.raises(Misconfigured, match="open to other users"):
        Connection.discover(env=env(tmp_path))


# The local stack ------------------------------------------------------------------------------------------------


def test_what_the_local_stack_says_of_itself_is_for_its_own_address_alone(tmp_path):
    folder = tmp_path / "var"
    folder.mkdir()
    record = {
        "endpoints": {
            "kafka": {
                "address": "127.0.0.1:1",
                "settings": LOGIN | {"bootstrap_servers": "127.0.0.1:1", "sasl_password_file": secret_file(tmp_path)},
            },
            "registry": {"address": "https://127.0.0.1:2", "settings": {"ssl_ca_location": "/ca"}},
        },
        "supervisor": {"pid": os.getpid(), "started_at": process_started(os.getpid())},
    }
    (folder / "stack.json").write_text(json.dumps(record))
    for told in ({}, {"bootstrap_servers": "127.0.0.1:1", "registry_url": "https://127.0.0.1:2"}):
        found = Connection.discover(**told, env=env(tmp_path))
        assert [*found.secrets()] == ["hunter2-file"]
        assert found.registry.ssl_ca_location == "/ca"
    other = Connection.discover(
        bootstrap_servers="127.0.0.1:9", registry_url="https://other.example", env=env(tmp_path)
    )
    assert [*other.secrets()] == []
    assert other.kafka.security_protocol == "plaintext"
    assert other.registry.ssl_ca_location is None
    another_user = Connection.discover(
        env=env(tmp_path, STREAMPROOF_SASL_USERNAME="guest", STREAMPROOF_SASL_PASSWORD="hunter2-guest")
    )
    assert [*another_user.secrets()] == ["hunter2-guest"]

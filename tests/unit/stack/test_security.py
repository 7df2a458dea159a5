"""The files of a secured stack: who may read them, what holds a secret, and when they are made anew."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cluster.connection import kafka_settings
from cluster.errors import Misconfigured
from cluster.settings.java.client_file import read_client_file
from stack.certificates import Authority, Identity
from stack.parts.artifacts import Artifacts
from stack.record import ProcessRecord, Security
from stack.security import GUEST, USER, client_settings, password_file, properties_file, secure
from stack.services.airflow import airflow_addresses, airflow_connections, airflow_environment
from stack.services.apicurio import registry_service
from stack.services.kafka import KafkaPorts, kafka_services
from stack.services.service import Service

PLANTED = "hunter2-5e0c2f"
PARTS = Artifacts(kafka_jars=(Path("k.jar"),), kafka_version="1", registry_home=Path("r"), registry_version="1")
SECURED: tuple[Security, ...] = ("tls", "mtls", "scram")


def planted(state: Path) -> None:
    """Put passwords there before they are made."""
    (state / "security").mkdir()
    for user in (USER, GUEST):
        path = password_file(state / "security", user)
        path.touch(mode=0o600)
        path.write_text(f"{PLANTED}-{user}\n")


def services(state: Path, security: Security) -> tuple[Service, Service]:
    secured = secure(state, security)
    (kafka,) = kafka_services(state, PARTS, [KafkaPorts(client=1, controller=2, internal=3)], secured)
    return kafka, registry_service(state, PARTS, port=4, management_port=5, secured=secured)


@pytest.mark.parametrize("security", SECURED)
def test_what_holds_a_secret_is_readable_by_its_owner_only(tmp_path: Path, security: Security) -> None:
    planted(tmp_path)
    services(tmp_path, security)
    assert (tmp_path / "security").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    # Salts and keys of SCRAM, and the events of topics that ask for a password.
    for folder in (f"kafka-{security}", "warehouse", "publications"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700, folder
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        content = path.read_text()
        if PLANTED in content or "PRIVATE KEY" in content:
            assert path.stat().st_mode & 0o777 == 0o600, path
    holds = {path.name for path in tmp_path.rglob("*") if path.is_file() and PLANTED in path.read_text()}
    made = {"client.properties", "guest.properties", "server.properties", "format.args"}
    assert holds == {f"{USER}.password", f"{GUEST}.password"} | (made if security == "scram" else set())


def test_a_folder_of_an_earlier_version_is_closed_and_one_that_was_opened_on_purpose_is_not(tmp_path: Path) -> None:
    for name in ("kafka-scram", "warehouse"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    services(tmp_path, "scram")
    assert (tmp_path / "kafka-scram").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "warehouse").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("security", SECURED)
def test_no_secret_is_in_an_argument_a_record_or_an_environment(tmp_path: Path, security: Security) -> None:
    planted(tmp_path)
    secured = secure(tmp_path, security)
    described = services(tmp_path, security)
    shown = [repr(secured), json.dumps([secured.kafka, secured.registry])]
    shown += [repr(service) + service.model_dump_json() for service in described]
    shown += [ProcessRecord.of(service).model_dump_json() for service in described]
    shown.append(json.dumps(airflow_environment(airflow_addresses(tmp_path, 1), database={})))
    connections = airflow_connections("127.0.0.1:1", "https://127.0.0.1:2/apis", secured.kafka, secured.registry)
    shown.append(json.dumps(connections))
    assert not [text for text in shown if PLANTED in text]


@pytest.mark.parametrize("security", SECURED)
def test_the_settings_of_a_client_are_settings_that_it_takes(tmp_path: Path, security: Security) -> None:
    planted(tmp_path)
    secure(tmp_path, security)
    for user in (USER, GUEST):
        given = client_settings(tmp_path / "security", security, user)
        settings = kafka_settings({"bootstrap_servers": "127.0.0.1:1", **given})
        assert settings.is_encrypted
        password = settings.sasl_password.get_secret_value() if settings.sasl_password is not None else None
        assert password == (f"{PLANTED}-{user}" if security == "scram" else None)
        file = properties_file(tmp_path / "security", user)
        assert "truststore" in file.read_text()
        taken = read_client_file(file, tmp_path / "keystores")
        assert taken.settings["security_protocol"] == settings.security_protocol.upper()
        assert taken.settings.get("sasl_password") == settings.sasl_password
        assert not taken.left_out


def test_a_start_keeps_what_lasts_and_makes_anew_what_does_not(tmp_path: Path) -> None:
    secure(tmp_path, "mtls")
    folder = tmp_path / "security"
    before = (folder / "broker.crt").read_bytes()
    secure(tmp_path, "scram")
    assert (folder / "broker.crt").read_bytes() == before
    password = password_file(folder, USER).read_text()
    Authority().issue(Identity.at(folder, GUEST), GUEST, life=timedelta(days=10))
    secure(tmp_path, "scram")
    assert (folder / "broker.crt").read_bytes() != before
    assert password_file(folder, USER).read_text() == password


@pytest.mark.parametrize(("content", "mode", "words"), [("two words", 0o600, "a character"), ("x", 0o644, "open to")])
def test_a_password_that_cannot_be_used_is_named_and_not_shown(
    tmp_path: Path, content: str, mode: int, words: str
) -> None:
    (tmp_path / "security").mkdir()
    path = password_file(tmp_path / "security", USER)
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(Misconfigured, match=words) as raised:
        secure(tmp_path, "scram")
    assert "two words" not in str(raised.value)


def test_the_guest_is_no_server_and_the_broker_is_known_by_the_loopback_names_only(tmp_path: Path) -> None:
    secure(tmp_path, "mtls")
    broker, guest = (
        x509.load_pem_x509_certificate((tmp_path / "security" / f"{name}.crt").read_bytes())
        for name in ("broker", GUEST)
    )
    names = broker.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    server = ExtendedKeyUsageOID.SERVER_AUTH
    assert server in broker.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert server not in guest.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert guest.not_valid_after_utc > datetime.now(UTC) + timedelta(days=365)


def test_each_way_of_securing_has_a_storage_of_its_own_and_no_plaintext_door(tmp_path: Path) -> None:
    homes = set()
    for security in SECURED:
        kafka, registry = services(tmp_path, security)
        homes.add(kafka.cwd)
        settings = (kafka.cwd / "server.properties").read_text()
        assert "PLAINTEXT" not in settings
        assert "listener.name.internal" not in settings  # it falls back to the client certificate that all must show
        assert "ssl.client.auth=required" in settings
        assert any("insecure-requests=disabled" in argument for argument in registry.argv)
        assert registry.address.startswith("https://127.0.0.1:4/")
    assert len(homes) == 3

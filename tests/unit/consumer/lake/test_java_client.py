"""The settings of a connection as Java's client takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cluster.connection import Connection, KafkaSettings
from cluster.errors import Misconfigured
from cluster.settings.java.client_file import read_client_file
from consumer.lake.java_client import java_client


def kafka(**settings: object) -> KafkaSettings:
    return Connection.of({"bootstrap_servers": "broker:9093", **settings}).kafka


def private(path: Path, text: bytes) -> str:
    path.write_bytes(text)
    path.chmod(0o600)
    return str(path)


def test_a_plain_connection_has_an_address_and_a_protocol() -> None:
    assert java_client(kafka(allow_plaintext=True)) == {
        "bootstrap.servers": "broker:9093",
        "security.protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize("password", [None, b"of the key"])
def test_certificates_travel_as_text_and_a_key_in_the_form_that_java_reads(tmp_path: Path, password: bytes) -> None:
    key = rsa.generate_private_key(65537, 2048)
    cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    old = serialization.PrivateFormat.TraditionalOpenSSL  # "BEGIN RSA PRIVATE KEY", which Java refuses
    (tmp_path / "ca.pem").write_text("the authority")
    (tmp_path / "me.pem").write_text("my certificate")
    told = java_client(
        kafka(
            security_protocol="ssl",
            ssl_ca_location=str(tmp_path / "ca.pem"),
            ssl_certificate_location=str(tmp_path / "me.pem"),
            ssl_key_location=private(tmp_path / "me.key", key.private_bytes(serialization.Encoding.PEM, old, cipher)),
            **({"ssl_key_password": password.decode()} if password else {}),
        )
    )
    assert (told["ssl.truststore.type"], told["ssl.truststore.certificates"]) == ("PEM", "the authority")
    assert told["ssl.keystore.certificate.chain"] == "my certificate"
    assert told["ssl.keystore.key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert told["ssl.endpoint.identification.algorithm"] == "https"


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "me.pem").write_text("my certificate")
    settings = kafka(
        security_protocol="ssl",
        ssl_certificate_location=str(tmp_path / "me.pem"),
        ssl_key_location=private(tmp_path / "me.key", b"no key"),
    )
    with pytest.raises(Misconfigured, match="private key cannot be read"):
        java_client(settings)


def test_a_password_with_quotes_stays_one_value() -> None:
    told = java_client(
        kafka(
            security_protocol="sasl_ssl", sasl_mechanism="SCRAM-SHA-512", sasl_username="me", sasl_password='a"b\\c',
        )
    )  # fmt: skip
    assert told["sasl.mechanism"] == "SCRAM-SHA-512"
    assert told["sasl.jaas.config"] == (
        'org.apache.kafka.common.security.scram.ScramLoginModule required username="me" password="a\\"b\\\\c";'
    )


def test_a_java_clients_file_comes_back_as_it_was(tmp_path: Path) -> None:
    said = {
        "bootstrap.servers": "broker:9093",
        "security.protocol": "SASL_SSL",
        "ssl.endpoint.identification.algorithm": "https",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required "
        'username="me" password="a\\"b\\\\c\\n\\r d";',
        "client.id": "lake",
        "client.rack": "r1",
        "client.dns.lookup": "use_all_dns_ips",
        "connections.max.idle.ms": "-1",
        "send.buffer.bytes": "-1",
        "receive.buffer.bytes": "65536",
        "metadata.max.age.ms": "300000",
        "socket.connection.setup.timeout.ms": "10000",
        "reconnect.backoff.ms": "50",
        "reconnect.backoff.max.ms": "1000",
        "retry.backoff.ms": "100",
        "retry.backoff.max.ms": "1000",
    }
    text = "".join(f"{key}={value}\n".replace("\\", "\\\\") for key, value in said.items())
    file = Path(private(tmp_path / "client.properties", text.encode()))
    given = read_client_file(file, tmp_path / "keystores").settings
    assert java_client(Connection.discover(given=given, env={}).kafka) == said


def test_tokens_are_asked_for_with_the_login_and_its_extensions() -> None:
    told = java_client(
        kafka(
            security_protocol="sasl_ssl",
            sasl_mechanism="OAUTHBEARER",
            sasl_oauthbearer_client_id="me",
            sasl_oauthbearer_client_secret="secret",
            sasl_oauthbearer_token_endpoint_url="https://login/token",
            sasl_oauthbearer_extensions="logicalCluster=lkc-1",
        )
    )
    assert told["sasl.oauthbearer.token.endpoint.url"] == "https://login/token"
    assert 'clientSecret="secret" extension_logicalCluster="lkc-1";' in told["sasl.jaas.config"]

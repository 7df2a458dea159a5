"""Handshakes that fail: librdkafka and the registry's client against a TLS server of this test."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.admin import admin_client
from cluster.connection import KafkaSettings, RegistrySettings
from cluster.errors import BrokerUnreachable, Misconfigured, Refused
from cluster.kafka_errors import BrokerWatch
from cluster.topics import describe
from schemas.registry.gate import Registry
from stack.certificates import Authority, Identity
from tests.kit.seconds import within

BOUND_S = 15.0
LOCAL = ("localhost", "127.0.0.1")


class Pki:
    """An authority in a folder, and another one that nobody should trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority()
        self.ca = folder / "ca.crt"
        self.authority.write_certificate(self.ca)
        self.other_ca = folder / "other.crt"
        Authority(name="somebody else").write_certificate(self.other_ca)

    def identity(self, name: str, **more: object) -> Identity:
        """Return a signed identity; ``more`` goes to :meth:`Authority.issue`."""
        identity = Identity.at(self.folder, name)
        self.authority.issue(identity, name, **more)  # type: ignore[arg-type]
        return identity


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@contextmanager
def tls_server(identity: Identity, *, wants: Path | None = None, answer: bytes = b"") -> Iterator[int]:
    """Listen with a certificate, ask for one of the authority ``wants``, and give one answer to what comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    if wants is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(wants)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                with suppress(OSError), plain:
                    plain.settimeout(2)
                    with context.wrap_socket(plain, server_side=True) as encrypted:
                        encrypted.recv(65536)
                        encrypted.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def refusal_of_kafka(settings: KafkaSettings) -> str:
    """Ask a broker something, and return what it is refused with, in time and once."""
    began = time.monotonic()
    with pytest.raises(Refused) as raised:
        describe(admin_client(settings), "t")
    within(BOUND_S, began, "the answer")
    assert raised.value.exit_code == 77
    return str(raised.value)


def kafka(port: int, **more: str) -> KafkaSettings:
    given = {"bootstrap_servers": f"127.0.0.1:{port}", "security_protocol": "ssl"} | more
    return KafkaSettings.model_validate(given)


EXPIRED = {"hosts": LOCAL, "not_before": datetime.now(UTC) - timedelta(days=9), "life": timedelta(days=8)}
EARLY = {"hosts": LOCAL, "not_before": datetime.now(UTC) + timedelta(days=2)}
ELSEWHERE = {"hosts": ("kafka.example", "192.0.2.1")}


@pytest.mark.parametrize(
    ("issued", "words"),
    [(EXPIRED, "has expired"), (EARLY, "not valid yet"), (ELSEWHERE, "another address than 127.0.0.1")],
    ids=["expired", "early", "elsewhere"],
)
def test_a_certificate_that_does_not_hold_is_refused_by_kafka_and_registry_with_its_cause(
    pki: Pki, issued: dict[str, object], words: str
) -> None:
    with tls_server(pki.identity("server", **issued)) as port:
        told = refusal_of_kafka(kafka(port, ssl_ca_location=str(pki.ca)))
        assert words in told
        assert f"127.0.0.1:{port}" in told
        assert words in refusal_of_registry(port, pki.ca)


def test_an_authority_that_is_not_ours_is_refused_and_the_setting_is_named(pki: Pki) -> None:
    with tls_server(pki.identity("server", hosts=LOCAL)) as port:
        told = refusal_of_kafka(kafka(port, ssl_ca_location=str(pki.other_ca)))
        assert "not signed by an authority in ssl_ca_location" in told
        assert "not signed by an authority in the system's store" in refusal_of_kafka(kafka(port))
        assert "authority in registry_ssl_ca_location" in refusal_of_registry(port, pki.other_ca)


def test_a_missing_client_certificate_is_named_and_so_is_a_wrong_one(pki: Pki) -> None:
    stranger = Identity.at(pki.folder, "stranger")
    Authority(name="somebody else").issue(stranger, "stranger")
    shown = {"ssl_certificate_location": str(stranger.certificate), "ssl_key_location": str(stranger.key)}
    with tls_server(pki.identity("server", hosts=LOCAL), wants=pki.ca) as port:
        trusted = {"ssl_ca_location": str(pki.ca)}
        assert "wants a client certificate, and none is set" in refusal_of_kafka(kafka(port, **trusted))
        assert "does not accept the client certificate" in refusal_of_kafka(kafka(port, **trusted, **shown))
        assert "wants a client certificate, and none is set" in refusal_of_registry(port, pki.ca)
        assert "does not accept the client certificate" in refusal_of_registry(port, pki.ca, **shown)


def test_a_port_without_tls_is_named(pki: Pki) -> None:
    with plain_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "does not speak TLS" in refusal_of_kafka(kafka(port, ssl_ca_location=str(pki.ca)))


def test_a_broker_that_hangs_up_in_the_handshake_is_away_and_not_refusing(pki: Pki) -> None:
    with plain_server(b"") as port:
        began = time.monotonic()
        with pytest.raises(BrokerUnreachable):
            describe(admin_client(kafka(port, ssl_ca_location=str(pki.ca))), "t", timeout_s=2)
        within(BOUND_S, began, "the answer")


def test_the_registry_is_reached_over_mutual_tls_with_an_encrypted_key(pki: Pki) -> None:
    body = b'{"compatibilityLevel": "FULL"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    client = pki.identity("client", password="hunter2-key")
    shown = {"ssl_certificate_location": str(client.certificate), "ssl_key_location": str(client.key)}
    server = pki.identity("server", hosts=LOCAL)
    with tls_server(server, wants=pki.ca, answer=answer % (len(body), body)) as port:
        settings = {"url": f"https://localhost:{port}", "ssl_ca_location": str(pki.ca)} | shown
        with Registry(RegistrySettings.model_validate(settings | {"ssl_key_password": "hunter2-key"})) as registry:
            assert registry.compatibility("s") == "FULL"
        for wrong in ({}, {"ssl_key_password": "hunter2-wrong"}):
            with pytest.raises(Misconfigured, match="registry_ssl_key_password") as raised:
                Registry(RegistrySettings.model_validate(settings | wrong))
            assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("password", [{}, {"ssl_key_password": "hunter2-wrong"}], ids=["none", "wrong"])
def test_a_key_that_kafka_cannot_open_is_a_matter_of_configuration(pki: Pki, password: dict[str, str]) -> None:
    client = pki.identity("client", password="hunter2-key")
    settings = kafka(
        1,
        ssl_ca_location=str(pki.ca),
        ssl_certificate_location=str(client.certificate),
        ssl_key_location=str(client.key),
        **password,
    )
    with pytest.raises(Misconfigured, match=r"ssl\.key\.location") as raised:
        admin_client(settings)
    assert "hunter2" not in str(raised.value)


def test_a_private_key_that_others_may_read_is_refused(pki: Pki) -> None:
    client = pki.identity("open")
    shown = {"ssl_certificate_location": str(client.certificate), "ssl_key_location": str(client.key)}
    client.key.chmod(0o644)
    for opened in (
        lambda: admin_client(kafka(1, **shown)),
        lambda: Registry(RegistrySettings.model_validate({"url": "https://localhost"} | shown)),
    ):
        with pytest.raises(Misconfigured, match=r"open to other users .* mode 0644.*chmod 600"):
            opened()
    client.key.chmod(0o640)  # what Kubernetes mounts
    admin_client(kafka(1, **shown))


def test_a_refusal_that_a_second_look_does_not_confirm_is_no_refusal(pki: Pki) -> None:
    from confluent_kafka import KafkaError

    with tls_server(pki.identity("server", hosts=LOCAL), answer=b"\0\0\0\0") as port:
        watch = BrokerWatch(kafka(port, ssl_ca_location=str(pki.ca)), patience_s=60)
        watch.on_error(KafkaError(KafkaError._SSL, f"ssl://127.0.0.1:{port}/bootstrap: SSL handshake failed"))
        watch.check()


def refusal_of_registry(port: int, ca: Path, **more: str) -> str:
    settings = RegistrySettings.model_validate({"url": f"https://127.0.0.1:{port}", "ssl_ca_location": str(ca)} | more)
    with Registry(settings) as registry, pytest.raises(Refused) as raised:
        registry.compatibility("s")
    return str(raised.value)


@contextmanager
def plain_server(answer: bytes) -> Iterator[int]:
    """Listen without TLS, take what comes, answer and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with suppress(OSError), connection:
                    connection.settimeout(2)
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)

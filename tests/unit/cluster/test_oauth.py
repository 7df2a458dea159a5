"""OAUTHBEARER: librdkafka fetches its token from an endpoint of this test, over verified TLS."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cluster.admin import admin_client
from cluster.connection import KafkaSettings
from cluster.errors import BrokerUnreachable, Refused, StreamproofError
from cluster.topics import describe
from stack.certificates import Authority, Identity


class TokenEndpoint(ThreadingHTTPServer):
    """Gives out tokens to the one client whose secret it knows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        authority, identity = Authority(), Identity.at(folder, "login")
        authority.issue(identity, "login", hosts=("127.0.0.1",))
        self.ca = folder / "ca.crt"
        authority.write_certificate(self.ca)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us hangs up."""

    def settings(self, **more: str) -> KafkaSettings:
        given = {
            "bootstrap_servers": "127.0.0.1:1",
            "security_protocol": "sasl_ssl",
            "sasl_mechanism": "OAUTHBEARER",
            "sasl_oauthbearer_client_id": "id",
            "sasl_oauthbearer_client_secret": "hunter2-oauth",
            "sasl_oauthbearer_scope": "kafka",
            "sasl_oauthbearer_token_endpoint_url": f"https://127.0.0.1:{self.server_port}/token",
            "https_ca_location": str(self.ca),
        }
        return KafkaSettings.model_validate(given | more)


class _Handler(BaseHTTPRequestHandler):
    server: TokenEndpoint

    def do_POST(self) -> None:
        self.server.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        login = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        known = login == "id:hunter2-oauth"
        now = int(time.time())
        claims = {"sub": "streamproof", "iat": now, "exp": now + 600}
        token = ".".join(_part(each) for each in ({"alg": "none"}, claims)) + "."
        granted = {"access_token": token, "token_type": "Bearer", "expires_in": 600}
        body = json.dumps(granted if known else {"error": "invalid_client"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _part(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[TokenEndpoint]:
    with TokenEndpoint(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def failure(settings: KafkaSettings) -> StreamproofError:
    with pytest.raises(StreamproofError) as raised:
        describe(admin_client(settings), "t", timeout_s=1)
    assert "hunter2" not in str(raised.value)
    return raised.value


def test_a_token_is_fetched_with_the_client_credentials_before_any_broker_is_asked(endpoint: TokenEndpoint) -> None:
    assert isinstance(failure(endpoint.settings()), BrokerUnreachable)  # no broker is there
    assert endpoint.asked == ["grant_type=client_credentials&scope=kafka"]


def test_a_wrong_client_secret_is_refused_with_what_the_endpoint_said(endpoint: TokenEndpoint) -> None:
    refused = failure(endpoint.settings(sasl_oauthbearer_client_secret="hunter2-wrong"))
    assert isinstance(refused, Refused)
    assert "invalid_client" in str(refused)


def test_an_endpoint_whose_certificate_nobody_trusts_is_refused(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    Authority().write_certificate(other)
    refused = failure(endpoint.settings(https_ca_location=str(other)))
    assert isinstance(refused, Refused)
    assert "certificate" in str(refused)
    assert endpoint.asked == []


def test_an_endpoint_that_is_away_is_tried_again(endpoint: TokenEndpoint) -> None:
    away = failure(endpoint.settings(sasl_oauthbearer_token_endpoint_url="https://127.0.0.1:1/token"))
    assert isinstance(away, BrokerUnreachable)
    assert "token" in str(away)

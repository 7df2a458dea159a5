"""A stack that wants passwords, users with and without rights, and a look at all that is printed and started."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export them
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from cluster.admin import Admin, admin_client
from cluster.connection import KafkaSettings, kafka_settings
from cluster.local import PROJECT_ROOT, LocalStack
from stack.certificates import Authority, Identity
from stack.security import GUEST, USER, client_settings
from tests.kit.commands import command_line
from tests.kit.waiting import wait_until

PLANTED = f"hunter2-{uuid.uuid4()}"
_HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
_MODULE = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    seconds: float
    text: str


@dataclass
class Secured:
    """The stack of this module, and commands against it. Whatever they print is kept."""

    local: LocalStack
    authority: Authority
    folder: Path
    planted: str = PLANTED
    printed: list[str] = field(default_factory=list)
    seen_in_arguments: list[str] = field(default_factory=list)

    def client(self, user: str = USER, **more: str) -> KafkaSettings:
        """Return settings of a client at the door for clients."""
        given = {"bootstrap_servers": self.local.bootstrap_servers}
        return kafka_settings(given | client_settings(self.local.state_dir / "security", "scram", user) | more)

    def inner(self, identity: Identity | None) -> dict[str, str]:
        """Return settings of a client at the broker's own door, which wants a certificate."""
        ports = json.loads((self.local.state_dir / "ports.json").read_text())
        settings = {"bootstrap_servers": f"127.0.0.1:{ports['kafka-internal']}", "security_protocol": "ssl"}
        settings["ssl_ca_location"] = self.local.endpoints["kafka"].settings["ssl_ca_location"]
        if identity is not None:
            settings |= {"ssl_certificate_location": str(identity.certificate), "ssl_key_location": str(identity.key)}
        return settings

    def elsewhere(self) -> dict[str, str]:
        """Return the environment of a command that does not see the stack's record."""
        return {
            "STREAMPROOF_STATE_DIR": str(self.folder / "var"),
            "STREAMPROOF_REGISTRY_URL": self.local.registry_url,
            "STREAMPROOF_REGISTRY_SSL_CA_LOCATION": self.local.endpoints["registry"].settings["ssl_ca_location"],
        }

    def admin(self) -> Admin:
        """Return an administrator who comes in by the broker's own door, whatever happens at the other."""
        return admin_client(kafka_settings(self.inner(Identity.at(self.local.state_dir / "security", USER))))

    def run(self, *arguments: str, env: Mapping[str, str] = {}) -> Ended:
        """Run a command with debug logs and planted secrets, and look at every process's arguments meanwhile."""
        began = time.monotonic()
        process = subprocess.Popen(
            command_line(*arguments),
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("STREAMPROOF_")},
                "PYTHONPATH": str(PROJECT_ROOT),
                "STREAMPROOF_STATE_DIR": str(self.local.state_dir),
                "STREAMPROOF_LOG_LEVEL": "debug",
                "STREAMPROOF_REGISTRY_USERNAME": "anybody",
                "STREAMPROOF_REGISTRY_PASSWORD": f"{PLANTED}-registry",
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        reader.start()
        while process.poll() is None:
            self.seen_in_arguments += planted_arguments()
            assert time.monotonic() - began < 60, "".join(lines)
            time.sleep(0.1)  # a sample of what runs, not a wait for something to happen
        reader.join(10)
        process.stdout.close()
        text = "".join(lines)
        self.printed.append(text)
        return Ended(process.returncode, time.monotonic() - began, text)

    def files(self) -> list[Path]:
        """Return all files of the stack and of the commands."""
        return [path for folder in (self.local.state_dir, self.folder) for path in folder.rglob("*") if path.is_file()]

    def leaks(self) -> list[str]:
        """Return where a planted secret can be seen: in print, in arguments, in files not made to hold one."""
        state, files = self.local.state_dir, self.files()
        assert {path.name for path in files} >= {"stack.json", "kafka.log", "registry.log"}
        made_to_hold_one = {*(state / "security").iterdir(), state / "kafka-scram" / "server.properties"}
        found = [text for text in self.printed if "hunter2" in text] + self.seen_in_arguments
        return found + [str(path) for path in files if path not in made_to_hold_one and b"hunter2" in path.read_bytes()]

    @contextmanager
    def granted(
        self, *rights: tuple[str, AclOperation], transactional: Iterable[tuple[str, AclOperation]] = ()
    ) -> Iterator[None]:
        """Give the guest rights on topics and transactional ids, and take all of its rights away at the end."""
        admin = self.admin()
        given = [_right(*right) for right in rights]
        given += [_right(*right, ResourceType.TRANSACTIONAL_ID) for right in transactional]
        for future in admin.create_acls(given).values():
            admin.ask(future, "granting")
        try:
            yield
        finally:
            for future in admin.delete_acls([_ALL_OF_THE_GUEST]).values():
                admin.ask(future, "taking away")

    @contextmanager
    def showing(self, identity: Identity) -> Iterator[None]:
        """Have the broker show another certificate to its clients."""
        try:
            self._show(identity)
            yield
        finally:
            self._show(Identity.at(self.local.state_dir / "security", "broker"))

    def _show(self, identity: Identity) -> None:
        entries = [
            ConfigEntry(f"listener.name.client.ssl.keystore.{name}", value, incremental_operation=AlterConfigOpType.SET)
            for name, value in (("type", "PEM"), ("location", str(identity.both)))
        ]
        admin = self.admin()
        resource = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=entries)
        for future in admin.incremental_alter_configs([resource]).values():
            admin.ask(future, "changing the certificate")
        # Taken now, and shown a moment later.
        host, _, port = self.local.bootstrap_servers.rpartition(":")
        wanted = load_pem_x509_certificate(identity.certificate.read_bytes())

        def is_shown() -> bool:
            return load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode()) == wanted

        wait_until(is_shown, "the broker to show the certificate", timeout_s=20, poll_s=0.1)

    @contextmanager
    def forwarded(self) -> Iterator[str]:
        """Listen on another address of this machine, and pass everything on to the broker."""
        host, port = self.local.bootstrap_servers.split(":")
        with socket.create_server(("127.0.0.2", 0)) as listener:

            def serve() -> None:
                while True:
                    try:
                        near, _ = listener.accept()
                    except OSError:
                        return
                    with near, socket.create_connection((host, int(port)), timeout=10) as far:
                        ways = [
                            threading.Thread(target=_pump, args=way, daemon=True) for way in ((near, far), (far, near))
                        ]
                        for way in ways:
                            way.start()
                        for way in ways:
                            way.join(10)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            yield f"127.0.0.2:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(15)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _right(name: str, operation: AclOperation, resource: ResourceType = ResourceType.TOPIC) -> AclBinding:
    who, kind = f"User:{GUEST}", ResourcePatternType.LITERAL
    return AclBinding(resource, name, kind, who, "*", operation, AclPermissionType.ALLOW)


_ALL_OF_THE_GUEST = AclBindingFilter(
    ResourceType.ANY,
    None,
    ResourcePatternType.ANY,
    f"User:{GUEST}",
    None,
    AclOperation.ANY,
    AclPermissionType.ANY,
)


def planted_arguments() -> list[str]:
    """Return the arguments of any process that hold what was planted."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            arguments = path.read_bytes()
            if PLANTED.encode() in arguments:
                found.append(arguments.decode(errors="replace"))
    return found


class TokenEndpoint:
    """Gives a token of ``subject`` to the client that knows the secret.

    :param folder: gets the JWKS file, a certificate and its authority.
    """

    def __init__(self, folder: Path, secret: str, subject: str) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self.login, self.subject = f"client:{secret}", subject
        self.jwks = folder / "jwks.json"
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": _number(numbers.n), "e": _number(numbers.e)}
        self.jwks.write_text(json.dumps({"keys": [key]}))
        self._identity, self.ca = Identity.at(folder, "login"), folder / "login-ca.crt"
        authority = Authority()
        authority.issue(self._identity, "login", hosts=("127.0.0.1",))
        authority.write_certificate(self.ca)

    @property
    def java_options(self) -> str:
        """What the broker's Java has to be told, to be allowed to read the keys."""
        return f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.jwks.as_uri()}"

    @property
    def broker(self) -> dict[str, str]:
        """Settings of the broker, besides the name of the mechanism."""
        prefix = "listener.name.client.oauthbearer"
        return {
            f"{prefix}.sasl.jaas.config": _MODULE,
            f"{prefix}.sasl.server.callback.handler.class": _HANDLER,
            f"{prefix}.sasl.oauthbearer.jwks.endpoint.url": self.jwks.as_uri(),
        }

    def token(self) -> str:
        """Return a signed token."""
        now = int(time.time())
        claims = {"sub": self.subject, "scope": "kafka", "iat": now, "exp": now + 600}
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'k'})}.{_part(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Listen, and yield the address."""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                login = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
                known = login == endpoint.login
                granted = {"access_token": endpoint.token(), "token_type": "Bearer", "expires_in": 600} if known else {}
                body = json.dumps(granted if known else {"error": "invalid_client"}).encode()
                self.send_response(200 if known else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._identity.certificate, self._identity.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            yield f"https://127.0.0.1:{server.server_port}/token"
            server.shutdown()
        thread.join(5)


def _part(document: dict[str, object] | dict[str, str]) -> str:
    return _base64(json.dumps(document).encode())


def _number(number: int) -> str:
    return _base64(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

"""How the local stack is secured: ``none``, ``tls``, ``mtls`` or ``scram``, and the files that this takes.

Everything lies in ``security/`` of the state folder, which its owner alone may enter: the authority's certificate, the
identities that it signed, the passwords, and for each user a ``.properties`` file for Kafka's own tools. The record of
the stack and the settings that clients get name these files, and hold no secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cluster.errors import Misconfigured
from cluster.settings.secret_files import read_secret
from stack.certificates import Authority, Identity
from stack.files import write_private
from stack.record import Security

BROKER = "broker"
# The user that commands are: it may do everything.
USER = "streamproof"
# A user that may do nothing until an ACL says otherwise.
GUEST = "guest"
HOSTS = ("localhost", "127.0.0.1", "::1")
MECHANISM = "SCRAM-SHA-512"
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@dataclass(frozen=True, slots=True)
class SecuredStack:
    """What a secured stack is made of: settings of the broker and of its clients, and the files behind them."""

    security: Security
    folder: Path
    broker: dict[str, str] = field(repr=False)
    kafka: dict[str, str]
    registry: dict[str, str]

    @property
    def authority(self) -> Path:
        """The certificate that clients trust."""
        return self.folder / "ca.crt"

    @property
    def server(self) -> Identity:
        """Certificate and key of the broker and of the registry."""
        return Identity.at(self.folder, BROKER)

    @property
    def format_arguments(self) -> Path | None:
        """File of further arguments for formatting the broker's storage: the users of SCRAM."""
        return self.folder / "format.args" if self.security == "scram" else None


def secure(state: Path, security: Security) -> SecuredStack:
    """Make the files that are missing or near their end, and return the settings.

    A password that lies there already is kept.

    :raises Misconfigured: such a password cannot be used, or others may read it.
    """
    folder = security_folder(state)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    # Formatting the storage writes what SCRAM keeps of a password into the broker's log.
    (state / "log").mkdir(exist_ok=True)
    (state / "log").chmod(0o700)
    # What is loaded from a secured topic is as private as the topic; whoever opened them to others keeps them open.
    for name in ("warehouse", "publications"):
        (state / name).mkdir(mode=0o700, exist_ok=True)
    _identities(folder)
    passwords = {user: _password(folder, user) for user in (USER, GUEST)} if security == "scram" else {}
    for user in (USER, GUEST):
        properties = "".join(f"{name}={value}\n" for name, value in _tool_settings(folder, security, user, passwords))
        write_private(properties_file(folder, user), properties.encode())
    if passwords:
        users = [
            f"--add-scram\n{mechanism}=[name={user},password={password}]\n"
            for user, password in passwords.items()
            for mechanism in MECHANISMS
            if mechanism != "PLAIN"
        ]
        write_private(folder / "format.args", "".join(users).encode())
    return SecuredStack(
        security=security,
        folder=folder,
        broker=dict(_broker_settings(folder, security, passwords)),
        kafka=client_settings(folder, security),
        registry={"ssl_ca_location": str(folder / "ca.crt")},
    )


def security_folder(state: Path) -> Path:
    """Return where the files are."""
    return state / "security"


def client_settings(folder: Path, security: Security, user: str = USER) -> dict[str, str]:
    """Return the settings of a client by the names of ``KafkaSettings``; passwords as files."""
    settings = {"security_protocol": "sasl_ssl" if security == "scram" else "ssl"}
    settings["ssl_ca_location"] = str(folder / "ca.crt")
    if security == "mtls":
        identity = Identity.at(folder, user)
        settings |= {"ssl_certificate_location": str(identity.certificate), "ssl_key_location": str(identity.key)}
    if security == "scram":
        settings |= {
            "sasl_mechanism": MECHANISM,
            "sasl_username": user,
            "sasl_password_file": str(password_file(folder, user)),
        }
    return settings


def password_file(folder: Path, user: str) -> Path:
    """Return the file of a user's password."""
    return folder / f"{user}.password"


def properties_file(folder: Path, user: str = USER) -> Path:
    """Return the file that Kafka's own tools take with ``--command-config``."""
    return folder / ("client.properties" if user == USER else f"{user}.properties")


def _identities(folder: Path) -> None:
    """Sign all identities anew when one is missing or near its end: the authority's key is not kept."""
    now = datetime.now(UTC)
    identities = {name: Identity.at(folder, name) for name in (BROKER, USER, GUEST)}
    if (folder / "ca.crt").is_file() and all(identity.lasts(now) for identity in identities.values()):
        return
    authority = Authority(now=now)
    for name, identity in identities.items():
        authority.issue(identity, name, hosts=HOSTS if name == BROKER else ())
    authority.write_certificate(folder / "ca.crt")


def _password(folder: Path, user: str) -> str:
    path = password_file(folder, user)
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24).encode())
    password = read_secret(path, f"the password of {user}")
    if not password.isascii() or not password.isprintable() or set(password) & set(' ,"\\[]=;'):
        raise Misconfigured(
            f"the password of {user} holds a character that the broker's settings do not take",
            where=str(path),
            hint='Use ASCII without blanks and , " \\ [ ] = ;, or delete the file and have one made',
        )
    return password


def _broker_settings(folder: Path, security: Security, passwords: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what the broker needs. It speaks mutual TLS to itself, whatever its clients speak."""
    yield "listener.security.protocol.map", _protocols(security)
    yield "inter.broker.listener.name", "INTERNAL"
    yield "ssl.keystore.type", "PEM"
    yield "ssl.keystore.location", str(Identity.at(folder, BROKER).both)
    yield "ssl.truststore.type", "PEM"
    yield "ssl.truststore.location", str(folder / "ca.crt")
    yield "ssl.client.auth", "required"
    yield "listener.name.client.ssl.client.auth", "required" if security == "mtls" else "none"
    yield "ssl.principal.mapping.rules", "RULE:^CN=([^,]+).*$/$1/,DEFAULT"
    if security == "tls":
        return  # nobody is told apart, so nothing can be denied
    yield "authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    yield "super.users", f"User:{BROKER};User:{USER}"
    if security == "scram":
        yield "sasl.enabled.mechanisms", ",".join(MECHANISMS)
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        users = " ".join(f'user_{user}="{password}"' for user, password in passwords.items())
        for mechanism in MECHANISMS:
            module = f"{plain} {users};" if mechanism == "PLAIN" else scram
            yield f"listener.name.client.{mechanism.lower()}.sasl.jaas.config", module


def _protocols(security: Security) -> str:
    return f"CLIENT:{'SASL_SSL' if security == 'scram' else 'SSL'},INTERNAL:SSL,CONTROLLER:SSL"


def _tool_settings(folder: Path, security: Security, user: str, passwords: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the settings of Kafka's own clients in Java."""
    yield "security.protocol", "SASL_SSL" if security == "scram" else "SSL"
    yield "ssl.truststore.type", "PEM"
    yield "ssl.truststore.location", str(folder / "ca.crt")
    if security == "mtls":
        yield "ssl.keystore.type", "PEM"
        yield "ssl.keystore.location", str(Identity.at(folder, user).both)
    if security == "scram":
        yield "sasl.mechanism", MECHANISM
        module = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        yield "sasl.jaas.config", f'{module} username="{user}" password="{passwords[user]}";'

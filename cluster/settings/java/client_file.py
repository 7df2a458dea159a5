"""A Java client's properties file as our settings: for who moves a Kafka application's configuration over.

Keys are Java's (``ssl.truststore.location``), or the names of its constants (``SSL_TRUSTSTORE_LOCATION_CONFIG``), as
the AWS sample producer's file has them. What has no meaning here is named with its reason; an unknown key is an error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from cluster.errors import Misconfigured
from cluster.settings.java.keystores import identity_of_pem, keep, read_keystore, read_truststore
from cluster.settings.secret_files import check_private

_LINE = re.compile(r"(?P<key>(?:\\.|[^\\\s=:])+)\s*[=:]?\s*(?P<value>.*)", re.DOTALL)
_CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\$")
_JAAS_OPTION = re.compile(r"""([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;]+))""")

# Java's key, and the setting that takes its value as it is.
_TAKEN = {
    "bootstrap.servers": "bootstrap_servers",
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.oauthbearer.token.endpoint.url": "sasl_oauthbearer_token_endpoint_url",
    "sasl.oauthbearer.client.credentials.client.id": "sasl_oauthbearer_client_id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl_oauthbearer_client_secret",
    "sasl.oauthbearer.scope": "sasl_oauthbearer_scope",
    "bearer.auth.token": "registry_bearer_token",
}
_SECRET = frozenset({"sasl_oauthbearer_client_secret", "registry_bearer_token"})
_SECRET_KEYS = ("password", "secret", ".token", "ssl.keystore.key", "basic.auth.user.info")
# Read together, below.
_STORES = ("truststore.location", "truststore.password", "truststore.type", "truststore.certificates")
_KEYS = (
    *("keystore.location", "keystore.password", "keystore.type", "keystore.key"),
    *("keystore.certificate.chain", "key.password"),
)
_TOGETHER = frozenset(
    {
        *(f"{part}ssl.{name}" for part in ("", "schema.registry.") for name in (*_STORES, *_KEYS)),
        *("schema.registry.url", "sasl.jaas.config", "ssl.endpoint.identification.algorithm"),
        *("basic.auth.credentials.source", "basic.auth.user.info", "schema.registry.basic.auth.user.info"),
        "bearer.auth.credentials.source",
    }
)
_OURS = "Streamproof sets it itself"
_DELIVERY = "events are always idempotent, acknowledged by all in-sync replicas, and sent in order"
_FORMAT = "values are always Avro with the registry's frame, keys are text"
_REGISTERED = "schemas are registered by `streamproof schemas gate` alone"
# Java's keys that change nothing here, and why.
_WITHOUT_MEANING = {
    **dict.fromkeys(("acks", "enable.idempotence", "retries", "max.in.flight.requests.per.connection"), _DELIVERY),
    **dict.fromkeys(("key.serializer", "value.serializer", "key.deserializer", "value.deserializer"), _FORMAT),
    **dict.fromkeys(("auto.register.schemas", "use.latest.version", "avro.remove.java.properties"), _REGISTERED),
    **dict.fromkeys(("key.subject.name.strategy", "value.subject.name.strategy"), "subjects are <topic>-value"),
    **dict.fromkeys(
        (
            *("batch.size", "linger.ms", "buffer.memory", "compression.type", "client.id", "partitioner.class"),
            *("max.block.ms", "max.request.size", "request.timeout.ms", "retry.backoff.ms", "retry.backoff.max.ms"),
            *("reconnect.backoff.ms", "reconnect.backoff.max.ms", "connections.max.idle.ms", "metadata.max.age.ms"),
            *("metadata.max.idle.ms", "send.buffer.bytes", "receive.buffer.bytes", "client.dns.lookup"),
            *("metric.reporters", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms"),
            *("interceptor.classes", "transactional.id", "transaction.timeout.ms", "group.id", "client.rack"),
            *("enable.auto.commit", "auto.offset.reset", "specific.avro.reader", "ssl.protocol", "ssl.provider"),
            *("ssl.enabled.protocols", "ssl.cipher.suites", "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm"),
            *("ssl.secure.random.implementation", "ssl.engine.factory.class", "socket.connection.setup.timeout.ms"),
            *("socket.connection.setup.timeout.max.ms", "sasl.login.callback.handler.class", "sasl.login.class"),
            *("sasl.client.callback.handler.class", "sasl.kerberos.service.name", "security.providers"),
        ),
        _OURS,
    ),
    "delivery.timeout.ms": "use --delivery-timeout",
}
KNOWN = frozenset({*_TAKEN, *_TOGETHER, *_WITHOUT_MEANING})


@dataclass(frozen=True, slots=True)
class JavaProperties:
    """What a file says: settings by their names in the settings file, and keys without a meaning here, with reasons."""

    settings: Mapping[str, object]
    without_meaning: Mapping[str, str] = field(default_factory=dict)


def read_properties(path: Path, folder: Path) -> JavaProperties:
    """Read a file and translate it.

    :param folder: where certificates and keys out of Java's stores are kept as PEM files, for their owner alone.
    :raises Misconfigured: the file cannot be read, it holds a secret and is open to others, or it has unknown keys or
        values; all are named at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"the properties file cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")  # Java's encoding before version 9
    given = {_java_key(key): value for key, value in parse(text).items()}
    if secret := next((key for key, value in given.items() if _is_secret(key, value)), None):
        check_private(path, f"--properties with {secret}")
    reading = _Reading(given, path.parent, folder)
    settings = reading.settings()
    if reading.faults:
        raise Misconfigured("; ".join(reading.faults), where=str(path), hint="docs/clickstream.md lists the keys")
    unused = {key: why for key, why in _WITHOUT_MEANING.items() if key in reading.given}
    return JavaProperties(settings, unused)


def parse(text: str) -> dict[str, str]:
    """Return the pairs of a properties file, as ``java.util.Properties`` reads them."""
    pairs: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        whole = line.lstrip()
        if not whole or whole[0] in "#!":
            continue
        while _CONTINUED.search(whole):
            whole = whole[:-1] + next(lines, "").lstrip()
        match = _LINE.fullmatch(whole)
        if match is not None:
            pairs[_unescaped(match["key"])] = _unescaped(match["value"])
    return pairs


def _unescaped(text: str) -> str:
    plain = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
    return re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|(.))",
        lambda found: chr(int(found[1], 16)) if found[1] else plain.get(found[2], found[2]),
        text,
        flags=re.DOTALL,
    )


def _java_key(key: str) -> str:
    """Return a key in Java's spelling: ``SSL_KEY_PASSWORD_CONFIG`` is the constant of ``ssl.key.password``."""
    if re.fullmatch(r"[A-Z][A-Z0-9_]+", key):
        return key.removesuffix("_CONFIG").lower().replace("_", ".")
    return key


def _is_secret(key: str, value: str) -> bool:
    """Return whether a value is a password, a token, a private key, or has one in it."""
    if key == "sasl.jaas.config":
        return any("password" in name.lower() or "secret" in name.lower() for name, *_ in _JAAS_OPTION.findall(value))
    return bool(value) and key.endswith(_SECRET_KEYS)


class _Reading:
    """One file being translated; faults are collected."""

    def __init__(self, given: dict[str, str], base: Path, folder: Path) -> None:
        self.given = given
        self.faults: list[str] = []
        self._base = base
        self._folder = folder

    def settings(self) -> dict[str, object]:
        self._name_unknown()
        found: dict[str, object] = {}
        for key, name in _TAKEN.items():
            if value := self.given.get(key):
                found[name] = SecretStr(value) if name in _SECRET else value
        if self.given.get("ssl.endpoint.identification.algorithm", "https").lower() != "https":
            self.faults.append("ssl.endpoint.identification.algorithm: host names are always verified; remove it")
        found |= self._login() | self._registry()
        for prefix, ours in (("", ""), ("schema.registry.", "registry_")):
            try:
                found |= self._trust(prefix, ours) | self._identity(prefix, ours)
            except Misconfigured as error:
                self.faults.append(str(error))
        return found

    def _name_unknown(self) -> None:
        """Name unknown keys; of a file without a known one nothing is quoted: it may be any file."""
        if self.given and not any(difflib.get_close_matches(key[:100], KNOWN, n=1) for key in self.given):
            self.faults.append("this is not a properties file of a Kafka client: it has none of its keys")
            return
        for key in self.given:
            if key not in KNOWN:
                near = difflib.get_close_matches(key, KNOWN, n=1)
                self.faults.append(f"unknown key {key}" + (f", did you mean {near[0]}?" if near else ""))

    def _secret(self, key: str) -> SecretStr | None:
        return SecretStr(self.given[key]) if self.given.get(key) else None

    def _path(self, key: str) -> Path:
        return self._base / self.given[key]

    def _trust(self, prefix: str, ours: str) -> dict[str, object]:
        key = f"{prefix}ssl.truststore."
        if text := self.given.get(f"{key}certificates"):
            content = text.encode()
        elif self.given.get(f"{key}location"):
            content = read_truststore(self._path(f"{key}location"), self._secret(f"{key}password"))
        else:
            return {}
        return {f"{ours}ssl_ca_location": str(keep(content, self._folder, "ca"))}

    def _identity(self, prefix: str, ours: str) -> dict[str, object]:
        key = f"{prefix}ssl.keystore."
        key_password = self._secret(f"{prefix}ssl.key.password")
        if text := self.given.get(f"{key}key"):
            chain = self.given.get(f"{key}certificate.chain", "")
            identity = identity_of_pem(f"{text}\n{chain}".encode(), key_password, where=f"{key}key")
        elif self.given.get(f"{key}location"):
            identity = read_keystore(self._path(f"{key}location"), self._secret(f"{key}password"), key_password)
        else:
            return {}
        return {
            f"{ours}ssl_certificate_location": str(keep(identity.chain, self._folder, "certificate")),
            f"{ours}ssl_key_location": str(keep(identity.key, self._folder, "key", named_by=identity.chain)),
            f"{ours}ssl_key_password": identity.password,
        }

    def _login(self) -> dict[str, object]:
        """Read ``sasl.jaas.config``: the login module's options."""
        text = self.given.get("sasl.jaas.config")
        if not text:
            return {}
        options: dict[str, Any] = {
            name: re.sub(r"\\(.)", r"\1", double or single) or bare
            for name, double, single, bare in _JAAS_OPTION.findall(text)
        }
        if "OAuthBearerLoginModule" in text:
            names = {"clientId": "client_id", "clientSecret": "client_secret", "scope": "scope"}
            found = {f"sasl_oauthbearer_{ours}": options[java] for java, ours in names.items() if java in options}
        elif "PlainLoginModule" in text or "ScramLoginModule" in text:
            found = {f"sasl_{name}": options[name] for name in ("username", "password") if name in options}
        else:
            self.faults.append("sasl.jaas.config: the login module is not Plain, Scram or OAuthBearer")
            return {}
        return {
            name: SecretStr(value) if name.endswith(("password", "secret")) else value for name, value in found.items()
        }

    def _registry(self) -> dict[str, object]:
        found: dict[str, object] = {}
        if url := self.given.get("schema.registry.url"):
            found["registry_url"] = url.split(",")[0].strip()
        user_info = self.given.get("basic.auth.user.info") or self.given.get("schema.registry.basic.auth.user.info")
        source = self.given.get("basic.auth.credentials.source", "USER_INFO" if user_info else "")
        if source not in {"", "USER_INFO"}:
            self.faults.append(f"basic.auth.credentials.source: {source} is not supported, use USER_INFO")
        elif user_info:
            name, _, password = user_info.partition(":")
            found |= {"registry_username": name, "registry_password": SecretStr(password)}
        return found

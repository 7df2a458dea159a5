"""A Java client's properties file as our settings: for anyone who moves a Kafka application's configuration over.

1. read: the file's grammar is Java's, values are trimmed as Kafka trims them, and config providers are asked
2. name: keys are Java's (``ssl.truststore.location``), librdkafka's (``ssl.ca.location``), or the names of Java's
   constants (``SSL_TRUSTSTORE_LOCATION_CONFIG``), as the AWS sample producer's file has them
3. translate: what has a setting becomes one; what cannot be done as the file says is a fault
4. leave out: what clients know and has no meaning here is named, once; a key that no client knows is a fault

What is not understood is never passed over. All faults are told at once.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from pydantic import SecretStr

from cluster.errors import Misconfigured
from cluster.settings.java.config_providers import resolved
from cluster.settings.java.keystores import identity_of_pem, keep, read_keystore, read_truststore
from cluster.settings.java.known_keys import REGISTRY, is_known, meant_by
from cluster.settings.java.login import HANDLERS, LINE, MECHANISM, OAUTH, TRUST, is_secret_line, login_settings
from cluster.settings.java.properties_format import parse, trimmed
from cluster.settings.secret_files import check_private

# Keys whose value is taken as it is.
_TAKEN = {
    "bootstrap.servers": "bootstrap_servers",
    "security.protocol": "security_protocol",
    "client.id": "client_id",
    "client.rack": "client_rack",
}
# Of librdkafka alone, and ours by name.
_LIBRDKAFKA = {
    "sasl.username": "sasl_username",
    "sasl.password": "sasl_password",
    "sasl.oauthbearer.client.id": "sasl_oauthbearer_client_id",
    "sasl.oauthbearer.client.secret": "sasl_oauthbearer_client_secret",
    "sasl.oauthbearer.extensions": "sasl_oauthbearer_extensions",
    "https.ca.location": "https_ca_location",
    "ssl.ca.location": "ssl_ca_location",
    "ssl.certificate.location": "ssl_certificate_location",
    "ssl.key.location": "ssl_key_location",
}
# Milliseconds and bytes: Java's key, the setting, and the least and the most that librdkafka takes.
_NUMBERS = {
    "connections.max.idle.ms": ("connections_max_idle_ms", 0, 2**31 - 1),
    "metadata.max.age.ms": ("metadata_max_age_ms", 1, 86_400_000),
    "reconnect.backoff.ms": ("reconnect_backoff_ms", 0, 3_600_000),
    "reconnect.backoff.max.ms": ("reconnect_backoff_max_ms", 0, 3_600_000),
    "retry.backoff.ms": ("retry_backoff_ms", 1, 300_000),
    "retry.backoff.max.ms": ("retry_backoff_max_ms", 1, 300_000),
    "socket.connection.setup.timeout.ms": ("socket_connection_setup_timeout_ms", 1000, 2**31 - 1),
    "send.buffer.bytes": ("socket_send_buffer_bytes", 0, 100_000_000),
    "receive.buffer.bytes": ("socket_receive_buffer_bytes", 0, 100_000_000),
}
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_LOOKUP = "client.dns.lookup"
_LOOKUPS = ("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")
_KEYS = tuple(f"ssl.keystore.{name}" for name in ("location", "password", "type", "key", "certificate.chain"))
_VERIFIED = "ssl.endpoint.identification.algorithm"
_TLS = (*TRUST, *_KEYS, "ssl.key.password", _VERIFIED)
# Keys of the registry's client; each may stand behind ``schema.registry.`` too.
_REGISTRY = (
    *("basic.auth.credentials.source", "basic.auth.user.info"),
    *("bearer.auth.credentials.source", "bearer.auth.token"),
)
_URL = "schema.registry.url"
_TOGETHER = frozenset(
    {
        *(f"{part}{key}" for part in ("", REGISTRY) for key in (*_TLS, *_REGISTRY)),
        *(_URL, LINE, MECHANISM, "sasl.mechanisms", _LOOKUP, "sasl.oauthbearer.method", *HANDLERS, *OAUTH),
        *("enable.ssl.certificate.verification", "config.providers"),
    }
)
_UNDERSTOOD = frozenset({*_TAKEN, *_LIBRDKAFKA, *_NUMBERS, *_TOGETHER})
# What says here what a key says there.
_INSTEAD = {
    "delivery.timeout.ms": "produce --delivery-timeout",
    "group.id": "consume --group, lake --group",
    "proxy.host": "the variable HTTPS_PROXY",
}
# Keys that ask for code of the application's own where TLS is made.
_OWN_TLS = "ssl.engine.factory.class"
_SECRET_KEYS = ("password", "secret", ".token", "ssl.keystore.key", "basic.auth.user.info")
_SPRING = "spring.kafka."
_NEXT = "Correct the key, or remove it: what no client knows has no effect. docs/properties.md tells what is taken"
# As Kafka has it: the protocol in front is the listener's name, and the port is not left out.
_SERVER = re.compile(r"([\w-]+://)?(\[[0-9a-fA-F:.%]+\]|[\w.-]+):[0-9]{1,5}")
# What a console or a guide leaves for a person to fill in.
_PLACEHOLDER = re.compile(r"\{\{ ?[\w.-]{3,} ?\}\}|<[A-Z][A-Z_ -]{3,}>")
_SHORTEST = 3  # of a key that another one may be like: anything is like a letter


@dataclass(frozen=True, slots=True)
class ClientFile:
    """What a file says.

    :ivar settings: by their names in the settings file.
    :ivar left_out: keys that clients know and that have no meaning here, in the order of the file, each with what says
        the same here, mostly nothing.
    :ivar refused: of a half (``kafka``, ``registry``) that was not asked for, what is wrong with it in the file.
    """

    settings: Mapping[str, object]
    left_out: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def read_client_file(
    path: Path,
    folder: Path,
    *,
    uses: Collection[str] = ("kafka", "registry"),
    env: Mapping[str, str] = os.environ,
) -> ClientFile:
    """Read a file and translate it.

    :param folder: where certificates and keys out of Java's stores are kept as PEM files, for their owner alone.
    :param uses: the halves that are certain to be used: faults of another one are returned, not raised.
    :param env: for a config provider that reads the environment.
    :raises Misconfigured: the file cannot be read, it holds a secret and is open to others, or it has unknown keys or
        values; all are named at once.
    """
    try:
        given = {_java_key(key): trimmed(value) for key, value in parse(_text(path)).items() if key or value}
    except Misconfigured as error:
        raise Misconfigured(error.message, where=str(path), hint=error.hint) from None
    if secret := next((key for key, value in given.items() if _is_secret(key, value)), None):
        check_private(path, f"--properties with {secret}")
    if not any(is_known(key) for key in given):
        raise Misconfigured(*_foreign(given), where=str(path), hint="docs/properties.md says what such a file is like")
    values, unresolved = resolved(given, env)
    faults = {"": [*_unknown(given), *_unfilled(values), *unresolved], "kafka": [], "registry": []}
    reading = _Reading(values, path.parent, folder, faults)
    settings = reading.settings()
    told = [sentence for part in ("", *sorted(uses)) for sentence in faults[part]]
    if told:
        hint = _NEXT if faults[""] else "docs/properties.md says what is taken"
        raise Misconfigured("; ".join(dict.fromkeys(told)), where=str(path), hint=hint)
    refused = {part: "; ".join(said) for part, said in faults.items() if said}
    left_out = {key: _INSTEAD.get(key, "") for key in given if key not in _UNDERSTOOD}
    return ClientFile(settings, left_out, refused)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"the properties file cannot be read: {error.strerror}", where=str(path)) from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Misconfigured("the properties file is UTF-16, which Java does not read: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # what Java takes every file for


def _java_key(key: str) -> str:
    """Return a key in Java's spelling: ``SSL_KEY_PASSWORD_CONFIG`` is the constant of ``ssl.key.password``."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]+", key):
        return key
    whole = key.lower().replace("_", ".")
    return whole if is_known(whole) else whole.removesuffix(".config")


def _is_secret(key: str, value: str) -> bool:
    """Return whether a value is a password, a token, a private key, or has one in it."""
    if key == LINE:
        return bool(value) and is_secret_line(value)
    if key == _URL:
        return "@" in value
    return bool(value) and key.endswith(_SECRET_KEYS)


def _foreign(given: Mapping[str, str]) -> tuple[str]:
    """Say what a file without a known key is; nothing of it is quoted: it may be any file."""
    if not given:
        return ("the properties file is empty, but for comments",)
    if any(key.startswith(_SPRING) for key in given):
        return (f"this is a file of Spring Boot: write what stands behind {_SPRING}properties. into a file of its own",)
    near = [key for key in given if len(key) > _SHORTEST and meant_by(key)]
    if near and len(near) == len(given):
        return ("; ".join(_unknown(given)),)
    return ("this is not a properties file of a Kafka client: it has none of its keys",)


def _unknown(given: Mapping[str, str]) -> Iterator[str]:
    for key in given:
        if not is_known(key):
            near = meant_by(key)
            yield f"unknown key {key[:100]}" + (f", did you mean {near}?" if near else "")


def _unfilled(given: Mapping[str, str]) -> Iterator[str]:
    for key, value in given.items():
        if key in _UNDERSTOOD and _PLACEHOLDER.search(value) and not value.startswith("-----"):
            yield f"{key} has a placeholder in it: put your own value in its place"


class _Reading:
    """One file being translated; faults are collected by the half of the connection that they are of."""

    def __init__(self, given: Mapping[str, str], base: Path, folder: Path, faults: dict[str, list[str]]) -> None:
        self.given = given
        self.faults = faults
        self._base = base
        self._folder = folder

    def settings(self) -> dict[str, object]:
        kafka = self.faults["kafka"]
        found: dict[str, object] = {}
        for key, name in (_TAKEN | _LIBRDKAFKA).items():
            if value := self.given.get(key):
                found[name] = SecretStr(value) if key.endswith(_SECRET_KEYS) else value
            elif key in self.given:
                kafka.append(f"{key} is empty")
        kafka += self._wrong_words()
        found |= self._numbers()
        spelt = dict(self.given)
        if "sasl.mechanisms" in spelt:
            spelt.setdefault(MECHANISM, spelt["sasl.mechanisms"])
        login, trust = login_settings(spelt, kafka)
        found |= login
        if trust and (content := self._trusted(trust, "", "kafka")):
            found["https_ca_location"] = str(keep(content, self._folder, "token-ca"))
        return (
            found | self._stores("", "", "kafka") | self._registry() | self._stores(REGISTRY, "registry_", "registry")
        )

    def _wrong_words(self) -> Iterator[str]:
        for server in filter(None, map(trimmed, self.given.get("bootstrap.servers", "").split(","))):
            if not _SERVER.fullmatch(server) and "@" not in server:
                yield f"bootstrap.servers: {server[:100]} is not host:port"
        protocol = self.given.get("security.protocol")
        if protocol and protocol.upper() not in _PROTOCOLS:
            yield f"security.protocol {protocol} is none of {', '.join(_PROTOCOLS)}"
        if self.given.get(_VERIFIED, "https").lower() != "https":
            yield f"{_VERIFIED}: host names are always verified; remove it"
        if self.given.get("enable.ssl.certificate.verification", "true").lower() != "true":
            yield "enable.ssl.certificate.verification: certificates are always verified; remove it"
        if (engine := self.given.get(_OWN_TLS)) and not engine.startswith("org.apache.kafka.common."):
            yield f"{_OWN_TLS}: {engine} makes TLS by code of its own, which is not run here; give stores or PEM files"
        if self.given.get("sasl.oauthbearer.method", "oidc") != "oidc":
            yield "sasl.oauthbearer.method: oidc is the only one"
        lookup = self.given.get(_LOOKUP)
        if lookup and lookup not in {*_LOOKUPS, "default"}:
            yield f"{_LOOKUP} {lookup} is none of {', '.join(_LOOKUPS)}"

    def _numbers(self) -> dict[str, object]:
        """Read numbers; one outside of what librdkafka takes becomes the nearest that it does."""
        found: dict[str, object] = {}
        for key, (name, least, most) in _NUMBERS.items():
            text = self.given.get(key)
            if text is None:
                continue
            if re.fullmatch(r"[+-]?[0-9]{1,19}", text):
                found[name] = min(max(int(text), least), most)
            else:
                self.faults["kafka"].append(f"{key} is not a whole number")
        if self.given.get(_LOOKUP) in _LOOKUPS:
            found["client_dns_lookup"] = self.given[_LOOKUP]
        return found

    def _stores(self, prefix: str, ours: str, part: str) -> dict[str, object]:
        """Read the trust store and the key store of one half."""
        found: dict[str, object] = {}
        keys = {
            key: self.given[prefix + key] for key in (*TRUST, *_KEYS, "ssl.key.password") if prefix + key in self.given
        }
        if content := self._trusted(keys, prefix, part):
            found[f"{ours}ssl_ca_location"] = str(keep(content, self._folder, "ca"))
        try:
            return found | self._identity(keys, prefix, ours)
        except Misconfigured as error:
            self.faults[part].append(str(error))
            return found

    def _trusted(self, keys: Mapping[str, str], prefix: str, part: str) -> bytes | None:
        try:
            if text := keys.get("ssl.truststore.certificates"):
                return text.encode()
            if location := keys.get("ssl.truststore.location"):
                return read_truststore(self._base / location, _secret(keys, "ssl.truststore.password"))
        except Misconfigured as error:
            self.faults[part].append(str(error))
            return None
        if keys.get("ssl.truststore.password"):
            self.faults[part].append(f"{prefix}ssl.truststore.password is given without a location")
        return None

    def _identity(self, keys: Mapping[str, str], prefix: str, ours: str) -> dict[str, object]:
        key_password = _secret(keys, "ssl.key.password")
        if text := keys.get("ssl.keystore.key"):
            chain = keys.get("ssl.keystore.certificate.chain", "")
            identity = identity_of_pem(f"{text}\n{chain}".encode(), key_password, where=f"{prefix}ssl.keystore.key")
        elif location := keys.get("ssl.keystore.location"):
            identity = read_keystore(self._base / location, _secret(keys, "ssl.keystore.password"), key_password)
        else:
            # librdkafka's certificate and key are files already, and this is the key's password.
            by_file = key_password is not None and not ours and "ssl.key.location" in self.given
            return {"ssl_key_password": key_password} if by_file else {}
        return {
            f"{ours}ssl_certificate_location": str(keep(identity.chain, self._folder, "certificate")),
            f"{ours}ssl_key_location": str(keep(identity.key, self._folder, "key", named_by=identity.chain)),
            f"{ours}ssl_key_password": identity.password,
        }

    def _of_registry(self, key: str) -> str:
        """Return the value of a key of the registry's client, with its prefix or without."""
        return self.given.get(REGISTRY + key) or self.given.get(key) or ""

    def _registry(self) -> dict[str, object]:
        faults = self.faults["registry"]
        found: dict[str, object] = {}
        url, in_url = _without_login((self.given.get(_URL) or "").split(",")[0].strip())
        if url:
            found["registry_url"] = url
            if not re.match(r"https?://", url):
                faults.append(f"{_URL}: an address with http or https is needed")
        if self.given.get(f"{REGISTRY}{_VERIFIED}", "https").lower() != "https":
            faults.append(f"{REGISTRY}{_VERIFIED}: host names are always verified; remove it")
        login = self._of_registry("basic.auth.user.info")
        source = self._of_registry("basic.auth.credentials.source") or ("USER_INFO" if login else "URL")
        if source == "URL":
            login = in_url
        elif source == "SASL_INHERIT":
            return found | self._inherited()
        elif source != "USER_INFO":
            faults.append(f"basic.auth.credentials.source {source} is none of USER_INFO, URL, SASL_INHERIT")
        elif ":" not in login:
            faults.append("basic.auth.user.info is not user:password" if login else "basic.auth.user.info is missing")
        if login:
            name, _, password = login.partition(":")
            found |= {"registry_username": name, "registry_password": SecretStr(password)}
        return found | self._bearer()

    def _bearer(self) -> dict[str, object]:
        token = self._of_registry("bearer.auth.token")
        source = self._of_registry("bearer.auth.credentials.source") or "STATIC_TOKEN"
        if source != "STATIC_TOKEN":
            self.faults["registry"].append(
                f"bearer.auth.credentials.source {source} is not supported: give a token (STATIC_TOKEN), or a login "
                "(basic.auth.credentials.source)"
            )
        return {"registry_bearer_token": SecretStr(token)} if token else {}

    def _inherited(self) -> dict[str, object]:
        """Return Kafka's own login as the registry's."""
        login, _ = login_settings(self.given, [])
        name = login.get("sasl_username") or self.given.get("sasl.username")
        password = login.get("sasl_password") or _secret(self.given, "sasl.password")
        if not name or not password:
            self.faults["registry"].append(
                "basic.auth.credentials.source SASL_INHERIT needs a user in sasl.jaas.config"
            )
            return {}
        return {"registry_username": name, "registry_password": password}


def _secret(keys: Mapping[str, str], key: str) -> SecretStr | None:
    return SecretStr(keys[key]) if keys.get(key) else None


def _without_login(url: str) -> tuple[str, str]:
    """Split an address into itself without a login, and the login."""
    parts = urlsplit(url) if "@" in url else None
    if parts is None or "@" not in parts.netloc:
        return url, ""
    login, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host)), unquote_plus(login)

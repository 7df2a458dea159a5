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

from cluster.errors import Misconfigured
from cluster.settings.java import brokers, registry_login, tls
from cluster.settings.java.config_providers import class_key, listed_in, resolved
from cluster.settings.java.keystores import keep
from cluster.settings.java.known_keys import REGISTRY, is_known, meant_by
from cluster.settings.java.login import HANDLERS, LINE, MECHANISM, OAUTH, is_secret_line, login_settings
from cluster.settings.java.properties_format import parse, trimmed
from cluster.settings.java.quoting import key_name
from cluster.settings.secret_files import check_private

# librdkafka's names for what has another one in Java.
_JAVA_NAMES = {
    "metadata.broker.list": "bootstrap.servers",
    "sasl.mechanisms": MECHANISM,
    "ssl.ca.pem": "ssl.truststore.certificates",
    "ssl.certificate.pem": "ssl.keystore.certificate.chain",
    "ssl.key.pem": "ssl.keystore.key",
    "socket.send.buffer.bytes": "send.buffer.bytes",
    "socket.receive.buffer.bytes": "receive.buffer.bytes",
}
_UNDERSTOOD = frozenset(
    {
        *(*brokers.UNDERSTOOD, *registry_login.UNDERSTOOD, *tls.UNDERSTOOD),
        *(REGISTRY + key for key in tls.UNDERSTOOD),
        *(LINE, MECHANISM, *HANDLERS, *OAUTH, "config.providers"),
    }
)
# What says here what a key says there.
_INSTEAD = {
    "delivery.timeout.ms": "produce --delivery-timeout",
    "group.id": "consume --group, lake --group",
    "proxy.host": "the variable HTTPS_PROXY",
}
_SECRET_KEYS = ("password", "secret", ".token", "ssl.keystore.key", "basic.auth.user.info")
_SPRING = "spring.kafka."
_NEXT = "Correct the key, or remove it: what no client knows has no effect. docs/properties.md tells what is taken"
# What a console or a guide leaves for a person to fill in, or for a template that nobody has filled. Kafka's own
# references have a colon.
_PLACEHOLDER = re.compile(r"\{\{ ?[\w.-]{3,} ?\}\}|<[A-Z][A-Z_ -]{3,}>|\$\{[A-Za-z_][\w.-]{2,}\}")
_SHORTEST = 3  # of a key that another one may be like: anything is like a letter


@dataclass(frozen=True, slots=True)
class ClientFile:
    """What a file says.

    :ivar settings: by their names in the settings file.
    :ivar left_out: keys that clients know and that have no meaning here, in the order of the file, each with what says
        the same here, mostly nothing.
    :ivar refused: of a half (``kafka``, ``registry``) that was not asked for, what is wrong with it in the file.
    """

    settings: Mapping[str, object] = field(repr=False)
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
        given = {_JAVA_NAMES.get(key, key): value for key, value in given.items() if _JAVA_NAMES.get(key) not in given}
    except Misconfigured as error:
        raise Misconfigured(error.message, where=str(path), hint=error.hint) from None
    if secret := next((key for key, value in given.items() if _is_secret(key, value)), None):
        check_private(path, f"--properties with {secret}")
    if not any(is_known(key) for key in given):
        raise Misconfigured(*_foreign(given), where=str(path), hint="docs/properties.md says what such a file is like")
    values, unresolved = resolved(given, env)
    faults = {"": [*_unknown(given), *_unfilled(given), *unresolved], "kafka": [], "registry": []}
    settings = _settings(values, tls.Places(path.parent, folder), faults)
    told = [sentence for part in ("", *sorted(uses)) for sentence in faults[part]]
    if told:
        hint = _NEXT if faults[""] else "docs/properties.md says what is taken"
        raise Misconfigured("; ".join(dict.fromkeys(told)), where=str(path), hint=hint)
    refused = {part: "; ".join(said) for part, said in faults.items() if said}
    understood = _UNDERSTOOD | {key for key in given if key.lower() == registry_login.AUTHORIZATION}
    understood |= {class_key(name) for name in listed_in(given)}
    left_out = {key: _INSTEAD.get(key, "") for key in given if key not in understood}
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
    if key == registry_login.URL:
        return "@" in value
    if key.lower() == registry_login.AUTHORIZATION:
        return bool(value)
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
            yield f"unknown key {key_name(key)}" + (f", did you mean {near}?" if near else "")


def _unfilled(given: Mapping[str, str]) -> Iterator[str]:
    """Name keys with placeholders.

    :param given: as the file has them: what a config provider gives may be any text.
    """
    for key, value in given.items():
        if key in _UNDERSTOOD and _PLACEHOLDER.search(value) and not value.startswith("-----"):
            yield f"{key} has a placeholder in it: put your own value in its place"


def _settings(given: Mapping[str, str], places: tls.Places, faults: dict[str, list[str]]) -> dict[str, object]:
    """Translate; faults are collected by the half of the connection that they are of."""
    kafka, registry = faults["kafka"], faults["registry"]
    found = brokers.broker_settings(given, kafka)
    login, trust = login_settings(given, kafka)
    if trust and (content := tls.trusted(trust, places, kafka)):
        login["https_ca_location"] = str(keep(content, places.folder, "token-ca"))
    found |= login | tls.tls_settings(given, places, kafka)
    found |= registry_login.registry_settings(given, registry)
    return found | tls.tls_settings(given, places, registry, prefix=REGISTRY, ours="registry_")

"""What a client file says of the brokers, but for login and TLS, as our settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from cluster.settings.java.properties_format import trimmed
from cluster.settings.java.quoting import class_name, word

# Keys whose value is taken as it is.
_TAKEN = {
    "bootstrap.servers": "bootstrap_servers",
    "security.protocol": "security_protocol",
    "client.id": "client_id",
    "client.rack": "client_rack",
}
# Keys of librdkafka that would be less than was asked for if they were left out.
_NOT_HERE = {
    "ssl.crl.location": "revoked certificates are not looked up",
    "ssl.engine.location": "keys in hardware are not supported; give a store or PEM files",
    "sasl.oauthbearer.config": "unsecured tokens are not supported",
    "sasl.oauthbearer.metadata.authentication.type": "tokens are asked for by client id and secret",
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
_SWITCH = "enable.ssl.certificate.verification"
# The key that asks for code of the application's own where TLS is made.
_OWN_TLS = "ssl.engine.factory.class"
_METHOD = "sasl.oauthbearer.method"
UNDERSTOOD = (*_TAKEN, *_LIBRDKAFKA, *_NUMBERS, *_NOT_HERE, _LOOKUP, _SWITCH, _METHOD)
_NEEDED = ("bootstrap.servers", "security.protocol")
# As Kafka has it: the protocol in front is the listener's name, and the port is not left out.
_SERVER = re.compile(r"([\w-]+://)?(\[[0-9a-fA-F:.%]+\]|[\w.-]+):[0-9]{1,5}")
_SECRET = ("password", "secret")


def broker_settings(given: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    """Return the settings.

    :param faults: gets a sentence for each thing that cannot be done as the file says.
    """
    faults += [f"{key} is empty" for key in _NEEDED if given.get(key) == ""]
    faults += [*_wrong_words(given), *_switched_off(given)]
    found: dict[str, object] = {}
    for key, name in (_TAKEN | _LIBRDKAFKA).items():
        if value := given.get(key):
            found[name] = SecretStr(value) if key.endswith(_SECRET) else value
    if given.get(_LOOKUP) in _LOOKUPS:
        found["client_dns_lookup"] = given[_LOOKUP]
    # librdkafka's certificate and key are files already, and this is the key's password.
    if "ssl.key.location" in given and given.get("ssl.key.password"):
        found["ssl_key_password"] = SecretStr(given["ssl.key.password"])
    return found | _numbers(given, faults)


def _wrong_words(given: Mapping[str, str]) -> Iterator[str]:
    for number, server in enumerate(filter(None, map(trimmed, given.get("bootstrap.servers", "").split(","))), 1):
        if not _SERVER.fullmatch(server):
            yield f"address {number} of bootstrap.servers is not host:port"
    protocol = given.get("security.protocol")
    if protocol and protocol.upper() not in _PROTOCOLS:
        yield f"security.protocol: {word(protocol)} is none of {', '.join(_PROTOCOLS)}"
    if given.get(_METHOD, "oidc") != "oidc":
        yield f"{_METHOD}: oidc is the only one"
    lookup = given.get(_LOOKUP)
    if lookup and lookup not in {*_LOOKUPS, "default"}:
        yield f"{_LOOKUP} is none of {', '.join(_LOOKUPS)}"


def _switched_off(given: Mapping[str, str]) -> Iterator[str]:
    """Name what would be less safe, or another thing, if it were left out."""
    if given.get(_SWITCH, "true").lower() != "true":
        yield f"{_SWITCH}: certificates are always verified; remove it"
    if (engine := given.get(_OWN_TLS)) and not engine.startswith("org.apache.kafka.common."):
        yield f"{_OWN_TLS}: {class_name(engine)} makes TLS by code of its own; give stores or PEM files"
    for key, why in _NOT_HERE.items():
        if given.get(key, "none") != "none":
            yield f"{key} is not taken: {why}"


def _numbers(given: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    """Read numbers; one outside of what librdkafka takes becomes the nearest that it does."""
    found: dict[str, object] = {}
    for key, (name, least, most) in _NUMBERS.items():
        text = given.get(key)
        if text is None:
            continue
        if re.fullmatch(r"[+-]?[0-9]{1,19}", text):
            found[name] = min(max(int(text), least), most)
        else:
            faults.append(f"{key} is not a whole number")
    return found

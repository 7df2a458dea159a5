"""The settings of a connection as Java's client takes them."""

from __future__ import annotations

from pathlib import Path

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured
from cluster.settings.secret_files import check_private

_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "OAUTHBEARER": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
}
# Of the same meaning in both clients, and of other names; the latter's 0 is -1 in Java: never, or the system's.
_SAME = (
    *("client_id", "client_rack", "client_dns_lookup", "metadata_max_age_ms", "socket_connection_setup_timeout_ms"),
    *("reconnect_backoff_ms", "reconnect_backoff_max_ms", "retry_backoff_ms", "retry_backoff_max_ms"),
)
_ZERO_IS_ONE_LESS = {
    "connections_max_idle_ms": "connections.max.idle.ms",
    "socket_send_buffer_bytes": "send.buffer.bytes",
    "socket_receive_buffer_bytes": "receive.buffer.bytes",
}
_OIDC = "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler"


def java_client(kafka: KafkaSettings) -> dict[str, str]:
    """Return the settings by Java's names. Secrets and certificates are in them as text, for executors elsewhere.

    :raises Misconfigured: a file of a certificate or key cannot be read, or the key is open to other users.
    """
    java = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "security.protocol": kafka.security_protocol.upper(),
    }
    java |= {name.replace("_", "."): str(value) for name in _SAME if (value := getattr(kafka, name)) is not None}
    java |= {
        key: str(value or -1) for name, key in _ZERO_IS_ONE_LESS.items() if (value := getattr(kafka, name)) is not None
    }
    if kafka.is_encrypted:
        java["ssl.endpoint.identification.algorithm"] = "https"
        if kafka.ssl_ca_location is not None:
            java["ssl.truststore.type"] = "PEM"
            java["ssl.truststore.certificates"] = _text(kafka.ssl_ca_location, "ssl_ca_location")
        if kafka.ssl_certificate_location is not None and kafka.ssl_key_location is not None:
            check_private(kafka.ssl_key_location, "ssl_key_location")
            java["ssl.keystore.type"] = "PEM"
            java["ssl.keystore.certificate.chain"] = _text(kafka.ssl_certificate_location, "ssl_certificate_location")
            java["ssl.keystore.key"] = _key(kafka)
    if kafka.sasl_mechanism is not None:
        java["sasl.mechanism"] = kafka.sasl_mechanism
        java["sasl.jaas.config"] = _login(kafka)
        if kafka.sasl_mechanism == "OAUTHBEARER":
            java["sasl.login.callback.handler.class"] = _OIDC
            java["sasl.oauthbearer.token.endpoint.url"] = kafka.sasl_oauthbearer_token_endpoint_url or ""
    return java


def _login(kafka: KafkaSettings) -> str:
    """Return the login as JAAS writes it."""
    if kafka.sasl_mechanism == "OAUTHBEARER":
        secret = kafka.sasl_oauthbearer_client_secret
        options = {
            "clientId": kafka.sasl_oauthbearer_client_id,
            "clientSecret": None if secret is None else secret.get_secret_value(),
            "scope": kafka.sasl_oauthbearer_scope,
        }
        for pair in (kafka.sasl_oauthbearer_extensions or "").split(","):
            name, _, value = pair.partition("=")
            if name.strip():
                options[f"extension_{name.strip()}"] = value.strip()
        if kafka.https_ca_location is not None:
            options["ssl.truststore.type"] = "PEM"
            options["ssl.truststore.location"] = str(Path(kafka.https_ca_location).absolute())
    else:
        password = kafka.sasl_password
        options = {
            "username": kafka.sasl_username,
            "password": None if password is None else password.get_secret_value(),
        }
    said = " ".join(f'{name}="{_escaped(value)}"' for name, value in options.items() if value is not None)
    return f"{_MODULES[kafka.sasl_mechanism or '']} required {said};"


def _escaped(value: str) -> str:
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("\n", "\\n").replace("\r", "\\r")


def _key(kafka: KafkaSettings) -> str:
    """Return the private key in the one form that Java reads (PKCS #8), without its password."""
    from cryptography.hazmat.primitives import serialization

    password = kafka.ssl_key_password
    try:
        key = serialization.load_pem_private_key(
            _text(kafka.ssl_key_location or "", "ssl_key_location").encode(),
            None if password is None else password.get_secret_value().encode(),
        )
    except (TypeError, ValueError) as error:
        raise Misconfigured(
            "the private key cannot be read",
            where=str(kafka.ssl_key_location),
            hint="It must be PEM, and ssl_key_password must fit it",
        ) from error
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _text(path: str, setting: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{setting} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}", where=path
        ) from None

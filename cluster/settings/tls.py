"""TLS from Python's side: contexts for a client, and what a failed handshake means in plain words.

librdkafka tells a wrong authority, an expired certificate and a wrong host name with the same sentence. So when it
reports a TLS failure, :func:`kafka_fault` shakes hands once more, with the same verification, and names the cause.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from cluster.errors import Misconfigured
from cluster.settings.kafka import KafkaSettings
from cluster.settings.secret_files import check_private

PROBE_TIMEOUT_S = 3.0
# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_CAUSES = {
    9: "the certificate of {server} is not valid yet: check the clocks",
    10: "the certificate of {server} has expired",
    18: "the certificate of {server} is self-signed, and not the authority in {ca}",
    19: "the certificate of {server} is not signed by an authority in {ca}",
    20: "the certificate of {server} is not signed by an authority in {ca}",
    21: "the certificate of {server} is not signed by an authority in {ca}",
    23: "the certificate of {server} was revoked",
    62: "the certificate of {server} is for another host name than {host}",
    64: "the certificate of {server} is for another address than {host}",
}
_ABOUT_THE_CLIENT = ("certificate", "unknown ca", "access denied", "handshake failure")
# An ApiVersions request, version 0: any broker answers it, before any login.
_API_VERSIONS = struct.pack(">hhih", 18, 0, 1, 6) + b"tlsask"


def trusting(ca: str, *, setting: str) -> ssl.SSLContext:
    """Return a client's context that verifies certificate and host name against a file or folder of authorities.

    :raises Misconfigured: it cannot be read.
    """
    try:
        if Path(ca).is_dir():
            return ssl.create_default_context(capath=ca)
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(
            f"the certificate authority of {setting} cannot be read: {error.strerror or error}", where=ca
        ) from None


def show_certificate(
    context: ssl.SSLContext, certificate: str | None, key: str | None, password: SecretStr | None, *, prefix: str = ""
) -> None:
    """Have a context show the client's certificate, if there is one.

    :param prefix: of the settings' names, such as ``registry_``.
    :raises Misconfigured: a file cannot be used, or the key is open to others.
    """
    if certificate is None or key is None:
        return
    check_private(key, f"{prefix}ssl_key_location")
    try:
        # With no password at all, OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key, password.get_secret_value() if password is not None else "")
    except OSError as error:
        why = "the key does not fit, or its password" if isinstance(error, ssl.SSLError) else error.strerror
        raise Misconfigured(
            f"the client certificate cannot be used: {why}",
            where=f"{certificate}, {key}",
            hint=f"Check {prefix}ssl_certificate_location, {prefix}ssl_key_location and {prefix}ssl_key_password",
        ) from None


def handshake_fault(error: ssl.SSLError, *, server: str, host: str, ca: str | None, has_certificate: bool) -> str:
    """Return why a handshake failed.

    :param server: as in "the certificate of {server}".
    :param ca: setting that names the authority's file, or ``None`` for the system's authorities.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _CAUSES.get(error.verify_code)
        if known is not None:
            return known.format(server=server, host=host, ca=ca or "the system's store")
        return f"the certificate of {server} is not accepted: {error.verify_message}"
    reason = error.reason or ""
    if "ALERT" in reason:
        return alert_fault(reason.lower().replace("_", " "), server=server, has_certificate=has_certificate)
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}:
        return f"{server} does not speak TLS on this port"
    return f"the TLS handshake with {server} failed: {reason.lower().replace('_', ' ') or 'no reason given'}"


def alert_fault(alert: str, *, server: str, has_certificate: bool) -> str:
    """Return what a server means by a TLS alert, given in OpenSSL's words."""
    if not any(words in alert for words in _ABOUT_THE_CLIENT):
        return f"{server} broke the TLS handshake off ({alert})"
    if not has_certificate:
        return f"{server} wants a client certificate, and none is set ({alert})"
    return f"{server} does not accept the client certificate ({alert})"


def ssl_cause(error: BaseException) -> ssl.SSLError | None:
    """Return the TLS failure at the bottom of another error, if there is one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def kafka_fault(kafka: KafkaSettings, host: str, port: int) -> str:
    """Shake hands with one broker and return why it fails; empty when it does not, or when nobody is there.

    The settings' own verification holds, and nothing but the question for the broker's versions is sent.
    """
    ca = kafka.ssl_ca_location
    context = ssl.create_default_context() if ca is None else trusting(ca, setting="ssl_ca_location")
    show_certificate(context, kafka.ssl_certificate_location, kafka.ssl_key_location, kafka.ssl_key_password)
    try:
        with (
            socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            # Under TLS 1.3 a server judges the client's certificate after the client's last word.
            with suppress(OSError):  # it may have hung up by now: what it said is still to be read
                encrypted.sendall(struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS)
            encrypted.recv(4)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return ""  # hung up without a word
    except ssl.SSLError as error:
        return handshake_fault(
            error,
            server="the broker",
            host=host,
            ca=None if ca is None else "ssl_ca_location",
            has_certificate=kafka.ssl_certificate_location is not None,
        )
    except OSError:
        return ""
    return ""

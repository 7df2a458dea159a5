"""The stores and PEM texts of one half of a client file, for Kafka or for the registry, as our settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from cluster.errors import Misconfigured
from cluster.settings.java.keystores import (
    certificates_of_pem,
    identity_of_pem,
    keep,
    read_keystore,
    read_truststore,
)

VERIFIED = "ssl.endpoint.identification.algorithm"
TRUST = tuple(f"ssl.truststore.{name}" for name in ("location", "password", "type", "certificates"))
_KEYS = tuple(f"ssl.keystore.{name}" for name in ("location", "password", "type", "key", "certificate.chain"))
_READ = (*TRUST, *_KEYS, "ssl.key.password")
UNDERSTOOD = (*_READ, VERIFIED)


@dataclass(frozen=True, slots=True)
class Places:
    """Where files are: those of the client file beside it, and PEM files of ours in a folder."""

    beside: Path
    folder: Path

    def named(self, location: str) -> Path:
        """Return a file that lies beside the client file, or else where Java looks: in the working folder."""
        beside = self.beside / location
        return beside if beside.exists() or not Path(location).exists() else Path(location)


def tls_settings(
    given: Mapping[str, str], places: Places, faults: list[str], *, prefix: str = "", ours: str = ""
) -> dict[str, object]:
    """Return the settings of TLS for one half.

    :param prefix: of the half's keys, such as ``schema.registry.``.
    :param ours: of its settings, such as ``registry_``.
    :param faults: gets a sentence for each thing that cannot be done as the file says.
    """
    keys = {key: given[prefix + key] for key in _READ if prefix + key in given}
    if given.get(prefix + VERIFIED, "https").lower() != "https":
        faults.append(f"{prefix}{VERIFIED}: host names are always verified; remove it")
    found: dict[str, object] = {}
    if content := trusted(keys, places, faults, prefix=prefix):
        found[f"{ours}ssl_ca_location"] = str(keep(content, places.folder, "ca"))
    try:
        found |= _identity(keys, places, prefix=prefix, ours=ours)
    except Misconfigured as error:
        faults.append(str(error))
    return found


def trusted(keys: Mapping[str, str], places: Places, faults: list[str], *, prefix: str = "") -> bytes | None:
    """Return the certificates that are trusted, as PEM; ``None`` where nothing is said, or it cannot be read."""
    try:
        if text := keys.get("ssl.truststore.certificates"):
            return certificates_of_pem(text, where=f"{prefix}ssl.truststore.certificates")
        if location := keys.get("ssl.truststore.location"):
            return read_truststore(places.named(location), _secret(keys, "ssl.truststore.password"))
    except Misconfigured as error:
        faults.append(str(error))
        return None
    if keys.get("ssl.truststore.password"):
        faults.append(f"{prefix}ssl.truststore.password is given without ssl.truststore.location")
    return None


def _identity(keys: Mapping[str, str], places: Places, *, prefix: str, ours: str) -> dict[str, object]:
    key_password = _secret(keys, "ssl.key.password")
    if text := keys.get("ssl.keystore.key"):
        chain = keys.get("ssl.keystore.certificate.chain", "")
        identity = identity_of_pem(f"{text}\n{chain}".encode(), key_password, where=f"{prefix}ssl.keystore.key")
    elif location := keys.get("ssl.keystore.location"):
        identity = read_keystore(places.named(location), _secret(keys, "ssl.keystore.password"), key_password)
    else:
        return {}
    return {
        f"{ours}ssl_certificate_location": str(keep(identity.chain, places.folder, "certificate")),
        f"{ours}ssl_key_location": str(keep(identity.key, places.folder, "key", named_by=identity.chain)),
        f"{ours}ssl_key_password": identity.password,
    }


def _secret(keys: Mapping[str, str], key: str) -> SecretStr | None:
    return SecretStr(keys[key]) if keys.get(key) else None

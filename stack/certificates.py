"""A certificate authority for this machine alone, and the identities that it signs, as PEM files.

Keys are ECDSA on P-256 in PKCS#8, which OpenSSL, Java and Quarkus all read, and readable by the owner only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stack.files import READABLE, write_private

AUTHORITY_NAME = "Streamproof local authority"
AUTHORITY_LIFE = timedelta(days=3650)
# What operating systems accept of a leaf at most, and some.
LEAF_LIFE = timedelta(days=820)
RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Identity:
    """The files of one certificate: alone, its key alone, and both in one as Java wants them."""

    certificate: Path
    key: Path
    both: Path

    @classmethod
    def at(cls, folder: Path, name: str) -> Identity:
        """Return where the identity of that name lies."""
        return cls(folder / f"{name}.crt", folder / f"{name}.key", folder / f"{name}.pem")

    def lasts(self, now: datetime) -> bool:
        """Tell whether all files are there, and the certificate is valid for a while."""
        if not all(path.is_file() for path in (self.certificate, self.key, self.both)):
            return False
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return certificate.not_valid_after_utc - RENEW_BEFORE > now


class Authority:
    """A certificate authority in memory."""

    def __init__(self, *, now: datetime | None = None, name: str = AUTHORITY_NAME) -> None:
        self._now = now or datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        public = self._key.public_key()
        self.certificate = (
            _builder(subject, subject, public, self._now - _CLOCK_SKEW, self._now + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def write_certificate(self, path: Path) -> None:
        """Write the certificate, which is what clients trust. The authority's key is never written."""
        write_private(path, self.certificate.public_bytes(serialization.Encoding.PEM), mode=READABLE)

    def issue(
        self,
        identity: Identity,
        name: str,
        *,
        hosts: tuple[str, ...] = (),
        life: timedelta = LEAF_LIFE,
        not_before: datetime | None = None,
        password: str | None = None,
    ) -> None:
        """Sign and write an identity.

        :param hosts: host names and addresses of a server; empty for a client alone.
        :param password: encrypts the key's own file; the file that holds both stays readable without one.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        begins = not_before or self._now - _CLOCK_SKEW
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        # A broker is a client too: of itself.
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = (
            _builder(subject, self.certificate.subject, key.public_key(), begins, begins + life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False
            )
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        write_private(identity.certificate, certificate, mode=READABLE)
        write_private(identity.key, _pem(key, password))
        write_private(identity.both, _pem(key, None) + certificate)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey, password: str | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

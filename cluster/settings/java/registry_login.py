"""The registry's address and login of a client file as our settings."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote_plus

from pydantic import SecretStr

from cluster.settings.java.known_keys import REGISTRY
from cluster.settings.java.login import login_settings
from cluster.settings.java.quoting import word

URL = "schema.registry.url"
# Each may stand behind ``schema.registry.`` too.
_KEYS = (
    *("basic.auth.credentials.source", "basic.auth.user.info"),
    *("bearer.auth.credentials.source", "bearer.auth.token"),
)
UNDERSTOOD = (URL, *_KEYS, *(REGISTRY + key for key in _KEYS))
# A header of HTTP is the same in any case.
AUTHORIZATION = "request.header.authorization"


def registry_settings(given: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    """Return the settings of the registry, but for TLS.

    :param faults: gets a sentence for each thing that cannot be done as the file says.
    """
    found: dict[str, object] = {}
    url, in_url = _without_login((given.get(URL) or "").split(",")[0].strip())
    if url:
        found["registry_url"] = url
        if not re.match(r"https?://", url):
            faults.append(f"{URL}: an address with http or https is needed")
    return found | _basic(given, in_url, faults) | _header(given, faults) | _bearer(given, faults)


def _value(given: Mapping[str, str], key: str) -> str:
    """Return the value of a key, with its prefix or without."""
    return given.get(REGISTRY + key) or given.get(key) or ""


def _basic(given: Mapping[str, str], in_url: str, faults: list[str]) -> dict[str, object]:
    login = _value(given, "basic.auth.user.info")
    source = _value(given, "basic.auth.credentials.source") or ("USER_INFO" if login else "URL")
    if source == "SASL_INHERIT":
        return _inherited(given, faults)
    if source == "URL":
        login = in_url
    elif source != "USER_INFO":
        faults.append(f"basic.auth.credentials.source: {word(source)} is none of USER_INFO, URL, SASL_INHERIT")
    elif ":" not in login:
        faults.append("basic.auth.user.info is not user:password" if login else "basic.auth.user.info is missing")
    return _user(login) if ":" in login else {}


def _user(login: str) -> dict[str, object]:
    name, _, password = login.partition(":")
    return {"registry_username": name, "registry_password": SecretStr(password)}


def _inherited(given: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    """Return Kafka's own login as the registry's."""
    login, _ = login_settings(given, [])
    name = login.get("sasl_username") or given.get("sasl.username")
    password = login.get("sasl_password") or SecretStr(given.get("sasl.password", ""))
    if not name or not password:
        faults.append("basic.auth.credentials.source SASL_INHERIT needs a user in sasl.jaas.config")
        return {}
    return {"registry_username": name, "registry_password": password}


def _header(given: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    """Return a login that the file sends as a header of its own."""
    said = next((text for key, text in given.items() if key.lower() == AUTHORIZATION), "")
    kind, _, value = said.partition(" ")
    if kind.lower() == "bearer":
        return {"registry_bearer_token": SecretStr(value.strip())}
    if kind.lower() == "basic":
        with suppress(ValueError):
            return _user(base64.b64decode(value, validate=True).decode())
    if kind:
        faults.append("request.header.Authorization is neither Basic nor Bearer")
    return {}


def _bearer(given: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    token = _value(given, "bearer.auth.token")
    source = _value(given, "bearer.auth.credentials.source") or "STATIC_TOKEN"
    if source != "STATIC_TOKEN":
        faults.append(
            f"bearer.auth.credentials.source: {word(source)} is not supported: give a token (STATIC_TOKEN), or a login "
            "(basic.auth.credentials.source)"
        )
    return {"registry_bearer_token": SecretStr(token)} if token else {}


def _without_login(url: str) -> tuple[str, str]:
    """Split an address into itself without a login, and the login."""
    found = re.fullmatch(r"([a-z]+://)([^/?#]*)@(.*)", url)
    return (found[1] + found[3], unquote_plus(found[2])) if found else (url, "")

"""A client file's login as our settings, or the sentence that says why it cannot be one.

What a login needs is in several keys at once (the mechanism, the login line, classes of callbacks), so they are judged
together: one cause is told in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from cluster.settings.java.jaas import Login, UnreadableLogin, read_login
from cluster.settings.java.quoting import class_name, key_name, word
from cluster.settings.java.tls import TRUST

MECHANISM = "sasl.mechanism"
LINE = "sasl.jaas.config"
HANDLERS = ("sasl.client.callback.handler.class", "sasl.login.callback.handler.class", "sasl.login.class")
# What this module reads besides.
OAUTH = {
    "sasl.oauthbearer.token.endpoint.url": "sasl_oauthbearer_token_endpoint_url",
    "sasl.oauthbearer.client.credentials.client.id": "sasl_oauthbearer_client_id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl_oauthbearer_client_secret",
    "sasl.oauthbearer.scope": "sasl_oauthbearer_scope",
}
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_INSTEAD = "log in with SCRAM, PLAIN or OAUTHBEARER, or with a client certificate (mTLS)"
_IAM = (
    "login by IAM is not supported; use the cluster's SCRAM users (SASL/SCRAM, mostly port 9096) or a client "
    "certificate (mTLS, mostly port 9094)"
)
_KERBEROS = f"Kerberos (GSSAPI) is not supported; {_INSTEAD}"
_PASSWORD = {"username": "sasl_username", "password": "sasl_password"}
_CLIENT_CREDENTIALS = {
    "clientId": "sasl_oauthbearer_client_id",
    "clientSecret": "sasl_oauthbearer_client_secret",
    "scope": "sasl_oauthbearer_scope",
    # Strimzi's handler has names of its own for the same.
    "oauth.client.id": "sasl_oauthbearer_client_id",
    "oauth.client.secret": "sasl_oauthbearer_client_secret",
    "oauth.scope": "sasl_oauthbearer_scope",
    "oauth.token.endpoint.uri": "sasl_oauthbearer_token_endpoint_url",
}
# Kafka's own login modules, and the setting that each option becomes. Some libraries bring Kafka under a longer name.
_MODULES = {
    "org.apache.kafka.common.security.plain.PlainLoginModule": _PASSWORD,
    "org.apache.kafka.common.security.scram.ScramLoginModule": _PASSWORD,
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule": _CLIENT_CREDENTIALS,
}
_SECRET = ("password", "secret")
_EXTENSION = "extension_"
# Classes that do what is done here anyway.
_OWN_CLASSES = re.compile(
    r"([a-z]+\.)?org\.apache\.kafka\.common\.security\.|"
    r"io\.strimzi\.kafka\.oauth\.client\.JaasClientOauthLoginCallbackHandler$"
)
# What asks a token endpoint in another way than by client credentials.
_OTHER_GRANTS = re.compile(r"sasl\.oauthbearer\.(assertion\.|jwt\.retriever\.class$|grant\.type$)")
_CLIENT_CREDENTIALS_WORDS = re.compile(r"client_credentials$|.*\.(ClientCredentials|Default)JwtRetriever$")


def is_secret_line(text: str) -> bool:
    """Tell whether a login line holds a password or a secret; one that cannot be read is taken for one that does."""
    try:
        return any(_is_secret(name) for name in read_login(text).options)
    except UnreadableLogin:
        return any(word in text.lower() for word in _SECRET)


def login_settings(given: Mapping[str, str], faults: list[str]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the settings of the login, and the keys ``ssl.truststore.*`` of its token endpoint.

    :param faults: gets a sentence for each thing that cannot be done as the file says.
    """
    if _is_iam(given):
        faults.append(_IAM)
        return {}, {}
    mechanism, login = given.get(MECHANISM), _line(given, faults)
    if _is_kerberos(given, login):
        faults.append(_KERBEROS)
        return {}, {}
    found: dict[str, object] = {}
    if mechanism:
        found["sasl_mechanism"] = mechanism
        if mechanism.upper() not in _MECHANISMS:
            faults.append(f"{MECHANISM}: {word(mechanism.upper())} is not supported; {_INSTEAD}")
    faults += _foreign_classes(given)
    trust: dict[str, str] = {}
    if login is not None:
        options = _options_of(login.module)
        if options is None:
            faults.append(f"the login module of {LINE} is none of Kafka's own: {class_name(login.module)}; {_INSTEAD}")
        else:
            translated, trust = _translated(login, options, faults)
            found |= translated
    # Stronger than the login line, as in Kafka.
    found |= {name: _kept(name, given[key]) for key, name in OAUTH.items() if given.get(key)}
    _check_endpoint(found, faults)
    return found, trust


def _line(given: Mapping[str, str], faults: list[str]) -> Login | None:
    if not given.get(LINE):
        return None
    try:
        return read_login(given[LINE])
    except UnreadableLogin as error:
        faults.append(f"{LINE} cannot be read as Kafka reads it: {error}")
        return None


def _is_iam(given: Mapping[str, str]) -> bool:
    said = (given.get(key, "") for key in (MECHANISM, LINE, *HANDLERS))
    return any("AWS_MSK_IAM" in text or "msk.auth.iam" in text for text in said)


def _is_kerberos(given: Mapping[str, str], login: Login | None) -> bool:
    """Kafka's mechanism is GSSAPI unless another one is named."""
    if login is not None:
        return login.module.endswith("Krb5LoginModule")
    return given.get(MECHANISM, "GSSAPI" if "sasl.kerberos.service.name" in given else "").upper() == "GSSAPI"


def _foreign_classes(given: Mapping[str, str]) -> Iterator[str]:
    for key in HANDLERS:
        name = given.get(key)
        if name and not _OWN_CLASSES.match(name):
            yield f"{key}: {class_name(name)} logs in by code of its own, which is not run here; {_INSTEAD}"
    for key, value in given.items():
        if value and _OTHER_GRANTS.match(key) and not _CLIENT_CREDENTIALS_WORDS.match(value):
            yield f"{key} is not supported: tokens are asked for by client id and secret"


def _options_of(module: str) -> Mapping[str, str] | None:
    for name, options in _MODULES.items():
        if module == name or module.endswith(f".{name}"):
            return options
    return None


def _translated(
    login: Login, options: Mapping[str, str], faults: list[str]
) -> tuple[dict[str, object], dict[str, str]]:
    """Translate each option of a login line, or refuse it by name."""
    found: dict[str, object] = {}
    extensions: dict[str, str] = {}
    trust: dict[str, str] = {}
    oauth = options is _CLIENT_CREDENTIALS
    for name, value in login.options.items():
        if name in options:
            setting = options[name]
            found[setting] = _kept(setting, value)
        elif oauth and name.startswith(_EXTENSION) and not any(sign in value for sign in ",="):
            extensions[name.removeprefix(_EXTENSION)] = value
        elif oauth and name in TRUST:
            trust[name] = value
        elif name == "tokenauth" and value.lower() == "false":
            continue
        else:
            kind = login.module.rpartition(".")[2]
            why = "delegation tokens are not supported" if name == "tokenauth" else "it means nothing here"
            faults.append(f"{LINE}: option {key_name(name)} of {kind} is not taken ({why}); remove it")
    if extensions:
        found["sasl_oauthbearer_extensions"] = ",".join(f"{name}={value}" for name, value in extensions.items())
    return found, trust


def _check_endpoint(found: dict[str, object], faults: list[str]) -> None:
    endpoint = found.get("sasl_oauthbearer_token_endpoint_url")
    if isinstance(endpoint, str) and not re.match(r"https?://", endpoint):
        faults.append("sasl.oauthbearer.token.endpoint.url: an address with http or https is needed")


def _kept(setting: str, value: str) -> object:
    return SecretStr(value) if _is_secret(setting) else value


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET)

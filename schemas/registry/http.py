"""HTTP to a Schema Registry: deadlines, one repetition, and every failure in our tree.

The Confluent-compatible API over httpx, rather than through ``confluent_kafka.schema_registry``: that client waits for
ever by default, drops the registry's reasons (``verbose``), and takes a bearer token only with Confluent Cloud's
cluster id.
"""

from __future__ import annotations

import json
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured, Refused, RegistryUnreachable, StreamproofError
from cluster.settings.tls import handshake_fault, show_certificate, ssl_cause, trusting
from cluster.silence import telling_if_silent

ATTEMPTS = 2
RETRY_WAIT_S = 0.5
TOTAL_S = 12.0  # one call with its repetition, whatever the settings say
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_FOUND = frozenset({40401, 40402, 40403, 40408})  # subject, version, schema, level of the subject
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class Answer(Exception):
    """The registry answered with an error that the caller has to judge: 404, 409, 422 ..."""

    def __init__(self, status: int, code: int, said: str) -> None:
        super().__init__(said)
        self.status, self.code, self.said = status, code, said


class RegistryHttp:
    """One registry's address, login and connections."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._url, self.shown = settings.url, settings.shown
        self._timeout_s = settings.timeout_s
        headers = {"Accept": f"{_MEDIA_TYPE}, application/json", "Content-Type": _MEDIA_TYPE}
        if settings.bearer_token is not None:
            headers["Authorization"] = f"Bearer {settings.bearer_token.get_secret_value()}"
        login = None
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password is not None else ""
            login = httpx.BasicAuth(settings.username, password)
        self._ca = "registry_ssl_ca_location" if settings.ssl_ca_location is not None else None
        self._has_certificate = settings.ssl_certificate_location is not None
        self._client = httpx.Client(headers=headers, auth=login, verify=_trust(settings), follow_redirects=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, method: str, path: str, *, doing: str, body: dict[str, str] | None = None) -> Any:
        """Send one request, once more after a passing failure, and return the JSON of a 2xx answer.

        :raises Answer: 404, 409, 422 and the like, for the caller to judge.
        """
        with telling_if_silent("The registry", doing, until_s=TOTAL_S):
            return self._ask(method, path, doing, body)

    def _ask(self, method: str, path: str, doing: str, body: dict[str, str] | None) -> Any:
        deadline = time.monotonic() + TOTAL_S
        failure: StreamproofError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(RETRY_WAIT_S)
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            try:
                response = self._within(min(self._timeout_s, remaining), method, path, body)
            except httpx.TransportError as error:
                if (cause := ssl_cause(error)) is not None:
                    raise self._no_handshake(cause, doing) from None
                failure = self._unreachable(doing, _words(error))
                continue
            if response.status_code in _RETRIED:
                failure = self._unreachable(doing, f"HTTP {response.status_code}")
                continue
            return self._judge(response, doing)
        raise failure or self._unreachable(doing, "no answer in time")

    def _within(self, timeout_s: float, method: str, path: str, body: dict[str, str] | None) -> httpx.Response:
        """Send one request that ends within ``timeout_s`` in all; httpx alone bounds each read, and a drip passes."""
        deadline = time.monotonic() + timeout_s
        content = None if body is None else json.dumps(body).encode()
        with self._client.stream(method, self._url + path, content=content, timeout=timeout_s) as response:
            parts = []
            for part in response.iter_raw():
                parts.append(part)
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer does not end")
            headers = {k: v for k, v in response.headers.items() if k.lower() != "transfer-encoding"}
            return httpx.Response(response.status_code, headers=headers, content=b"".join(parts))

    def _judge(self, response: httpx.Response, doing: str) -> Any:
        status = response.status_code
        if status in (401, 403, 407):
            what = "does not know this login" if status == 401 else "does not allow this login"
            raise Refused(
                f"the registry {what} (HTTP {status}) while {doing}",
                where=self.shown,
                hint="Check registry_username and registry_password, or registry_bearer_token, and its rights",
            )
        try:
            document = response.json()
        except ValueError:
            raise self.not_a_registry(status) from None
        if status // 100 == 2:
            return document
        if not isinstance(document, dict):
            raise self.not_a_registry(status)
        code = document.get("error_code")
        if status == 404 and code not in _NOT_FOUND:  # a proxy or another service says so
            raise self.not_a_registry(status)
        raise Answer(status, code if isinstance(code, int) else 0, _first_line(document.get("message")))

    def _unreachable(self, doing: str, why: str) -> RegistryUnreachable:
        return RegistryUnreachable(
            f"the registry did not answer while {doing}: {why}",
            where=self.shown,
            hint="Check that it runs (`streamproof status`) and the address",
        )

    def _no_handshake(self, cause: ssl.SSLError, doing: str) -> Refused:
        host = urlsplit(self._url).hostname or ""
        fault = handshake_fault(
            cause, server="the registry", host=host, ca=self._ca, has_certificate=self._has_certificate
        )
        return Refused(
            f"no connection while {doing}: {fault}",
            where=self.shown,
            hint="Check registry_ssl_ca_location, the client certificate and the address",
        )

    def not_a_registry(self, status: int | None = None) -> Misconfigured:
        """Return the error for an answer that no Schema Registry gives."""
        said = f" (HTTP {status})" if status else ""
        return Misconfigured(
            f"the address does not answer as a Schema Registry does{said}",
            where=self.shown,
            hint="Give the base of its Confluent-compatible API; Apicurio's ends with /apis/ccompat/v7",
        )


def _trust(settings: RegistrySettings) -> ssl.SSLContext:
    ca = settings.ssl_ca_location
    context = httpx.create_ssl_context() if ca is None else trusting(ca, setting="registry_ssl_ca_location")
    show_certificate(
        context,
        settings.ssl_certificate_location,
        settings.ssl_key_location,
        settings.ssl_key_password,
        prefix="registry_",
    )
    return context


def _words(error: httpx.TransportError) -> str:
    return f"{type(error).__name__}: {_first_line(str(error))}" if str(error) else type(error).__name__


def _first_line(message: object) -> str:
    """Return a short form of what a server said; the Java class that Apicurio puts before it is left out."""
    text = str(message or "no message").strip().splitlines()[0]
    return text.partition("Exception: ")[2] or text if "Exception: " in text[:120] else text[:500]

"""Asking a service whether it is ready. An answer comes within :data:`PROBE_TIMEOUT_S`, or to an :class:`Inquiry`."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.error
import urllib.request
from functools import lru_cache
from typing import Any

from cluster.errors import StreamproofError
from stack.services.service import AliveProbe, HttpProbe, KafkaProbe, PostgresProbe, Probe

PROBE_TIMEOUT_S = 3.0


def fault_of(probe: Probe) -> str:
    """Return why the service is not ready; empty when it is."""
    match probe:
        case KafkaProbe():
            return _kafka_fault(probe)
        case HttpProbe():
            return _http_fault(probe)
        case PostgresProbe():
            return _postgres_fault(probe)
        case AliveProbe():
            return ""


class Inquiry:
    """A question that is asked aside: whoever watches several services waits for none of them.

    ``fault`` is ``None`` until there is an answer, and then what :func:`fault_of` returned.
    """

    def __init__(self, probe: Probe) -> None:
        self.fault: str | None = None
        threading.Thread(target=self._ask, args=(probe,), daemon=True).start()

    def _ask(self, probe: Probe) -> None:
        try:
            self.fault = fault_of(probe)
        except Exception as error:  # noqa: BLE001 - it has to end in an answer, or the service would never be ready
            self.fault = f"it cannot be asked: {error}"


def _kafka_fault(probe: KafkaProbe) -> str:
    from confluent_kafka import KafkaException

    settings = tuple(probe.settings.items())
    # A client that knows all brokers asks whichever answers. A new one knows this one alone.
    client = _kept_admin if probe.node is None else _admin
    try:
        brokers = client(probe.bootstrap_servers, settings).list_topics(timeout=PROBE_TIMEOUT_S)
    except KafkaException as error:
        return f"no answer to a metadata request: {error.args[0].str()}"
    except StreamproofError as error:
        return str(error)
    if probe.node is not None and probe.node not in brokers.brokers:
        return f"broker {probe.node} is not in the metadata"
    return "" if brokers.brokers else "no broker in the metadata"


def _postgres_fault(probe: PostgresProbe) -> str:
    import psycopg

    try:
        with psycopg.connect(probe.conninfo, connect_timeout=int(PROBE_TIMEOUT_S)) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return f"no answer to a query: {str(error).strip() or type(error).__name__}"
    return ""


@lru_cache(maxsize=4)
def _kept_admin(bootstrap_servers: str, settings: tuple[tuple[str, str], ...]) -> Any:
    return _admin(bootstrap_servers, settings)


def _admin(bootstrap_servers: str, settings: tuple[tuple[str, str], ...]) -> Any:
    from confluent_kafka.admin import AdminClient

    from cluster.connection import kafka_settings

    kafka = kafka_settings({"bootstrap_servers": bootstrap_servers, **dict(settings)})
    # Refused connections are what a start looks like: they are not worth a log line.
    return AdminClient(kafka.as_librdkafka(reconnect_backoff_max_ms=200) | {"log_level": 0})


def _http_fault(probe: HttpProbe) -> str:
    # Loopback: never through a proxy of the environment.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if probe.authority is not None:
        context = ssl.create_default_context(cafile=probe.authority)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(probe.url, timeout=PROBE_TIMEOUT_S) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code} from {probe.url}"
    except OSError as error:
        return f"no answer from {probe.url}: {getattr(error, 'reason', None) or error}"
    return _unexpected(body, probe.expect)


def _unexpected(body: bytes, expect: dict[str, str]) -> str:
    if not expect:
        return ""
    try:
        document = json.loads(body)
    except ValueError:
        return "the answer is not JSON"
    for path, wanted in expect.items():
        found: object = document
        for key in path.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        if str(found) != wanted:
            return f"{path} is {found}"
    return ""

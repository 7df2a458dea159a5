"""Asking a service whether it is ready. An answer comes within :data:`PROBE_TIMEOUT_S`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from functools import lru_cache
from typing import Any

from stack.service import AliveProbe, HttpProbe, KafkaProbe, Probe

PROBE_TIMEOUT_S = 3.0


def fault_of(probe: Probe) -> str:
    """Return why the service is not ready; empty when it is."""
    match probe:
        case KafkaProbe():
            return _kafka_fault(probe.bootstrap_servers)
        case HttpProbe():
            return _http_fault(probe)
        case AliveProbe():
            return ""


def _kafka_fault(bootstrap_servers: str) -> str:
    from confluent_kafka import KafkaException

    try:
        brokers = _admin(bootstrap_servers).list_topics(timeout=PROBE_TIMEOUT_S).brokers
    except KafkaException as error:
        return f"no answer to a metadata request: {error.args[0].str()}"
    return "" if brokers else "no broker in the metadata"


@lru_cache(maxsize=4)
def _admin(bootstrap_servers: str) -> Any:
    from confluent_kafka.admin import AdminClient

    # Refused connections are what a start looks like: they are not worth a log line.
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0, "reconnect.backoff.max.ms": 200})


def _http_fault(probe: HttpProbe) -> str:
    # Loopback: never through a proxy of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
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

"""Writing down what happens, aside: the brokers that should take it may be the ones that are away."""

from __future__ import annotations

import threading
import time

import structlog

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from schemas.control_topic import write_incidents
from schemas.incidents import RunIncidents

log = structlog.get_logger()

_AGAIN_S = 1.0


class Recorder:
    """Writes the newest of what it is given to the control topic, and tries again while it cannot."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._newest: RunIncidents | None = None
        self._written: RunIncidents | None = None
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="incidents", daemon=True)
        self._thread.start()

    def keep(self, incidents: RunIncidents) -> None:
        """Have this written in the place of all before; returns at once."""
        if incidents != self._newest:
            self._newest = incidents
            self._changed.set()

    def close(self, within_s: float) -> None:
        """Wait until the newest is written, not longer than that; say so when it is not."""
        until = time.monotonic() + within_s
        while self._written != self._newest and time.monotonic() < until:
            time.sleep(0.05)
        self._closing.set()
        self._changed.set()
        self._thread.join(timeout=1.0)
        if self._written != self._newest:
            log.warning("the incidents could not be recorded", topic=self._newest.topic if self._newest else "")

    def _run(self) -> None:
        while True:
            self._changed.wait()
            if self._closing.is_set():
                return
            self._changed.clear()
            newest = self._newest
            if newest is None:
                continue
            try:
                write_incidents(self._kafka, newest, timeout_s=5.0)
                self._written = newest
            except StreamproofError as error:
                log.debug("the incidents are recorded later", why=error.message)
                self._closing.wait(_AGAIN_S)
                self._changed.set()

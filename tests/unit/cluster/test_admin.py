"""An administrator's client outlives its answers, whoever still waits for them."""

from __future__ import annotations

import gc
import weakref

from cluster import admin as module
from cluster.admin import admin_client
from cluster.connection import KafkaSettings

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:1")


def test_a_client_that_nobody_holds_is_kept_until_its_last_call_is_over(monkeypatch):
    client = weakref.ref(admin_client(SETTINGS))
    gc.collect()
    assert client() is not None
    monkeypatch.setattr(module, "_KEPT_S", -1.0)
    admin_client(SETTINGS)
    gc.collect()
    assert client() is None, "and not for ever"

"""The Airflow of the local stack as its UI has it: health, connections that can be seen and tested, backfills."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from stack.services.airflow import ADMIN

RECURRING = "recurring_steady_hourly"
CONNECTIONS = {"kafka_default": "kafka", "schema_registry_default": "schema_registry"}


@pytest.fixture
def api(web: httpx.Client, password: str) -> httpx.Client:
    """A client of the REST API that is signed in as admin."""
    token = web.post("/auth/token", json={"username": ADMIN, "password": password}).json()["access_token"]
    web.headers["Authorization"] = f"Bearer {token}"
    return web


def test_every_part_of_airflow_is_healthy_the_triggerer_too(api: httpx.Client) -> None:
    health = api.get("/api/v2/monitor/health").json()
    assert {name: part["status"] for name, part in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy"
    )


def test_the_connections_are_listed_and_their_test_tells_the_truth(api: httpx.Client) -> None:
    listed = api.get("/api/v2/connections").json()["connections"]
    assert {each["connection_id"]: each["conn_type"] for each in listed} == CONNECTIONS
    for connection in listed:
        told = {name: value for name, value in connection.items() if value is not None}
        answer = api.post("/api/v2/connections/test", json=told).json()
        assert answer["status"] is True, answer
        nobody_there: dict[str, Any] = {"extra": json.dumps({"bootstrap.servers": "127.0.0.1:1"})}
        if connection["conn_type"] == "schema_registry":
            nobody_there = {"port": 1, "login": "u", "password": "p"}
        told |= {"connection_id": "another", **nobody_there}
        answer = api.post("/api/v2/connections/test", json=told).json()
        assert answer["status"] is False, answer
        assert answer["message"]


def test_a_recurring_dag_can_be_backfilled(api: httpx.Client) -> None:
    span = {"dag_id": RECURRING, "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-01T02:00:00Z"}
    planned = api.post("/api/v2/backfills/dry_run", json=span)
    assert planned.status_code == 200, planned.text
    assert planned.json()["total_entries"] == 3
    # SQLite answered 503 to this.
    made = api.post("/api/v2/backfills", json=span | {"max_active_runs": 1})
    assert made.status_code == 200, made.text
    cancelled = api.put(f"/api/v2/backfills/{made.json()['id']}/cancel")
    assert cancelled.status_code == 200, cancelled.text

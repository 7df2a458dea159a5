"""The numbers that say which audit, checks and publication are the newest: what contradicts them."""

from __future__ import annotations

from pathlib import Path

from consumer.sinks.duckdb.warehouse import Warehouse

_NEWEST = Path(__file__).with_name("newest.sql")


def unordered(warehouse: Warehouse, proof: str) -> list[str]:
    """Return what contradicts the numbers that say what is newest, as far as a proof is about it."""
    return [fault for about, fault in warehouse.rows(_NEWEST.read_text()) if about == proof]

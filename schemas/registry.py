"""The Schema Registry: the client."""

from __future__ import annotations

from schemas.registry_client import Registered, Registry, UnknownSchema

__all__ = ["Registered", "Registry", "UnknownSchema"]

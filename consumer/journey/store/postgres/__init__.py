"""The store in PostgreSQL, for any number of instances: see ``store.py``."""

from consumer.journey.store.postgres.store import PostgresPlace

__all__ = ["PostgresPlace"]

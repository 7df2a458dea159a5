"""What Airflow is told of this package: a connection type for a Schema Registry, which no provider brings.

Airflow finds it by the entry point ``apache_airflow_provider`` and shows the type in the form of a connection.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the description, in the form that Airflow's schema for providers asks for."""
    return {
        "package-name": "streamproof",
        "name": "Streamproof",
        "description": "Rehearse a Kafka pipeline from Airflow, and prove that nothing was lost.",
        "connection-types": [
            {
                "connection-type": "schema_registry",
                "hook-class-name": "plugins.hooks.SchemaRegistryHook",
                "hook-name": "Schema Registry",
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {"schema": "http or https"},
                    "placeholders": {"extra": '{"path": "/apis/ccompat/v7"}'},
                },
            },
            {
                "connection-type": "postgres_warehouse",
                "hook-class-name": "plugins.hooks.PostgresWarehouseHook",
                "hook-name": "PostgreSQL warehouse",
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {"schema": "Database"},
                    "placeholders": {"extra": '{"sslmode": "verify-full"}'},
                },
            },
        ],
    }

"""Airflow connections in, the one typed setting out.

``kafka_default`` is the Kafka provider's connection: its *extra* holds librdkafka's names, as it does for the
provider's own operators. ``schema_registry_default`` is of the type ``schema_registry``, which this package brings
(`plugins.provider`), or ``http``: schema, host, port, login and password as the UI asks for them; *extra* takes
``path`` (``/apis/ccompat/v7``) and every setting of ``RegistrySettings``, such as ``bearer_token`` and
``ssl_ca_location``.

A warehouse in PostgreSQL is any connection that has host, port, login, password and a database (the field *Schema*):
one of the type that this package brings, or ``postgres``. Its extra takes libpq's parameters, such as ``sslmode``.

An unencrypted connection to another machine needs ``allow_plaintext`` in the extra of both, or the variable
``STREAMPROOF_ALLOW_PLAINTEXT`` in the environment of the tasks, which the provider's own operators do not mind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import environ
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from pydantic import SecretStr

from cluster.connection import ENV_PREFIX, Connection, Missing
from cluster.errors import Misconfigured, StreamproofError
from cluster.settings.registry import RegistrySettings

if TYPE_CHECKING:
    from consumer.sinks.postgres.place import Address
    from consumer.sinks.postgres.sink import PostgresSchema

KAFKA_CONN_ID = "kafka_default"
REGISTRY_CONN_ID = "schema_registry_default"
_SPELLINGS = {"sasl.mechanisms": "sasl_mechanism"}  # librdkafka has two names for it


class KafkaHook(KafkaBaseHook):
    """The provider's Kafka connection, read as settings."""

    def __init__(self, kafka_config_id: str = KAFKA_CONN_ID) -> None:
        super().__init__(kafka_config_id)  # type: ignore[no-untyped-call]

    def settings(self) -> dict[str, object]:
        """Return the connection's extra with underscores for dots: librdkafka's names as ``KafkaSettings`` has them."""
        extra: dict[str, Any] = self.get_connection(self.kafka_config_id).extra_dejson
        return {_SPELLINGS.get(name, name.replace(".", "_")): value for name, value in extra.items()}


class SchemaRegistryHook(BaseHook):
    """A Schema Registry."""

    conn_name_attr = "registry_conn_id"
    default_conn_name = REGISTRY_CONN_ID
    conn_type = "schema_registry"
    hook_name = "Schema Registry"

    def __init__(self, registry_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.registry_conn_id = registry_conn_id

    def settings(self) -> dict[str, object]:
        """Return the connection as ``RegistrySettings`` has it; its base path is the extra ``path``."""
        connection = self.get_connection(self.registry_conn_id)
        host = connection.host or ""
        address = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        if connection.port:
            address = f"{address}:{connection.port}"
        extra: dict[str, object] = dict(connection.extra_dejson)
        settings: dict[str, object] = {"url": address + str(extra.pop("path", ""))}
        if connection.login:
            settings["username"] = connection.login
        if connection.password:
            settings["password"] = connection.password
        return settings | extra

    def test_connection(self) -> tuple[bool, str]:
        """Ask the registry for its default compatibility, for the button of the connections' page."""
        from schemas.registry.client import Registry

        try:
            told = Connection.of(registry=_plaintext_allowed(environ) | self.settings())
            with Registry(told.registry) as registry:
                level = registry.default_compatibility()
        except StreamproofError as error:
            return False, str(error)
        return True, f"The registry answers; its default compatibility is {level}."


class PostgresWarehouseHook(BaseHook):
    """A PostgreSQL database that holds warehouses."""

    conn_name_attr = "warehouse_conn_id"
    default_conn_name = "warehouse_default"
    conn_type = "postgres_warehouse"
    hook_name = "PostgreSQL warehouse"

    def __init__(self, warehouse_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.warehouse_conn_id = warehouse_conn_id

    def address(self) -> Address:
        """Return the address of the database."""
        from consumer.sinks.postgres.place import address_from

        connection = self.get_connection(self.warehouse_conn_id)
        parts: dict[str, Any] = {
            "host": connection.host,
            "port": connection.port,
            "user": connection.login,
            "password": connection.password,
            "dbname": connection.schema,
        }
        return address_from(dict(connection.extra_dejson) | parts)

    def test_connection(self) -> tuple[bool, str]:
        """Log in, for the button of the connections' page."""
        from consumer.sinks.postgres.connecting import connect as log_in

        try:
            with log_in(self.address(), lock_s=1) as connection:
                version = connection.info.server_version // 10_000
        except StreamproofError as error:
            return False, str(error)
        return True, f"PostgreSQL {version} answers."


def warehouse_at(conn_id: str, topic: str) -> PostgresSchema:
    """Return the warehouse of a topic in the database of a connection; its password is masked in this task's log.

    :raises Misconfigured: Airflow has no such connection.
    """
    from consumer.sinks.postgres.sink import PostgresSchema

    return PostgresSchema(database_at(conn_id), topic)


def database_at(conn_id: str) -> Address:
    """Return the address of the database of a connection; its password is masked in this task's log.

    :raises Misconfigured: Airflow has no such connection.
    """
    try:
        address = PostgresWarehouseHook(conn_id).address()
    except AirflowNotFoundException:
        raise Misconfigured(f"Airflow has no connection {conn_id!r}", hint=_create(conn_id)) from None
    if password := address.conninfo.get("password"):
        mask_secret(password)
    return address


def connect(kafka_conn_id: str = KAFKA_CONN_ID, registry_conn_id: str = REGISTRY_CONN_ID) -> Connection:
    """Return the typed setting that the packages take; from now on its secrets are masked in this task's log.

    A connection that Airflow does not have is missed when a task asks for it.

    :raises Misconfigured: a connection holds something that is not a setting.
    """
    connection = Connection.of(
        _found(KafkaHook(kafka_conn_id).settings, kafka_conn_id),
        _found(SchemaRegistryHook(registry_conn_id).settings, registry_conn_id),
    )
    for secret in connection.secrets():
        mask_secret(secret)
    return connection


def for_confluent(registry: RegistrySettings) -> dict[str, Any]:
    """Return address, login and TLS of a registry as Confluent's own client takes them: for consumers of others."""
    told = {
        name.replace("_", "."): value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in registry
        if value and (name == "url" or name.startswith("ssl_"))
    }
    if registry.username and registry.password:
        told["basic.auth.user.info"] = f"{registry.username}:{registry.password.get_secret_value()}"
    return told


def _plaintext_allowed(env: Mapping[str, str]) -> dict[str, object]:
    said = env.get(f"{ENV_PREFIX}ALLOW_PLAINTEXT")
    return {"allow_plaintext": said} if said else {}


def _found(settings: Callable[[], dict[str, object]], conn_id: str) -> dict[str, object] | Missing:
    try:
        return _plaintext_allowed(environ) | settings()
    except AirflowNotFoundException:
        return Missing(f"Airflow has no connection {conn_id!r}", hint=_create(conn_id))


def _create(conn_id: str) -> str:
    return "Create it under Admin > Connections, or set AIRFLOW_CONN_" + conn_id.upper()

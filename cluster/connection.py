"""The one typed setting of Kafka and the Schema Registry, and its exit to librdkafka's names.

Sources, strongest first: flags, environment (``STREAMPROOF_*``), a TOML file, the running local stack.
Secrets come from environment, file or an Airflow connection only, and never print.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from cluster.errors import Misconfigured
from cluster.local import read_local_stack, state_dir

ENV_PREFIX = "STREAMPROOF_"
# Settings of the process that are not part of a connection.
OTHER_VARIABLES = frozenset(
    {"STATE_DIR", "CACHE_DIR", "CONFIG", "WAREHOUSE_DIR", "PUBLICATIONS_DIR", "PROFILES_DIR", "LOG_LEVEL"}
)


class KafkaSettings(BaseModel):
    """How to reach the brokers. Field names are librdkafka's, with underscores for dots."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = Field(min_length=1, description="host:port, comma separated")
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: str | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    ssl_key_password: SecretStr | None = None

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    def as_librdkafka(self, **extra: Any) -> dict[str, Any]:
        """Return a librdkafka configuration. The only place where secrets leave their wrapper.

        ``extra`` takes further settings with underscores for dots; they win.
        """
        settings: dict[str, Any] = {}
        for name, value in self:
            if value is not None:
                plain = value.get_secret_value() if isinstance(value, SecretStr) else value
                settings[name.replace("_", ".")] = plain
        settings.update({name.replace("_", "."): value for name, value in extra.items()})
        return settings


class RegistrySettings(BaseModel):
    """How to reach the Schema Registry (Confluent-compatible API)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://", description="base address of the Confluent-compatible API")
    username: str | None = None
    password: SecretStr | None = None
    bearer_token: SecretStr | None = None
    ssl_ca_location: str | None = None
    timeout_s: float = Field(default=5.0, gt=0, le=120, description="deadline of one request, seconds")

    @field_validator("url")
    @classmethod
    def _no_credentials(cls, value: str) -> str:
        if "@" in value.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError("credentials do not belong into the address; use registry_username and registry_password")
        return value.rstrip("/")


class Connection(BaseModel):
    """Kafka and its registry, validated whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka: KafkaSettings
    registry: RegistrySettings

    @classmethod
    def of(cls, kafka: Mapping[str, object], registry: Mapping[str, object]) -> Self:
        """Build from two mappings; every fault is named at once in one :class:`Misconfigured`."""
        try:
            return cls.model_validate({"kafka": dict(kafka), "registry": dict(registry)})
        except ValidationError as error:
            raise Misconfigured(
                "the connection settings are not valid: " + "; ".join(_faults(error)),
                hint="See docs/settings.md for every setting",
            ) from None

    @classmethod
    def discover(
        cls,
        *,
        bootstrap_servers: str | None = None,
        registry_url: str | None = None,
        env: Mapping[str, str] = os.environ,
    ) -> Self:
        """Merge flags, environment, file and the running local stack, strongest first.

        :raises Misconfigured: a setting is unknown or invalid, or no address is known.
        """
        kafka: dict[str, object] = {}
        registry: dict[str, object] = {}
        stack = read_local_stack(state_dir(env))
        if stack is not None:
            kafka["bootstrap_servers"] = stack.bootstrap_servers
            registry["url"] = stack.registry_url
        for source in (_from_file(env), _from_environment(env)):
            kafka.update(source["kafka"])
            registry.update(source["registry"])
        if bootstrap_servers:
            kafka["bootstrap_servers"] = bootstrap_servers
        if registry_url:
            registry["url"] = registry_url
        missing = [
            name
            for name, known in (("Kafka", "bootstrap_servers" in kafka), ("the Schema Registry", "url" in registry))
            if not known
        ]
        if missing:
            raise Misconfigured(
                f"no address of {' or '.join(missing)} is known, and no local stack is running",
                where=f"looked in flags, {ENV_PREFIX}* and {state_dir(env)}",
                hint=f"Run `streamproof up`, or set {ENV_PREFIX}BOOTSTRAP_SERVERS and {ENV_PREFIX}REGISTRY_URL",
            )
        return cls.of(kafka, registry)


def _from_environment(env: Mapping[str, str]) -> dict[str, dict[str, object]]:
    values = {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in env.items()
        if name.startswith(ENV_PREFIX) and name.removeprefix(ENV_PREFIX) not in OTHER_VARIABLES and value
    }
    return _sorted_out(values, "the environment", lambda name: ENV_PREFIX + name.upper())


def _from_file(env: Mapping[str, str]) -> dict[str, dict[str, object]]:
    named = env.get(f"{ENV_PREFIX}CONFIG")
    path = Path(named or "streamproof.toml")
    if not named and not path.exists():
        return {"kafka": {}, "registry": {}}
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise Misconfigured(
            f"the settings file cannot be read: {error.strerror}", where=str(path), hint=f"Correct {ENV_PREFIX}CONFIG"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the settings file is not TOML: {error}", where=str(path)) from None
    return _sorted_out(values, str(path), str)


def _sorted_out(values: Mapping[str, object], where: str, spell: Any) -> dict[str, dict[str, object]]:
    """Split flat names (``registry_url``, ``sasl_password``) into the two models; an unknown one is an error."""
    names: dict[str, tuple[str, str]] = {name: ("kafka", name) for name in KafkaSettings.model_fields}
    names |= {f"registry_{name}": ("registry", name) for name in RegistrySettings.model_fields}
    found: dict[str, dict[str, object]] = {"kafka": {}, "registry": {}}
    for name, value in values.items():
        if name not in names:
            near = difflib.get_close_matches(name, [*names, *map(str.lower, OTHER_VARIABLES)], n=1)
            raise Misconfigured(
                f"unknown setting {spell(name)}",
                where=where,
                hint=f"Did you mean {spell(near[0])}?" if near else "See docs/settings.md for every setting",
            )
        part, key = names[name]
        found[part][key] = value
    return found


def _faults(error: ValidationError) -> list[str]:
    """Name each fault by its setting, without the value: it may be a secret."""
    return [f"{'_'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)]

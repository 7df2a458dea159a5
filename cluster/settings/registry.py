"""How to reach the Schema Registry: one typed setting."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from cluster.settings.hosts import is_foreign_url, shown_address
from cluster.settings.kafka import ALLOW_PLAINTEXT_HINT


class RegistrySettings(BaseModel):
    """How to reach the Schema Registry (Confluent-compatible API)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://", description="base address of the Confluent-compatible API")
    allow_plaintext: bool = Field(default=False, description="unencrypted, also to another machine")
    username: str | None = None
    password: SecretStr | None = None
    bearer_token: SecretStr | None = None
    ssl_ca_location: str | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    ssl_key_password: SecretStr | None = None
    column_conflicts: Literal["refuse", "warn"] = Field(
        default="refuse", description="what to do about a field that no column holds beside what it holds already"
    )
    timeout_s: float = Field(default=5.0, gt=0, le=120, description="deadline of one request, seconds")

    @field_validator("url")
    @classmethod
    def _no_credentials(cls, value: str) -> str:
        if "@" in value.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError("credentials do not belong into the address; use registry_username and registry_password")
        return value.rstrip("/")

    @property
    def shown(self) -> str:
        """Return the address for logs and pages: without what may be a secret in it."""
        return shown_address(self.url)

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the connection is TLS."""
        return self.url.startswith("https:")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        faults = [*self._login_faults(), *self._tls_faults()]
        if not self.is_encrypted and not self.allow_plaintext and is_foreign_url(self.url):
            faults.append(
                f"{self.shown} is unencrypted and not this machine: use https, {ALLOW_PLAINTEXT_HINT}",
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _login_faults(self) -> list[str]:
        if self.bearer_token is not None and self.username is not None:
            return ["set registry_username or registry_bearer_token, not both"]
        if self.password is not None and self.username is None:
            return ["registry_password is set without registry_username"]
        return []

    def _tls_faults(self) -> list[str]:
        given = [name for name, value in self if name.startswith("ssl_") and value is not None]
        if given and not self.is_encrypted:
            return [f"registry_{given[0]} is set, but the address is not https"]
        if (self.ssl_certificate_location is None) != (self.ssl_key_location is None):
            return ["a client certificate needs both registry_ssl_certificate_location and registry_ssl_key_location"]
        if self.ssl_key_password is not None and self.ssl_key_location is None:
            return ["registry_ssl_key_password is set without registry_ssl_key_location"]
        return []

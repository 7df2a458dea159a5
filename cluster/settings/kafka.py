"""How to reach the brokers: one typed setting, and its exit to librdkafka's names.

Certificates and host names are always verified: there is no setting that switches it off.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from cluster.settings.hosts import foreign_hosts, is_foreign_url
from cluster.settings.secret_files import check_private

ALLOW_PLAINTEXT_HINT = "or allow it with --allow-plaintext (STREAMPROOF_ALLOW_PLAINTEXT=true)"
# What each mechanism needs, besides itself.
_NEEDS = {
    "PLAIN": ("sasl_username", "sasl_password"),
    "SCRAM-SHA-256": ("sasl_username", "sasl_password"),
    "SCRAM-SHA-512": ("sasl_username", "sasl_password"),
    "OAUTHBEARER": (
        "sasl_oauthbearer_client_id",
        "sasl_oauthbearer_client_secret",
        "sasl_oauthbearer_token_endpoint_url",
    ),
}
# Settings of ours that librdkafka does not know.
_OURS = frozenset({"allow_plaintext", "shard_fence"})
_SHOWN_SERVERS = 3


class KafkaSettings(BaseModel):
    """How to reach the brokers. Field names are librdkafka's, with underscores for dots."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = Field(min_length=1, description="host:port, comma separated")
    shard_fence: bool = Field(default=True, description="a producer holds its shard by a transactional id")
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    allow_plaintext: bool = Field(default=False, description="unencrypted, also to another machine")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_oauthbearer_method: Literal["oidc"] | None = Field(default=None, description="implied by OAUTHBEARER")
    sasl_oauthbearer_client_id: str | None = None
    sasl_oauthbearer_client_secret: SecretStr | None = None
    sasl_oauthbearer_token_endpoint_url: str | None = Field(default=None, pattern=r"^https?://")
    sasl_oauthbearer_scope: str | None = None
    sasl_oauthbearer_extensions: str | None = None
    https_ca_location: str | None = Field(default=None, description="authority of the token endpoint")
    ssl_ca_location: str | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    ssl_key_password: SecretStr | None = None
    client_id: str | None = Field(default=None, min_length=1, description="for quotas and the broker's logs")
    client_rack: str | None = Field(default=None, description="read from replicas of this rack, where brokers allow it")
    client_dns_lookup: Literal["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"] | None = None
    connections_max_idle_ms: int | None = Field(default=None, ge=0, le=2**31 - 1)
    metadata_max_age_ms: int | None = Field(default=None, ge=1, le=86_400_000)
    reconnect_backoff_ms: int | None = Field(default=None, ge=0, le=3_600_000)
    reconnect_backoff_max_ms: int | None = Field(default=None, ge=0, le=3_600_000)
    retry_backoff_ms: int | None = Field(default=None, ge=1, le=300_000)
    retry_backoff_max_ms: int | None = Field(default=None, ge=1, le=300_000)
    socket_connection_setup_timeout_ms: int | None = Field(default=None, ge=1000, le=2**31 - 1)
    socket_send_buffer_bytes: int | None = Field(default=None, ge=0, le=100_000_000)
    socket_receive_buffer_bytes: int | None = Field(default=None, ge=0, le=100_000_000)

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def shown(self) -> str:
        """Return the addresses for logs and pages; the first few of many."""
        servers = [server.strip().rpartition("@")[2] for server in self.bootstrap_servers.split(",")]
        more = f" and {len(servers) - _SHOWN_SERVERS} more" if len(servers) > _SHOWN_SERVERS else ""
        return ", ".join(servers[:_SHOWN_SERVERS]) + more

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the connection is TLS."""
        return self.security_protocol in {"ssl", "sasl_ssl"}

    @property
    def has_login(self) -> bool:
        """Tell whether the connection is SASL."""
        return self.security_protocol in {"sasl_plaintext", "sasl_ssl"}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        faults = [*self._login_faults(), *self._tls_faults(), *self._plaintext_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _login_faults(self) -> list[str]:
        given = [name for name, value in self if name.startswith("sasl_") and value is not None]
        if not self.has_login:
            wrong = f"{given[0]} is set, but security_protocol is {self.security_protocol}" if given else ""
            return [f"{wrong}: set it to sasl_ssl"] if wrong else []
        if self.sasl_mechanism is None:
            return [f"security_protocol {self.security_protocol} needs sasl_mechanism"]
        needed = _NEEDS[self.sasl_mechanism]
        foreign = {name for names in _NEEDS.values() for name in names}.difference(needed)
        faults = [f"{self.sasl_mechanism} needs {name}" for name in needed if name not in given]
        return faults + [f"{name} is not for {self.sasl_mechanism}" for name in given if name in foreign]

    def _tls_faults(self) -> list[str]:
        given = [name for name, value in self if name.startswith("ssl_") and value is not None]
        if given and not self.is_encrypted:
            return [f"{given[0]} is set, but security_protocol is {self.security_protocol}: set it to ssl or sasl_ssl"]
        if (self.ssl_certificate_location is None) != (self.ssl_key_location is None):
            return ["a client certificate needs both ssl_certificate_location and ssl_key_location"]
        if self.ssl_key_password is not None and self.ssl_key_location is None:
            return ["ssl_key_password is set without ssl_key_location"]
        return []

    def _plaintext_faults(self) -> list[str]:
        faults = []
        if not self.is_encrypted and not self.allow_plaintext and (hosts := foreign_hosts(self.bootstrap_servers)):
            faults.append(
                f"{self.security_protocol} would go unencrypted to {', '.join(hosts)}, which is not this machine: "
                f"set security_protocol to {'sasl_ssl' if self.has_login else 'ssl'}, {ALLOW_PLAINTEXT_HINT}"
            )
        endpoint = self.sasl_oauthbearer_token_endpoint_url
        if endpoint is not None:
            if "@" in endpoint.split("://", 1)[1].split("/", 1)[0]:
                faults.append("credentials do not belong into sasl_oauthbearer_token_endpoint_url")
            elif endpoint.startswith("http:") and not self.allow_plaintext and is_foreign_url(endpoint):
                faults.append(
                    "the client secret would go unencrypted to the token endpoint, which is not this machine: "
                    f"use https, {ALLOW_PLAINTEXT_HINT}"
                )
        return faults

    def as_librdkafka(self, **extra: Any) -> dict[str, Any]:
        """Return a librdkafka configuration. The only place where secrets leave their wrapper.

        ``extra`` takes further settings with underscores for dots; they win.

        :raises Misconfigured: the private key is open to other users of the machine.
        """
        if self.ssl_key_location is not None:
            check_private(self.ssl_key_location, "ssl_key_location")
        settings: dict[str, Any] = {}
        for name, value in self:
            if value is not None and name not in _OURS:
                plain = value.get_secret_value() if isinstance(value, SecretStr) else value
                settings[name.replace("_", ".")] = plain
        if self.sasl_mechanism == "OAUTHBEARER":
            settings["sasl.oauthbearer.method"] = "oidc"
        settings.update({name.replace("_", "."): value for name, value in extra.items()})
        if self.is_encrypted:  # librdkafka's defaults, said aloud: nothing above can switch them off
            settings["enable.ssl.certificate.verification"] = True
            settings["ssl.endpoint.identification.algorithm"] = "https"
        return settings

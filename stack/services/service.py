"""What the supervisor runs: a service, how to tell that it is ready, and the commands that prepare it.

Everything here is plain data that survives JSON: ``up`` describes the services, the detached supervisor runs
them, and ``status`` probes them later from the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.local import Endpoint


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaProbe(_Value):
    """Ready when a broker answers a metadata request; one of several (``node``), when it names itself in the answer."""

    kind: Literal["kafka"] = "kafka"
    bootstrap_servers: str
    settings: dict[str, str] = Field(default_factory=dict, description="of the client; secrets as files")
    node: int | None = Field(default=None, description="id of the broker that has to answer, where there are several")


class HttpProbe(_Value):
    """Ready when a GET answers 2xx and, if ``expect`` is given, its JSON holds those values.

    ``expect`` maps dotted paths to text: ``{"scheduler.status": "healthy"}``.
    """

    kind: Literal["http"] = "http"
    url: str
    authority: Path | None = Field(default=None, description="certificate that an https address is verified by")
    expect: dict[str, str] = Field(default_factory=dict)


class PostgresProbe(_Value):
    """Ready when the database answers a query."""

    kind: Literal["postgres"] = "postgres"
    conninfo: str = Field(description="in libpq's form; the password as the path of a file")


class AliveProbe(_Value):
    """Ready as soon as the process runs: for a process that another one's health page speaks for."""

    kind: Literal["alive"] = "alive"


Probe = Annotated[KafkaProbe | HttpProbe | PostgresProbe | AliveProbe, Field(discriminator="kind")]


class Service(_Value):
    """One long-running process.

    ``prepare`` lists commands that run to their end, in order, with the same environment, folder and log, each
    time before the process starts; a non-zero exit fails the start. A service waits for those named in ``needs``
    to be ready before it prepares.
    """

    name: str
    version: str
    argv: tuple[str, ...] = Field(min_length=1)
    cwd: Path
    log: Path
    ready: Probe
    address: str = Field(default="", description="what `status` shows")
    endpoints: dict[str, Endpoint] = Field(default_factory=dict, description="what it tells others, by name")
    env: dict[str, str] = Field(default_factory=dict, description="added to the environment of `up`", repr=False)
    prepare: tuple[tuple[str, ...], ...] = ()
    needs: tuple[str, ...] = ()
    start_timeout_s: float = Field(default=90.0, gt=0, description="from the start of the process to ready")
    restart_delays_s: tuple[float, ...] = Field(
        default=(1.0, 5.0, 20.0), description="before each start of one that died; it stays dead after the last"
    )
    ends_last: bool = Field(default=False, description="told to end by SIGINT, when the others have ended")
    stop_grace_s: float = Field(default=8.0, gt=0, le=10, description="from SIGTERM to SIGKILL of the whole group")

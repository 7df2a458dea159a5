"""The environment variables of the click stream data flow, by their own names: the weakest source but the defaults.

A flag, a variable ``STREAMPROOF_*`` and the settings file come first. The names may stand in the environment or in a
file that ``--env-file`` names, which is read as docker compose reads it: comments behind values, quotes,
``${OTHER}``. The environment is stronger than the file, as there.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cluster.connection import ENV_PREFIX
from cluster.errors import Misconfigured
from cluster.text.invalid import fault_text
from cluster.text.names import check_topic_name

EnvFileFlag = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="A file of environment variables (.env). Those that are set already are left as they are.",
    ),
]
_MASTER_PORT = 7077
# Longer than this nobody waits for a broker: the limit tells a wrong unit.
_LONGEST_WAIT_S = 86_400


def _topic(name: str) -> str:
    try:
        check_topic_name(name)
    except Misconfigured as fault:
        raise ValueError(fault.message) from None
    return name


Topic = Annotated[str, AfterValidator(_topic)]
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_WAIT_S, allow_inf_nan=False)]


class ClickStreamEnv(BaseModel):
    """What the variables say; ``None`` where one is not set, or is empty. Seconds are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    topic: Topic | None = Field(None, alias="KAFKA_TOPIC")
    metadata_topic: Topic | None = Field(None, alias="KAFKA_METADATA_TOPIC")
    group: str | None = Field(None, alias="KAFKA_CONSUMER_GROUP")
    servers: str | None = Field(None, alias="KAFKA_SERVERS")
    clicks_prefix: str | None = Field(None, alias="PRODUCER_CLICK_CSV_DATA_PREFIX")
    articles_prefix: str | None = Field(None, alias="PRODUCER_CLICK_METADATA_CSV_DATA_PREFIX")
    data_root: str | None = Field(None, alias="PRODUCER_DATA_ROOT_DIRECTORY")
    ready_wait_s: Seconds | None = Field(None, alias="PRODUCER_DOCKER_INITIALIZE_WAIT_TIME")
    item_wait_s: Seconds | None = Field(None, alias="PRODUCER_ITEM_WAIT_TIME")
    parent: str | None = Field(None, alias="PARENT_DIRECTORY_PREFIX")
    suffix: str | None = Field(None, alias="CSV_SUFFIX")
    spark_host: str | None = Field(None, alias="SPARK_SERVER_HOST")
    parquet: Path | None = Field(None, alias="PARQUET_DESTINATION_PATH")
    checkpoint: Path | None = Field(None, alias="CHECK_POINT_LOCATION")

    @property
    def folder(self) -> Path | None:
        """Where the files are: the way up, and the data folder below it. The way up alone names nothing."""
        return None if self.data_root is None else Path((self.parent or "") + self.data_root)

    @property
    def rate(self) -> float | None:
        """Items a second of each topic, 0 for as fast as possible, by the seconds between two of them."""
        if self.item_wait_s is None:
            return None
        return 1 / self.item_wait_s if self.item_wait_s else 0.0

    @property
    def master(self) -> str | None:
        """Address of Spark's master: of a host that is named alone, its usual port."""
        host = self.spark_host
        if host is None or "://" in host or host.startswith("local"):
            return host
        return f"spark://{host}" if ":" in host else f"spark://{host}:{_MASTER_PORT}"

    @property
    def kafka(self) -> dict[str, object]:
        """Settings of a connection, for ``otherwise`` of :meth:`cluster.connection.Connection.discover`."""
        return {} if self.servers is None else {"bootstrap_servers": self.servers}


NAMES = tuple(str(field.alias) for field in ClickStreamEnv.model_fields.values())


def click_stream_env(env_file: Path | None = None, env: Mapping[str, str] | None = None) -> ClickStreamEnv:
    """Read the variables from the environment and, where they are not set there, from a file.

    What the file has of ``STREAMPROOF_*`` becomes part of the environment of this process, unless it is set there.

    :raises Misconfigured: the file cannot be read, or a value is not what its variable means; all are named.
    """
    told = os.environ if env is None else env
    in_file = {} if env_file is None else read_env_file(env_file)
    if env is None:
        for name, value in in_file.items():
            if name.startswith(ENV_PREFIX) and not os.environ.get(name):
                os.environ[name] = value
    # An empty variable counts as not set, as it does for STREAMPROOF_*.
    values = {name: text for name in NAMES if (text := (told.get(name) or in_file.get(name) or "").strip())}
    try:
        return ClickStreamEnv.model_validate(values)
    except ValidationError as error:
        where = [f"{env_file}" if not told.get(name) else "the environment" for name in _names(error)]
        faults = "; ".join(fault_text(fault, ()) for fault in error.errors())
        raise Misconfigured(
            f"environment variables are not valid: {faults}",
            where=", ".join(dict.fromkeys(where)),
            hint="docs/settings.md says what each means; a flag takes the place of each",
        ) from None


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file; ``${NAME}`` in a value is what the environment has, or else the file so far.

    :raises Misconfigured: it is not there, not UTF-8, or a line is not ``NAME=value``.
    """
    from dotenv.main import resolve_variables  # deferred: most runs have no such file
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Misconfigured(
            f"the file cannot be read: {error.strerror}", where=str(path), hint="See --env-file"
        ) from None
    except UnicodeDecodeError:
        raise Misconfigured("the file is not UTF-8", where=str(path), hint="Save it as UTF-8") from None
    bindings = list(parse_stream(io.StringIO(text)))
    for binding in bindings:
        if binding.error:
            raise Misconfigured(
                "a line is not NAME=value",
                where=f"{path}, line {binding.original.line}",
                hint="Correct it, or comment it",
            )
    pairs = [(binding.key, binding.value) for binding in bindings if binding.key is not None]
    return {name: value or "" for name, value in resolve_variables(pairs, override=False).items()}


def _names(error: ValidationError) -> list[Any]:
    return [fault["loc"][0] for fault in error.errors()]

"""Kafka and its registry as one typed setting, from wherever it was set. Either half may be missing until it is used.

Sources, strongest first: flags, environment (``STREAMPROOF_*``), a TOML file, the running local stack.
Secrets come from environment, file or an Airflow connection only, and never print. Every secret ``x`` may be given as
``x_file``, the path of a file that holds it.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from cluster.errors import Misconfigured
from cluster.local import read_local_stack, state_dir
from cluster.settings.kafka import KafkaSettings
from cluster.settings.registry import RegistrySettings
from cluster.settings.secret_files import check_private, read_secret

__all__ = [
    "ENV_PREFIX",
    "OTHER_VARIABLES",
    "Connection",
    "KafkaSettings",
    "Missing",
    "RegistrySettings",
    "kafka_settings",
    "setting_names",
]

ENV_PREFIX = "STREAMPROOF_"
# Settings of the process that are not part of a connection.
OTHER_VARIABLES = frozenset(
    {
        "STATE_DIR",
        "CACHE_DIR",
        "CONFIG",
        "WAREHOUSE",
        "WAREHOUSE_DIR",
        "PUBLICATIONS_DIR",
        "PROFILES_DIR",
        "REPLAY_FOLDER",
        "SCENARIO_PATH",
        "LAKE_PYTHON",
        "LOG_LEVEL",
        "MACHINE",
    }
)
_FILE = "_file"
_WITHOUT_PREFIX = frozenset({"column_conflicts"})  # of the registry's half; what the gate and producers do with it
_MODELS: dict[str, type[BaseModel]] = {"kafka": KafkaSettings, "registry": RegistrySettings}
_ADDRESS = {"kafka": "bootstrap_servers", "registry": "url"}
_SHOWN = {"kafka": "Kafka", "registry": "the Schema Registry"}
_SETTING = {"kafka": "bootstrap_servers", "registry": "registry_url"}  # what the file and the flags call the address

Model = TypeVar("Model", bound=BaseModel)
Parts = dict[str, dict[str, object]]  # "kafka" and "registry", each with its fields


@dataclass(frozen=True, slots=True)
class Missing:
    """A half of a connection that nobody told, or told wrongly, in the words of the error that asking for it raises."""

    message: str
    where: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """Kafka and its registry: what was told is validated whole, and a half that nobody told is missing until used."""

    kafka_half: KafkaSettings | Missing
    registry_half: RegistrySettings | Missing

    @classmethod
    def of(
        cls,
        kafka: Mapping[str, object] | Missing = Missing("no address of Kafka is known"),
        registry: Mapping[str, object] | Missing = Missing("no address of the Schema Registry is known"),
    ) -> Self:
        """Build from two mappings; every fault is named at once in one :class:`Misconfigured`.

        :raises Misconfigured: a setting is unknown or invalid, or a file of a secret cannot be used.
        """
        halves: dict[str, Any] = {"kafka": kafka, "registry": registry}
        faults: list[str] = []
        for part, told in halves.items():
            if not isinstance(told, Missing):
                try:
                    halves[part] = _MODELS[part].model_validate(_secrets_read(part, told))
                except ValidationError as error:
                    faults += _faults(part, error)
        if faults:
            raise Misconfigured(
                "the connection settings are not valid: " + "; ".join(faults),
                hint="See docs/settings.md for every setting",
            )
        return cls(halves["kafka"], halves["registry"])

    @classmethod
    def discover(
        cls,
        *,
        bootstrap_servers: str | None = None,
        registry_url: str | None = None,
        allow_plaintext: bool = False,
        given: Mapping[str, object] | None = None,
        otherwise: Mapping[str, object] | None = None,
        refused: Mapping[str, tuple[str, str]] | None = None,
        uses: Collection[str] = ("kafka", "registry"),
        env: Mapping[str, str] = os.environ,
    ) -> Self:
        """Merge flags, environment, file and the running local stack, strongest first.

        A half whose address nobody told is missing: only what asks for it needs it.

        :param given: further settings that a flag brought, by their names in the settings file.
        :param otherwise: settings by the same names that hold where none of these but the local stack has them.
        :param refused: of a half that may not be used, what is wrong with it, and where that is said.
        :param uses: the halves that are certain to be used; what is wrong with another is told when it is asked for.
        :raises Misconfigured: a setting is unknown or invalid.
        """
        told: Parts = {"kafka": {}, "registry": {}}
        flags = _named(bootstrap_servers=bootstrap_servers, registry_url=registry_url, allow_plaintext=allow_plaintext)
        for source in (
            _sorted_out(otherwise or {}, "what holds otherwise", str),
            _from_file(env),
            _from_environment(env),
            _sorted_out(given or {}, "the flags", str),
            _sorted_out(flags, "the flags", str),
        ):
            for part, settings in source.items():
                told[part] = _laid_over(told[part], settings)
        stack = _of_stack(env)
        halves = {part: _told_or_missing(part, _with_stack(part, told[part], stack), env) for part in told}
        halves |= {part: Missing(message, where) for part, (message, where) in (refused or {}).items()}
        return cls.of(**{part: half if part in uses else cls._deferred(part, half) for part, half in halves.items()})

    @classmethod
    def _deferred(cls, part: str, half: dict[str, object] | Missing) -> dict[str, object] | Missing:
        """Return a half that may not be used: what is wrong with it is raised when it is asked for."""
        if isinstance(half, Missing):
            return half
        try:
            cls.of(**{part: half})
        except Misconfigured as error:
            return Missing(error.message, error.where, error.hint)
        return half

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach the brokers.

        :raises Misconfigured: nobody told their address.
        """
        return _asked_for(self.kafka_half)

    @property
    def registry(self) -> RegistrySettings:
        """How to reach the Schema Registry.

        :raises Misconfigured: nobody told its address.
        """
        return _asked_for(self.registry_half)

    @property
    def known_kafka(self) -> KafkaSettings | None:
        """How to reach the brokers, for what can do without them."""
        return None if isinstance(self.kafka_half, Missing) else self.kafka_half

    @property
    def known_registry(self) -> RegistrySettings | None:
        """How to reach the Schema Registry, for what can do without it."""
        return None if isinstance(self.registry_half, Missing) else self.registry_half

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The halves that nobody told."""
        return tuple(half for half in (self.kafka_half, self.registry_half) if isinstance(half, Missing))

    def whole(self) -> Self:
        """Return the connection itself, for work that uses both halves: it should not find out half-way.

        :raises Misconfigured: a half is missing; both are named at once.
        """
        if self.missing:
            raise _not_told(*self.missing)
        return self

    def secrets(self) -> Iterator[str]:
        """Yield every secret, for whoever has to keep them out of a log."""
        for settings in (self.known_kafka, self.known_registry):
            for _, value in settings or ():
                if isinstance(value, SecretStr):
                    yield value.get_secret_value()


def kafka_settings(settings: Mapping[str, object]) -> KafkaSettings:
    """Return the settings of the brokers alone, by the names of their fields; secrets may be files.

    :raises Misconfigured: a setting is unknown or invalid, or a file cannot be used.
    """
    return Connection.of(settings).kafka


def setting_names() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return every name of the settings file, and the fields that it sets: ``(part, field)``."""
    names: dict[str, tuple[tuple[str, str], ...]] = {"allow_plaintext": tuple((p, "allow_plaintext") for p in _MODELS)}
    for part, model in _MODELS.items():
        prefix = "" if part == "kafka" else f"{part}_"
        for field in (*model.model_fields, *(name + _FILE for name in _secret_fields(part))):
            if field != "allow_plaintext":
                names[field if field in _WITHOUT_PREFIX else prefix + field] = ((part, field),)
    return names


def _told_or_missing(part: str, settings: dict[str, object], env: Mapping[str, str]) -> dict[str, object] | Missing:
    if _ADDRESS[part] in settings:
        return settings
    flag = "--" + _SETTING[part].replace("_", "-")
    return Missing(
        f"no address of {_SHOWN[part]} is known",
        where=f"looked in flags, {ENV_PREFIX}* and {state_dir(env)}, where no local stack is running",
        hint=f"Run `streamproof up`, or set {ENV_PREFIX}{_SETTING[part].upper()} or {flag}",
    )


def _asked_for(half: Model | Missing) -> Model:
    if isinstance(half, Missing):
        raise _not_told(half)
    return half


def _not_told(*halves: Missing) -> Misconfigured:
    said = {name: list(dict.fromkeys(getattr(half, name) for half in halves)) for name in ("message", "where", "hint")}
    return Misconfigured(
        "; ".join(said["message"]), where="; ".join(filter(None, said["where"])), hint=". ".join(said["hint"])
    )


def _secret_fields(part: str) -> list[str]:
    fields = _MODELS[part].model_fields.items()
    return [name for name, field in fields if SecretStr in (field.annotation, *get_args(field.annotation))]


def _secrets_read(part: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Replace each ``x_file`` by ``x``, read from the file."""
    read = dict(settings)
    for name in _secret_fields(part):
        path = read.pop(name + _FILE, None)
        if path is None:
            continue
        setting = f"registry_{name}{_FILE}" if part == "registry" else name + _FILE
        if read.get(name) is not None:
            raise Misconfigured(f"both {setting} and the secret itself are set", hint="Keep one of the two")
        read[name] = read_secret(str(path), setting)
    return read


def _laid_over(weaker: Mapping[str, object], stronger: Mapping[str, object]) -> dict[str, object]:
    """Merge two sources. A secret and the file of that secret are the same setting."""
    twins = {name.removesuffix(_FILE) if name.endswith(_FILE) else name + _FILE for name in stronger}
    return {name: value for name, value in weaker.items() if name not in twins} | dict(stronger)


def _of_stack(env: Mapping[str, str]) -> Parts:
    stack = read_local_stack(state_dir(env))
    if stack is None:
        return {"kafka": {}, "registry": {}}
    return {
        "kafka": {"bootstrap_servers": stack.bootstrap_servers, **stack.endpoints["kafka"].settings},
        "registry": {"url": stack.registry_url, **stack.endpoints["registry"].settings},
    }


def _with_stack(part: str, told: dict[str, object], stack: Parts) -> dict[str, object]:
    """Add what the local stack says of itself, unless another address is named: its login is for itself alone."""
    address = _ADDRESS[part]
    if told.get(address, stack[part].get(address)) != stack[part].get(address):
        return told
    return _laid_over(stack[part], told)


def _named(**settings: object) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value}


def _from_environment(env: Mapping[str, str]) -> Parts:
    values = {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in env.items()
        if name.startswith(ENV_PREFIX) and name.removeprefix(ENV_PREFIX) not in OTHER_VARIABLES and value
    }
    return _sorted_out(values, "the environment", lambda name: ENV_PREFIX + name.upper())


def _from_file(env: Mapping[str, str]) -> Parts:
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
    parts = _sorted_out(values, str(path), str)
    if any(name in parts[part] for part in _MODELS for name in _secret_fields(part)):
        check_private(path, "the settings, which holds a secret,")
    return parts


def _sorted_out(values: Mapping[str, object], where: str, spell: Any) -> Parts:
    """Split flat names (``registry_url``, ``sasl_password``) into the two models; an unknown one is an error."""
    names = setting_names()
    found: Parts = {"kafka": {}, "registry": {}}
    for name, value in values.items():
        if name not in names:
            near = difflib.get_close_matches(name, [*names, *map(str.lower, OTHER_VARIABLES)], n=1)
            raise Misconfigured(
                f"unknown setting {spell(name)}",
                where=where,
                hint=f"Did you mean {spell(near[0])}?" if near else "See docs/settings.md for every setting",
            )
        for part, field in names[name]:
            found[part][field] = value
    return found


def _faults(part: str, error: ValidationError) -> list[str]:
    """Name each fault by its setting, without the value: it may be a secret."""
    faults = []
    for fault in error.errors(include_input=False):
        place = "_".join(map(str, fault["loc"]))
        if not place and fault["type"] == "value_error":
            # Several settings of one part do not fit together, and the message names them.
            faults.append(fault["msg"].removeprefix("Value error, "))
        else:
            faults.append(f"{place if part == 'kafka' else f'{part}_{place}'} {_in_words(fault)}")
    return faults


def _in_words(fault: ErrorDetails) -> str:
    """Return what is wrong with a setting: the end of a sentence that its name begins."""
    for kind, sentence in _SENTENCES.items():
        if fault["type"].startswith(kind):
            return sentence.format(**fault.get("ctx") or {})
    return f"is not valid: {fault['msg'].removeprefix('Value error, ')}"


# By the beginning of pydantic's kinds of error.
_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is an unknown setting",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "is not an address with http:// or https://",
    "string": "is not text",
    "literal_error": "is none of {expected}",
    "int": "is not a whole number",
    "float": "is not a number",
    "finite_number": "is not a number",
    "bool": "is neither true nor false",
    "greater_than_equal": "is too small, it must be {ge} or more",
    "greater_than": "is too small, it must be above {gt}",
    "less_than_equal": "is too large, it must be {le} or less",
}

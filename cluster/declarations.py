"""The topics that should exist, read from one YAML file and validated whole."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cluster.errors import Misconfigured
from cluster.text.names import DEFAULT_NAME, check_companion, check_topic_name
from cluster.text.yaml_files import read_yaml

TOPICS_FILE = Path(__file__).with_name("topics.yaml")
TEMPLATE = DEFAULT_NAME


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic should be. ``by_template`` marks a topic that no file names: its numbers are only defaults.

    :param replication_factor: ``None`` for the brokers' own default.
    """

    name: str
    partitions: int
    replication_factor: int | None
    config: dict[str, str] = field(default_factory=dict)
    by_template: bool = False


class _Topic(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    partitions: int = Field(default=3, ge=1, le=10_000)
    replication_factor: int | None = Field(default=None, ge=1, le=100)
    config: dict[str, str] = Field(default_factory=dict)

    @field_validator("config", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """Kafka takes text; YAML gives numbers and booleans where people write them."""
        if not isinstance(value, dict):
            return value
        return {str(k): str(v).lower() if isinstance(v, bool) else v if v is None else str(v) for k, v in value.items()}


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: dict[str, _Topic] = Field(min_length=1)


def load_topics(path: Path | None = None) -> list[TopicSpec]:
    """Read the declaration; every fault of the file is named at once.

    :raises Misconfigured: the file cannot be read, is not YAML, has an unknown key or a value out of range.
    """
    path = path or TOPICS_FILE
    document = read_yaml(path, "the topics file")
    if not isinstance(document, dict):
        raise Misconfigured("the topics file is not a mapping", where=str(path), hint="See docs/topics.md")
    try:
        declared = _File.model_validate(document)
    except ValidationError as error:
        faults = _faults(error, [str(key) for key in document])
        raise Misconfigured("; ".join(faults), where=str(path), hint="See docs/topics.md") from None
    for name in declared.topics:
        check_topic_name(name, where=str(path))
    return [TopicSpec(name, t.partitions, t.replication_factor, t.config) for name, t in declared.topics.items()]


def specs_for(topic: str, path: Path | None = None) -> list[TopicSpec]:
    """Return the declaration of one topic and of its companions (``<topic>.<suffix>``, such as the control topic).

    A topic or a companion that the file does not name takes the settings of :data:`TEMPLATE`.

    :raises Misconfigured: Kafka allows no such name or uses it itself, it is a companion's, or the file is faulty.
    """
    check_topic_name(topic)
    if topic.startswith("__"):
        raise Misconfigured(f"{topic} is a topic of Kafka's own", hint="Names that begin with __ are left to Kafka")
    declared = {spec.name: spec for spec in load_topics(path)}
    template = declared if TEMPLATE in declared else {spec.name: spec for spec in load_topics()}
    for suffix in (name.removeprefix(TEMPLATE) for name in template if name.startswith(f"{TEMPLATE}.")):
        if topic.endswith(suffix):
            owner = topic.removesuffix(suffix)
            raise Misconfigured(
                f"{topic} is the name of a companion of topic {owner}",
                hint=f"Name {owner}: {topic} comes with it, with settings of its own",
            )
    specs = {
        topic + name.removeprefix(TEMPLATE): replace(spec, name=topic + name.removeprefix(TEMPLATE), by_template=True)
        for name, spec in template.items()
        if name == TEMPLATE or name.startswith(f"{TEMPLATE}.")
    }
    specs |= {name: spec for name, spec in declared.items() if name == topic or name.startswith(f"{topic}.")}
    for name in specs:
        check_companion(topic, name.removeprefix(topic))
    return list(specs.values())


def _faults(error: ValidationError, keys: Collection[str]) -> list[str]:
    """Name each fault. Of a file that declares no topics nothing is quoted: it may be any file, with anything in it."""
    if not any(difflib.get_close_matches(key[:100], _File.model_fields, n=1) for key in keys):
        return ["this is not a topics file: it has no key topics"]
    faults = []
    for fault in error.errors():
        place = ".".join(map(str, fault["loc"]))
        if fault["type"] != "extra_forbidden":
            faults.append(f"{place}: {fault['msg']}")
            continue
        known = _Topic.model_fields if len(fault["loc"]) > 1 else _File.model_fields
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
        faults.append(
            f"unknown key {place}, " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}")
        )
    return faults

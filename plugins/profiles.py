"""A rehearsal's settings, their bounds, and the YAML files that hold them.

The bounds are said once, here: the form in the Airflow UI is made from the same fields.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cluster.errors import Misconfigured
from cluster.local import PROJECT_ROOT

# A topic gives its name to files too, and "*.manifests" are the control topics.
TOPIC_PATTERN = r"^(?!.*\.manifests$)[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
MAX_SECONDS = 21_600
# How the fields are called that are a fault each.
FAULT_FIELDS = "fault_"
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,99}$"


def _topic_name(value: str) -> str:
    if not re.match(TOPIC_PATTERN, value):
        raise ValueError("letters, digits, '.', '_' and '-', at most 200, and not a control topic")
    return value


def _cron(value: str | None) -> str | None:
    if value is not None:
        from airflow.sdk import CronTriggerTimetable
        from airflow.sdk.exceptions import AirflowTimetableInvalid

        try:
            CronTriggerTimetable(value, timezone="UTC").validate()
        except AirflowTimetableInvalid as error:
            raise ValueError(f"not a cron expression: {error}") from None
    return value


def _shape_text(value: Any) -> Any:
    """Return a shape as its text, whether the form or YAML wrote it as text or as mappings."""
    if value is None or value == "":
        return None
    from producer.shapes import from_setting, to_text

    try:
        return to_text(from_setting(value))
    except Misconfigured as fault:
        raise ValueError(f"{fault.message} ({fault.where})") from None


def _faults_text(value: Any) -> Any:
    """Return faults as their text, whether the form wrote them as text or YAML as a mapping."""
    if not value:
        return None
    from producer.faults.spec import as_text, from_mapping, parse_faults

    try:
        return as_text(from_mapping(value) if isinstance(value, Mapping) else parse_faults(str(value).split()))
    except Misconfigured as fault:
        raise ValueError(fault.message) from None


def _fault_field(title: str, description: str) -> Any:
    return Field(
        default=0,
        ge=0,
        title=title,
        description=f"{description} Below 1 a share of the events, from 1 on a number of them; 0 for none.",
    )


class Rehearsal(BaseModel):
    """What a run may be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float = Field(
        default=5000,
        ge=0,
        le=1_000_000,
        title="Rate",
        description="Events per second, all shards together; 0 is full speed.",
    )
    seconds: int = Field(
        default=30,
        ge=1,
        le=MAX_SECONDS,
        title="Duration",
        description="Seconds; a run ends here or at its number of events.",
    )
    shards: int = Field(
        default=2,
        ge=1,
        le=16,
        title="Shards",
        description="Generators side by side. The local stack runs 4 tasks at a time.",
    )
    seed: int = Field(default=7, ge=0, le=2**31 - 1, title="Seed", description="The same seed gives the same events.")
    topic: Annotated[str, AfterValidator(_topic_name)] = Field(
        default="customer_events",
        title="Topic",
        description="Created when it is missing. Each topic has its own warehouse.",
        json_schema_extra={"pattern": TOPIC_PATTERN},
    )
    events: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        title="Events",
        description="In all; empty for as many as fit the duration.",
    )
    shape: Annotated[str | None, BeforeValidator(_shape_text)] = Field(
        default=None,
        title="Load shape",
        description="Instead of the rate, such as `ramp(1000,20000,60s) + constant(20000,5m)`. "
        "One that ends sets the duration too.",
    )
    catch_up: Literal["report", "skip"] = Field(
        default="report",
        title="Catch-up",
        description="What a stall held up: `report` sends it late, `skip` gives it up and counts it.",
    )

    fault_duplicate: float = _fault_field("Duplicates", "Sent twice, byte for byte.")
    fault_late: float = _fault_field("Late events", "Dated behind the event before, by ten minutes on average.")
    fault_out_of_order: float = _fault_field("Out of order", "Sent behind the next event of the same customer.")
    fault_dropped: float = _fault_field("Dropped", "Never sent: a loss.")
    fault_altered: float = _fault_field("Altered values", "A negative duration, a future date, an unknown type.")
    fault_undecodable: float = _fault_field(
        "Undecodable", "Truncated, empty, not UTF-8, of an unknown schema and so on."
    )
    fault_tombstone: float = _fault_field("Tombstones", "Sent without a value.")
    fault_hot_key: float = _fault_field("Hot key", "Given the same key.")
    fault_clock_skew: float = _fault_field("Clock skew", "Shards whose clock is five minutes ahead.")
    faults: Annotated[str | None, BeforeValidator(_faults_text)] = Field(
        default=None,
        title="More faults",
        description="As `--fault` takes them: `undecodable.truncated=5 late=1%,mean=1h`.",
    )
    next_version_share: float = Field(
        default=0,
        ge=0,
        le=1,
        title="Next schema version",
        description="Share of the events that are written with the next version of the schema.",
    )
    next_version_ramp: bool = Field(
        default=False,
        title="Ramp to the next schema version",
        description="From no event to all of them over the run; it needs a rate and a duration, or a number of events.",
    )

    def injected(self) -> tuple[str, ...]:
        """Return the faults of all fields, as ``--fault`` takes them."""
        single = {name: value for name, value in self if name.startswith(FAULT_FIELDS) and value}
        texts = [f"{name.removeprefix(FAULT_FIELDS)}={value:.12g}" for name, value in single.items()]
        return (*texts, *(self.faults or "").split())

    def request(self) -> dict[str, Any]:
        """Return what ``ProduceRequest`` takes beside topic, run and shard."""
        settings = {
            name: value
            for name, value in self.model_dump(exclude={"topic"}).items()
            if not name.startswith(FAULT_FIELDS)
        }
        settings["faults"] = list(self.injected())
        if self.shape is not None:
            from producer.shapes import duration_s, parse

            settings["rate"] = 0.0
            settings["seconds"] = None if math.isfinite(duration_s(parse(self.shape))) else self.seconds
        return settings

    @model_validator(mode="after")
    def _keepable(self) -> Self:
        if self.shape is not None:
            from producer.shapes import duration_s, parse

            lasts_s = duration_s(parse(self.shape))
            if math.isfinite(lasts_s) and lasts_s > MAX_SECONDS:
                raise ValueError(f"the shape lasts {lasts_s:g} s, a run may last {MAX_SECONDS} s")
        if self.injected():
            from producer.faults.spec import parse_faults

            try:
                parse_faults(self.injected())
            except Misconfigured as fault:
                raise ValueError(fault.message) from None
        if self.next_version_share and self.next_version_ramp:
            raise ValueError("next_version_share and next_version_ramp are both given")
        if self.catch_up == "skip" and self.shape is None and not self.rate:
            raise ValueError("catch_up: skip needs a rate or a shape: nothing is late without one")
        return self


class Profile(Rehearsal):
    """A file of ``profiles/``: settings, and when to run them. Its name is the file's."""

    description: str = ""
    schedule: Annotated[str | None, AfterValidator(_cron)] = Field(default=None, description="cron expression, UTC")

    def rehearsal(self) -> Rehearsal:
        """Return the settings alone."""
        return Rehearsal(**{name: getattr(self, name) for name in Rehearsal.model_fields})


def profiles_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return where profiles are: ``STREAMPROOF_PROFILES_DIR``, or ``profiles/`` of the project."""
    return Path(env.get("STREAMPROOF_PROFILES_DIR") or PROJECT_ROOT / "profiles")


def load_profile(path: Path) -> Profile:
    """Read one profile.

    :raises Misconfigured: not readable, not YAML, or not valid; all faults are named, an unknown key with the
        nearest one that exists.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Misconfigured(f"the profile cannot be read: {error.strerror}", where=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the profile is not YAML: {' '.join(str(error).split())}", where=str(path)) from None
    if not isinstance(content, dict):
        raise Misconfigured("the profile is not a mapping of settings to values", where=str(path))
    if not re.match(NAME_PATTERN, path.stem):
        raise Misconfigured(
            f"{path.stem!r} cannot be part of a Dag's name",
            where=str(path),
            hint="Use a-z, 0-9 and '_' in the file's name",
        )
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise Misconfigured(
            f"the profile is not valid: {'; '.join(map(_fault, error.errors()))}", where=str(path)
        ) from None


def read_profiles(folder: Path) -> tuple[dict[str, Profile], list[Misconfigured]]:
    """Return the profiles of a folder by name, and the faults of those that cannot be used."""
    profiles: dict[str, Profile] = {}
    faults: list[Misconfigured] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            profiles[path.stem] = load_profile(path)
        except Misconfigured as fault:
            faults.append(fault)
    return profiles, faults


def _fault(fault: Any) -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] != "extra_forbidden":
        return ": ".join(filter(None, (name, fault["msg"])))
    near = difflib.get_close_matches(name, Profile.model_fields, n=1)
    return f"unknown key {name!r}" + (f", did you mean {near[0]!r}?" if near else "")

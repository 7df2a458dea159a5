"""A rehearsal's settings, their bounds, and the YAML files that hold them.

The bounds are said once, here: the form in the Airflow UI is made from the same fields.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cluster.errors import Misconfigured
from cluster.local import PROJECT_ROOT

# A topic gives its name to files too, and "*.manifests" are the control topics.
TOPIC_PATTERN = r"^(?!.*\.manifests$)[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
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
        le=21_600,
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
        return f"{name}: {fault['msg']}"
    near = difflib.get_close_matches(name, Profile.model_fields, n=1)
    return f"unknown key {name!r}" + (f", did you mean {near[0]!r}?" if near else "")

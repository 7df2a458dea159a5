"""The YAML files that hold a rehearsal's settings, and when to run it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, create_model, model_validator

from cluster.errors import Misconfigured
from cluster.local import PROJECT_ROOT
from cluster.text.invalid import fault_text
from cluster.text.yaml_files import read_yaml
from plugins.form.scenario_settings import fault_in_words, option_fields, rehearsal_for
from plugins.form.scenarios import DEFAULT_SCENARIO, locate_scenario
from plugins.form.settings import Rehearsal

SUFFIXES = frozenset({".yaml", ".yml"})
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,99}$"


def _cron(value: str | None) -> str | None:
    if value is not None:
        from airflow.sdk import CronTriggerTimetable
        from airflow.sdk.exceptions import AirflowTimetableInvalid

        try:
            CronTriggerTimetable(value, timezone="UTC").validate()
        except AirflowTimetableInvalid as error:
            raise ValueError(f"not a cron expression: {error}") from None
    return value


def _located(value: str, info: ValidationInfo) -> str:
    """Return the scenario's name or the path of its file, which is relative to the folder of the profile."""
    try:
        return locate_scenario(value, beside=info.context)
    except Misconfigured as fault:
        raise ValueError(". ".join(filter(None, (fault.message, fault.hint)))) from None


class Profile(Rehearsal):
    """A file of ``profiles/``: settings, and when to run them. Its name is the file's.

    The topic is called after the scenario unless it is given.
    """

    description: str = ""
    schedule: Annotated[str | None, AfterValidator(_cron)] = Field(default=None, description="cron expression, UTC")
    scenario: Annotated[str, AfterValidator(_located)] = Field(
        default=DEFAULT_SCENARIO, description="name of a scenario, or its file"
    )

    queue: str | None = Field(default=None, min_length=1, description="queue of Airflow's for the generators")
    pool: str | None = Field(default=None, min_length=1, description="pool of Airflow's for the generators")
    warehouse_queue: str | None = Field(
        default=None, min_length=1, description="queue for the tasks that share the warehouse: of one worker"
    )

    @model_validator(mode="before")
    @classmethod
    def _topic_of_scenario(cls, content: Any) -> Any:
        if isinstance(content, dict) and isinstance(content.get("scenario"), str):
            return {"topic": Path(content["scenario"]).stem} | content
        return content

    def rehearsal(self) -> Rehearsal:
        """Return the settings alone, with the options of the scenario."""
        model = rehearsal_for(self.scenario)
        return model(**{name: getattr(self, name) for name in model.model_fields})


@lru_cache(maxsize=64)
def _profile_of(scenario: str) -> type[Profile]:
    """Return what a profile may say that names a scenario."""
    return create_model("Profile", __base__=Profile, __module__=__name__, **option_fields(scenario))


def _scenario_of(content: dict[str, Any], folder: Path) -> str | None:
    """Return the scenario that a profile is of, or ``None`` where there is none: the model says so."""
    if "scenario" not in content:
        return DEFAULT_SCENARIO
    try:
        return locate_scenario(str(content["scenario"]), beside=folder)
    except Misconfigured:
        return None


def _places(content: dict[str, Any], scenario: str | None, folder: Path) -> dict[str, str]:
    """Return the options that say where something is, of those that are a path from the folder of the profile."""
    from producer.scenarios.find import options_known

    places = [option.name for option in (options_known(scenario) if scenario else None) or () if option.place]
    found = {name: folder / content[name] for name in places if isinstance(content.get(name), str)}
    return {name: str(path.resolve()) for name, path in found.items() if path.exists()}


def profiles_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return where profiles are: ``STREAMPROOF_PROFILES_DIR``, or ``profiles/`` of the project."""
    return Path(env.get("STREAMPROOF_PROFILES_DIR") or PROJECT_ROOT / "profiles")


def load_profile(path: Path) -> Profile:
    """Read one profile.

    :raises Misconfigured: not readable, not YAML, or not valid; all faults are named, an unknown key with the
        nearest one that exists.
    """
    content = read_yaml(path, "the profile")
    if not isinstance(content, dict):
        raise Misconfigured("the profile is not a mapping of settings to values", where=str(path))
    if not re.match(NAME_PATTERN, path.stem):
        raise Misconfigured(
            f"{path.stem!r} cannot be part of a Dag's name",
            where=str(path),
            hint="Use a-z, 0-9 and '_' in the file's name",
        )
    scenario = _scenario_of(content, path.parent)
    content = content | _places(content, scenario, path.parent)
    model = Profile if scenario is None else _profile_of(scenario)
    try:
        return model.model_validate(content, context=path.parent)
    except ValidationError as error:
        faults = "; ".join(
            fault_text(fault, model.model_fields) if scenario is None else fault_in_words(fault, model, scenario)
            for fault in error.errors()
        )
        raise Misconfigured(f"the profile is not valid: {faults}", where=str(path)) from None


def read_profiles(folder: Path) -> tuple[dict[str, Profile], list[Misconfigured]]:
    """Return the profiles of a folder by name, and the faults of those that cannot be used."""
    profiles: dict[str, Profile] = {}
    faults: list[Misconfigured] = []
    for path in sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES):
        try:
            profile = load_profile(path)
        except Misconfigured as fault:
            faults.append(fault)
            continue
        if path.stem in profiles:
            twice = f"there are two profiles {path.stem}"
            faults.append(Misconfigured(twice, where=str(path), hint="Remove one of them"))
        else:
            profiles[path.stem] = profile
    return profiles, faults

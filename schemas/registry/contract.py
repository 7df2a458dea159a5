"""A contract on disk: the versions of one record schema, and the rules under which it evolves.

``schemas/<name>/v1.avsc``, ``v2.avsc`` ... and ``contract.yaml``::

    compatibility: BACKWARD   # the subject's level at the registry
    active: 1                 # the gate registers up to this version unless told otherwise
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.errors import Misconfigured
from cluster.text.yaml_files import read_yaml
from schemas.types import schema_text
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

SCHEMAS_DIR = Path(__file__).resolve().parents[1]
CONTRACT_FILE = "contract.yaml"
_VERSION = re.compile(r"v([1-9]\d*)\.avsc")

Compatibility = Literal[
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
]
COMPATIBILITY_LEVELS: tuple[str, ...] = get_args(Compatibility)


@dataclass(frozen=True, slots=True)
class ContractVersion:
    """One version: ``text`` is its JSON in canonical spacing, docs and defaults kept, comments left out."""

    version: int
    path: Path
    schema: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Contract:
    """Versions, in order from 1 without a gap, and the rules."""

    name: str
    versions: tuple[ContractVersion, ...]
    compatibility: Compatibility = "BACKWARD"
    active: int = 1
    source: str = ""  # what to call it by: its folder under schemas/, or its file
    subject: str = ""  # the subject of the registry that it was read from, instead of a file

    def version(self, number: int) -> ContractVersion:
        """Return one version.

        :raises Misconfigured: the contract has no such version.
        """
        if not 1 <= number <= len(self.versions):
            raise Misconfigured(
                f"contract {self.name} has no version {number}", hint=f"It has versions 1 to {len(self.versions)}"
            )
        return self.versions[number - 1]

    def after(self, number: int | None) -> int:
        """Return the number of the version that follows one, or the active one.

        :raises Misconfigured: the contract has no such version.
        """
        following = (number or self.active) + 1
        if following > self.latest().version:
            raise Misconfigured(
                f"contract {self.name} has no version {following}: there is no next one to mix in",
                hint="Write the next version into its folder, or choose an earlier one with --schema-version",
            )
        return following

    def latest(self) -> ContractVersion:
        """Return the newest version on disk."""
        return self.versions[-1]


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    compatibility: Compatibility = "BACKWARD"
    active: int = Field(default=1, ge=1)


def subject_for(topic: str) -> str:
    """Return the subject of a topic's values (Confluent's TopicNameStrategy)."""
    return f"{topic}-value"


def load_contract(name: str, folder: Path | None = None) -> Contract:
    """Read a contract: a folder by its name, or one ``.avsc`` file, which is its only version.

    :param folder: holds the contracts' folders; ``schemas/`` unless given.

    :raises Misconfigured: unknown name, a file that cannot be read or parsed, a gap between versions.
    """
    if name.endswith(".avsc"):
        path = Path(name)
        return Contract(path.stem, (_load_version(1, path),), source=name)
    root = folder or SCHEMAS_DIR
    known = sorted(path.parent.name for path in root.glob("*/v1.avsc"))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise Misconfigured(
            f"no contract is named {name!r}",
            where=str(root),
            hint=f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known) or 'none'}",
        )
    home = root / name
    found = {int(match[1]): path for path in home.glob("*.avsc") if (match := _VERSION.fullmatch(path.name))}
    numbers = sorted(found)
    if numbers != list(range(1, len(numbers) + 1)):
        raise Misconfigured(
            f"the versions of contract {name} have a gap: {', '.join(f'v{number}' for number in numbers)}",
            where=str(home),
            hint="Versions are v1.avsc, v2.avsc ... without a gap",
        )
    rules = _load_rules(home / CONTRACT_FILE)
    contract = Contract(
        name,
        tuple(_load_version(number, found[number]) for number in numbers),
        compatibility=rules.compatibility,
        active=rules.active,
        source=name,
    )
    if rules.active > len(numbers):
        raise Misconfigured(
            f"active: {rules.active}, and the newest version is {len(numbers)}", where=str(home / CONTRACT_FILE)
        )
    return contract


def _load_version(number: int, path: Path) -> ContractVersion:
    try:
        schema = schema_text.load(_read(path))
    except schema_text.NestedTooDeeply as error:
        raise Misconfigured(f"the schema file is {error}", where=str(path)) from None
    except ValueError as error:
        raise Misconfigured(f"the schema file is not JSON: {error}", where=str(path)) from None
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    try:
        parse(text)
    except UnsupportedSchema as error:
        raise Misconfigured(f"the schema file is not usable: {error.message}", where=str(path)) from None
    return ContractVersion(number, path, schema, text)


def _load_rules(path: Path) -> _Rules:
    if not path.exists():
        return _Rules()
    try:
        return _Rules.model_validate(read_yaml(path, "the file") or {})
    except ValidationError as error:
        raise Misconfigured("; ".join(_faults(error)), where=str(path)) from None


def _faults(error: ValidationError) -> list[str]:
    faults = []
    for fault in error.errors():
        place = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(place, _Rules.model_fields, n=1)
            faults.append(f"unknown key {place}" + (f", did you mean {near[0]}?" if near else ""))
        else:
            faults.append(f"{place}: {fault['msg']}")
    return faults


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"the file cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise Misconfigured("the file is not UTF-8", where=str(path)) from None

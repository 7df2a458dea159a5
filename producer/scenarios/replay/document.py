"""A scenario file of the kind ``replay``: it names files, says how they are read, and what becomes of their rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured
from cluster.text.invalid import fault_text
from cluster.text.nearest import meant
from cluster.text.yaml_files import read_yaml
from producer.scenarios.options import Options
from producer.scenarios.replay.feeds import reading_of
from producer.scenarios.replay.files import Files
from producer.scenarios.replay.options import FOLDER, OF_A_FILE
from producer.scenarios.replay.reading import (
    compression_named,
    delimiter_named,
    encoding_named,
    quote_named,
)
from producer.scenarios.replay.scenario import ReplayScenario, Sources
from producer.scenarios.replay.staged.times import holds_times
from schemas.formats import AVRO_NAME, NAMES
from schemas.registry.contract import Contract, load_contract
from schemas.types.tree import Node, parse

_KEYS_OF_TEXT = ("encoding", "delimiter", "quote", "names")


def _format_name(given: str) -> str:
    if given not in NAMES:
        raise ValueError(f"{given!r} is none of {', '.join(NAMES)}{meant(given, NAMES)}")
    return given


class File(BaseModel):
    """The whole file. What is read: ``folder`` to ``columns``; what becomes of it: the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["replay"]
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    folder: str = "."
    prefix: str = ""
    suffix: str = ""
    data: Literal["csv", "jsonl", "parquet"] | None = None
    compression: Annotated[str | None, AfterValidator(compression_named)] = None
    encoding: Annotated[str | None, AfterValidator(lambda given: given and encoding_named(given))] = None
    delimiter: Annotated[str | None, AfterValidator(lambda given: given and delimiter_named(given))] = None
    quote: str | None = None
    names: list[str] | None = Field(default=None, min_length=1)
    columns: dict[str, str] | None = Field(default=None, min_length=1)
    schema_file: str | None = Field(default=None, alias="schema")
    topic: str | None = None
    key: str | None = None
    event_time: str | None = None
    mix: str | None = None
    format: Annotated[str, AfterValidator(_format_name)] = AVRO_NAME


def replay_scenario(path: Path, *, registry: RegistrySettings | None = None) -> ReplayScenario:  # noqa: ARG001
    """Return the scenario of a file.

    :raises Misconfigured: every fault of the file at once.
    """
    read = read_document(path)
    contract = _contract(path, read)
    root = None if contract is None else parse(contract.version(contract.active).text)
    faults = _against(read, root)
    if faults:
        raise _error(path, faults)
    name = read.name or path.stem
    told = read.model_dump() | {"data_format": read.data} | ({} if "quote" in read.model_fields_set else {"quote": '"'})
    text = None if contract is None else contract.version(contract.active).text
    reading = reading_of(told, record=name, schema=text, event_time=read.event_time)

    def sources(asked: Options) -> Sources:
        folder = Path(str(asked[FOLDER])) if asked.get(FOLDER) else path.parent / read.folder
        return Sources(Files(folder, read.prefix, read.suffix), reading)

    return ReplayScenario(
        name,
        sources,
        contract=contract,
        options=OF_A_FILE,
        written=read.format,
        key=read.key,
        event_time=read.event_time,
        mix=read.mix,
        digest=_digest(read, text),
    )


def read_document(path: Path) -> File:
    """Read a file and check what stands in it, without a look at the rows.

    :raises Misconfigured: it cannot be read, or every fault of it at once.
    """
    raw = read_yaml(path, "the scenario file")
    if not isinstance(raw, dict):
        raise Misconfigured("the scenario file is not a mapping", where=str(path), hint="docs/replay.md has examples")
    known = ["schema" if name == "schema_file" else name for name in File.model_fields]
    try:
        read = File.model_validate({str(key): value for key, value in raw.items()})
    except ValidationError as error:
        raise _error(path, [fault_text(fault, known) for fault in error.errors()]) from None
    faults = []
    if "quote" in read.model_fields_set:
        try:
            quote_named(read.quote, read.delimiter or ",")
        except ValueError as error:
            faults.append(f"quote: {error}")
    if read.data in ("jsonl", "parquet"):
        given = [key for key in _KEYS_OF_TEXT if key in read.model_fields_set]
        faults += [
            f"{key}: files of {read.data} have none" for key in given if (read.data, key) != ("jsonl", "encoding")
        ]
    if read.names and len(set(read.names)) < len(read.names):
        faults.append("names: a name stands twice")
    if read.columns and read.names:
        faults.append("columns: names says already what the columns are called")
    if read.columns and len(set(read.columns.values())) < len(read.columns):
        faults.append("columns: a name stands twice")
    if faults:
        raise _error(path, faults)
    return read


def _contract(path: Path, read: File) -> Contract | None:
    if read.schema_file is None:
        return None
    named = read.schema_file
    try:
        return load_contract(named if not named.endswith(".avsc") else str(path.parent / named))
    except Misconfigured as error:
        raise _error(path, [f"schema: {error}"]) from None


def _against(read: File, root: Node | None) -> list[str]:
    """Return what of the file contradicts the schema; one that is inferred is held against it later."""
    if root is None:
        return []
    fields = dict(root.fields)
    faults = [
        f"{key}: the schema has no field {name}{meant(name, fields, listed=True)}"
        for key in ("key", "event_time", "mix")
        if (name := getattr(read, key)) is not None and name not in fields
    ]
    if read.event_time in fields and not holds_times(fields[str(read.event_time)]):
        times = [name for name, node in root.fields if holds_times(node)]
        faults.append(
            f"event_time: {read.event_time} is no timestamp and no long of milliseconds"
            + (f": {', '.join(times[:6])} would do" if times else "")
        )
    if read.names:
        faults += [
            f"names: the schema has no field {name}{meant(name, fields)}" for name in read.names if name not in fields
        ]
        faults += [f"names: {name} of the schema is missing" for name in fields if name not in read.names]
    return faults


def _digest(read: File, schema: str | None) -> str:
    """Return what changes when records change for the same rows; where the files are does not count."""
    told: dict[str, Any] = read.model_dump(exclude={"folder", "topic", "name", "mix"})
    if read.columns is None:  # which runs of before knew nothing of
        del told["columns"]
    return hashlib.sha256(json.dumps([told, schema], sort_keys=True).encode()).hexdigest()[:16]


def _error(path: Path, faults: list[str]) -> Misconfigured:
    said = "\n".join([f"{len(faults)} faults:", *(f"  {fault}" for fault in faults)])
    return Misconfigured(said if len(faults) > 1 else faults[0], where=str(path), hint="docs/replay.md has every key")

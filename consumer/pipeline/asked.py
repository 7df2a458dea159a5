"""What a proof of a pipeline is asked for, read once: flags, a file of columns, and what they may not contradict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cluster.errors import Misconfigured
from cluster.text.names import check_topic_name
from consumer.pipeline.values.alike import type_of

# SINK=TRUTH or SINK=TRUTH:TYPE; a type may hold commas and brackets.
_COLUMN = re.compile(r"\s*(?P<stored>[^=]+?)\s*=\s*(?P<sent>[^:]+?)\s*(?::\s*(?P<type>.+?)\s*)?")
_SPECIAL_TYPES = frozenset({"hex", "base64", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"})
_PRECISE_TIME = re.compile(r"timestamp\([0369]\)")
# NAME=TOPIC or NAME=TOPIC@RUN; a run's id may hold anything.
_ALSO = re.compile(r"\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<topic>[^@\s]+)\s*(?:@\s*(?P<run>.+?)\s*)?")
_TAKEN_NAMES = frozenset({"truth", "sink"})
HINT = "For example: --column amount=details.price:decimal(12,2)"


@dataclass(frozen=True, slots=True)
class ColumnAsked:
    """Which column of a store holds which field of an event, and the type that the pipeline gives it, if it says so."""

    stored: str
    sent: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class AlsoAsked:
    """What was sent to another topic, as one more relation for expectations.

    :ivar run_id: of that topic; the run that is audited where it is ``None``.
    """

    name: str
    topic: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a proof.

    :param id_column: where the ids are; found by its name where it is ``None``.
    :param position: the columns of partition and offset, for a ledger by position.
    :param columns: where a store calls a field otherwise, or gives it another type.
    :param compare: compare values, and not identities alone.
    :param expect: SQL over the fields of an event: which are meant to arrive; all where it is ``None``.
    :param expectations: files of queries over ``truth`` and ``sink``.
    :param also: what was sent to other topics, for expectations.
    :param order: a column that tells the order in which rows were stored.
    :param all_runs: the truth is all runs of the topic together, for totals of everything; expectations alone.
    """

    id_column: str | None = None
    position: tuple[str, str] | None = None
    columns: tuple[ColumnAsked, ...] = ()
    compare: bool = False
    expect: str | None = None
    expectations: tuple[Path, ...] = ()
    also: tuple[AlsoAsked, ...] = ()
    order: str | None = None
    all_runs: bool = False

    def __post_init__(self) -> None:
        """Refuse what nothing would ask for.

        :raises Misconfigured: another topic is named without an expectation.
        """
        if self.also and not self.expectations:
            raise Misconfigured(
                f"{self.also[0].name} of topic {self.also[0].topic} is for an expectation, and none is given",
                hint="Add --expectation FILE, or leave --also out",
            )

    @property
    def tells_again(self) -> bool:
        """Whether events have to be told again for it."""
        return self.compare or self.expect is not None or bool(self.expectations) or self.order is not None


class _File(BaseModel):
    """A file of columns: ``id``, ``order`` and ``columns``, which gives each stored column its field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None = None
    order: str | None = None
    columns: dict[str, str | _Field] = {}


class _Field(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    field: str
    type: str | None = None


_File.model_rebuild()


def columns_of(given: Iterable[str] | Mapping[str, str]) -> tuple[ColumnAsked, ...]:
    """Read columns as ``--column`` has them, or as a mapping of stored columns to ``FIELD[:TYPE]``.

    :raises Misconfigured: one is not of the form, names a type that there is none of, or a stored column occurs twice.
    """
    texts = [f"{stored}={sent}" for stored, sent in given.items()] if isinstance(given, Mapping) else list(given)
    found: list[ColumnAsked] = []
    for text in texts:
        parts = _COLUMN.fullmatch(text)
        if parts is None:
            raise Misconfigured(f"--column {text!r} is not of the form STORED=FIELD[:TYPE]", hint=HINT)
        found.append(ColumnAsked(parts["stored"], parts["sent"], parts["type"]))
    return _checked(found)


def also_of(given: Iterable[str]) -> tuple[AlsoAsked, ...]:
    """Read what ``--also`` has: ``NAME=TOPIC`` or ``NAME=TOPIC@RUN``.

    :raises Misconfigured: one is not of the form, or a name is taken.
    """
    found: list[AlsoAsked] = []
    for text in given:
        parts = _ALSO.fullmatch(text)
        if parts is None:
            raise Misconfigured(
                f"--also {text!r} is not of the form NAME=TOPIC[@RUN]",
                hint="For example: --also articles=click_stream_metadata",
            )
        name = parts["name"].lower()
        if name in {*_TAKEN_NAMES, *(each.name for each in found)}:
            raise Misconfigured(f"--also gives the name {name}, which is taken", hint="Take another name")
        check_topic_name(parts["topic"], where="--also")
        found.append(AlsoAsked(name, parts["topic"], parts["run"]))
    return tuple(found)


def columns_file(path: Path) -> Asked:
    """Read a YAML file of columns.

    :raises Misconfigured: it cannot be read, or has other keys.
    """
    try:
        said: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(said or {})
    except OSError as error:
        raise Misconfigured(f"the file of columns cannot be read: {error.strerror}", where=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the file of columns is no YAML: {str(error).splitlines()[0]}", where=str(path)) from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Misconfigured(
            f"the file of columns does not fit: {faults}",
            where=str(path),
            hint="It has `id`, `order` and `columns`, as docs/any-pipeline.md shows",
        ) from None
    found = [
        *(ColumnAsked(name, each.field, each.type) for name, each in file.columns.items() if isinstance(each, _Field)),
        *columns_of({name: each for name, each in file.columns.items() if isinstance(each, str)}),
    ]
    return Asked(id_column=file.id, order=file.order, columns=_checked(found))


def _checked(columns: Sequence[ColumnAsked]) -> tuple[ColumnAsked, ...]:
    names = [each.stored for each in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Misconfigured(f"the column {twice[0]} is given two fields", hint="Give each stored column one")
    for each in columns:
        kind = (each.type or "").strip().lower()
        if not kind or kind in _SPECIAL_TYPES or _PRECISE_TIME.fullmatch(kind):
            continue
        try:
            type_of(kind)
        except ValueError:
            raise Misconfigured(
                f"the column {each.stored} is given the type {each.type}, and there is no such type",
                hint=f"Types are those of DuckDB, and {', '.join(sorted(_SPECIAL_TYPES))}. {HINT}",
            ) from None
    return tuple(columns)

"""What a scenario may be asked for beside what every run has: the options that it declares.

Said once, there: the flags of the command line, the fields of the form in Airflow, the keys of a profile and the
checks of a request are made from the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, create_model

from cluster.errors import Misconfigured
from cluster.text.invalid import fault_text
from cluster.text.nearest import meant

# What is asked of a scenario, by the name of the option. What is not asked for is left out, or None.
Options = Mapping[str, int | float | str | None]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FLAG = re.compile(r"--[a-z][a-z0-9-]+")
# What a request, a form, a profile and a manifest call by these names is something else.
RESERVED = frozenset({
    *("topic", "run_id", "new_run_id", "scenario", "shard", "shards", "seed", "options"),
    *("events", "seconds", "rate", "full_speed", "shape", "catch_up", "require_rate", "endless"),
    *("schema_version", "next_version", "next_version_share", "next_version_ramp", "faults", "incidents"),
    *("event_log", "delivery_timeout_s", "description", "schedule", "warehouse_conn_id"),
    *("queue", "pool", "warehouse_queue", "warehouse", "table", "column_conflicts"),
})  # fmt: skip
_RESERVED_BEGINNINGS = ("fault_", "all_", "model_")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a scenario.

    :param name: of the key and of the form's field: small letters, digits and ``_``.
    :param type: ``int``, ``float``, ``bool`` or ``str``.
    :param help: what it does, in one or two sentences that stand beside a flag and below a field.
    :param default: what it is when nobody asks; ``None`` where that is something else than any value.
    :param title: above the form's field; the name in words unless given.
    :param least: the smallest value.
    :param above: what it must be above.
    :param most: the largest value.
    :param choices: the texts that it can be.
    :param flag: a flag of its own, such as ``--depth``, beside ``-o depth=3``; for scenarios of this package only.
    :param formerly: the flags of the program that the scenario replaces, which meant the same.
    :param over_shards: it is a number of the whole run, of which each shard has its share.
    :param ends_run: a run that it is asked of ends by itself.
    :param unpaced: a run that it is asked of goes as fast as possible where no rate is given.
    :param own_times: a run that it is asked of sends each event when its stream says that it is due (``due``), so it
        takes no rate and no shape.
    :param place: it says where something is, and not what: a run may go on with another one.
    :raises ValueError: the declaration contradicts itself.
    """

    name: str
    type: type[int | float | bool | str]
    help: str
    default: int | float | bool | str | None = None
    title: str = ""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    flag: str | None = None
    formerly: tuple[str, ...] = ()
    over_shards: bool = False
    ends_run: bool = False
    unpaced: bool = False
    own_times: bool = False
    place: bool = False

    def __post_init__(self) -> None:
        bounded = (self.least, self.above, self.most) != (None, None, None)
        faults = {
            "a name has small letters, digits and _, and begins with a letter": not _NAME.fullmatch(self.name),
            "the name means something else in a run": self.name in RESERVED
            or self.name.startswith(_RESERVED_BEGINNINGS),
            "the type is int, float, bool or str": self.type not in {int, float, bool, str},
            "only numbers have bounds": bounded and self.type not in {int, float},
            "only texts have choices": bool(self.choices) and self.type is not str,
            "only whole numbers are shared among shards": self.over_shards and self.type is not int,
            "what ends a run, or is shared among shards, has no default": (self.ends_run or self.over_shards)
            and self.default is not None,
            "a flag begins with --, and has small letters": self.flag is not None and not _FLAG.fullmatch(self.flag),
        }
        told = [fault for fault, holds in faults.items() if holds]
        if not told and self.default is not None:
            told = fit((self,), {self.name: self.default}, "")[1]
        if told:
            raise ValueError(f"option {self.name!r}: {'; '.join(told)}")

    @property
    def unasked(self) -> int | float | str | None:
        """The value that is the same as not asking."""
        return False if self.type is bool and self.default is None else self.default

    def field(self, **more: Any) -> tuple[Any, Any]:
        """Return it as a field of a pydantic model: annotation and field.

        :param more: what the field has beside its bounds, its title and its description.
        """
        kind: Any = Literal[self.choices] if self.choices else self.type
        bounds: dict[str, Any] = {"ge": self.least, "gt": self.above, "le": self.most}
        if self.type is float:
            bounds["allow_inf_nan"] = False
        if self.unasked is None:
            kind = kind | None
        more |= {name: bound for name, bound in bounds.items() if bound is not None}
        title = self.title or self.name.replace("_", " ").capitalize()
        return kind, Field(default=self.unasked, title=title, description=self.help, **more)


def fit(declared: Sequence[Option], given: Mapping[str, object], scenario: str) -> tuple[Options, list[str]]:
    """Return the options that are asked for, in their types, and what is wrong with them.

    Texts are read as numbers, or as true and false, where the declaration says so. What is the same as not asking is
    left out, and true is 1: so it is written into a manifest.

    :param scenario: its name, for the faults.
    """
    model = create_model(
        "Asked",
        __config__=ConfigDict(frozen=True, extra="forbid"),
        **{option.name: option.field() for option in declared},  # type: ignore[call-overload]
    )
    try:
        read = model.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        return {}, [_words(fault, declared, scenario) for fault in error.errors()]
    asked = {option.name: getattr(read, option.name) for option in declared}
    return {
        option.name: int(asked[option.name]) if option.type is bool else asked[option.name]
        for option in declared
        if asked[option.name] != option.unasked
    }, []


def fitted(declared: Sequence[Option], given: Mapping[str, object], scenario: str) -> Options:
    """Return what :func:`fit` does.

    :raises Misconfigured: an option that is not declared, of another type, or out of its bounds; all are named.
    """
    options, faults = fit(declared, given, scenario)
    if faults:
        raise Misconfigured("; ".join(faults), hint=in_words(declared))
    return options


def _words(fault: Any, declared: Sequence[Option], scenario: str) -> str:
    if fault["type"] != "extra_forbidden":
        return fault_text(fault, ())
    name, known = str(fault["loc"][0]), [option.name for option in declared]
    return f"scenario {scenario} takes no option {name}{meant(name, known)}"


def in_words(declared: Iterable[Option]) -> str:
    """Return what options there are, for the hint of an error."""
    return f"Options that it takes: {', '.join(option.name for option in declared) or 'none'}"


def filled(declared: Iterable[Option], asked: Options) -> dict[str, int | float | str | None]:
    """Return a value for every option that is declared: what is asked for, or else its default."""
    return {option.name: asked.get(option.name, option.unasked) for option in declared}


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return options as the command line says them, each as ``name=value``; a name alone says true.

    :raises Misconfigured: one has no name, or is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not name:
            raise Misconfigured(f"the option {text!r} has no name", hint="Write -o name=value")
        if name in found:
            raise Misconfigured(f"option {name} is given twice", hint="Give it once")
        found[name] = value if equals else "true"
    return found

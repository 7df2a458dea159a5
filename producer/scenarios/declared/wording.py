"""What pydantic finds wrong with a scenario file, in the words of the guide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from cluster.text.nearest import meant
from producer.scenarios.declared.rules import (
    WAYS,
    Choice,
    Computed,
    Distribution,
    Faker,
    File,
    Reference,
    Rule,
    Sequence,
    Timestamp,
)

# What stands where a mapping of its own is wanted.
_WANTED = {
    "Rule": "a rule is a mapping that says one way, such as {choice: [a, b]}; "
    f"the ways are {', '.join(WAYS)}, and nulls may stand with each or alone",
    "Distribution": "must be a number, two numbers in a list, or a mapping such as {kind: normal, mean: 20, sd: 5}",
    "Choice": "must be a list of values, or a mapping of values to weights",
    "Sequence": "must be a mapping such as {prefix: A-, width: 8}, or {}",
    "Faker": "must be the name of a provider, or a mapping such as {provider: city, locale: de_DE}",
    "Reference": "must be the path of a field, or a mapping such as {field: total, times: 1.19}",
    "Computed": "must be a mapping such as {sum: [net, tax]} or {span: [start, end], unit: minutes}",
    "Timestamp": "must be a mapping such as {back_s: 3600}, or {}",
    "Pool": "must be a mapping of size, skew and columns",
}
_SCALARS = frozenset({"bool", "int", "float", "str", "datetime", "date"})
_SCALAR = "must be a text, a number, true, false, a date or a time; the word null needs quotes to be a text"
_SAID = {
    "dict_type": "must be a mapping",
    "string_type": "must be a text; put it in quotes",
    "too_short": "must not be empty",
    "missing": "is missing",
}
_NAMES = sorted(
    {
        name
        for model in (Rule, Distribution, Sequence, Faker, Reference, Timestamp, Choice, Computed)
        for name in model.model_fields
    }
)
_HEAD = [("schema" if name == "schema_file" else name) for name in File.model_fields]


def faults_of(error: ValidationError, model: type[BaseModel], where: str) -> Iterator[str]:
    """Yield each fault with its path, once.

    :param where: the path of what was validated.
    """
    told = set()
    for fault in error.errors():
        loc = [str(part) for part in fault["loc"]]
        scalar = bool(loc) and loc[-1] in _SCALARS
        place = ".".join(part for part in (where, *(loc[:-1] if scalar else loc)) if part)
        if fault["type"] == "extra_forbidden":
            line = f"{place}: unknown key{meant(loc[-1], _HEAD if model is File else _NAMES)}"
        else:
            line = f"{place or 'the file'}: {_SCALAR if scalar else _words(fault)}"
        if line not in told:
            told.add(line)
            yield line


def _words(fault: Any) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "model_type":
        return _WANTED.get(context["class_name"], "must be a mapping")
    if kind in {"float_parsing", "float_type"}:
        return "must be a number"
    if kind == "literal_error" and isinstance(fault["input"], str):
        known = [name.strip("' ") for name in context["expected"].replace(" or ", ",").split(",")]
        return f"{fault['input']!r} is none of {', '.join(known)}{meant(fault['input'], known)}"
    said: str = fault["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ")
    return _SAID.get(kind, said)

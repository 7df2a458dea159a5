"""What pydantic finds wrong with settings, in words of ours."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any


def fault_text(fault: Any, known: Collection[str]) -> str:
    """Return one of pydantic's errors in words of ours; an unknown key with the nearest of ``known``."""
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, known, n=1)
        return f"unknown key {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
    return ": ".join(filter(None, (name, _in_words(fault))))


def _in_words(fault: Any) -> str:
    """Return what is wrong with a value, without the library's way of saying it."""
    context, told = fault.get("ctx") or {}, repr(fault["input"])
    told = told if len(told) <= _MOST_TOLD else f"{told[: _MOST_TOLD - 1]}\u2026"
    for kind, sentence in _SENTENCES.items():
        if fault["type"].startswith(kind):
            return sentence.format(told=told, **context)
    return str(fault["msg"]).removeprefix("Value error, ")


_MOST_TOLD = 60
# By the beginning of pydantic's kinds of error. What a validator of ours raised is a sentence already.
_SENTENCES = {
    "int_from_float": "{told} is not a whole number",
    "int": "{told} is not a whole number",
    "float": "{told} is not a number",
    "finite_number": "{told} is not a number",
    "bool": "{told} is neither true nor false",
    "string": "{told} is not text",
    "greater_than_equal": "{told} is too small, it must be {ge:,.12g} or more",
    "greater_than": "{told} is too small, it must be above {gt:,.12g}",
    "less_than_equal": "{told} is too large, it must be {le:,.12g} or less",
    "literal_error": "{told} is not one of {expected}",
}

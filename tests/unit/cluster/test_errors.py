"""The error tree is what its docstring draws."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from cluster import errors
from cluster.errors import StreamproofError

CLASSES = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, StreamproofError) and kind.__module__ == errors.__name__
]


LINE = re.compile(r"    (?P<bars>(?:[│ ]   )*)(?P<branch>[├└]── )?(?P<name>[A-Z]\w+)(?: +(?P<code>\d\d)\b)?")


def drawn() -> dict[str, tuple[str | None, int]]:
    """Return class name -> (parent, exit code), as the docstring draws them; a code is inherited downwards."""
    found: dict[str, tuple[str | None, int]] = {}
    line_of: dict[int, str] = {}
    for line in errors.__doc__.splitlines():
        match = re.match(
            r"    (?P<bars>(?:[│ ]   )*)(?P<branch>[├└]── )?(?P<name>[A-Z]\w+)(?: +(?P<code>\d\d)\b)?", line
        )
        if not match:
            continue
        depth = len(match["bars"]) // 4 + bool(match["branch"])
        parent = line_of.get(depth - 1)
        code = int(match["code"]) if match["code"] else found[parent][1] if parent else errors.EXIT_BUG
        line_of[depth] = match["name"]
        found[match["name"]] = (parent, code)
    return found


def test_the_drawing_and_the_classes_are_the_same_tree():
    parents = {kind.__name__: kind.__mro__[1].__name__ for kind in CLASSES if kind is not StreamproofError}
    assert {name: parent for name, (parent, _) in drawn().items() if parent} == parents


def test_the_drawing_and_the_classes_agree_on_exit_codes():
    assert {name: code for name, (_, code) in drawn().items()} == {k.__name__: k.exit_code for k in CLASSES}


def test_every_error_is_either_worth_another_attempt_or_not():
    for kind in CLASSES:
        if kind is not StreamproofError:
            assert issubclass(kind, errors.Transient) is not issubclass(kind, errors.Terminal)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_says_what_where_and_what_next(kind):
    assert str(kind("it failed")) == "it failed"
    assert str(kind("it failed", where="topic t")) == "it failed (topic t)"
    assert str(kind("it failed", where="topic t", hint="Try again")) == "it failed (topic t). Try again"
    assert kind("it failed", where="w", hint="h").document() == {
        "kind": kind.__name__,
        "message": "it failed",
        "where": "w",
        "hint": "h",
        "exit_code": kind.exit_code,
    }


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_crosses_process_boundaries(kind):
    copy = pickle.loads(pickle.dumps(kind("m", where="w", hint="h")))
    assert (type(copy), copy.message, copy.where, copy.hint, str(copy)) == (kind, "m", "w", "h", "m (w). h")

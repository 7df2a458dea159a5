"""Something happens at a named step: before or after the n-th call of a function of the product."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def at_step(place: str, nth: int, when: str, happens: Callable[[], object]) -> Iterator[None]:
    """Let something happen at a step.

    :param place: ``module:function`` or ``module:Class.method``, where it is looked up when it is called.
    :param nth: at which call.
    :param when: ``before`` the call, or ``after`` it.
    """
    module_name, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module_name)
    for each in owners:
        owner = getattr(owner, each)
    real = getattr(owner, name)
    calls = 0

    def stepping(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        now = calls == nth
        if now and when == "before":
            happens()
        result = real(*args, **kwargs)
        if now and when == "after":
            happens()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, stepping)
        yield
    assert calls >= nth, f"{place} was called {calls} times, not {nth}"

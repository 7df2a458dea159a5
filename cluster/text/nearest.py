"""The known name that somebody may have meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LIST_MOST = 8
_LEAST_BEGINNING = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that looks most like ``name``.

    One with the same last part of its path comes first, then what is like it as a whole, what begins like it, and what
    is like it in the last part.
    """
    there = {known_name.lower(): known_name for known_name in reversed(list(known))}
    wanted, ends = name.lower(), {_last(one): one for one in there}
    if _last(wanted) in ends:
        return there[ends[_last(wanted)]]
    if found := difflib.get_close_matches(wanted, there, n=1):
        return there[found[0]]
    if len(wanted) >= _LEAST_BEGINNING and (begun := [one for one in there if one.startswith(wanted)]):
        return there[min(begun, key=len)]
    found = difflib.get_close_matches(_last(wanted), ends, n=1)
    return there[ends[found[0]]] if found else None


def meant(name: str, known: Iterable[str], *, listed: bool = False) -> str:
    """Return ", did you mean ...?", or nothing.

    :param listed: where nothing is near, and there are few, say what there is.
    """
    names = list(known)
    near = nearest(name, names)
    if near is None and listed and 0 < len(names) <= _LIST_MOST:
        return f", there is {', '.join(names)}"
    return f", did you mean {near}?" if near else ""


def _last(path: str) -> str:
    return re.split(r"[.<>]", path.rstrip("[]{}>"))[-1]

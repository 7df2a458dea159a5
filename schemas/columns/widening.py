"""Scalars that one wider scalar holds without loss."""

from __future__ import annotations

import re

MAX_DIGITS = 38  # of a DECIMAL, in every store
_WIDER: dict[frozenset[str], str] = {
    frozenset({"INTEGER", "BIGINT"}): "BIGINT",
    frozenset({"INTEGER", "FLOAT"}): "DOUBLE",  # whose 53 bits hold both
    frozenset({"INTEGER", "DOUBLE"}): "DOUBLE",
    frozenset({"FLOAT", "DOUBLE"}): "DOUBLE",
    frozenset({"VARCHAR", "BLOB"}): "BLOB",  # text as its bytes in UTF-8
    frozenset({"TIMESTAMP_MS", "TIMESTAMP"}): "TIMESTAMP",
    frozenset({"TIMESTAMP_MS", "TIMESTAMP_NS"}): "TIMESTAMP_NS",
    frozenset({"TIMESTAMP", "TIMESTAMP_NS"}): "TIMESTAMP_NS",
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def wider(one: str, other: str) -> str | None:
    """Return the scalar that holds every value of both, by its name in SQL; ``None`` where there is none."""
    if one == other:
        return one
    if found := _WIDER.get(frozenset({one, other})):
        return found
    a, b = decimal_of(one), decimal_of(other)
    if a is None or b is None:
        return None
    before, after = max(a[0] - a[1], b[0] - b[1]), max(a[1], b[1])
    return f"DECIMAL({before + after},{after})" if before + after <= MAX_DIGITS else None


def decimal_of(name: str) -> tuple[int, int] | None:
    """Return digits and scale of a DECIMAL; ``None`` for any other type."""
    found = _DECIMAL.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None

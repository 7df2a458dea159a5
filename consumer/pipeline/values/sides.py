"""Both sides of a comparison, and the 64 bits that are kept of each."""

from __future__ import annotations

from dataclasses import dataclass


class NotComparable(Exception):
    """Two types have nothing in common that could be compared; the words say why."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a comparison, as expressions: where neither is NULL, they are equal exactly where the values are.

    An expression is NULL where a value cannot be brought to the form; then the values differ (:func:`digests`).

    :ivar also: the sent side in other forms that are as right: rounded otherwise, or counted in another unit.
    """

    stored: str
    sent: str
    also: tuple[str, ...] = ()


def digests(stored: str, sent: str, sides: Sides) -> Sides:
    """Return 64 bits for each side (UBIGINT), of the value and of whether there is one.

    :param stored: the value itself, as an expression; ``sent`` likewise.
    """
    first, *others = (
        f"hash({side}, CASE WHEN {sent} IS NULL THEN 0 WHEN {side} IS NULL THEN 3 ELSE 2 END)"
        for side in (sides.sent, *sides.also)
    )
    here = f"CASE WHEN {stored} IS NULL THEN 0 WHEN {sides.stored} IS NULL THEN 1 ELSE 2 END"
    return Sides(f"hash({sides.stored}, {here})", first, tuple(others))

"""The name that somebody may have meant."""

from __future__ import annotations

import pytest

from cluster.text.nearest import meant, nearest


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("medain", ["mean", "median"], "median"),
        ("dup", ["dropped", "duplicate"], "duplicate"),
        ("price", ["trace", "items[].price"], "items[].price"),
        ("items.price", ["trace", "items[].price", "items[]"], "items[].price"),
        ("extra<strng>", ["note", "extra<string>"], "extra<string>"),
        ("prise", ["note", "lines[].price"], "lines[].price"),
        ("PAYED", ["NEW", "PAID"], "PAID"),
        ("customerid", ["customerId"], "customerId"),
        ("xyz", ["NEW", "PAID"], None),
        ("no", ["note"], "note"),
        ("a", [], None),
    ],
)
def test_the_nearest_name_is_found(name: str, known: list[str], near: str | None) -> None:
    assert nearest(name, known) == near


def test_what_there_is_is_listed_where_nothing_is_near() -> None:
    assert meant("x", ["id", "name"], listed=True) == ", there is id, name"
    assert meant("x", ["id", "name"]) == ""
    assert meant("x", [str(number) for number in range(20)], listed=True) == ""
    assert meant("nmae", ["id", "name"], listed=True) == ", did you mean name?"

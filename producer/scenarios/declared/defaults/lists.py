"""Words that fields of one name take their values from, the usual ones first."""

from __future__ import annotations

from typing import Any

from producer.scenarios.declared.defaults.tables import pairs_of

LISTS: dict[str, tuple[str, ...]] = {name: tuple(values.split(", ")) for name, values in pairs_of("lists.txt")}


def choice_of(name: str) -> dict[str, Any]:
    """Return the rule of a list: the chance of a value falls with its rank."""
    return {"choice": {value: round(1 / rank, 3) for rank, value in enumerate(LISTS[name], 1)}}

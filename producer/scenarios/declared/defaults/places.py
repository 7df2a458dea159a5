"""Cities with their region, country, codes and position, so that the fields of one address belong together."""

from __future__ import annotations

from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.tables import lines_of
from producer.scenarios.declared.defaults.words import search

_COLUMNS = (
    "city",
    "region",
    "region_code",
    "postcode",
    "country",
    "alpha2",
    "alpha3",
    "timezone",
    "latitude",
    "longitude",
)
_ROWS = tuple(tuple(line.split("|")) for line in lines_of("places.txt"))
# Whose address it is, where one record has several.
_WHOSE = r"^(billing|shipping|ship|home|work|office|origin|source|from|destination|to|delivery|pickup|dropoff|sender|receiver|departure|arrival|birth)\b"
WORLD, UNITED_STATES = "(places)", "(places of the US)"


def place_pools() -> dict[str, dict[str, Any]]:
    """Return the pools of places: all, and those of the United States."""
    american = [row for row in _ROWS if row[5] == "US"]
    return {WORLD: _pool(list(_ROWS)), UNITED_STATES: _pool(american)}


def _pool(rows: list[tuple[str, ...]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for place, name in enumerate(_COLUMNS):
        values = [row[place] for row in rows]
        columns[name] = {"cycle": [float(value) for value in values] if name in ("latitude", "longitude") else values}
    return {"size": len(rows), "skew": 0.5, "columns": columns}


def of_place(field: Field, column: str) -> tuple[str, str]:
    """Return pool and column of a part of an address.

    Places are of the United States where a state is named and no country.
    """
    american = field.is_near(r"\bstate\b") and not field.is_near(r"\b(country|nation)\b")
    return (UNITED_STATES if american else WORLD), column


def whose(field: Field) -> str:
    """Return whose address a part belongs to, as far as its name begins with it."""
    match = search(_WHOSE, field.says)
    return match[1] if match else ""

"""Cities with their region, country, codes, money and position, so that the fields of one address belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.lists import choice_of
from producer.scenarios.declared.defaults.tables import lines_of
from producer.scenarios.declared.defaults.words import search

COLUMNS = (
    "city",
    "region",
    "region_code",
    "postcode",
    "country",
    "alpha2",
    "alpha3",
    "currency",
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
    for place, name in enumerate(COLUMNS):
        values = [row[place] for row in rows]
        columns[name] = {"cycle": [float(value) for value in values] if name in ("latitude", "longitude") else values}
    return {"size": len(rows), "skew": 0.5, "columns": columns}


def of_place(field: Field, column: str) -> tuple[str, str]:
    """Return pool and column of a part of an address.

    Places are of the United States where a state is named and no country.
    """
    american = field.is_near(r"\bstate\b") and not field.is_near(r"\b(country|nation)\b")
    return (UNITED_STATES if american else WORLD), column


def of_one_place(
    fields: Mapping[str, Field], ways: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ways of what follows from the place that other fields of one record name: its money, time and position.

    :param fields: fields of one record of which neither the file nor the schema says anything, by path.
    """
    pools = {str(ways[path].get("pool", "")).partition(".")[0] for path in fields}
    named = [name for name in pools if name.startswith((WORLD, UNITED_STATES))]
    if len(named) != 1:
        return
    wanted = {"currency": choice_of("currency"), "timezone": choice_of("timezone")}
    for column, usual in wanted.items():
        if len(found := [path for path in fields if ways[path] == usual]) == 1:
            yield found[0], {"pool": f"{named[0]}.{column}"}
    for column in ("latitude", "longitude"):
        found = [
            path for path, field in fields.items() if field.is_named(rf"\b{column}$") and "distribution" in ways[path]
        ]
        if len(found) == 1:
            yield found[0], {"pool": f"{named[0]}.{column}"}


def whose(field: Field) -> str:
    """Return whose address a part belongs to, as far as its name begins with it."""
    match = search(_WHOSE, field.says)
    return match[1] if match else ""

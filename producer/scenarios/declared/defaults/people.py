"""Persons with the names that belong together: given name, family name, e-mail, name of a user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.words import compiled

_GIVEN_NAMES = (
    "Amber Anna Ben Carla Clara David Elena Emil Emma Erik Eva Felix Finn Grace Hannah Henry Ida Isaac Jakob Jana "
    "Julia Karl Laura Leo Lina Lucas Maria Mark Mia Nina Noah Oliver Paula Peter Rosa Ruth Samuel Sara Theo Tom"
)
_FAMILY_NAMES = (
    "Adams Bauer Becker Berger Brown Carter Clark Cooper Costa Davies Dubois Evans Fischer Fuchs Garcia Gruber Hansen Huber "
    "Jensen Keller Lang Larsen Lopez Martin Mayer Miller Moreau Moser Novak Olsen Parker Rossi Santos Silva Steiner Taylor "
    "Vogel Wagner Walker Young"
)
_GIVEN, _FAMILY = _GIVEN_NAMES.split(), _FAMILY_NAMES.split()
_SIZE = 400
# Faker's providers, and the column that has such values.
_COLUMNS = {"first_name": "given", "last_name": "family", "name": "name", "email": "email", "user_name": "user"}
_PARTS = (
    r"\b(first|given|fore|christian|last|family|sur|full|display|user|login|name|firstname|lastname|surname|forename|username|"
    r"primary|work|personal|e|mail|email|address|id)\b|\s"
)
PEOPLE = "(people"


def people_pool() -> dict[str, Any]:
    """Return the pool of persons, no two of whom have one e-mail."""
    rows = [(_GIVEN[n % 40], _FAMILY[(n + 11 * (n // 40)) % 40]) for n in range(_SIZE)]
    columns = {
        "given": [given for given, _ in rows],
        "family": [family for _, family in rows],
        "name": [f"{given} {family}" for given, family in rows],
        "email": [f"{given}.{family}@example.org".lower() for given, family in rows],
        "user": [f"{given[0]}{family}{n % 90 + 10}".lower() for n, (given, family) in enumerate(rows)],
    }
    return {"size": _SIZE, "skew": 0.5, "columns": {name: {"cycle": values} for name, values in columns.items()}}


def of_one_person(
    fields: Mapping[str, Field], ways: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ways of the fields of one record that say one person's name in several forms, or the e-mail beside it.

    :param fields: fields of one record of which neither the file nor the schema says anything, by path.
    """
    named: dict[str, dict[str, str]] = {}
    for path, field in fields.items():
        provider = ways[path].get("faker", {}).get("provider")
        if provider in _COLUMNS:
            named.setdefault(compiled(_PARTS).sub("", field.says), {})[path] = _COLUMNS[provider]
    for whose, columns in named.items():
        if len(set(columns.values())) > 1 and {"given", "family", "name"} & set(columns.values()):
            for path, column in columns.items():
                yield path, {"pool": f"{PEOPLE} of {whose or 'the record'}).{column}"}
